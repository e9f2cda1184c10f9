"""What an issue still needs before anyone can send it."""

from typing import Any

import pytest

from core_support import JULY, ROOT, article_of, catalogue, issue_of, sample_issue
from digest_mailer.core.citation import Citation, Doi
from digest_mailer.core.errors import Place, Severity
from digest_mailer.core.identity import ArticleKey, IssueId, TopicKey
from digest_mailer.core.issue import Article, Issue
from digest_mailer.core.lint import before, check_followers, check_issue, dois_of, keys_of
from digest_mailer.core.topic import Catalogue, Topic

SAMPLES = sorted(path.stem for path in (ROOT / "newsletters").glob("2*.md") if "." not in path.stem)
LINE = "What helps people to stay in a therapy that is hard"


def whole(key: str = "one", **changes: Any) -> Article:
    parts: dict[str, Any] = {
        "research_type": "review",
        "citation": Citation("Norcross (2023)."),
        "takeaway": "Empathy helps.",
        "place": Place(9, 1),
    }
    return article_of(key, "Empathy", **parts | changes)


def sound(*articles: Article, **changes: Any) -> Issue:
    """An issue of these articles, with a preheader that fills its line."""
    return issue_of(*articles, **{"preheader": f"{LINE}, and what does not.", **changes})


def codes(issue: Issue, **taken: str) -> list[str]:
    elsewhere = {ArticleKey(key): IssueId(month) for key, month in taken.items()}
    return [diagnostic.code for diagnostic in check_issue(issue, catalogue(), elsewhere)]


def test_a_whole_issue_has_no_findings() -> None:
    assert codes(sound(whole("one"), whole("two"))) == []


@pytest.mark.parametrize(
    ("issue", "code", "severity", "line"),
    [
        (sound(whole(), subject=""), "DM101", Severity.ERROR, 1),
        (sound(whole(), preheader=""), "DM102", Severity.ERROR, 1),
        (sound(whole(), subject=LINE, preheader=LINE.upper()), "DM103", Severity.WARNING, 1),
        (sound(whole(topics=())), "DM104", Severity.ERROR, 9),
        (sound(whole(research_type="")), "DM105", Severity.ERROR, 9),
        (sound(whole(takeaway="")), "DM106", Severity.WARNING, 9),
        (sound(whole(citation=None)), "DM107", Severity.WARNING, 9),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_gap_has_its_code_and_its_weight(issue: Issue, code: str, severity: Severity, line: int) -> None:
    (found,) = check_issue(issue, catalogue(), {})
    assert (found.code, found.severity, found.line, found.col) == (code, severity, line, 1)
    assert found.hint


def test_a_retired_topic_cannot_be_chosen() -> None:
    old = Catalogue((Topic(0, TopicKey("empathy"), "Empathy", retired=True),))
    (found,) = check_issue(sound(whole()), old, {})
    assert (found.code, found.message) == ("DM108", 'topic "Empathy" is retired')


def test_a_key_that_another_issue_has_is_taken() -> None:
    assert codes(sound(whole("one")), one="2020-01") == ["DM109"]
    assert codes(sound(whole("one")), two="2020-01") == []


def test_everything_is_found_at_once() -> None:
    bare = issue_of(article_of("one", place=Place(7, 1)), subject="", preheader="")
    assert codes(bare, one="2020-01") == ["DM101", "DM102", "DM104", "DM105", "DM106", "DM107", "DM109"]


def test_an_issue_without_subject_and_preheader_does_not_repeat_itself() -> None:
    assert "DM103" not in codes(sound(whole(), subject="", preheader=""))


def test_the_keys_of_all_other_issues_are_known() -> None:
    june = issue_of(whole("june"), id=IssueId("2023-06"))
    july = issue_of(whole("july"))
    assert keys_of([june, july], but=JULY) == {"june": "2023-06"}


def cites(key: str, doi: str, **changes: Any) -> Article:
    return whole(key, title=key.title(), citation=Citation("Norcross (2023).", Doi(doi)), **changes)


def test_the_papers_of_older_issues_are_known_by_the_oldest() -> None:
    stated = dois_of(
        [
            issue_of(cites("new", "10.1000/A"), id=IssueId("2023-06")),
            issue_of(cites("old", "10.1000/a"), whole("two"), id=IssueId("2020-01")),
            issue_of(cites("other", "10.1000/b"), id=IssueId("2023-08")),
        ]
    )
    assert before(stated, JULY) == {"10.1000/a": ("2020-01", "Old")}
    assert before(stated, IssueId("2020-01")) == {}, "an issue is not older than itself"
    assert before(stated, IssueId("2023-08")) == {"10.1000/a": ("2020-01", "Old")}


def test_two_citations_of_one_paper_differ_only_in_their_words() -> None:
    other = Citation("norcross  (2023)", Doi("10.1000/A"))
    assert codes(sound(cites("one", "10.1000/a"), whole("two", citation=other))) == []
    nothing = Citation("", Doi("10.1000/a"))
    assert codes(sound(cites("one", "10.1000/a"), whole("two", citation=nothing))) == []
    wrong = Citation("Moreau (2021).", Doi("10.1000/A"))
    assert codes(sound(cites("one", "10.1000/a"), whole("two", citation=wrong))) == ["DM115"]


@pytest.mark.parametrize(
    ("followers", "found"),
    [
        ({}, ["DM121"]),
        ({TopicKey("empathy"): 0}, ["DM121"]),
        ({TopicKey("training"): 1, TopicKey("empathy"): 0}, ["DM121"]),
        ({TopicKey("training"): 1}, ["DM121"]),
        ({TopicKey("training"): 1, TopicKey("empathy"): 1}, []),
    ],
)
def test_a_topic_without_people_is_told(followers: dict[TopicKey, int], found: list[str]) -> None:
    told = check_followers(sound(whole()), catalogue(), followers)
    assert [one.code for one in told] == found


def test_a_retired_topic_is_not_told_twice() -> None:
    old = Catalogue((Topic(0, TopicKey("empathy"), "Empathy", retired=True),))
    issue = sound(whole())
    told = [*check_issue(issue, old, {}), *check_followers(issue, old, {TopicKey("training"): 1})]
    assert [one.code for one in told] == ["DM108"]


def test_places_are_told_as_well_as_they_are_known() -> None:
    places = {"subject": Place(2, 1)}
    (found,) = check_issue(sound(whole(), subject="WHAT HELPS", places=places), catalogue(), {})
    assert (found.code, found.line, found.col) == ("DM119", 2, 1)
    (found,) = check_issue(sound(whole(title="TODO")), catalogue(), {})
    assert (found.code, found.line) == ("DM114", 9)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_sample_issues_can_be_sent(name: str) -> None:
    issues = [sample_issue(one) for one in SAMPLES]
    issue = sample_issue(name)
    found = check_issue(issue, catalogue(), keys_of(issues, but=issue.id))
    assert [one for one in found if one.severity is Severity.ERROR] == []
