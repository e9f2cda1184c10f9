"""Fetching feeds and references, against a server on this machine that answers as scripted."""

import gzip
import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import trustme

from digest_mailer.adapters.feed_copies import FeedCopies
from digest_mailer.adapters.feeds import Feeds
from digest_mailer.adapters.fetching import AGENT, Document, Fetcher
from digest_mailer.adapters.public_web import PrivateAddress, public_addresses
from digest_mailer.adapters.references import CSL_JSON, References
from digest_mailer.core.citation import Doi
from digest_mailer.core.csl import title_of
from digest_mailer.core.errors import ContentError, DigestError, NothingMatched, TemporaryProblem, UsageError
from publication_support import FixedClock
from web_support import Answer, Web, serving

FEED = (
    b"<rss version='2.0'><channel><title>Studies</title><item><title>Sleep</title><link>a</link></item></channel></rss>"
)
DOI = Doi("10.5555/made.up.1")


@pytest.fixture
def web() -> Iterator[Web]:
    with serving(Web()) as running:
        yield running


HERE = Fetcher(seconds=20, loopback=True)


def fetch(url: str, fetcher: Fetcher = HERE) -> Document:
    return fetcher.fetch(url, lambda _: {})


def failure(url: str, fetcher: Fetcher = HERE) -> DigestError:
    with pytest.raises(DigestError) as caught:
        fetch(url, fetcher)
    assert caught.value.hint
    return caught.value


def test_a_document_comes_with_its_address_and_its_type(web: Web) -> None:
    web.script["/feed"] = Answer(FEED, headers={"Content-Type": "application/rss+xml"})
    document = fetch(web.url("/feed"))
    assert (document.url, document.content, document.unchanged) == (web.url("/feed"), FEED, False)
    assert document.headers["content-type"] == "application/rss+xml"
    ((_, headers),) = web.asked
    assert headers["user-agent"] == AGENT
    assert headers["accept-encoding"] == "gzip"


def test_redirects_lead_to_the_document(web: Web) -> None:
    for number in range(5):
        web.script[f"/{number}"] = Answer(status=302, headers={"Location": f"/{number + 1}"})
    web.script["/5"] = Answer(FEED)
    assert fetch(web.url("/0")).url == web.url("/5")
    web.script["/5"] = Answer(status=302, headers={"Location": "/6"})
    problem = failure(web.url("/0"))
    assert isinstance(problem, TemporaryProblem)
    assert "redirects more than 5 times" in problem.what
    assert [path for path, _ in web.asked].count("/6") == 0


def test_a_redirect_in_a_circle_ends(web: Web) -> None:
    web.script["/a"] = Answer(status=301, headers={"Location": "/a"})
    assert "redirects more than 5 times" in failure(web.url("/a")).what
    assert len(web.asked) == 6


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1:1/", "http://10.0.0.7/", "http://169.254.169.254/latest", "http://[::1]/", "http://[::ffff:10.0.0.7]/",
     "http://0.0.0.0/", "http://localhost/", "http://224.0.0.1/", "http://0x7f.1/", "https://192.168.1.1/"],
)  # fmt: skip
def test_private_addresses_are_not_asked(target: str) -> None:
    problem = failure(target, Fetcher())
    assert isinstance(problem, UsageError)
    assert "an address within this machine or its network" in problem.what


def test_a_redirect_to_a_private_address_is_not_followed(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    web.script["/feed"] = Answer(status=302, headers={"Location": "http://10.0.0.7/secret"})
    problem = failure(web.url("/feed"))
    assert isinstance(problem, UsageError)
    assert f"{web.url('/feed')} leads to http://10.0.0.7/secret, an address within" in problem.what
    assert "save it to a file" in problem.hint


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://studies.example.org/", "javascript:alert(1)", "gopher://x/"],
)
def test_a_redirect_to_something_else_is_not_followed(web: Web, location: str) -> None:
    web.script["/feed"] = Answer(status=302, headers={"Location": location})
    assert isinstance(failure(web.url("/feed")), UsageError)


def test_a_name_with_a_private_address_among_others_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(*_: object, **__: object) -> list[Any]:
        return [(0, 0, 0, "", ("93.184.215.14", 80)), (0, 0, 0, "", ("10.0.0.7", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with pytest.raises(PrivateAddress):
        public_addresses("studies.example.org", 80)
    assert isinstance(failure("http://studies.example.org/", Fetcher()), UsageError)


def test_a_public_address_may_be_written_in_either_family(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(0, 0, 0, "", ("93.184.215.14", 80)), (0, 0, 0, "", ("::ffff:93.184.215.14", 80, 0, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    found = public_addresses("studies.example.org", 80)
    assert found == [("93.184.215.14", 80), ("::ffff:93.184.215.14", 80)]


def test_the_connection_goes_to_the_address_that_was_looked_at(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that means another address a moment later leads nowhere else."""
    port = int(web.address.rpartition(":")[2])
    answers = iter([[(0, 0, 0, "", ("127.0.0.1", port))]])
    look_up = socket.getaddrinfo

    def once(host: str, *rest: Any, **more: Any) -> list[Any]:
        return next(answers) if host == "studies.example.org" else look_up(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", once)
    web.script["/feed"] = Answer(FEED)
    assert fetch(f"http://studies.example.org:{port}/feed").content == FEED
    assert web.asked[0][1]["host"] == f"studies.example.org:{port}"


@pytest.mark.parametrize(
    "answer",
    [Answer(hang=True), Answer(b"x" * 100_000, drip=True), Answer(b"", headers={"Content-Length": "7"}, drip=True)],
)
def test_a_slow_server_has_so_long_and_no_longer(web: Web, answer: Answer) -> None:
    web.script["/feed"] = answer
    problem = failure(web.url("/feed"), replace(HERE, seconds=0.2))
    assert isinstance(problem, TemporaryProblem)


def tls_for(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's certificate for a name, by an authority that this process trusts."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
    return context


def test_a_server_proves_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Web({"/feed": Answer(FEED)}), tls_for("localhost", tmp_path, monkeypatch)) as web:
        port = web.address.rpartition(":")[2]
        assert fetch(f"https://localhost:{port}/feed").content == FEED
        problem = failure(f"https://{web.address}/feed")
        assert isinstance(problem, TemporaryProblem)
        assert "CERTIFICATE_VERIFY_FAILED" in problem.what


def test_a_proxy_is_asked_where_there_is_one(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", web.url())
    monkeypatch.setenv("no_proxy", "")
    web.script["http://studies.example.org/feed"] = Answer(FEED)
    assert fetch("http://studies.example.org/feed", Fetcher()).content == FEED


def test_a_name_that_is_looked_up_for_ever_is_given_up(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: web.over.wait(30) and [])
    problem = failure("http://studies.example.org/", Fetcher(seconds=0.05))
    assert "took longer than 0.05 seconds" in problem.what


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(FEED, headers={"Content-Length": "500"}), "before its end"),
        (Answer(gzip.compress(FEED)[:-9], headers={"Content-Encoding": "gzip"}), "before its end"),
        (Answer(b"no gzip", headers={"Content-Encoding": "gzip"}), "cannot be unpacked"),
        (Answer(FEED, headers={"Content-Encoding": "br"}), "packed as br"),
        (Answer(raw=b""), "could not be fetched"),
        (Answer(raw=b"non\x1b[2Jsense\r\n\r\n"), "could not be fetched: non [2Jsense"),
        (Answer(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), "could not be fetched"),
        (Answer(status=503), "503 Service Unavailable"),
        (Answer(status=799), "answers 799"),
        (Answer(status=304), "answers 304 Not Modified"),
        (Answer(status=302), "302 Found"),
    ],
)
def test_what_does_not_come_may_come_later(web: Web, answer: Answer, words: str) -> None:
    web.script["/feed"] = answer
    problem = failure(web.url("/feed"))
    assert isinstance(problem, TemporaryProblem)
    assert words in problem.what


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_gone_is_nothing(web: Web, status: int) -> None:
    web.script["/feed"] = Answer(status=status)
    assert isinstance(failure(web.url("/feed")), NothingMatched)


def test_a_closed_port_may_open_later() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert isinstance(failure(f"http://127.0.0.1:{port}/"), TemporaryProblem)


def test_gzip_is_unpacked_and_a_bomb_is_not(web: Web) -> None:
    web.script["/feed"] = Answer(gzip.compress(FEED), headers={"Content-Encoding": "gzip"})
    assert fetch(web.url("/feed")).content == FEED
    small = replace(HERE, most_octets=1 << 20)
    bomb = gzip.compress(b"\0" * (50 << 20))
    assert len(bomb) < small.most_octets
    web.script["/bomb"] = Answer(bomb, headers={"Content-Encoding": "gzip"})
    web.script["/large"] = Answer(b"x" * ((1 << 20) + 1))
    web.script["/most"] = Answer(b"x" * (1 << 20))
    for path in ("/bomb", "/large"):
        problem = failure(web.url(path), small)
        assert isinstance(problem, ContentError)
        assert "larger than 1 MiB" in problem.what
    assert len(fetch(web.url("/most"), small).content) == 1 << 20


@pytest.mark.parametrize(
    "url", ["http://", "http:///feed", "http://[", "https://a b/", "http://studies.example.org:x/"]
)
def test_addresses_that_are_none(url: str) -> None:
    failure(url, Fetcher())


def test_a_password_is_neither_sent_nor_shown() -> None:
    problem = failure("https://user:hidden@studies.example.org/feed", Fetcher())
    assert isinstance(problem, UsageError)
    assert "hidden" not in problem.what


# -- copies


def feeds(folder: Path) -> Feeds:
    return Feeds(HERE, FeedCopies(folder), ZoneInfo("America/Toronto"), FixedClock())


def by_version(etag: str, body: bytes = FEED) -> Any:
    def answer(headers: dict[str, str]) -> Answer:
        if headers.get("if-none-match") == etag:
            return Answer(status=304, headers={"ETag": etag})
        return Answer(body, headers={"ETag": etag, "Last-Modified": "Wed, 12 Jul 2023 19:00:00 GMT"})

    return answer


def test_an_unchanged_feed_is_read_from_its_copy(web: Web, tmp_path: Path) -> None:
    web.script["/feed"] = by_version('"1"')
    first = feeds(tmp_path).read(web.url("/feed"))
    assert "if-none-match" not in web.asked[0][1]
    assert feeds(tmp_path).read(web.url("/feed")) == first
    assert web.asked[1][1]["if-none-match"] == '"1"'
    assert web.asked[1][1]["if-modified-since"] == "Wed, 12 Jul 2023 19:00:00 GMT"
    assert first.entries[0].link == web.url("/a")
    assert json.loads((tmp_path / "feeds.json").read_bytes())["feeds"][web.url("/feed")]["etag"] == '"1"'
    web.script["/feed"] = by_version('"2"', FEED.replace(b"Sleep", b"Mood"))
    assert feeds(tmp_path).read(web.url("/feed")).entries[0].title == "Mood"


@pytest.mark.parametrize("harm", ["lost", "changed", "list"])
def test_a_copy_that_is_not_whole_is_not_used(web: Web, tmp_path: Path, harm: str) -> None:
    web.script["/feed"] = by_version('"1"')
    first = feeds(tmp_path).read(web.url("/feed"))
    (copy,) = (tmp_path / "feeds").iterdir()
    if harm == "lost":
        copy.unlink()
    elif harm == "changed":
        copy.write_bytes(b"<rss/>")
    else:
        (tmp_path / "feeds.json").write_text('{"format": 1, "feeds": {"x": 5}}')
    assert feeds(tmp_path).read(web.url("/feed")) == first
    assert "if-none-match" not in web.asked[1][1]


def test_the_version_is_told_only_where_it_is_from(web: Web, tmp_path: Path) -> None:
    web.script["/feed"] = Answer(status=302, headers={"Location": "/there"})
    web.script["/there"] = by_version('"1"')
    first = feeds(tmp_path).read(web.url("/feed"))
    assert feeds(tmp_path).read(web.url("/feed")) == first
    assert ["if-none-match" in headers for _, headers in web.asked] == [False, False, False, True]


def test_a_feed_without_a_version_is_not_kept(web: Web, tmp_path: Path) -> None:
    web.script["/feed"] = Answer(FEED)
    feeds(tmp_path).read(web.url("/feed"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_no_hindrance(web: Web, tmp_path: Path) -> None:
    web.script["/feed"] = by_version('"1"')
    (tmp_path / "state").write_text("a file where a folder should be")
    assert len(feeds(tmp_path / "state").read(web.url("/feed")).entries) == 1


# -- references


def test_a_reference_is_asked_of_the_resolver(web: Web) -> None:
    web.script["/10.5555/made.up.1"] = Answer(status=302, headers={"Location": "/agency"})
    web.script["/agency"] = Answer(json.dumps({"DOI": DOI, "title": "Sleep and mood"}).encode())
    found = References(fetcher=HERE, resolver=web.url("")).find(DOI)
    assert found is not None
    assert title_of(found) == "Sleep and mood"
    assert [headers["accept"] for _, headers in web.asked] == [CSL_JSON, CSL_JSON]


def test_a_doi_that_nobody_has(web: Web) -> None:
    with pytest.raises(NothingMatched, match=r"https://doi\.org/10\.5555/made\.up\.1 leads to no reference"):
        References(fetcher=HERE, resolver=web.url("")).find(DOI)


@pytest.mark.parametrize("body", [b"<html></html>", b"[]", b"", b"[" * 100_000])
def test_an_answer_that_is_no_reference(web: Web, body: bytes) -> None:
    web.script["/10.5555/made.up.1"] = Answer(body)
    with pytest.raises(ContentError, match="no reference"):
        References(fetcher=HERE, resolver=web.url("")).find(DOI)


def test_files_come_before_the_resolver(web: Web, tmp_path: Path) -> None:
    library, one = tmp_path / "library.json", tmp_path / "one.json"
    library.write_text(
        json.dumps([{"DOI": "https://doi.org/10.5555/MADE.UP.1", "title": "Sleep"}, {"title": "none"}, 7])
    )
    one.write_text(json.dumps({"DOI": "10.5555/b", "title": "Mood"}))
    references = References([library, one])
    titles = [title_of(item) for doi in (DOI, Doi("10.5555/B")) if (item := references.find(doi))]
    assert titles == ["Sleep", "Mood"]
    assert references.find(Doi("10.5555/c")) is None
    assert References([library], HERE, web.url("")).find(DOI) is not None
    assert web.asked == []


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("no", ContentError, "is not JSON"),
        ("[]", ContentError, "no reference with a DOI"),
        (None, UsageError, "cannot read"),
    ],
)
def test_files_that_have_none(tmp_path: Path, text: str | None, error: type[DigestError], words: str) -> None:
    path = tmp_path / "library.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(error, match=words):
        References([path]).find(DOI)
