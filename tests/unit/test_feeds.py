"""Feeds in: every case of tests/corpus/feeds, and what holds for any text and any HTML."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core_support import CORPUS, JULY, catalogue, vocabulary
from digest_mailer.adapters import feeds as feeds_module
from digest_mailer.adapters.feed_blocks import DEEPEST, LONGEST
from digest_mailer.adapters.feed_copies import FeedCopies
from digest_mailer.adapters.feed_json import read_json
from digest_mailer.adapters.feed_words import words_of
from digest_mailer.adapters.feed_xml import read_xml
from digest_mailer.adapters.feeds import Feeds
from digest_mailer.adapters.fetching import Document, Fetcher
from digest_mailer.core.draft import Words, article, known, propose
from digest_mailer.core.errors import ContentError, DigestError, UsageError
from digest_mailer.core.feed import MOST_ENTRIES, Entry, Feed, month_of
from digest_mailer.core.issue import Issue
from digest_mailer.core.issue_file import inline_text, markdown_reader, parse_issue
from digest_mailer.core.issue_writer import serialise_issue
from digest_mailer.core.links import is_link
from publication_support import FixedClock

OTTAWA = ZoneInfo("America/Toronto")
NOW = datetime(2023, 8, 15, tzinfo=UTC)
CASES = sorted(path for path in (CORPUS / "feeds").iterdir() if not path.name.endswith(".expected.json"))


def reader(folder: Path) -> Feeds:
    return Feeds(Fetcher(), FeedCopies(folder), OTTAWA, FixedClock(NOW))


def read(path: Path, expected: dict[str, Any]) -> Feed:
    """A case as it comes from a file, or as if it had come from an address."""
    if "at" not in expected:
        return reader(path.parent / "nowhere").read(str(path))
    read_one = read_json if path.suffix == ".json" else read_xml
    return read_one(path.name, path.read_bytes(), OTTAWA, NOW, at=expected["at"])


def shown(entry: Entry) -> dict[str, Any]:
    """An entry as the expectations speak of it."""
    words = words_of(entry)
    return {
        "title": entry.title,
        "link": entry.link,
        "month": month_of(entry, OTTAWA),
        "undated": entry.undated,
        "doi": entry.doi,
        "categories": list(entry.categories),
        "excerpt": entry.excerpt,
        "summary": words.summary,
        "implications": words.implications,
        "citation": words.citation,
        "removed": list(words.removed),
        "words": " ".join(plain(words.summary)),
    }


def plain(markdown: str) -> list[str]:
    tokens = markdown_reader().parse(markdown)
    return " ".join(inline_text(token) for token in tokens if token.type == "inline").split()


def addresses(markdown: str) -> list[str]:
    tokens = markdown_reader().parse(markdown)
    children = [child for token in tokens for child in token.children or ()]
    assert not any(child.type == "image" for child in children)
    return [str(child.attrs["href"]) for child in children if child.type == "link_open"]


def drafted(entry: Entry, words: Words) -> Issue:
    """The entry as an issue of its own."""
    (proposal,) = propose([entry], known(()), catalogue(), OTTAWA, undated=True)
    return Issue(JULY, (article(proposal, words, JULY, ()),))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name)
def test_case(path: Path) -> None:
    expected = json.loads(path.with_name(f"{path.name}.expected.json").read_text("utf-8"))
    if "error" in expected:
        with pytest.raises(ContentError) as caught:
            read(path, expected)
        assert expected["error"] in caught.value.what
        assert expected.get("hint", "") in caught.value.hint
        return
    feed = read(path, expected)
    for found, part in zip(feed.problems, expected.get("problems", feed.problems), strict=True):
        assert part in found
    assert feed.broken is expected.get("broken", feed.broken)
    entries = [shown(entry) for entry in feed.entries]
    for entry, wanted in zip(entries, expected.get("entries", entries), strict=True):
        lacked = wanted.pop("lacks", "\0")
        assert all(lacked not in str(value) for value in entry.values())
        assert {name: entry[name] for name in wanted} == wanted
    assert all(len(entry.title) <= expected.get("title_at_most", 500) for entry in feed.entries)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name)
def test_every_entry_of_a_case_becomes_an_issue_that_can_be_read(path: Path) -> None:
    expected = json.loads(path.with_name(f"{path.name}.expected.json").read_text("utf-8"))
    if "error" in expected:
        return
    for entry in read(path, expected).entries:
        if entry.title or entry.content:
            text = serialise_issue(drafted(entry, words_of(entry)), vocabulary())
            issue = parse_issue(text.encode(), f"{JULY}.md", vocabulary())
            assert all(is_link(address) for address in addresses(issue.articles[0].body))


PIECES = st.sampled_from([
    "<rss>", "<rss version='2.0'>", "<channel>", "<item>", "</item>", "<entry>", "<title>", "</title>",
    "<link>x</link>", "<feed xmlns='http://www.w3.org/2005/Atom'>", "<![CDATA[", "]]>", "<pubDate>", "2023-07-01",
    "&#xD800;", "\0", "<!--",
    "<category>Empathy</category>", "<content type='html'>", "<description>", "&lt;a href='javascript:x'&gt;",
    "<?xml version='1.0' encoding='utf-16'?>", "<!DOCTYPE x [", '{"items": [', '{"title": "x"}', "]}", ",",
])  # fmt: skip


@given(st.one_of(st.text(), st.lists(st.one_of(PIECES, st.text(max_size=5))).map("".join)))
@example('{"items": [{"url": "http://[", "title": "\\ud800"}]}')
@example("<rss version='2.0'><channel><item><title>&#xD800;</title><link>http://[</link></item>")
def test_any_text_is_a_feed_or_an_error_that_says_so(text: str) -> None:
    data = text.encode("utf-8", "replace")
    feeds = reader(Path("nowhere"))
    try:
        feed = feeds._parsed("it", Document("https://studies.example.org/feed", data))
    except DigestError as problem:
        assert problem.hint  # noqa: PT017 - or it is a feed
        return
    for entry in feed.entries:
        if entry.title or entry.content:
            text = serialise_issue(drafted(entry, words_of(entry)), vocabulary())
            parse_issue(text.encode(), f"{JULY}.md", vocabulary())


TAGS = st.sampled_from([
    "p", "br", "em", "strong", "b", "a href='https://a.example.org/x'", "a href='javascript:x'", "ul", "ol", "li",
    "blockquote", "h1", "h4", "table", "tr", "td", "pre", "img alt='x'", "script", "div", "span",
])  # fmt: skip
HTML = st.lists(
    st.one_of(
        TAGS.map(lambda tag: f"<{tag}>"),
        TAGS.map(lambda tag: f"</{tag.split()[0]}>"),
        st.text(max_size=8),
        st.sampled_from(
            ["Practice Implications", "# ", "1. ", "- ", "*", "__DM_", "```", "---", "|", "&#13;", "\\", "`"]
        ),
    ),
    max_size=20,
).map("".join)


@given(st.one_of(HTML, st.text()))
@example("<p><b>Practice Implications")
@example("<h1>#</h1>")
@example("<ul><li><ul><li><ul><li><ul><li><ul><li>deep")
@example("a|b<br>-|-<br>c|d")
def test_any_html_becomes_an_article_that_reads_back(content: str) -> None:
    entry = Entry("Sleep", "https://studies.example.org/a", content=content)
    words = words_of(entry)
    issue = drafted(entry, words)
    text = serialise_issue(issue, vocabulary())
    back = parse_issue(text.encode(), f"{JULY}.md", vocabulary())
    assert (back.articles[0].body, back.articles[0].implications) == (
        issue.articles[0].body,
        issue.articles[0].implications,
    )
    found = addresses(back.articles[0].body) + addresses(back.articles[0].implications)
    assert set(found) <= {"https://a.example.org/x", "https://studies.example.org/a"}


@given(st.text())
def test_text_says_the_same_words_as_before(text: str) -> None:
    entry = Entry("Sleep", content=text.replace("&", "&amp;").replace("<", "&lt;"))
    words = words_of(replace(entry, content=f"<p>x {entry.content}</p>"))
    if not words.implications and "__DM_" not in text:
        wanted = "".join(char if char.isprintable() or char.isspace() else " " for char in text)
        got = "".join(char for char in "".join(plain(words.summary)) if char.isprintable())
        assert got == "x" + "".join(char for char in "".join(wanted.split()) if char.isprintable())


def test_what_is_nested_too_deeply_keeps_its_words() -> None:
    content = "<div>" * (DEEPEST + 1) + "<p>All &lt;of&gt; <b>it</b></p>" + "</div>" * (DEEPEST + 1)
    words = words_of(Entry("Sleep", content=content))
    assert plain(words.summary) == ["All", "<of>", "it"]
    assert words.removed == ("all marks: it is nested too deeply",)
    content = "<div>" * (DEEPEST - 1) + "<p>All of <em>it</em></p>" + "</div>" * (DEEPEST - 1)
    assert words_of(Entry("Sleep", content=content)).summary == "All of *it*"


def test_an_entry_that_is_too_long_is_cut_and_pictures_inside_it_do_not_count() -> None:
    picture = f'<img src="data:image/png;base64,{"A" * LONGEST}">'
    words = words_of(Entry("Sleep", content=f"{picture}<p>Found.</p>"))
    assert (words.summary, words.removed) == ("Found.", ("an image",))
    words = words_of(Entry("Sleep", content="<p>Found.</p>" + "<p>x</p>" * LONGEST))
    assert words.summary.startswith("Found.\n\nx\n\nx")
    assert words.removed == ("everything behind its first 65,536 characters",)


@pytest.mark.parametrize("count", [MOST_ENTRIES, MOST_ENTRIES + 1])
def test_a_feed_of_too_many_entries_is_refused_before_it_is_read(count: int) -> None:
    data = json.dumps({"items": [0] * count}).encode()
    xml = b"<rss version='2.0'><channel>" + b"<item/>" * count
    if count > MOST_ENTRIES:
        for read_one, content in ((read_json, data), (read_xml, xml)):
            with pytest.raises(ContentError, match="more than 20,000 entries"):
                read_one("it", content, OTTAWA, NOW)
    else:
        assert read_json("it", data, OTTAWA, NOW).entries == ()


def test_reading_has_a_limit_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, going_on = tmp_path / "feed.xml", Event()
    path.write_text("<rss/>")
    monkeypatch.setattr(Feeds, "_parsed", lambda *_: going_on.wait())
    feeds = Feeds(Fetcher(), FeedCopies(tmp_path), OTTAWA, FixedClock(NOW), seconds=0.01)
    with pytest.raises(ContentError, match="reading it took longer than"):
        feeds.read(str(path))
    going_on.set()


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("nowhere.xml", UsageError, "cannot read nowhere.xml"),
        ("ftp://studies.example.org/feed", UsageError, "neither a web address nor a file"),
        ("file:///etc/passwd", UsageError, "neither a web address nor a file"),
        ("/dev/null", ContentError, "is empty"),
    ],
)
def test_sources_that_are_none(tmp_path: Path, source: str, error: type[DigestError], words: str) -> None:
    with pytest.raises(error, match=words):
        reader(tmp_path).read(source)


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds_module, "MOST_OCTETS", 1 << 20)
    path = tmp_path / "feed.xml"
    path.write_bytes(b"<" * ((1 << 20) + 1))
    with pytest.raises(ContentError, match="larger than 1 MiB"):
        reader(tmp_path).read(str(path))
