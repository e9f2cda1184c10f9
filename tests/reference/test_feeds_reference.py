"""The two feeds of the same articles, RSS and Atom, become the same drafts as the captures, and lose nothing."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core_support import catalogue, vocabulary
from digest_mailer.adapters.captures import read_captures
from digest_mailer.adapters.feed_words import words_of
from digest_mailer.adapters.feed_xml import read_xml
from digest_mailer.core.draft import article, known, propose
from digest_mailer.core.feed import Feed, months_of
from digest_mailer.core.identity import IssueId
from digest_mailer.core.issue import Article, Issue
from digest_mailer.core.issue_file import inline_text, markdown_reader, parse_issue
from digest_mailer.core.issue_writer import serialise_issue

pytestmark = pytest.mark.reference

OTTAWA = ZoneInfo("America/Toronto")
NOW = datetime(2023, 8, 1, tzinfo=UTC)


@pytest.fixture(scope="module", params=["pprnet-all.rss.xml", "pprnet-all.atom.xml"])
def feed(reference: Path, request: pytest.FixtureRequest) -> Feed:
    path = reference / "seeds" / "feed" / request.param
    return read_xml(path.name, path.read_bytes(), OTTAWA, NOW)


@pytest.fixture(scope="module")
def drafts(feed: Feed) -> dict[IssueId, Issue]:
    """The draft of each month."""
    issues = {}
    for month in months_of(feed.entries, OTTAWA):
        made: list[Article] = []
        for one in propose(feed.entries, known(()), catalogue(), OTTAWA, issue=month):
            if one.is_taken:
                made.append(article(one, words_of(one.entry), month, {before.key for before in made}))
        issues[month] = Issue(month, tuple(made))
    return issues


def words(markdown: str) -> list[str]:
    tokens = markdown_reader().parse(markdown)
    return " ".join(inline_text(token) for token in tokens if token.type == "inline").split()


def test_the_feed_is_whole(feed: Feed) -> None:
    assert (feed.problems, feed.broken, len(feed.entries)) == ((), False, 27)
    assert not any(entry.excerpt or entry.undated for entry in feed.entries)
    assert all(entry.title and entry.link for entry in feed.entries)


def test_every_article_is_the_one_that_the_captures_have(
    drafts: Mapping[IssueId, Issue], captures: list[tuple[str, bytes]]
) -> None:
    imported = read_captures(captures).issues
    assert sorted(drafts) == sorted(issue.id for issue in imported)
    for issue in imported:
        assert [one.title for one in drafts[issue.id].articles] == [one.title for one in issue.articles]
        for made, wanted in zip(drafts[issue.id].articles, issue.articles, strict=True):
            summary, _, source = made.body.rpartition("\n\nSource: ")
            assert source.startswith("[pprnet.example](https://pprnet.example/blog/")
            assert words(summary) == words(wanted.body)
            assert words(made.implications) == words(wanted.implications)
            assert made.citation == wanted.citation


def test_categories_are_the_topics_that_the_facts_name(
    drafts: Mapping[IssueId, Issue], facts: Mapping[tuple[str, int], dict[str, Any]]
) -> None:
    for month, issue in drafts.items():
        for number, made in enumerate(issue.articles, 1):
            named = [catalogue().find(one["topic"]) for one in facts[month, number]["topics_inferred"]]
            assert list(made.topics) == [topic.key for topic in named if topic]
            assert len(made.topics) == len(named)


def test_a_draft_is_an_issue_file_that_reads_back(drafts: Mapping[IssueId, Issue]) -> None:
    for month, issue in drafts.items():
        read = parse_issue(serialise_issue(issue, vocabulary()).encode(), f"{month}.md", vocabulary())
        assert replace(read, places={}) == issue


def test_what_was_published_is_known_again(feed: Feed, drafts: Mapping[IssueId, Issue]) -> None:
    again = propose(feed.entries, known(drafts.values()), catalogue(), OTTAWA)
    assert {one.why for one in again} == {f"issue {month} has its link" for month in drafts}
