"""What an issue still needs before anyone can send it."""

from typing import Any

import pytest

from core_support import JULY, ROOT, article_of, catalogue, issue_of, sample_issue
from digest_mailer.core.citation import Citation
from digest_mailer.core.errors import Place, Severity
from digest_mailer.core.identity import ArticleKey, IssueId, TopicKey
from digest_mailer.core.issue import Article, Issue
from digest_mailer.core.lint import check_issue, keys_of
from digest_mailer.core.topic import Catalogue, Topic

SAMPLES = sorted(path.stem for path in (ROOT / "newsletters").glob("2*.md"))


def whole(key: str = "one", **changes: Any) -> Article:
    parts: dict[str, Any] = {
        "research_type": "review",
        "citation": Citation("Norcross (2023)."),
        "takeaway": "Empathy helps.",
        "place": Place(9, 1),
    }
    return article_of(key, "Empathy", **parts | changes)


def codes(issue: Issue, **taken: str) -> list[str]:
    elsewhere = {ArticleKey(key): IssueId(month) for key, month in taken.items()}
    return [diagnostic.code for diagnostic in check_issue(issue, catalogue(), elsewhere)]


def test_a_whole_issue_has_no_findings() -> None:
    assert codes(issue_of(whole("one"), whole("two"))) == []


@pytest.mark.parametrize(
    ("issue", "code", "severity", "line"),
    [
        (issue_of(whole(), subject=""), "DM101", Severity.ERROR, 1),
        (issue_of(whole(), preheader=""), "DM102", Severity.ERROR, 1),
        (issue_of(whole(), subject="What helps", preheader="WHAT HELPS"), "DM103", Severity.WARNING, 1),
        (issue_of(whole(topics=())), "DM104", Severity.ERROR, 9),
        (issue_of(whole(research_type="")), "DM105", Severity.ERROR, 9),
        (issue_of(whole(takeaway="")), "DM106", Severity.WARNING, 9),
        (issue_of(whole(citation=None)), "DM107", Severity.WARNING, 9),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_gap_has_its_code_and_its_weight(issue: Issue, code: str, severity: Severity, line: int) -> None:
    (found,) = check_issue(issue, catalogue(), {})
    assert (found.code, found.severity, found.line, found.col) == (code, severity, line, 1)
    assert found.hint


def test_a_retired_topic_cannot_be_chosen() -> None:
    old = Catalogue((Topic(0, TopicKey("empathy"), "Empathy", retired=True),))
    (found,) = check_issue(issue_of(whole()), old, {})
    assert (found.code, found.message) == ("DM108", 'topic "Empathy" is retired')


def test_a_key_that_another_issue_has_is_taken() -> None:
    assert codes(issue_of(whole("one")), one="2020-01") == ["DM109"]
    assert codes(issue_of(whole("one")), two="2020-01") == []


def test_everything_is_found_at_once() -> None:
    bare = issue_of(article_of("one", place=Place(7, 1)), subject="", preheader="")
    assert codes(bare, one="2020-01") == ["DM101", "DM102", "DM104", "DM105", "DM106", "DM107", "DM109"]


def test_an_issue_without_subject_and_preheader_does_not_repeat_itself() -> None:
    assert "DM103" not in codes(issue_of(whole(), subject="", preheader=""))


def test_the_keys_of_all_other_issues_are_known() -> None:
    june = issue_of(whole("june"), id=IssueId("2023-06"))
    july = issue_of(whole("july"))
    assert keys_of([june, july], but=JULY) == {"june": "2023-06"}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_sample_issues_can_be_sent(name: str) -> None:
    issues = [sample_issue(one) for one in SAMPLES]
    issue = sample_issue(name)
    found = check_issue(issue, catalogue(), keys_of(issues, but=issue.id))
    assert [one for one in found if one.severity is Severity.ERROR] == []
