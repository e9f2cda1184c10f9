"""Chromium looks at finished mails: each check finds what it is for, and nothing else; nothing leaves the page."""

import asyncio
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from browser_support import mail
from components import require
from digest_mailer.adapters import browser as module
from digest_mailer.adapters.browser import Browser, View
from digest_mailer.core.errors import ConfigError, ExitCode, Severity, TemporaryProblem

CHIP = '<p style="margin:0"><span style="display:inline-block;width:500px;white-space:nowrap">{}</span></p>'

PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAAC"


def codes(browser: Browser, html: str) -> list[str]:
    return [finding.code for finding in browser.look(html)]


# -- accessibility


def test_a_sound_mail_has_no_finding(browser: Browser) -> None:
    assert browser.look(mail("<p>Three studies.</p>")) == []


def test_contrast_that_fails_in_dark_only(browser: Browser) -> None:
    dim = "@media (prefers-color-scheme:dark){.dim{color:#444444}}"
    (finding,) = browser.look(mail('<p class="dim">Hardly <b>to be</b> read.</p>', dim))
    assert finding.code == "DM501"
    assert finding.severity is Severity.ERROR
    assert finding.message.startswith("in dark, color-contrast: ")
    assert finding.message.endswith("(2 elements)")
    assert "#444444" in finding.hint
    assert "http" not in finding.hint
    assert finding.near == "Hardly to be read."


def test_contrast_that_fails_in_both_schemes_is_one_finding(browser: Browser) -> None:
    (finding,) = browser.look(mail('<p style="color:#777777;background:#888888">Grey on grey.</p>'))
    assert finding.message.startswith("in light and dark, color-contrast: ")
    assert finding.message.endswith("(1 element)")


@pytest.mark.parametrize(
    ("rule", "near", "body"),
    [
        ("image-alt", '<img src="data:,">', '<img src="data:,">'),
        ("heading-order", "Too deep", "<h4>Too deep</h4>"),
        ("link-name", '<a href="https://example.org/"></a>', '<a href="https://example.org/"></a>'),
        ("list", "alone", "<ul><p>alone</p></ul>"),
    ],
)
def test_what_a_screen_reader_cannot_make_out(browser: Browser, rule: str, near: str, body: str) -> None:
    (finding,) = browser.look(mail(body))
    assert finding.message.startswith(f"in light and dark, {rule}: ")
    assert finding.near == near


def test_what_stands_near_is_a_short_piece(browser: Browser) -> None:
    (finding,) = browser.look(mail(f'<p style="color:#cccccc;background:#ffffff">{"many words " * 30}</p>'))
    assert finding.near == "many words " * 5 + "many"
    (finding,) = browser.look(mail(f'<p style="color:#cccccc;background:#ffffff">{"x" * 70}</p>', "p{font-size:4px}"))
    assert finding.near == "x" * 60


# -- width


def test_a_chip_that_does_not_wrap(browser: Browser) -> None:
    (finding,) = browser.look(mail(f"<p>Before.</p>{CHIP.format('Psychodynamic')}<p>After.</p>"))
    assert finding.code == "DM502"
    assert finding.severity is Severity.ERROR
    assert finding.message == "the mail is too wide for 320 px by 188 px, 375 px by 133 px; <span> stands out furthest"
    assert finding.near == "Psychodynamic"


def test_a_chip_that_stretches_the_table_around_it(browser: Browser) -> None:
    chip = '<b style="white-space:nowrap">Sudden gains, early response and what foretells both of them</b>'
    table = f"<table><tr><td>{chip}</td></tr><tr><td>{'Words that wrap. ' * 20}</td></tr></table>"
    (finding,) = browser.look(mail(table))
    assert "<b> stands out furthest" in finding.message
    assert finding.near.startswith("Sudden gains, early response")


@pytest.mark.parametrize(
    ("tag", "body"),
    [
        ("p", "<p>{}</p>".format("10.1234/" + "x" * 90)),
        ("img", f'<img alt="A chart" width="610" height="9" src="{PIXEL}">'),
        ("div", '<div style="overflow:hidden"><div style="width:610px">Cut off</div></div>'),
        ("p", '<p style="visibility:hidden;width:700px">It takes its room all the same.</p>'),
        ("p", "<style>p::after{content:'.';display:block;width:700px}</style><p>Drawn by the stylesheet.</p>"),
        ("table", '<table role="presentation" width="700"><tr><td>x</td></tr></table>'),
    ],
)
def test_other_things_that_are_too_wide(browser: Browser, tag: str, body: str) -> None:
    (finding,) = browser.look(mail(body))
    assert finding.code == "DM502"
    assert "600 px by" in finding.message
    assert finding.message.endswith(f"<{tag}> stands out furthest")


@pytest.mark.parametrize(
    "body",
    [
        '<div tabindex="0" style="overflow-x:auto"><p style="width:900px">It scrolls by itself.</p></div>',
        '<div style="display:none;width:900px">What the inbox shows.</div>',
        '<div style="position:absolute;width:1px;height:1px;overflow:hidden;white-space:nowrap">'
        "Words for screen readers only, more of them than fit into the width of any telephone</div>",
        f"<p>{'Words that wrap. ' * 40}</p>",
        '<p style="word-break:break-all">{}</p>'.format("x" * 300),
    ],
)
def test_what_is_not_too_wide(browser: Browser, body: str) -> None:
    assert browser.look(mail(body)) == []


def test_a_width_that_a_media_query_mends(browser: Browser) -> None:
    fixed = "@media (max-width:480px){span{width:auto !important}}"
    assert browser.look(mail(CHIP.format("Empathy"), fixed)) == []


# -- quirks mode


@pytest.mark.parametrize("doctype", ["", '<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN">'])
def test_quirks_mode(browser: Browser, doctype: str) -> None:
    (finding,) = browser.look(mail("<p>Hello.</p>", doctype=doctype))
    assert finding.code == "DM503"
    assert "<!DOCTYPE html>" in finding.hint


# -- one page for all mails


def test_one_mail_leaves_nothing_to_the_next(browser: Browser) -> None:
    sound, broken = mail("<p>Hello.</p>"), mail(CHIP.format("x"), doctype="")
    assert codes(browser, broken) == ["DM502", "DM503"]
    assert codes(browser, sound) == []
    browser.shot(sound, View(320, "dark", styles=False))
    assert codes(browser, broken) == ["DM502", "DM503"]
    assert codes(browser, sound) == []


def test_a_view_without_style_blocks(browser: Browser) -> None:
    html = mail("<p>Hello.</p>", "p{color:#ff0000}").replace("</style>", "</STYLE >")
    ask = "() => getComputedStyle(document.querySelector('p')).color"
    views = [View(375), View(375, styles=False), View(375, "dark"), View(375)]
    assert browser.ask(html, ask, views) == ["rgb(255, 0, 0)", "rgb(0, 0, 0)", "rgb(255, 0, 0)", "rgb(255, 0, 0)"]


def test_a_picture_shows_the_whole_mail(browser: Browser) -> None:
    html = mail('<div style="height:2000px">Long.</div>')
    light, dark = browser.shot(html, View(375)), browser.shot(html, View(375, "dark"))
    width, height = struct.unpack(">II", light[16:24])  # the header of a PNG
    assert light.startswith(b"\x89PNG")
    assert width == 375
    assert height > 2000
    assert light != dark


def test_other_code_may_run_its_own_loop(browser: Browser) -> None:
    assert codes(browser, mail("")) == []
    asyncio.run(asyncio.sleep(0))


# -- a mail is a guest

# The title, when everything that was under way has come to an end: without a limit, an idle page is never idle.
SETTLED = "() => new Promise(answer => requestIdleCallback(() => answer(document.title), { timeout: 100 }))"


@contextmanager
def listener() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine, and what anybody asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def setup(self) -> None:
            asked.append("connection")
            super().setup()

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True  # a browser keeps connections open for later
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    "body",
    [
        '<img alt="x" src="{}/pixel.png"><img alt="y" srcset="{}/2x.png 2x">',
        '<link rel="stylesheet" href="{}/a.css"><style>@import url({}/b.css);h1{{background:url({}/c.png)}}</style>',
        '<link rel="preconnect" href="{}"><link rel="prefetch" href="{}/p"><link rel="preload" as="image" href="{}/q">',
        '<iframe title="x" src="{}/frame"></iframe><object data="{}/o"></object>',
        '<meta http-equiv="refresh" content="0;url={}/away">',
        '<video src="{}/film" autoplay></video><script src="{}/s.js"></script>',
        "<script>fetch('{}/f'); new WebSocket('{}/w'.replace('http', 'ws'))</script>",
        "<p style=\"font-family:own\">x</p><style>@font-face{{font-family:own;src:url('{}/font.woff2')}}</style>",
    ],
)
def test_nothing_that_a_mail_names_is_fetched(browser: Browser, body: str) -> None:
    with listener() as (address, asked):
        html = mail(body.replace("{}", address).replace("{{", "{").replace("}}", "}"))
        browser.ask(html, SETTLED, [View(375), View(680, "dark")])
        browser.look(html)
        assert browser.ask(html, "() => location.href", [View(375)]) == ["https://mail.invalid/"]
        assert asked == []


@pytest.mark.parametrize(
    "body",
    [
        "<script>document.title = 'ran'</script>",
        "<img alt='x' src='data:,' onerror=\"document.title = 'ran'\">",
        "<svg onload=\"document.title = 'ran'\"><title>x</title></svg>",
        "<meta http-equiv='refresh' content='0;url=javascript:document.title=1'>",
        "<meta http-equiv='refresh' content='0;url=https://mail.invalid/'>",
    ],
)
def test_scripts_of_a_mail_do_not_run(browser: Browser, body: str) -> None:
    assert browser.ask(mail(body), SETTLED, [View(375)]) == ["July"]
    assert browser.look(mail("")) == []


# -- starting


def own_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("chromium")]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    monkeypatch.setitem(sys.modules, "axe_playwright_python.sync_playwright", None)
    before = own_threads()
    with pytest.raises(ConfigError, match="is not installed") as caught, Browser():
        pass
    assert caught.value.exit_code is ExitCode.CONFIG
    assert "pip install 'digest-mailer[browser]'" in caught.value.hint
    assert own_threads() == before


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    require("playwright")
    monkeypatch.setattr(module, "find_program", lambda: tmp_path / "chromium")
    before = own_threads()
    with pytest.raises(ConfigError, match="Chromium is not there or does not start") as caught, Browser():
        pass
    assert "apt install chromium" in caught.value.hint
    assert "\n" not in caught.value.what
    assert own_threads() == before


def test_no_secret_reaches_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    require("playwright")
    program, seen = tmp_path / "chromium", tmp_path / "seen"
    program.write_text(f'#!/bin/sh\n{{ printf "%s\\n" "$@"; env; }} > "{seen}"\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setattr(module, "find_program", lambda: program)
    monkeypatch.setenv("DIGEST_DELIVERY__PASSWORD", "hunter2")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(ConfigError) as caught, Browser():
        pass
    assert "\n" not in caught.value.what  # what Chromium writes is long
    said = seen.read_text()
    assert "DIGEST_" not in said
    assert "--host-resolver-rules=MAP * ~NOTFOUND\n" in said
    assert "\nXDG_CONFIG_HOME=" in said
    assert "\nXDG_CACHE_HOME=" in said


@pytest.mark.parametrize("present", [("google-chrome", "chromium-browser", "chromium"), ("google-chrome",)])
def test_debians_program_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, present: tuple[str, ...]) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert module.find_program() is None
    for name in present:
        (tmp_path / name).touch(mode=0o755)
    assert module.find_program() == tmp_path / present[-1]


def test_a_chromium_that_went_away_is_said_so() -> None:
    require("chromium", "playwright")
    with Browser() as mortal:
        mortal._do(mortal._page.close)
        with pytest.raises(TemporaryProblem, match="Chromium could not look at a mail"):
            mortal.look(mail("<p>x</p>"))
