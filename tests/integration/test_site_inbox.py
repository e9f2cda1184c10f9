"""The sandbox's inbox: it shows any file that lies there, and nothing in a mail runs or leads out."""

import asyncio
import mailbox
import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html
from starlette.testclient import TestClient

from core_support import JULY
from digest_mailer.bootstrap import App
from digest_mailer.core.identity import IssueId
from digest_mailer.web.app import build_site
from digest_mailer.web.letter import for_frame, read_head, read_letter
from publication_support import freeze, make_publication

GARBAGE = {
    "empty": b"",
    "binary": bytes(range(256)) * 20,
    "no header": b"just words\r\nand more\r\n",
    "charset of a header": b"To: a@example.org\r\nSubject: =?klingon-1?q?Qapla?=\r\n\r\nx",
    "broken encoded word": b"To: =?utf-8?b?////?= <@>,;:\r\nSubject: =?utf-8?q?=ZZ=?=\r\n\r\nx",
    "octets in headers": b"To: \xff\xfe <a@example.org>\r\nSubject: caf\xe9 \x00 \x1b[31m\r\n\r\nx",
    "charset of a part": b"To: a@example.org\r\nSubject: s\r\nContent-Type: text/html; charset=klingon-1\r\n\r\n<p>x",
    "broken multipart": b"To: a@example.org\r\nSubject: s\r\nContent-Type: multipart/alternative\r\n\r\n--x\r\n\r\n",
    "broken base64": b"To: a@example.org\r\nSubject: s\r\nContent-Type: text/html\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n!!!",
    "message in a message": b"To: a@example.org\r\nSubject: s\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: t\r\n\r\nx",
    "text alone": b"To: a@example.org\r\nSubject: only text\r\n\r\nHello </pre><script>alert(1)</script>\r\n",
    "script": b"To: <script>alert(1)</script>@example.org\r\nSubject: <script>alert(2)</script>\r\n"
    b"Content-Type: text/html\r\n\r\n<!doctype html><html><head><title>t</title></head>"
    b"<body><script>alert(3)</script><a href='#x'>in</a><a href='https://example.org/'>out</a></body></html>",
}


def client_of(app: App, *, inbox: bool = True) -> TestClient:
    return TestClient(build_site(app, inbox=inbox), base_url="http://127.0.0.1", follow_redirects=False)


@pytest.fixture
def app(tmp_path: Path) -> App:
    return make_publication(tmp_path, people=False, approved=())


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> App:
    """A publication whose July issue went to the sandbox, over SMTP."""
    app = make_publication(tmp_path_factory.mktemp("sent"))
    freeze(app)
    run = app.run(app.transport(None), lambda _: None)
    asyncio.run(run.send(IssueId(JULY), timedelta(0)))
    return app


def keep(app: App, *messages: bytes) -> list[str]:
    app.state.mkdir(exist_ok=True)
    folder = mailbox.Maildir(app.maildir)
    return [folder.add(message) for message in messages]


def tree(text: str) -> Any:
    return lxml_html.document_fromstring(text)


def test_there_is_no_inbox_where_nobody_asked_for_one(sent: App) -> None:
    client = client_of(sent, inbox=False)
    assert client.get("/inbox/").status_code == 404
    assert "/inbox/" not in client.get("/issues/").text


def test_an_empty_inbox_says_how_to_fill_it(app: App) -> None:
    answer = client_of(app).get("/inbox/")
    assert answer.status_code == 200
    assert "digest-mailer send" in answer.text
    assert "Sandbox" in answer.text
    assert not app.maildir.exists()


def test_the_list_groups_by_issue_and_edition(sent: App) -> None:
    client = client_of(sent)
    page = tree(client.get("/inbox/").text)
    rows = page.xpath("//tbody/tr")
    progress = sent.ledger.progress(IssueId(JULY))
    assert len(rows) == progress.total > 20
    assert page.xpath("string(//h2)") == "What helps and what harms in therapy"
    editions = page.xpath("//ul[@aria-label='Editions']/li/a")
    assert sum(int(link.text.rpartition(":")[2]) for link in editions) == len(rows)
    chosen = tree(client.get(str(editions[0].get("href"))).text)
    assert len(chosen.xpath("//tbody/tr")) == int(editions[0].text.rpartition(":")[2])
    names = page.text_content()
    assert "Amélie Tremblay <amelie.tremblay@clinic.example.org>" in names
    assert "María de los Ángeles Concepción Fernández de Córdoba" in names


def test_a_message_is_shown_as_html_text_headers_and_source(sent: App) -> None:
    client = client_of(sent)
    # Messages of one second are in no order, and some readers get French: the reader is named.
    row = "//tbody/tr[contains(., 'Siobhán')]"
    address = str(tree(client.get("/inbox/").text).xpath(f"{row}//a/@href")[0])
    answer = client.get(address)
    page = tree(answer.text)
    (frame,) = page.xpath("//iframe")
    assert frame.get("sandbox") == "allow-popups allow-popups-to-escape-sandbox"
    assert "frame-src 'self'" in answer.headers["content-security-policy"]
    assert "List-Unsubscribe-Post" in page.text_content()
    assert "PRACTICE IMPLICATIONS" in page.xpath("string(//pre)").upper()
    raw = client.get(f"{address}raw")
    assert raw.headers["content-type"] == "text/plain; charset=utf-8"
    assert raw.content.startswith(b"Return-Path: <")
    html = client.get(str(frame.get("src")))
    policy = html.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; ")
    assert "style-src 'unsafe-inline'; img-src https: data:" in policy
    assert "frame-ancestors 'self'" in policy
    assert "script-src" not in policy
    assert '<base target="_blank">' in html.text
    assert html.text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("kind", sorted(GARBAGE))
def test_whatever_lies_there_is_listed_and_shown(app: App, kind: str) -> None:
    (name,) = keep(app, GARBAGE[kind])
    client = client_of(app)
    listing = client.get("/inbox/")
    assert listing.status_code == 200
    assert f'href="/inbox/{quote(name)}/"' in listing.text
    page = client.get(f"/inbox/{quote(name)}/")
    assert page.status_code == 200
    assert "<script" not in listing.text + page.text
    has_html = "<iframe" in page.text
    assert client.get(f"/inbox/{quote(name)}/html").status_code == (200 if has_html else 404)
    assert client.get(f"/inbox/{quote(name)}/raw").content == GARBAGE[kind]


@pytest.mark.parametrize("kind", ["empty", "binary", "no header"])
def test_what_is_no_message_is_called_unreadable(app: App, kind: str) -> None:
    keep(app, GARBAGE[kind])
    assert "(unreadable message)" in client_of(app).get("/inbox/").text


def test_a_part_that_is_not_there_is_said_to_be_missing(app: App) -> None:
    text, script = keep(app, GARBAGE["text alone"], GARBAGE["script"])
    client = client_of(app)
    assert "no HTML part" in client.get(f"/inbox/{quote(text)}/").text
    assert "no plain-text part" in client.get(f"/inbox/{quote(script)}/").text


def test_links_of_a_mail_open_in_another_tab_but_for_those_inside_it(app: App) -> None:
    (name,) = keep(app, GARBAGE["script"])
    html = client_of(app).get(f"/inbox/{quote(name)}/html").text
    assert '<head><base target="_blank">' in html
    assert "<a target=\"_self\" href='#x'>" in html
    assert "<a href='https://example.org/'>" in html


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<!doctype html><p>x", '<!doctype html><base target="_blank"><p>x'),
        ("<html lang='en'><p>x", "<html lang='en'><base target=\"_blank\"><p>x"),
        ("<p>x", '<base target="_blank"><p>x'),
        ("<header>x", '<base target="_blank"><header>x'),
    ],
)
def test_nothing_goes_before_a_doctype(html: str, expected: str) -> None:
    assert for_frame(html) == expected


TRAVERSALS = (
    "%2E%2E", "%2E", "..%2Fkeys", "..%2F..%2Fdigest.toml", "%2Fetc%2Fpasswd", "..%5Ckeys", "new%2F..", "tmp",
    "%00", "secret", "link",
)  # fmt: skip


@pytest.mark.parametrize("name", TRAVERSALS)
def test_an_id_cannot_lead_out_of_the_folder(app: App, name: str) -> None:
    keep(app, b"Subject: s\r\n\r\nx")
    (app.maildir / "tmp" / "secret").write_bytes(b"half written")
    (app.maildir / "new" / "link").symlink_to(app.root / "digest.toml")
    client = client_of(app)
    for rest in ("/", "/html", "/raw"):
        answer = client.get(f"/inbox/{name}{rest}")
        assert answer.status_code in (308, 404)
        assert b"half written" not in answer.content
        assert b"[publication]" not in answer.content


def test_a_long_inbox_has_pages(app: App) -> None:
    keep(app, *(f"To: r{n}@example.org\r\nSubject: s\r\n\r\nx".encode() for n in range(205)))
    client = client_of(app)
    seen: set[str] = set()
    for page, rows in (
        ("1", 100),
        ("2", 100),
        ("3", 5),
        ("99", 5),
        ("0", 100),
        ("x", 100),
        ("9" * 5000, 100),
        ("²", 100),
    ):
        found = tree(client.get("/inbox/", params={"page": page}).text).xpath("//tbody/tr/td[1]/text()")
        assert len(found) == rows
        seen |= {str(to) for to in found}
    assert len(seen) == 205
    assert 'rel="next" href="/inbox/?page=2"' in client.get("/inbox/").text


def test_newest_come_first_and_what_arrives_later_is_seen(app: App) -> None:
    first, second = keep(app, b"Subject: first\r\n\r\n", b"Subject: second\r\n\r\n")
    os.utime(app.maildir / "new" / first, (1000, 1000))
    os.utime(app.maildir / "new" / second, (2000, 2000))
    client = client_of(app)
    assert tree(client.get("/inbox/").text).xpath("//tbody//a/text()") == ["second", "first"]
    keep(app, b"Subject: third\r\n\r\n")
    assert tree(client.get("/inbox/").text).xpath("//tbody//a/text()") == ["third", "second", "first"]


def test_the_inbox_is_private_and_unindexed(sent: App) -> None:
    headers = client_of(sent).get("/inbox/").headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-robots-tag"] == "noindex"
    assert headers["referrer-policy"] == "no-referrer"


@given(st.binary(max_size=400))
def test_any_octets_make_a_letter(data: bytes) -> None:
    for content in (
        data,
        b"To: " + data,
        b"Subject: x\r\nContent-Type: " + data,
        b"Content-Type: text/html\r\n\r\n" + data,
    ):
        read_head(content)
        letter = read_letter(content)
        for text in (letter.text, letter.html, letter.head.to, letter.head.subject, *sum(letter.headers, ())):
            (text or "").encode()
