"""What Chromium says of the site's pages: readable in light and dark (axe), and never wider than a phone."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from accessible_support import flaws
from digest_mailer.adapters.browser import Browser
from digest_mailer.bootstrap import App
from digest_mailer.core.identity import ENGLISH
from digest_mailer.core.token import Scope, sign_dated
from digest_mailer.rendering.letter import Link
from digest_mailer.services.letters import Kind
from digest_mailer.web.app import build_site
from publication_support import EVERYTHING, ONE_TOPIC, link_token, make_publication, person

PEOPLE = pytest.mark.parametrize("address", [EVERYTHING, ONE_TOPIC], ids=["French", "English"])


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication to change."""
    return make_publication(tmp_path)


@pytest.fixture
def client(app: App) -> TestClient:
    """Its site."""
    return TestClient(build_site(app, inbox=False), base_url="http://127.0.0.1", follow_redirects=False)


@PEOPLE
def test_the_page_of_ones_topics(app: App, client: TestClient, browser: Browser, address: str) -> None:
    path = f"/p/{link_token(app, Scope.PREFERENCES, address)}"
    first = client.get(path).text
    assert flaws(browser, client, first) == []
    seen = re.findall(r'name="seen" value="([0-9a-f]+)"', first)[0]
    asked = client.post(path, data={"do": "save", "scope": "some", "seen": seen})
    assert flaws(browser, client, asked.text) == []
    paused = client.post(path, data={"do": "pause-1", "seen": seen})
    assert paused.status_code == 200
    assert flaws(browser, client, paused.text) == []


@PEOPLE
def test_the_page_to_leave_on(app: App, client: TestClient, browser: Browser, address: str) -> None:
    path = f"/u/{link_token(app, Scope.UNSUBSCRIBE, address)}"
    assert flaws(browser, client, client.get(path).text) == []
    assert flaws(browser, client, client.post(path).text) == []
    assert flaws(browser, client, client.get(path).text) == []


@PEOPLE
@pytest.mark.parametrize(("area", "scope"), [("c", Scope.CONFIRM), ("d", Scope.DATA), ("e", Scope.ERASE)])
def test_the_pages_of_letters(
    app: App, client: TestClient, browser: Browser, address: str, area: str, scope: Scope
) -> None:
    who = person(app, address)
    if scope is Scope.CONFIRM:
        app.subscriptions.leave(who, "link")
    path = f"/{area}/{sign_dated(scope, who.id, app.today, who.generation, app.secrets.keys.tokens)}"
    assert flaws(browser, client, client.get(path).text) == []
    assert flaws(browser, client, client.post(path).text) == []


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("address", [EVERYTHING, ONE_TOPIC])
def test_letters(app: App, browser: Browser, kind: Kind, address: str) -> None:
    article = Link("Alliance and outcome: a title that a phone has to break", "https://x.example/a/", ENGLISH)
    message = app.letters(app.library).message(kind, person(app, address), (article,))
    assert browser.look(message.html) == []


@pytest.mark.parametrize("path", ["/subscribe/", "/fr/subscribe/"])
def test_the_page_to_sign_up_on(client: TestClient, browser: Browser, path: str) -> None:
    assert flaws(browser, client, client.get(path).text) == []
    assert flaws(browser, client, client.post(path, data={"email": "nobody"}).text) == []


@pytest.mark.parametrize("path", ["/issues/", "/topics/", "/issues/2023-07/", "/u/nothing", "/nowhere"])
def test_a_page_for_everybody(client: TestClient, browser: Browser, path: str) -> None:
    assert flaws(browser, client, client.get(path).text) == []
