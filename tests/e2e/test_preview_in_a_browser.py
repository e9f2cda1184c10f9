"""An author with the preview open: writes, is told what is wrong, mends it; the page follows by itself.

With scripts, as authors have them. Whatever the pages asked for and the browser said of them is watched.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from digest_mailer.bootstrap import App
from publication_support import make_publication
from site_support import chromium, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HERE = "/admin/issues/2023-07/"
SHOWN = """([numbers, words]) => numbers.every((number) => {
  const inside = document.querySelectorAll("iframe")[number].contentDocument;
  return inside !== null && inside.body !== null && inside.body.textContent.includes(words);
})"""
GONE = "() => document.querySelector('#trouble').textContent.trim() === ''"
PANES = [0, 1, 2, 3]  # desktop, phone, phone dark, text


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication to change."""
    return make_publication(tmp_path)


@pytest.fixture
def browser() -> "Iterator[Browser]":
    with chromium() as found:
        yield found


def at_the_preview(app: App, browser: "Browser", base: str, noticed: list[str], language: str = "en") -> "Page":
    """The page, signed in, its events connected and lint there."""
    page = browser.new_context(viewport={"width": 1500, "height": 900}, locale=language).new_page()
    page.on("console", lambda message: noticed.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: None if request.url.startswith(base) else noticed.append(request.url))
    page.goto(f"{base}/admin/in/{app.admission.local_link('tests')}/?next={HERE}")
    page.get_by_role("main").get_by_role("button").click()
    page.wait_for_url(f"{base}{HERE}")
    page.locator(".source").wait_for()
    return page


def write(app: App, old: str, new: str) -> None:
    """Save July with something changed."""
    path = app.root / "newsletters" / "2023-07.md"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_what_is_saved_is_seen(app: App, browser: "Browser", language: str) -> None:
    noticed: list[str] = []
    with served(app) as base:
        page = at_the_preview(app, browser, base, noticed, language)
        page.evaluate("() => { window.untouched = true; scrollTo(0, 120); frames[0].scrollTo(0, 400); }")
        write(app, "what therapists had best avoid", "a walrus in the waiting room")
        page.wait_for_function(SHOWN, arg=[PANES, "a walrus in the waiting room"])
        page.wait_for_function("() => frames[0].scrollY === 400 && scrollY === 120")
        write(app, "subject: What helps", "subject: What mends")
        page.locator("#inbox-lines").get_by_text("What mends").first.wait_for()
        assert page.evaluate("() => window.untouched")  # never loaded as a whole
        page.close()
    assert noticed == []


def test_a_mistake_is_shown_at_its_line_and_goes_when_it_is_mended(app: App, browser: "Browser") -> None:
    noticed: list[str] = []
    with served(app) as base:
        page = at_the_preview(app, browser, base, noticed)
        write(app, "  - Adherance", "  - Adherence to nothing")
        trouble = page.locator("#trouble .said")
        trouble.get_by_text("Adherence to nothing").wait_for()
        finding = page.locator(".findings").get_by_text("Adherence to nothing")
        finding.wait_for()
        page.wait_for_function(SHOWN, arg=[PANES, "what therapists had best avoid"])
        page.locator(".findings li", has_text="Adherence to nothing").locator("a").click()
        line = page.locator(".source li:target")
        line.wait_for()
        assert line.inner_text().strip() == "- Adherence to nothing"
        assert line.evaluate("one => one.getBoundingClientRect().top < innerHeight")
        write(app, "  - Adherence to nothing", "  - Adherance")
        page.wait_for_function(GONE)
        page.get_by_text("Nothing is wrong.").wait_for()
        page.close()
    assert noticed == []


def test_an_issue_that_could_never_be_shown_comes_to_light(app: App, browser: "Browser") -> None:
    path, noticed = app.root / "newsletters" / "2023-07.md", list[str]()
    text = path.read_text("utf-8")
    path.write_text("no issue at all", "utf-8")
    with served(app) as base:
        page = at_the_preview(app, browser, base, noticed)
        assert page.locator("iframe").count() == 0
        path.write_text(text, "utf-8")
        page.locator("iframe").first.wait_for()
        page.wait_for_function(SHOWN, arg=[PANES, "what therapists had best avoid"])
        page.close()
    assert noticed == []


def test_another_edition_and_another_look_are_chosen(app: App, browser: "Browser") -> None:
    noticed: list[str] = []
    with served(app) as base:
        page = at_the_preview(app, browser, base, noticed)
        page.get_by_label("Edition", exact=True).select_option("fr-2")
        page.wait_for_url("**edition=fr-2**")
        page.wait_for_function(SHOWN, arg=[PANES, "Lire ce numéro"])
        page.get_by_label("Look", exact=True).select_option("no-style")
        page.wait_for_url("**look=no-style**")
        page.wait_for_function("() => frames[0].document.styleSheets.length === 0")
        page.close()
    assert noticed == []


def test_links_of_the_mail_lead_nowhere(app: App, browser: "Browser") -> None:
    noticed: list[str] = []
    with served(app) as base:
        page = at_the_preview(app, browser, base, [])
        page.on("request", lambda request: noticed.append(request.url) if "digest.example" in request.url else None)
        inside = page.frame_locator("iframe").first
        inside.get_by_role("link", name="Read this issue on the web").click()
        assert len(page.context.pages) == 1
        assert inside.get_by_role("link", name="Read this issue on the web").is_visible()
        page.close()
    assert noticed == []
