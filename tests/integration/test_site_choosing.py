"""The readers' own page: topics, language, a pause. Looking changes nothing, saving twice does no harm."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from digest_mailer.bootstrap import App
from digest_mailer.core.audience import State
from digest_mailer.core.token import Scope
from digest_mailer.web.app import build_site
from publication_support import (
    EVERYTHING,
    ONE_TOPIC,
    FixedClock,
    freeze,
    link_token,
    make_publication,
    person,
    table_rows,
)


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication to change."""
    return make_publication(tmp_path)


@pytest.fixture
def client(app: App) -> TestClient:
    """A browser without scripts."""
    return TestClient(build_site(app, inbox=False), base_url="http://127.0.0.1", follow_redirects=False)


def page(app: App, address: str = ONE_TOPIC) -> str:
    """The address of somebody's page."""
    return f"/p/{link_token(app, Scope.PREFERENCES, address)}"


def seen(client: TestClient, path: str) -> str:
    """What the form of the page says it was made for."""
    found = re.search(r'name="seen" value="([0-9a-f]+)"', client.get(path).text)
    assert found
    return found[1]


def names(app: App, address: str = ONE_TOPIC) -> set[str]:
    """The topics somebody follows."""
    catalogue = app.library.vocabulary.catalogue
    return {topic.key for topic in catalogue.in_words(person(app, address).topics)}


def test_looking_changes_nothing(app: App, client: TestClient) -> None:
    path, before = page(app), table_rows(app)
    for _ in range(50):
        assert (client.get(path).status_code, client.head(path).status_code) == (200, 200)
    assert client.get(f"{path}?do=save&topic=empathy&scope=some").status_code == 200
    assert table_rows(app) == before


def test_the_form_stands_as_things_are(app: App, client: TestClient) -> None:
    text = client.get(page(app)).text
    ticked = re.findall(r'name="topic" value="([a-z-]+)" id="[^"]+" checked', text)
    assert ticked == ["adherance"]
    assert 'value="some" id="scope-some" checked' in text
    assert "your choice brings less than one article a month" in text
    assert text.count('type="checkbox"') == 36


def test_topics_are_added_and_dropped(app: App, client: TestClient) -> None:
    path = page(app)
    form = {"do": "save", "seen": seen(client, path), "scope": "some", "topic": ["empathy", "anxiety-disorders"]}
    answer = client.post(path, data=form)
    assert (answer.status_code, "Saved." in answer.text) == (200, True)
    assert names(app) == {"empathy", "anxiety-disorders"}
    event = app.subscriptions.history(person(app, ONE_TOPIC))[-1]
    assert (event.what, event.actor, event.reason) == ("edit", "reader", "preferences page")


def test_the_same_form_twice_does_no_harm(app: App, client: TestClient) -> None:
    path = page(app)
    form = {"do": "save", "seen": seen(client, path), "scope": "some", "topic": ["empathy"]}
    client.post(path, data=form)
    before = table_rows(app)
    again = client.post(path, data=form)
    assert (again.status_code, "It was like that already." in again.text) == (200, True)
    assert table_rows(app) == before


def test_the_second_of_two_windows_is_told_and_changes_nothing(app: App, client: TestClient) -> None:
    path = page(app)
    first = second = seen(client, path)
    client.post(path, data={"do": "save", "seen": first, "scope": "some", "topic": ["empathy"]})
    answer = client.post(path, data={"do": "save", "seen": second, "scope": "some", "topic": ["anxiety-disorders"]})
    assert (answer.status_code, "Nothing was saved" in answer.text) == (409, True)
    assert names(app) == {"empathy"}
    assert re.findall(r'name="topic" value="([a-z-]+)" id="[^"]+" checked', answer.text) == ["empathy"]
    paused = client.post(path, data={"do": "pause-1", "seen": second})
    assert (paused.status_code, person(app, ONE_TOPIC).state) == (409, State.ACTIVE)


def test_no_topic_at_all_is_asked_about(app: App, client: TestClient) -> None:
    path, before = page(app), table_rows(app)
    answer = client.post(path, data={"do": "save", "seen": seen(client, path), "scope": "some"})
    assert (answer.status_code, "Everything or nothing?" in answer.text) == (200, True)
    assert table_rows(app) == before
    assert re.search(r'action="/u/[A-Za-z0-9_-]{40}"', answer.text)
    everything = client.post(path, data={"do": "all", "seen": seen(client, path)})
    assert (everything.status_code, person(app, ONE_TOPIC).all_topics) == (200, True)


def test_the_language_is_chosen_and_the_page_speaks_it(app: App, client: TestClient) -> None:
    path = page(app)
    form = {"do": "save", "seen": seen(client, path), "scope": "some", "topic": ["adherance"], "language": "fr"}
    answer = client.post(path, data=form)
    assert '<html lang="fr"' in answer.text
    assert "Vos thèmes" in answer.text
    assert person(app, ONE_TOPIC).language == "fr"


def test_a_pause_counts_from_the_day_where_the_publication_is(app: App, client: TestClient) -> None:
    assert isinstance(app.clock, FixedClock)
    app.clock.instant = datetime(2024, 2, 1, 1, tzinfo=UTC)  # the day before, in Toronto
    path = page(app)
    client.post(path, data={"do": "pause-3", "seen": seen(client, path)})
    assert person(app, ONE_TOPIC).paused_until == date(2024, 4, 30)


@pytest.mark.parametrize(("months", "until"), [(1, date(2024, 2, 29)), (3, date(2024, 4, 30)), (6, date(2024, 7, 31))])
def test_a_pause_of_some_months_and_its_end(app: App, client: TestClient, months: int, until: date) -> None:
    """The clock stands at the 31st of January."""
    path = page(app)
    freeze(app)
    paused = client.post(path, data={"do": f"pause-{months}", "seen": seen(client, path)})
    assert (paused.status_code, "Paused." in paused.text) == (200, True)
    found = person(app, ONE_TOPIC)
    assert (found.state, found.paused_until) == (State.PAUSED, until)
    rows = list(app.oversight.deliveries(None, person=found.id))
    assert [row.state for row in rows] == ["suppressed"]
    assert client.post(path, data={"do": f"pause-{months}", "seen": "of another time"}).status_code == 200
    assert client.post(path, data={"do": "resume"}).status_code == 200
    assert person(app, ONE_TOPIC).state == State.ACTIVE


def test_a_pause_counts_from_today(app: App, client: TestClient) -> None:
    path = page(app)
    client.post(path, data={"do": "pause-1", "seen": seen(client, path)})
    assert isinstance(app.clock, FixedClock)
    app.clock.advance(timedelta(days=10))
    client.post(path, data={"do": "pause-1", "seen": seen(client, path)})
    assert person(app, ONE_TOPIC).paused_until == date(2024, 3, 10)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"do": "forget"},
        {"do": "pause-2"},
        {"do": "pause-"},
        {"do": "pause-99999999999999999999"},
        {"do": "save", "scope": "some", "topic": "astrology"},
        {"do": "save", "scope": "some", "topic": "empathy", "language": "tlh"},
        {"do": "save", "scope": "some", "topic": "\x00"},
    ],
)
def test_a_form_that_asks_for_what_is_not_is_refused_and_changes_nothing(
    app: App, client: TestClient, form: dict[str, str]
) -> None:
    path, before = page(app), table_rows(app)
    answer = client.post(path, data={"seen": seen(client, path), **form})
    assert (answer.status_code, "Nothing was changed." in answer.text) == (400, True)
    assert table_rows(app) == before


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"x" * (10 << 20), "application/x-www-form-urlencoded", 413),
        (b"do=save&topic=\xff\xfe&scope=some", "application/x-www-form-urlencoded; charset=utf-7", 400),
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x", 400),
        (b"--x", "multipart/form-data", 400),
        (b'{"do": "save"}', "application/json", 400),
    ],
)
def test_a_body_that_cannot_be_read_changes_nothing(
    app: App, client: TestClient, content: bytes, kind: str, status: int
) -> None:
    before = table_rows(app)
    answer = client.post(page(app), content=content, headers={"content-type": kind})
    assert answer.status_code == status
    assert table_rows(app) == before


@given(body=st.binary(max_size=200), kind=st.sampled_from(["application/x-www-form-urlencoded", "text/plain", ""]))
def test_no_body_breaks_the_page(shared: TestClient, shared_page: str, body: bytes, kind: str) -> None:
    assert shared.post(shared_page, content=body, headers={"content-type": kind}).status_code in (200, 400, 409)


@pytest.fixture(scope="module")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> App:
    """A publication that invented forms may change."""
    return make_publication(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="module")
def shared(shared_app: App) -> TestClient:
    """Its site."""
    return TestClient(build_site(shared_app, inbox=False), base_url="http://127.0.0.1", follow_redirects=False)


@pytest.fixture(scope="module")
def shared_page(shared_app: App) -> str:
    """Somebody's page of it."""
    return page(shared_app)


@pytest.mark.parametrize("scope", [Scope.UNSUBSCRIBE, Scope.BOUNCE])
def test_another_kind_of_link_chooses_nothing(app: App, client: TestClient, scope: Scope) -> None:
    before = table_rows(app)
    path = f"/p/{link_token(app, scope, ONE_TOPIC)}"
    assert client.post(path, data={"do": "all"}).status_code == 404
    assert table_rows(app) == before


def test_who_has_left_can_do_nothing_here(app: App, client: TestClient) -> None:
    path = page(app)
    app.subscriptions.leave(person(app, ONE_TOPIC), "link")
    before = table_rows(app)
    answer = client.post(path, data={"do": "all"})
    assert (answer.status_code, "You are unsubscribed" in answer.text) == (200, True)
    assert table_rows(app) == before


def test_a_retired_topic_is_not_offered_and_stays_followed(app: App, client: TestClient) -> None:
    topics = app.root / "newsletters" / "topics.toml"
    text = topics.read_text(encoding="utf-8")
    topics.write_text(text.replace('key = "adherance"\n', 'key = "adherance"\nretired = true\n'), encoding="utf-8")
    path = page(app)
    assert 'value="adherance"' not in client.get(path).text
    client.post(path, data={"do": "save", "seen": seen(client, path), "scope": "some", "topic": ["empathy"]})
    assert names(app) == {"adherance", "empathy"}


def test_the_page_names_nobody_and_is_kept_nowhere(app: App, client: TestClient) -> None:
    answer = client.get(page(app))
    assert (ONE_TOPIC in answer.text, "o…@clinic.example.org" in answer.text) == (False, True)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_french_readers_are_spoken_to_in_french(app: App, client: TestClient) -> None:
    text = client.get(page(app, EVERYTHING)).text
    assert '<html lang="fr"' in text
    assert "Adhésion et fidélité au traitement" in text
    leave = client.get(f"/u/{link_token(app, Scope.UNSUBSCRIBE, EVERYTHING)}").text
    assert "Se désabonner" in leave


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("fr-CA, en;q=0.5", "fr"),
        ("en", "en"),
        ("de", "en"),
        ("", "en"),
        ("fr;q=0, en", "en"),
        ("de;q=x,fr;q=0.1", "fr"),
    ],
)
def test_a_link_that_does_not_work_says_so_in_the_browsers_language(
    client: TestClient, asked: str, language: str
) -> None:
    answer = client.get("/p/" + "A" * 40, headers={"accept-language": asked})
    assert (answer.status_code, f'<html lang="{language}"' in answer.text) == (404, True)
