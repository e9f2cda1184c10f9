"""A reader with a browser, from signing up to being forgotten: no scripts, by keyboard, on a phone, in both languages.

The site runs in this process, so that time can go by without waiting; letters are read from the sandbox.
"""

import mailbox
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core_support import address_of
from digest_mailer.bootstrap import App
from digest_mailer.core.audience import State
from publication_support import FixedClock, make_publication, person
from site_support import chromium, served

if TYPE_CHECKING:
    from playwright.sync_api import Page

NEW = "new.reader@clinic.example.org"
WORDS = {
    "en": {
        "path": "/subscribe/", "topic": "Empathy", "only": "Only the topics", "sign up": "Sign up",
        "yes": "Yes, send it to me", "save": "Save", "saved": "Saved.", "pause": "3 months",
        "resume": "End the pause now", "leave": "Unsubscribe", "left": "You are unsubscribed",
        "forget": "Mail me the link to be forgotten",
        "for good": "Forget me for good", "forgotten": "You are forgotten", "welcome": "You are subscribed",
        "question": "Everything or nothing?",
    },
    "fr": {
        "path": "/fr/subscribe/", "topic": "Empathie", "only": "Seulement les thèmes", "sign up": "S’abonner",
        "yes": "Oui, envoyez-le-moi", "save": "Enregistrer", "saved": "C’est enregistré.", "pause": "3 mois",
        "resume": "Mettre fin à la pause", "leave": "Se désabonner", "left": "Vous êtes désabonné(e)",
        "forget": "M’envoyer le lien pour être oublié(e)", "for good": "M’oublier pour de bon",
        "forgotten": "Vous êtes oublié(e)", "welcome": "Vous êtes abonné(e)", "question": "Tout ou rien",
    },
}  # fmt: skip


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication to change."""
    return make_publication(tmp_path)


@pytest.fixture
def page() -> "Iterator[Page]":
    """A phone without scripts, that reaches this machine only."""
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 375, "height": 800}, java_script_enabled=False)
        yield context.new_page()


def wait(app: App) -> None:
    """Some seconds go by."""
    assert isinstance(app.clock, FixedClock)
    app.clock.advance(timedelta(seconds=5))


def letter(app: App, area: str) -> str:
    """The path of that kind in the newest letter; it is written behind the answer, so it may be a moment away."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for key in reversed(_keys(app)):
            message = BytesParser(policy=policy.default).parsebytes(mailbox.Maildir(app.maildir).get_bytes(key))
            body = message.get_body(("plain",))
            found = re.search(rf"(/{area}/[A-Za-z0-9_-]{{40}})", body.get_content() if body else "")
            if found:
                return found[1]
    pytest.fail(f"no letter with a link /{area}/")


def _keys(app: App) -> list[str]:
    """The letters so far; the first may be on its way while its folder is made."""
    if not all((app.maildir / name).is_dir() for name in ("tmp", "new", "cur")):
        return []
    return sorted(mailbox.Maildir(app.maildir, create=False).keys())


@pytest.mark.parametrize("language", WORDS)
def test_from_signing_up_to_being_forgotten(app: App, page: "Page", language: str) -> None:
    words = WORDS[language]
    with served(app) as site:
        _sign_up(app, page, site + words["path"], words)
        link = letter(app, "c")
        assert person(app, NEW).state is State.PENDING
        page.goto(site + link)
        page.get_by_role("button", name=words["yes"]).press("Enter")
        assert words["welcome"] in page.inner_text("h1")
        assert person(app, NEW).state is State.ACTIVE
        choices = site + letter(app, "p")
        _choose(app, page, choices, words)
        _be_forgotten(app, page, site, choices, words)


def _sign_up(app: App, page: "Page", address: str, words: dict[str, str]) -> None:
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    wait(app)
    page.keyboard.press("Tab")
    page.get_by_label(re.compile("address|adresse")).fill(NEW)
    assert not page.get_by_role("checkbox").first.is_visible()
    page.get_by_label(words["only"]).check()
    page.get_by_label(words["topic"], exact=False).first.check()
    page.get_by_role("button", name=words["sign up"], exact=True).press("Enter")


def _choose(app: App, page: "Page", choices: str, words: dict[str, str]) -> None:
    page.goto(choices)
    boxes = page.get_by_role("checkbox")
    ticked = [number for number in range(boxes.count()) if boxes.nth(number).is_checked()]
    assert len(ticked) == 1
    boxes.nth(0).press("Space")
    page.get_by_role("button", name=words["save"], exact=True).press("Enter")
    assert words["saved"] in page.inner_text(".said")
    assert len(app.library.vocabulary.catalogue.in_words(person(app, NEW).topics)) == 2
    for number in (0, *ticked):
        page.get_by_role("checkbox").nth(number).uncheck()
    page.get_by_role("button", name=words["save"], exact=True).click()
    assert words["question"] in page.inner_text("h1")
    page.get_by_role("button", name=words["pause"]).click()
    assert person(app, NEW).state is State.PAUSED
    page.get_by_role("button", name=words["resume"]).click()
    assert person(app, NEW).state is State.ACTIVE


def _be_forgotten(app: App, page: "Page", site: str, choices: str, words: dict[str, str]) -> None:
    page.get_by_role("button", name=words["forget"]).click()
    link = site + letter(app, "e")
    page.goto(choices)
    page.get_by_role("button", name=words["leave"], exact=True).click()
    assert words["left"] in page.inner_text("h1")
    assert person(app, NEW).state is State.UNSUBSCRIBED
    page.goto(link)
    page.get_by_role("button", name=words["for good"]).click()
    assert words["forgotten"] in page.inner_text("h1")
    assert app.people.find(address_of(NEW)) is None
