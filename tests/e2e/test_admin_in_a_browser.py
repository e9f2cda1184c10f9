"""An admin with a browser: signs in, takes a list in, finds a person, puts a segment together; in both languages.

Words are looked up in the page's own language, so that one story serves both. Whatever the pages asked for and the
browser said of them is watched: nothing but this site, and no complaint of its content policy.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from digest_mailer.bootstrap import App
from digest_mailer.core.audience import State
from digest_mailer.core.identity import Language
from digest_mailer.core.segment import EVERYBODY
from digest_mailer.core.segment_text import parse, write
from digest_mailer.web.pages import Pages
from publication_support import make_publication, person
from site_support import chromium, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

LANGUAGES = pytest.mark.parametrize("language", ["en", "fr"])
LIST = """\
email,name,topics,role
rose@clinic.example.org,Rose Gagné,Empathy; Attachment,clinician
jean@clinic.example.org,Jean Côté,Empathy,student
not an address,Nobody,Empathy,
"""


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication to change."""
    return make_publication(tmp_path)


@pytest.fixture
def browser() -> "Iterator[Browser]":
    with chromium() as found:
        yield found


@dataclass(frozen=True, slots=True)
class Desk:
    """Somebody at the pages."""

    page: "Page"
    base: str
    say: Callable[[str], str]  # a word of the pages in their language
    noticed: list[str]  # what the browser complained of, and requests to elsewhere

    def press(self, button: str) -> None:
        """Press the button with this English name."""
        self.page.get_by_role("button", name=self.say(button), exact=True).click()

    def follow(self, link: str) -> None:
        """Follow the link with this English name."""
        self.page.get_by_role("link", name=self.say(link), exact=True).first.click()


def _is_complaint(message: "ConsoleMessage") -> bool:
    """A form that is shown again with what is wrong with it has the status 400, which is in order."""
    return message.type == "error" and "400 (Bad Request)" not in message.text


def at_the_desk(app: App, browser: "Browser", base: str, language: str, *, scripts: bool = True) -> Desk:
    """Somebody who has signed in by the machine's link."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale=language, java_script_enabled=scripts)
    page, noticed = context.new_page(), []
    page.on("console", lambda message: noticed.append(message.text) if _is_complaint(message) else None)
    page.on("request", lambda request: None if request.url.startswith(base) else noticed.append(request.url))
    desk = Desk(page, base, Pages(app, inbox=False).phrases(Language(language)).gettext, noticed)
    page.goto(f"{base}/admin/")
    assert page.title().startswith(desk.say("Sign in"))
    page.goto(f"{base}/admin/in/{app.admission.local_link('tests')}/")
    desk.press("Sign in")
    assert page.url == f"{base}/admin/"
    assert page.locator("html").get_attribute("lang") == language
    return desk


@LANGUAGES
def test_a_list_is_looked_at_and_then_taken_in(app: App, browser: "Browser", language: str, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(LIST, encoding="windows-1252")
    with served(app) as base:
        desk = at_the_desk(app, browser, base, language)
        page, say = desk.page, desk.say
        desk.follow("Import")
        page.get_by_label(say("File"), exact=True).set_input_files(tmp_path / "list.csv")
        desk.press("Upload it and look")

        # nobody is taken in without a consent, and the page says where to give one
        page.get_by_role("heading", name=say("The file cannot be used yet")).wait_for()
        assert page.get_by_role("button", name=re.compile(f"^{say('Import')} ")).count() == 0
        details = page.locator("details", has=page.get_by_text(say("Say what the file does not say")))
        if details.get_attribute("open") is None:
            details.locator("summary").click()
        page.get_by_label(say("Where they agreed"), exact=True).fill("conference booth")
        page.get_by_label(say("When they agreed"), exact=True).fill("2023-05-20")
        desk.press("Read the file again")
        importing = page.get_by_role("button", name=re.compile(f"^{say('Import')} .*2 "))
        importing.wait_for()
        assert page.get_by_text("not an address").count() == 1
        before = sum(app.people.count(EVERYBODY).values())

        # a row that cannot be taken must be left out knowingly
        importing.click()
        page.get_by_role("alert").wait_for()
        assert sum(app.people.count(EVERYBODY).values()) == before
        page.get_by_label(say("Take the good rows, without those that cannot be taken")).check()
        importing.click()
        page.get_by_role("heading", name=say("Imported"), exact=True).wait_for()
        assert sum(app.people.count(EVERYBODY).values()) == before + 2
        rose = person(app, "rose@clinic.example.org")
        assert (rose.name, rose.state, dict(rose.attributes)) == ("Rose Gagné", State.ACTIVE, {"role": "clinician"})

        # she is found, and her page tells where she came from
        desk.follow("People")
        page.get_by_role("searchbox").or_(page.locator("input[name=q]")).first.fill("rose@")
        page.keyboard.press("Enter")
        page.get_by_role("link", name="rose@clinic.example.org").click()
        page.get_by_text("conference booth").first.wait_for()
        assert page.get_by_text("Rose Gagné").count()
        assert desk.noticed == []


@LANGUAGES
def test_a_segment_is_counted_while_it_is_put_together(app: App, browser: "Browser", language: str) -> None:
    with served(app) as base:
        desk = at_the_desk(app, browser, base, language)
        page, say = desk.page, desk.say
        desk.follow("Segments")
        desk.follow("New segment")
        count = page.locator("output .count")
        first = count.inner_text()
        page.get_by_label("Français", exact=True).check()
        page.wait_for_function("text => document.querySelector('output .count').innerText !== text", arg=first)
        french = sum(app.people.count(parse("language:fr", app.library.vocabulary.catalogue)).values())
        assert re.sub(r"\D", "", count.inner_text()) == str(french)
        assert page.locator("output .expression").inner_text() == "language:fr"

        page.get_by_label(say("Name"), exact=True).fill("french-readers")
        desk.press("Save")
        page.get_by_text(say("The segment is kept.")).wait_for()
        kept = app.segments.get("french-readers")
        assert kept
        assert write(kept, app.library.vocabulary.catalogue) == "language:fr"
        address = page.locator("input[name=address]")
        address.fill("amelie.tremblay@clinic.example.org")
        desk.press("Tell why")
        page.get_by_text(say("is in it.")).wait_for()
        page.get_by_label(say("Issue"), exact=True).select_option("2023-07")
        desk.press("Show the editions")
        page.locator("#editions table").wait_for()
        assert desk.noticed == []


def test_without_scripts_the_button_counts(app: App, browser: "Browser") -> None:
    with served(app) as base:
        desk = at_the_desk(app, browser, base, "en", scripts=False)
        desk.page.goto(f"{base}/admin/segments/new/")
        desk.page.get_by_label("Français", exact=True).check()
        desk.press("Count")
        french = sum(app.people.count(parse("language:fr", app.library.vocabulary.catalogue)).values())
        assert re.sub(r"\D", "", desk.page.locator("output .count").inner_text()) == str(french)
