"""An author begins an issue: from feeds, from DOIs, from nothing; and looks at what a feed would give."""

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from command_support import ROOT, Result, command
from digest_mailer.adapters import fetching
from digest_mailer.bootstrap import App
from web_support import Answer, Web, serving

FEED = """<rss version="2.0"><channel><title>Studies [bold]at[/bold] a glance</title>
<item><title>Sleep and mood</title><link>{at}/sleep</link><pubDate>Sat, 12 Aug 2023 19:00:00 +0000</pubDate>
<category>Empathy</category><category>Emphaty</category>
<description>&lt;p&gt;Found (doi:10.5555/made.up.1) &lt;img src="x" alt="Bars"&gt; it.&lt;/p&gt;
&lt;h3&gt;Practice Implications&lt;/h3&gt;&lt;p&gt;Ask.&lt;/p&gt;</description></item>
<item><title>Therapist Factors Related to Patient Outcomes</title><pubDate>Sun, 13 Aug 2023 19:00:00 +0000</pubDate>
<description>Seen before.</description></item>
<item><title>Some day</title><pubDate>2023-13-45</pubDate><description>Undated.</description></item>
<item><title>June</title><pubDate>Mon, 12 Jun 2023 19:00:00 +0000</pubDate><description>Early.</description></item>
</channel></rss>
"""  # fmt: skip
CSL = {"DOI": "10.5555/made.up.1", "title": "Sleep and mood", "author": [{"family": "Rask", "given": "Ada"}],
       "issued": {"date-parts": [[2022]]}, "container-title": "Journal of Made-up Results", "volume": 3}  # fmt: skip
LINE = "Rask, A. (2022). Sleep and mood. Journal of Made-up Results, 3. https://doi.org/10.5555/made.up.1"


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drafts") / "publication"
    assert command("init", folder).code == 0
    return folder


@pytest.fixture
def project(pattern: Path, tmp_path: Path) -> Path:
    """A publication whose newest issue is July 2023."""
    return Path(shutil.copytree(pattern, tmp_path / "publication"))


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    path = tmp_path / "feed.xml"
    path.write_text(FEED.replace("{at}", "https://studies.example.org"))
    return path


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A server on this machine, which the command may ask, for feeds and as the resolver of DOIs."""
    with serving(Web()) as running:
        monkeypatch.setattr(fetching, "Fetcher", partial(fetching.Fetcher, loopback=True))
        monkeypatch.setattr(App, "resolver", property(lambda _: running.url("/doi")))
        yield running


def new(project: Path, *words: str | Path) -> Result:
    return command("-C", project, "new", *words)


def errors(project: Path, issue: str) -> list[str]:
    found = command("-C", project, "lint", issue, "--format", "json").json["diagnostics"]
    return sorted({one["code"] for one in found if one["severity"] == "error"})


def test_an_issue_is_begun_from_nothing(project: Path) -> None:
    result = new(project)
    path = project / "newsletters" / "2023-08.md"
    assert result.code == 0
    assert str(path) in result.out.replace("\n", "")
    assert "next: write what stands there as TODO; digest-mailer lint 2023-08 says where" in result.err
    assert path.read_text().count("\n# TODO: the title") == 2
    assert errors(project, "2023-08") == ["DM101", "DM102", "DM104", "DM105", "DM114"]
    assert new(project, "--json").json["issues"][0]["issue"] == "2023-09"


def test_no_file_is_overwritten_unless_it_is_meant(project: Path, feed: Path, tmp_path: Path) -> None:
    before = (project / "newsletters" / "2023-07.md").read_bytes()
    refused = new(project, "2023-07", "--from-feed", tmp_path / "nowhere.xml")
    assert refused.code == 2
    assert "2023-07.md is there already; nothing was written" in refused.err
    assert (project / "newsletters" / "2023-07.md").read_bytes() == before
    assert new(project, "2023-07", "-o", tmp_path / "out").code == 0
    assert (tmp_path / "out" / "2023-07.md").exists()
    assert new(project, "2023-07", "--force").code == 0
    assert (project / "newsletters" / "2023-07.md").read_bytes() != before


def test_a_feed_gives_the_articles_of_the_month(project: Path, feed: Path) -> None:
    result = new(project, "--from-feed", feed)
    assert result.code == 0, result.err
    text = (project / "newsletters" / "2023-08.md").read_text()
    assert text.count("\n# ") == 1
    for part in (
        "# Sleep and mood\n",
        "key: sleep-and-mood\ntopics:\n  - Empathy\ntype:\ndoi: 10.5555/made.up.1\n",
        "Found (doi:10.5555/made.up.1) it.\n\nSource: [studies.example.org](https://studies.example.org/sleep)\n",
        "## Practice Implications\n\nAsk.\n",
    ):
        assert part in text
    for sentence in (
        'left out: "Therapist Factors Related to Patient Outcomes": issue 2023-07 has its title',
        'left out: "Some day": "2023-13-45" is not a date',
        '"Sleep and mood": no topic is called "Emphaty" (did you mean "Empathy"?)',
        '"Sleep and mood": taken out: an image, "Bars"',
    ):
        assert sentence in result.err
    assert '"June"' not in result.err
    assert errors(project, "2023-08") == ["DM101", "DM102", "DM105"]


def test_undated_entries_come_when_they_are_asked_for(project: Path, feed: Path) -> None:
    document = new(project, "2023-08", "--from-feed", feed, "--undated", "--json").json
    assert document["issues"][0]["articles"] == 2
    left = {one["title"]: one["left_out"] for one in document["feeds"][0]["entries"]}
    assert left == {
        "Sleep and mood": None,
        "Therapist Factors Related to Patient Outcomes": "published",
        "Some day": None,
        "June": "other month",
    }


def test_a_month_that_the_feed_does_not_have(project: Path, feed: Path) -> None:
    result = new(project, "2023-10", "--from-feed", feed)
    assert result.code == 6
    assert "the feeds have nothing for 2023-10" in result.err
    assert "they have 2023-08 (2), 2023-06 (1)" in result.err
    assert not (project / "newsletters" / "2023-10.md").exists()


def test_several_feeds_of_the_web_and_the_next_time_their_copies(project: Path, web: Web) -> None:
    other = FEED.replace("Sleep and mood", "Mood and sleep").replace("/sleep", "/mood")

    def first(headers: dict[str, str]) -> Answer:
        unchanged = headers.get("if-none-match") == '"1"'
        return (
            Answer(status=304)
            if unchanged
            else Answer(FEED.replace("{at}", web.url("")).encode(), headers={"ETag": '"1"'})
        )

    web.script = {"/a": first, "/b": Answer(other.replace("{at}", web.url("")).encode())}
    for _ in range(2):
        result = new(
            project, "2023-08", "--force", "--json", "--from-feed", web.url("/a"), "--from-feed", web.url("/b")
        )
        assert result.json["issues"][0]["articles"] == 2
    assert "if-none-match" not in web.asked[0][1]
    assert web.asked[2][1]["if-none-match"] == '"1"'
    assert (project / ".digest" / "feeds.json").exists()
    assert '"Some day"' in new(project, "2023-08", "--force", "--from-feed", web.url("/a")).err


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (Answer(status=302, headers={"Location": "http://10.0.0.7/"}), 2, "within this machine or its network"),
        (Answer(status=302, headers={"Location": "/feed"}), 7, "redirects more than 5 times"),
        (Answer(status=500), 7, "500 Internal Server Error"),
        (Answer(status=404), 6, "404 Not Found"),
        (Answer(b"<html><p>Welcome"), 3, "is not a feed"),
        (Answer(b""), 3, "is empty"),
    ],
)
def test_a_feed_that_does_not_come_leaves_no_issue(
    project: Path, web: Web, answer: Answer, code: int, words: str
) -> None:
    web.script["/feed"] = answer
    for result in (
        new(project, "--from-feed", web.url("/feed")),
        command("-C", project, "feed", "check", web.url("/feed")),
    ):
        assert result.code == code
        assert words in result.err
        assert not result.out
    assert not (project / "newsletters" / "2023-08.md").exists()


def test_dois_become_articles_with_citations_out_of_a_file(project: Path, tmp_path: Path) -> None:
    library = tmp_path / "library.json"
    library.write_text(json.dumps([CSL]))
    result = new(project, "--doi", "https://doi.org/10.5555/MADE.UP.1", "--doi", "10.5555/other", "--csl", library)
    assert result.code == 0, result.err
    text = (project / "newsletters" / "2023-08.md").read_text()
    assert "# Sleep and mood\n" in text
    assert LINE.replace("made.up.1", "MADE.UP.1") in text
    assert "doi: 10.5555/other\n" in text
    assert "no citation: 10.5555/other was looked up nowhere, or is in no file" in result.err
    assert "DM114" in errors(project, "2023-08")


def test_dois_are_asked_of_the_resolver_when_it_is_wanted(project: Path, web: Web, feed: Path) -> None:
    web.script["/doi/10.5555/made.up.1"] = Answer(json.dumps(CSL).encode())
    assert new(project, "--online", "--doi", "10.5555/made.up.1").code == 0
    assert LINE in (project / "newsletters" / "2023-08.md").read_text()
    assert new(project, "2023-08", "--force", "--online", "--from-feed", feed).code == 0
    assert LINE in (project / "newsletters" / "2023-08.md").read_text()
    missing = new(project, "--online", "--doi", "10.5555/nobody")
    assert missing.code == 6
    assert "https://doi.org/10.5555/nobody leads to no reference" in missing.err
    web.script.clear()
    unresolved = new(project, "2023-08", "--force", "--online", "--from-feed", feed)
    assert unresolved.code == 0
    assert "no citation: https://doi.org/10.5555/made.up.1 leads to no reference" in unresolved.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("soon",), '"soon" is not an issue'),
        (("2023-08", "2023-09"), "one issue is begun at a time"),
        (("--doi", "10.5/x"), '"10.5/x" is not a DOI'),
        (("--online",), "no paper is named"),
        (("--undated",), "--undated is about entries of a feed"),
        (("--from-capture", "a.txt", "--online"), "leave the other options out"),
        (("--from-feed", "nowhere.xml"), "cannot read nowhere.xml"),
    ],
)
def test_what_makes_no_sense_is_said(project: Path, words: tuple[str, ...], said: str) -> None:
    result = new(project, *words)
    assert result.code == 2
    assert said in result.err


def test_a_feed_is_explained(project: Path, feed: Path) -> None:
    result = command("-C", project, "feed", "check", feed)
    assert result.code == 0
    shown = " ".join(result.out.split())
    assert "Studies [bold]at[/bold] a glance" in shown
    for words in (
        "2023-08",
        "10.5555/made.up.1",
        "empathy",
        "did you mean",
        "left out: issue 2023-07 has its title",
        "2023-13-45",
    ):
        assert all(word in shown for word in words.split())
    (one,) = command("-C", project, "--json", "feed", "check", feed).json["feeds"]
    assert one["entries"][0] == {
        "title": "Sleep and mood",
        "link": "https://studies.example.org/sleep",
        "month": "2023-08",
        "published": "2023-08-12T19:00:00+00:00",
        "doi": "10.5555/made.up.1",
        "topics": ["empathy"],
        "unmatched": [{"category": "Emphaty", "hint": 'did you mean "Empathy"?'}],
        "excerpt": False,
        "left_out": None,
        "why": "",
        "removed": ['an image, "Bars"'],
    }
    assert [entry["left_out"] for entry in one["entries"]] == [None, "published", "undated", None]
    (one,) = command("-C", project, "--json", "feed", "check", feed, "--issue", "2023-06").json["feeds"]
    assert [entry["left_out"] for entry in one["entries"]] == ["other month", "other month", "undated", None]


def test_a_broken_feed_is_content_that_is_not_acceptable(project: Path, feed: Path, tmp_path: Path) -> None:
    text = feed.read_text()
    feed.write_text(text[: text.index("Undated")])
    result = command("-C", project, "feed", "check", feed)
    assert result.code == 3
    assert "its XML is broken at line" in result.err
    assert "Sleep and mood" in result.out
    drafted = new(project, "--from-feed", feed)
    assert drafted.code == 0
    assert "its XML is broken at line" in drafted.err


def test_a_feed_without_entries_has_nothing(project: Path, feed: Path) -> None:
    feed.write_text("<rss version='2.0'><channel><title>Quiet</title></channel></rss>")
    assert command("-C", project, "feed", "check", feed).code == 6
    result = new(project, "--from-feed", feed)
    assert result.code == 6
    assert "they have no entry with a date" in result.err


def test_an_empty_publication_begins_this_month(project: Path) -> None:
    for path in (project / "newsletters").glob("*.md"):
        path.unlink()
    (row,) = new(project, "--json").json["issues"]
    today = command("-C", project, "--json", "issues").json["issues"][0]["issue"]
    assert row["issue"] == today
    assert len(today) == len("2023-08")


def test_the_sample_is_as_it_was() -> None:
    assert not (ROOT / "newsletters" / "2023-08.md").exists()
