"""What becomes of issues when a topic that they name is retired, or merged into another."""

from dataclasses import replace
from datetime import date

from core_support import CORPUS, catalogue, vocabulary
from digest_mailer.core.errors import Diagnostic
from digest_mailer.core.fixes import fix_text
from digest_mailer.core.identity import TopicKey
from digest_mailer.core.issue import Issue
from digest_mailer.core.issue_file import Vocabulary, examine_issue
from digest_mailer.core.issue_writer import serialise_issue
from digest_mailer.core.lint import check_issue
from digest_mailer.core.topic import Catalogue

GOOD = (CORPUS / "lint" / "good.md").read_text("utf-8")
EMPATHY = TopicKey("empathy")
ALLIANCE = TopicKey("alliance")


def merged() -> Vocabulary:
    """The sample's topics, Empathy merged into Alliance."""
    gone = replace(catalogue().by_key(EMPATHY), retired=True, merged_into=ALLIANCE)
    return replace(vocabulary(), catalogue=catalogue().amended(gone))


def retired() -> Catalogue:
    """The sample's topics without Empathy."""
    return catalogue().amended(replace(catalogue().by_key(EMPATHY), retired=True))


def read(topics: str, known: Vocabulary) -> tuple[Issue, list[Diagnostic]]:
    text = GOOD.replace("topics:\n  - Empathy\n", topics)
    assert text != GOOD or "Empathy" in topics
    issue, found = examine_issue(text.encode(), "2023-07.md", known)
    assert issue is not None
    return issue, found


def test_the_name_of_a_merged_topic_means_the_other_one() -> None:
    issue, found = read("topics:\n  - Empathy\n", merged())
    assert (issue.articles[0].topics, found) == ((ALLIANCE,), [])
    assert check_issue(issue, merged().catalogue, {}) == []
    assert "Alliance and Therapeutic Relationship" in serialise_issue(issue, merged())


def test_an_article_that_names_both_topics_of_a_merge_is_about_one_and_no_mistake() -> None:
    for topics in ("topics: [Empathy, Working Alliance]\n", "topics: [alliance, empathy]\n"):
        issue, found = read(topics, merged())
        assert (issue.articles[0].topics, found) == ((ALLIANCE,), [])


def test_to_name_a_topic_twice_is_a_mistake_as_ever() -> None:
    _, found = read("topics: [Empathy, empathy]\n", merged())
    assert [(one.code, one.message) for one in found] == [("DM009", 'topic "Empathy" stands twice')]


def test_the_old_name_is_not_corrected_so_no_article_comes_to_name_a_topic_twice() -> None:
    text = GOOD.replace("topics:\n  - Empathy\n", "topics: [Empathy, Alliance and Therapeutic Relationship]\n")
    assert fix_text(text, merged().catalogue) == (text, ())


def test_a_published_issue_keeps_a_topic_that_was_retired_since() -> None:
    issue, _ = read("topics:\n  - Empathy\n", vocabulary())
    draft, published = replace(issue, published=None), replace(issue, published=date(2023, 7, 1))
    assert [one.code for one in check_issue(draft, retired(), {})] == ["DM108"]
    assert check_issue(published, retired(), {}) == []
