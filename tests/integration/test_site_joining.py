"""Coming in: a form, a letter, a click; and nothing to anybody who did not ask. Letters are read from the sandbox."""

import json
import mailbox
import re
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from core_support import address_of
from digest_mailer.bootstrap import App
from digest_mailer.cli.people_files import import_file
from digest_mailer.core.address import address_hash
from digest_mailer.core.audience import Ground, State, Suppression
from digest_mailer.core.budget import network_of
from digest_mailer.core.token import Scope
from digest_mailer.web.app import build_site
from publication_support import (
    EVERYTHING,
    NOW,
    ONE_TOPIC,
    FixedClock,
    freeze,
    link_token,
    make_publication,
    person,
    table_rows,
)

NEW = "new.reader@clinic.example.org"
LINK = re.compile(r"https://digest\.example\.org(/[cdep]/[A-Za-z0-9_-]{40})")


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication to change, whose mail goes to the sandbox."""
    return make_publication(tmp_path)


@pytest.fixture
def client(app: App) -> TestClient:
    """A browser without scripts."""
    return TestClient(build_site(app, inbox=False), base_url="http://127.0.0.1", follow_redirects=False)


def letters(app: App, to: str = NEW) -> list[EmailMessage]:
    """What was mailed to an address, oldest first."""
    if not app.maildir.exists():
        return []
    box = mailbox.Maildir(app.maildir, create=False)
    parser = BytesParser(policy=policy.default)
    found = [parser.parsebytes(box.get_bytes(key)) for key in sorted(box.keys())]
    return [one for one in found if to in str(one["To"])]


def link(message: EmailMessage) -> str:
    """The path of the one link that does something; the same in both parts."""
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text
    assert html
    paths = set(LINK.findall(text.get_content()))
    assert paths == set(LINK.findall(html.get_content()))
    (path,) = paths
    return str(path)


def stamp(app: App, client: TestClient, path: str = "/subscribe/") -> str:
    """When the page was made; then some seconds go by."""
    found = re.search(r'name="at" value="([^"]+)"', client.get(path).text)
    assert found
    wait(app, seconds=5)
    return found[1]


def wait(app: App, **step: int) -> None:
    """Time goes by."""
    assert isinstance(app.clock, FixedClock)
    app.clock.advance(timedelta(**step))


def sign_up(app: App, client: TestClient, address: str = NEW, path: str = "/subscribe/", **fields: object) -> str:
    """Send the form as a browser does; answers the page."""
    form = {"at": stamp(app, client, path), "email": address, "name": "", "website": "", "scope": "all"} | fields
    answer = client.post(path, data=form)
    assert answer.status_code == 200, answer.text
    return answer.text


# -- from the form to the first issue


def test_signing_up_confirming_and_being_welcomed(app: App, client: TestClient) -> None:
    sign_up(app, client, name="New Reader", scope="some", topic=["empathy", "adherance"])
    waiting = person(app, NEW)
    assert (waiting.state, waiting.name) == (State.PENDING, "New Reader")
    (asked,) = letters(app)
    path = link(asked)
    for _ in range(50):
        assert client.get(path).status_code == client.head(path).status_code == 200
    assert person(app, NEW).state is State.PENDING
    done = client.post(path)
    assert (done.status_code, "You are subscribed" in done.text) == (200, True)
    now = person(app, NEW)
    assert now.state is State.ACTIVE
    topics = {topic.key for topic in app.library.vocabulary.catalogue.in_words(now.topics)}
    assert topics == {"empathy", "adherance"}
    welcome = letters(app)[-1]
    assert welcome["Subject"].startswith("Welcome to")
    assert link(welcome).startswith("/p/")
    assert client.get(link(welcome)).status_code == 200


def test_the_consent_says_what_was_read_where_and_when_it_was_confirmed(app: App, client: TestClient) -> None:
    sign_up(app, client)
    wait(app, hours=2)
    client.post(link(letters(app)[0]))
    (given_,) = app.people.consents(person(app, NEW).id)
    assert given_.wording.startswith("By sending this I ask that")
    assert (given_.source, given_.given_on, len(given_.version)) == ("sign-up page", NOW.date(), 12)
    assert given_.place == "/subscribe/ from testclient"
    assert given_.confirmed_at == app.clock.now()


def test_a_confirmation_twice_is_once(app: App, client: TestClient) -> None:
    sign_up(app, client)
    path = link(letters(app)[0])
    client.post(path)
    before = table_rows(app)
    again = client.post(path)
    assert (again.status_code, "You are subscribed" in again.text) == (200, True)
    assert table_rows(app) == before
    assert len(letters(app)) == 2


def test_of_confirmations_at_the_same_moment_one_counts(app: App, client: TestClient) -> None:
    sign_up(app, client)
    found = app.subscriptions.by_token(link(letters(app)[0]).rpartition("/")[2], Scope.CONFIRM)
    assert found
    start = threading.Barrier(4)

    def confirm() -> bool:
        start.wait(60)
        return app.joining.confirm(found[1])

    with ThreadPoolExecutor(4) as pool:
        answers = [one.result() for one in [pool.submit(confirm) for _ in range(4)]]
    assert sorted(answers) == [False, False, False, True]
    assert [one.action for one in app.trail.records(found[1].id)] == ["confirm", "sign-up"]


def test_a_letter_is_of_no_list_and_says_that_a_program_wrote_it(app: App, client: TestClient) -> None:
    sign_up(app, client, name="Win a prize at evil.example")
    (message,) = letters(app)
    assert message["Auto-Submitted"] == "auto-generated"
    assert [name for name in message if name.startswith(("List-", "Precedence", "Feedback"))] == []
    assert "evil.example" not in message.as_string()
    assert message["To"] == NEW


def test_french_pages_write_french_letters(app: App, client: TestClient) -> None:
    assert "Regardez maintenant" in sign_up(app, client, path="/fr/subscribe/")
    assert person(app, NEW).language == "fr"
    (message,) = letters(app)
    assert (message["Subject"], message["Content-Language"]) == ("Est-ce bien vous\u202f?", "fr")
    assert '<html lang="fr"' in client.get(link(message)).text


# -- nobody is told who is known


@pytest.mark.parametrize("address", [NEW, ONE_TOPIC, EVERYTHING, "left@clinic.example.org", "angry@clinic.example.org"])
def test_the_answer_is_the_same_whoever_asks(app: App, client: TestClient, address: str) -> None:
    for name in ("left", "angry"):
        sign_up(app, client, f"{name}@clinic.example.org")
        client.post(link(letters(app, f"{name}@clinic.example.org")[0]))
    app.subscriptions.leave(person(app, "left@clinic.example.org"), "link")
    digest = address_hash(address_of("angry@clinic.example.org"), app.secrets.address)
    app.suppressions.add([Suppression(digest, Ground.COMPLAINT, "spam", NOW)], "tests", NOW)
    known = sign_up(app, client, address)
    assert known == sign_up(app, client, "somebody.else@clinic.example.org")


def test_who_gets_mail_already_is_left_as_they_are_and_gets_their_link(app: App, client: TestClient) -> None:
    before = person(app, ONE_TOPIC)
    sign_up(app, client, ONE_TOPIC, name="Somebody Else", scope="some", topic=["empathy"])
    assert person(app, ONE_TOPIC) == before
    (message,) = letters(app, ONE_TOPIC)
    assert link(message).startswith("/p/")


def test_who_left_returns_by_their_own_yes_with_what_they_chose_now(app: App, client: TestClient) -> None:
    app.subscriptions.leave(person(app, ONE_TOPIC), "link")
    sign_up(app, client, ONE_TOPIC, scope="some", topic=["empathy"])
    assert person(app, ONE_TOPIC).state is State.UNSUBSCRIBED
    client.post(link(letters(app, ONE_TOPIC)[0]))
    back = person(app, ONE_TOPIC)
    assert back.state is State.ACTIVE
    assert [topic.key for topic in app.library.vocabulary.catalogue.in_words(back.topics)] == ["empathy"]
    consents = app.people.consents(back.id)
    assert (consents[0].source, len(consents)) == ("sign-up page", 2)


@pytest.mark.parametrize(("ground", "returns"), [(g, g in (Ground.BOUNCE, Ground.ERASED)) for g in Ground])
def test_a_yes_lifts_a_bounce_and_never_a_complaint(
    app: App, client: TestClient, ground: Ground, returns: bool
) -> None:
    digest = address_hash(address_of(NEW), app.secrets.address)
    app.suppressions.add([Suppression(digest, ground, "tests", NOW)], "tests", NOW)
    sign_up(app, client)
    assert len(letters(app)) == returns
    if returns:
        client.post(link(letters(app)[0]))
        assert (person(app, NEW).state, app.suppressions.get(digest)) == (State.ACTIVE, None)
    else:
        assert app.people.find(address_of(NEW)) is None


# -- programs and strangers


def test_a_program_that_fills_in_everything_is_thanked_and_not_worked_for(app: App, client: TestClient) -> None:
    sign_up(app, client, website="https://spam.example")
    assert (app.people.find(address_of(NEW)), letters(app)) == (None, [])


@pytest.mark.parametrize("at", ["", "0", "x-y", "1706702400-" + "0" * 32, "99999999999999999999-a", "quick", "old"])
def test_a_form_without_a_page_behind_it_is_shown_again_with_what_was_typed(
    app: App, client: TestClient, at: str
) -> None:
    genuine = stamp(app, client)
    if at == "quick":
        genuine = stamp(app, client)
        wait(app, seconds=-4)
    if at == "old":
        wait(app, days=2)
    form = {"at": genuine if at in ("quick", "old") else at, "email": NEW, "scope": "some", "topic": "empathy"}
    answer = client.post("/subscribe/", data=form)
    assert answer.status_code == 400
    assert f'value="{NEW}"' in answer.text
    assert 'id="topic-empathy" checked' in answer.text
    assert letters(app) == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "a@b",
        "a@b@c.ca",
        "a" * 65 + "@clinic.ca",
        "a\r\nBcc: x@y.ca@clinic.ca",
        "x" * 3000 + "@clinic.ca",
        "é\x00@x.ca",
    ],
)
def test_what_is_no_address_is_said_to_be_none(app: App, client: TestClient, address: str) -> None:
    before = app.people.sequence()
    form = {"at": stamp(app, client), "email": address, "scope": "all"}
    answer = client.post("/subscribe/", data=form)
    assert (answer.status_code, "not an address" in answer.text) == (400, True)
    assert app.people.sequence() == before


def test_no_topic_at_all_is_asked_about(app: App, client: TestClient) -> None:
    answer = client.post("/subscribe/", data={"at": stamp(app, client), "email": NEW, "scope": "some"})
    assert (answer.status_code, "tick at least one topic" in answer.text) == (400, True)


def test_an_address_gets_three_letters_a_day_and_the_page_never_says_so(app: App, client: TestClient) -> None:
    pages = {sign_up(app, client) for _ in range(6)}
    assert (len(pages), len(letters(app))) == (1, 3)
    wait(app, days=1)
    sign_up(app, client)
    assert len(letters(app)) == 4


def test_a_network_gets_so_many_forms_and_letters(app: App, client: TestClient) -> None:
    at = stamp(app, client)
    codes = []
    for number in range(35):
        form = {"at": at, "email": f"reader{number}@clinic{number}.example.org", "scope": "all"}
        codes.append(client.post("/subscribe/", data=form).status_code)
    assert codes == [200] * 30 + [429] * 5
    assert sum(bool(letters(app, f"reader{number}@")) for number in range(35)) == 20


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("::ffff:192.0.2.9", "192.0.2.0/24"),
        ("x", "x"),
    ],
)
def test_a_network_is_as_large_as_a_household_has(host: str, network: str) -> None:
    assert network_of(host) == network


@given(
    fields=st.dictionaries(
        st.sampled_from(["at", "email", "name", "scope", "topic", "language", "website", "do"]), st.text(max_size=60)
    )
)
def test_no_form_breaks_a_page(shared: TestClient, fields: dict[str, str]) -> None:
    for path in ("/subscribe/", "/links/"):
        assert shared.post(path, data=fields).status_code in (200, 400, 429)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """The site of a publication that invented forms may change."""
    shared_app = make_publication(tmp_path_factory.mktemp("shared"))
    return TestClient(build_site(shared_app, inbox=False), base_url="http://127.0.0.1", follow_redirects=False)


# -- links


def test_a_confirmation_is_good_for_thirty_days(app: App, client: TestClient) -> None:
    sign_up(app, client)
    path = link(letters(app)[0])
    wait(app, days=31)
    answer = client.post(path)
    assert (answer.status_code, "too old" in answer.text) == (410, True)
    assert person(app, NEW).state is State.PENDING


def test_a_confirmation_after_an_erasure_finds_nobody(app: App, client: TestClient) -> None:
    sign_up(app, client)
    app.subscriptions.erase(person(app, NEW), "reader")
    assert client.post(link(letters(app)[0])).status_code == 404
    assert app.people.find(address_of(NEW)) is None


def test_a_lost_link_is_mailed_to_who_gets_mail_and_to_nobody_else(app: App, client: TestClient) -> None:
    dead = client.get("/p/" + "A" * 40)
    assert 'action="/links/"' in dead.text
    pages = {client.post("/links/", data={"email": one}).text for one in (ONE_TOPIC, NEW, "no address", "")}
    assert len(pages) == 1
    (message,) = letters(app, ONE_TOPIC)
    assert client.get(link(message)).status_code == 200
    assert letters(app) == []


def test_links_after_a_key_was_taken_back_are_replaced_by_letter(app: App, client: TestClient) -> None:
    old = f"/u/{link_token(app, Scope.UNSUBSCRIBE, ONE_TOPIC)}"
    keys = app.state / "keys"
    (keys / "token-1.key").rename(keys / "gone")
    (keys / "token-2.key").write_text("ab" * 32 + "\n", encoding="ascii")
    assert client.post(old).status_code == 404
    client.post("/links/", data={"email": ONE_TOPIC})
    page = client.get(link(letters(app, ONE_TOPIC)[0])).text
    way_out = re.search(r'action="(/u/[A-Za-z0-9_-]{40})"', page)
    assert way_out
    assert client.post(way_out[1]).status_code == 200
    assert person(app, ONE_TOPIC).state is State.UNSUBSCRIBED


# -- one's own data


def wish(app: App, client: TestClient, what: str) -> str:
    """Ask for a letter on one's page; answers the path in it."""
    page = f"/p/{link_token(app, Scope.PREFERENCES, ONE_TOPIC)}"
    answer = client.post(page, data={"do": what})
    assert "on its way to you" in answer.text
    return link(letters(app, ONE_TOPIC)[-1])


def test_ones_data_is_shown_behind_a_letter_and_a_button(app: App, client: TestClient) -> None:
    path, before = wish(app, client, "data"), table_rows(app)
    assert ONE_TOPIC not in client.get(path).text
    shown = client.post(path, data={"do": "show"}).text
    assert ONE_TOPIC in shown
    assert "sign-up form, spring 2022" in shown
    taken = client.post(path, data={"do": "file"})
    assert taken.headers["content-disposition"].startswith("attachment")
    kept = json.loads(taken.content)
    assert (kept["address"], kept["topics"], kept["state"]) == (ONE_TOPIC, ["Adherance"], "active")
    assert kept["history"][0]["what"] == "import"
    assert (taken.headers["cache-control"], table_rows(app)) == ("no-store", before)


def test_being_forgotten_takes_a_letter_and_a_button(app: App, client: TestClient) -> None:
    path = wish(app, client, "erase")
    for _ in range(20):
        assert client.get(path).status_code == 200
    assert person(app, ONE_TOPIC).state is State.ACTIVE
    done = client.post(path)
    assert (done.status_code, "You are forgotten" in done.text) == (200, True)
    assert app.people.find(address_of(ONE_TOPIC)) is None
    assert client.post(path).status_code == 404
    assert app.trail.verify().faults == ()


@pytest.mark.parametrize("what", ["data", "erase"])
def test_such_links_are_good_for_two_days(app: App, client: TestClient, what: str) -> None:
    path = wish(app, client, what)
    wait(app, days=3)
    before = table_rows(app)
    assert client.post(path).status_code == 404
    assert table_rows(app) == before


@pytest.mark.parametrize("area", ["c", "d", "e"])
@pytest.mark.parametrize("scope", [Scope.UNSUBSCRIBE, Scope.PREFERENCES, Scope.BOUNCE])
def test_a_link_of_an_issue_does_none_of_this(app: App, client: TestClient, area: str, scope: Scope) -> None:
    before = table_rows(app)
    path = f"/{area}/{link_token(app, scope, ONE_TOPIC)}"
    assert [client.request(method, path).status_code for method in ("GET", "POST")] == [404, 404]
    assert table_rows(app) == before


# -- whoever had left, and whoever did not answer


def test_who_left_can_still_see_their_data_and_be_forgotten(app: App, client: TestClient) -> None:
    app.subscriptions.leave(person(app, ONE_TOPIC), "link")
    client.post("/links/", data={"email": ONE_TOPIC})
    page = link(letters(app, ONE_TOPIC)[0])
    assert "Mail me the link to my data" in client.get(page).text
    client.post(page, data={"do": "erase"})
    assert client.post(link(letters(app, ONE_TOPIC)[-1])).status_code == 200
    assert app.people.find(address_of(ONE_TOPIC)) is None


def test_leaving_by_a_letters_link_tells_nothing_of_any_mail(app: App, client: TestClient) -> None:
    freeze(app)
    rows = list(app.oversight.deliveries(None, person=person(app, ONE_TOPIC).id))
    client.post("/links/", data={"email": ONE_TOPIC})
    way_out = re.search(r'action="(/u/[A-Za-z0-9_-]{40})"', client.get(link(letters(app, ONE_TOPIC)[0])).text)
    assert way_out
    client.post(way_out[1])
    after = list(app.oversight.deliveries(None, person=person(app, ONE_TOPIC).id))
    assert [(row.issue, row.fate) for row in after] == [(row.issue, row.fate) for row in rows]


def test_what_nobody_confirms_is_forgotten(app: App, client: TestClient) -> None:
    sign_up(app, client)
    app.subscriptions.leave(person(app, ONE_TOPIC), "link")
    sign_up(app, client, ONE_TOPIC, scope="some", topic=["empathy"])
    wait(app, days=32)
    sign_up(app, client, "somebody.else@clinic.example.org")
    assert app.people.find(address_of(NEW)) is None
    assert app.suppressions.get(address_hash(address_of(NEW), app.secrets.address)) is None
    assert person(app, ONE_TOPIC).state is State.UNSUBSCRIBED
    with sqlite3.connect(app.database.path) as connection:
        assert connection.execute("SELECT count(*) FROM person WHERE wish IS NOT NULL").fetchone() == (0,)
    connection.close()
    assert app.trail.verify().faults == ()


def test_strangers_cannot_spend_ones_own_letters(app: App, client: TestClient) -> None:
    for _ in range(5):
        sign_up(app, client, ONE_TOPIC)
    page = f"/p/{link_token(app, Scope.PREFERENCES, ONE_TOPIC)}"
    for number in range(7):
        answer = client.post(page, data={"do": "data"}).text
        assert ("on its way to you" in answer) == (number < 5)


def test_the_yes_is_noted_at_what_was_read_on_the_page(app: App, client: TestClient) -> None:
    sign_up(app, client)
    rows = (
        "email,name,language,topics,state,consent_source,consent_date\n" + f"{NEW},N,en,ALL,pending,booth,2022-01-01\n"
    )
    (app.root / "list.csv").write_text(rows, encoding="utf-8")
    import_file(app, app.root / "list.csv", "tests")
    client.post(link(letters(app)[0]))
    confirmed = {one.source: one.confirmed_at is not None for one in app.people.consents(person(app, NEW).id)}
    assert confirmed == {"sign-up page": True, "booth": False}


def test_a_reader_of_another_language_keeps_it(app: App, client: TestClient) -> None:
    with sqlite3.connect(app.database.path) as connection:
        connection.execute("UPDATE subscriber SET language = 'de'")
    connection.close()
    page = f"/p/{link_token(app, Scope.PREFERENCES, ONE_TOPIC)}"
    seen = re.findall(r'name="seen" value="([0-9a-f]+)"', client.get(page).text)[0]
    form = {"do": "save", "seen": seen, "scope": "some", "topic": "empathy", "language": "de"}
    assert "Saved." in client.post(page, data=form).text
    assert person(app, ONE_TOPIC).language == "de"
