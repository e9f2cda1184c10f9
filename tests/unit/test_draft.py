"""What of a feed becomes an article: by month, by what is known already, with which topics; and what an author gets."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core_support import JULY, article_of, catalogue, issue_of, vocabulary
from digest_mailer.core.citation import Citation, Doi
from digest_mailer.core.draft import (
    IMPLICATIONS,
    MOST_HINTS,
    SUMMARY,
    TITLE,
    Known,
    Proposal,
    Reason,
    Words,
    article,
    known,
    propose,
    stub,
    unmade,
)
from digest_mailer.core.errors import Severity
from digest_mailer.core.feed import Entry
from digest_mailer.core.identity import IssueId, free_key, next_month
from digest_mailer.core.issue import Issue, Markdown
from digest_mailer.core.issue_file import parse_issue
from digest_mailer.core.issue_writer import serialise_issue
from digest_mailer.core.lint import check_issue

OTTAWA = ZoneInfo("America/Toronto")
NOON = datetime(2023, 7, 12, 16, tzinfo=UTC)
NOTHING = known(())


def entry_of(title: str = "Sleep", link: str = "", **changes: Any) -> Entry:
    values: dict[str, Any] = {"published": NOON, "content": "Text."} | changes
    return Entry(title, link, **values)


def judged(*entries: Entry, before: Known = NOTHING, **more: Any) -> list[Proposal]:
    return propose(entries, before, catalogue(), OTTAWA, **more)


def reasons(*entries: Entry, before: Known = NOTHING, **more: Any) -> list[Reason | None]:
    return [one.reason for one in judged(*entries, before=before, **more)]


def test_the_month_of_an_issue_is_taken() -> None:
    june = entry_of("June", published=datetime(2023, 6, 1, 12, tzinfo=UTC))
    assert reasons(entry_of(), june) == [None, None]
    assert reasons(entry_of(), june, issue=JULY) == [None, Reason.OTHER_MONTH]
    assert judged(june, issue=JULY)[0].why == "it is of 2023-06"


def test_entries_without_a_date_are_left_out_unless_they_are_wanted() -> None:
    undated = entry_of("a", published=None, undated='"soon" is not a date')
    assert reasons(undated, entry_of("b", published=None)) == [Reason.UNDATED] * 2
    assert [one.why for one in judged(undated, entry_of("b", published=None))] == [
        '"soon" is not a date',
        "it has no date",
    ]
    assert reasons(undated, issue=JULY, undated=True) == [None]


def test_an_empty_entry_is_nothing() -> None:
    assert reasons(Entry("", published=NOON), Entry("", published=NOON, content="x")) == [Reason.EMPTY, None]


@pytest.mark.parametrize(
    ("title", "link", "why"),
    [
        ("Sleep — and “Mood”!", "", "issue 2023-07 has its title"),
        ("SLEEP  and mood", "https://elsewhere.example.org/", "issue 2023-07 has its title"),
        ("Other", "http://Studies.example.org/a/?utm_source=feed#top", "issue 2023-07 has its link"),
        ("Other", "https://studies.example.org/free", "issue 2023-07 has its link"),
        ("Other", "https://studies.example.org/a?id=2", ""),
        ("Sleep and moods", "https://studies.example.org/b", ""),
        ("", "", ""),
    ],
)
def test_what_an_issue_has_is_left_out(title: str, link: str, why: str) -> None:
    body = Markdown("Found.\n\nSource: [here](https://studies.example.org/a)")
    of = article_of(title="Sleep and Mood", body=body, open_access_url="https://studies.example.org/free")
    (proposal,) = judged(entry_of(title, link), before=known([issue_of(articles=(of, article_of(title="?")))]))
    assert (proposal.why, proposal.reason) == (why, Reason.PUBLISHED if why else None)


def test_the_same_paper_under_another_title_is_another_article() -> None:
    doi = Doi("10.5555/a")
    of = article_of(title="First", citation=Citation("A", doi))
    assert reasons(entry_of("Second", doi=doi), before=known([issue_of(articles=(of,))])) == [None]


def test_an_entry_that_stands_twice_is_taken_once() -> None:
    first = entry_of("Sleep", "https://studies.example.org/a")
    again = entry_of("Sleep, once more", "https://studies.example.org/a/")
    other = entry_of("SLEEP", "https://studies.example.org/b")
    assert reasons(first, again, other) == [None, Reason.TWICE, Reason.TWICE]
    untitled = [Entry("", published=NOON, content=text) for text in "ab"]
    assert reasons(*untitled) == [None, None]


def test_categories_become_topics_by_any_of_their_names() -> None:
    (proposal,) = judged(entry_of(categories=("empathy", "Adherence", "EMPATHY", "Emphaty", "Uncategorised things")))
    assert proposal.topics == ("empathy", "adherance")
    assert proposal.unmatched == (("Emphaty", 'did you mean "Empathy"?'), ("Uncategorised things", ""))


def test_suggestions_end_somewhere() -> None:
    entries = [entry_of(f"Sleep {number}", categories=(f"Emphaty{number}",)) for number in range(MOST_HINTS + 1)]
    hints = [one.unmatched[0][1] for one in judged(*entries)]
    assert hints == ['did you mean "Empathy"?'] * MOST_HINTS + [""]


def test_an_article_has_what_is_known_and_says_where_it_is_from() -> None:
    words = Words(Markdown("Found."), Markdown("Ask."), "Rask, A. (2022). Sleep. doi:10.5555/a", ())
    (proposal,) = judged(
        entry_of(link="https://www.studies.example.org/a", categories=("Empathy",), doi=Doi("10.5555/b"))
    )
    made = article(proposal, words, JULY, {"sleep"})
    assert (made.key, made.title, made.topics) == ("sleep-2", "Sleep", ("empathy",))
    assert made.body == "Found.\n\nSource: [studies.example.org](https://www.studies.example.org/a)"
    assert made.implications == "Ask."
    assert made.citation == Citation("Rask, A. (2022). Sleep. doi:10.5555/a", Doi("10.5555/a"))
    assert unmade(made) is None


def test_an_article_with_nothing_but_a_doi() -> None:
    (proposal,) = judged(Entry("", "https://doi.org/10.5555/a", NOON, content="x", doi=Doi("10.5555/a")))
    made = article(proposal, Words(), JULY, ())
    assert (made.key, made.title, made.body) == ("article-2023-07", TITLE, SUMMARY)
    assert unmade(made) == "10.5555/a"


def test_what_is_left_to_write_is_named_by_lint_and_not_by_the_parser() -> None:
    first = stub(JULY, ())
    draft = Issue(
        JULY, (first, stub(JULY, {first.key}), stub(JULY, {first.key}, "Sleep", Citation("", Doi("10.5555/a"))))
    )
    read = parse_issue(serialise_issue(draft, vocabulary()).encode(), f"{JULY}.md", vocabulary())
    assert [one.key for one in read.articles] == ["article-2023-07", "article-2023-07-2", "sleep"]
    found = [one for one in check_issue(read, catalogue(), {}) if one.severity is Severity.ERROR]
    assert [one.code for one in found].count(
        "DM114"
    ) == 2 * 3 + 2  # title, summary, implications of two; all but a title
    assert {one.code for one in found} == {"DM101", "DM102", "DM104", "DM105", "DM114"}
    assert (
        read.articles[0].title,
        read.articles[0].body,
        read.articles[0].implications,
    ) == (TITLE, SUMMARY, IMPLICATIONS)


def test_months_and_keys() -> None:
    assert [next_month(IssueId(month)) for month in ("2023-07", "2023-12")] == ["2023-08", "2024-01"]
    assert free_key("睡眠", "article", {"article", "article-2"}) == "article-3"
