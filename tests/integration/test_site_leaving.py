"""The way out (RFC 8058): looking changes nothing, one POST does, and no other link does anything."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from core_support import JULY
from digest_mailer.adapters.store.people import PeopleStore
from digest_mailer.bootstrap import App
from digest_mailer.core.address import address_hash, parse_address
from digest_mailer.core.audience import State
from digest_mailer.core.delivery import HandOff
from digest_mailer.core.errors import TemporaryProblem
from digest_mailer.core.identity import IssueId, SubscriberId
from digest_mailer.core.token import SAMPLE_KEYS, Scope, TokenKeys, sign
from digest_mailer.web.app import build_site
from digest_mailer.web.leaving import masked
from publication_support import EVERYTHING, NOW, ONE_TOPIC, freeze, link_token, make_publication, person, table_rows

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def client_of(app: App) -> TestClient:
    return TestClient(build_site(app, inbox=False), base_url="http://127.0.0.1", follow_redirects=False)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> App:
    """A publication that no test changes."""
    return make_publication(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="module")
def shared_client(shared: App) -> TestClient:
    return client_of(shared)


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication to change."""
    return make_publication(tmp_path)


@pytest.fixture
def client(app: App) -> TestClient:
    return client_of(app)


def journal(app: App) -> list[dict[str, Any]]:
    path = app.state / "departures.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


# -- leaving


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"data": ONE_CLICK}, "one-click"),
        ({"files": {"List-Unsubscribe": (None, "One-Click")}}, "one-click"),
        ({"data": ONE_CLICK | {"utm": "x", "more": "y"}}, "one-click"),
        ({"files": {"List-Unsubscribe": (None, "One-Click"), "file": ("a.txt", b"octets")}}, "one-click"),
        ({}, "unsubscribe page"),
        ({"data": {"List-Unsubscribe": "one-click"}}, "unsubscribe page"),
        ({"content": b"List-Unsubscribe=One-Click"}, "unsubscribe page"),
        ({"content": b"--x", "headers": {"content-type": "multipart/form-data"}}, "unsubscribe page"),
        ({"content": b"--x", "headers": {"content-type": "multipart/form-data; boundary=x"}}, "unsubscribe page"),
        (
            {"content": b"&" * 60_000, "headers": {"content-type": "application/x-www-form-urlencoded"}},
            "unsubscribe page",
        ),
    ],
)
def test_a_post_unsubscribes_whatever_its_body(app: App, client: TestClient, body: Any, reason: str) -> None:
    who = person(app)
    answer = client.post(f"/u/{link_token(app, Scope.UNSUBSCRIBE)}", **body)
    assert answer.status_code == 200
    assert "Vous êtes désabonné(e)" in answer.text
    assert "a…@clinic.example.org" in answer.text
    assert EVERYTHING not in answer.text
    assert person(app).state is State.UNSUBSCRIBED
    assert journal(app) == [
        {
            "at": NOW.isoformat(),
            "subscriber": who.id,
            "address": address_hash(who.address, app.secrets.address).hex(),
            "reason": reason,
        }
    ]
    last = app.subscriptions.history(who)[-1]
    assert (last.before, last.after, last.reason, last.actor) == ("active", "unsubscribed", reason, "reader")


def test_twice_is_the_same_and_changes_nothing_more(app: App, client: TestClient) -> None:
    address = f"/u/{link_token(app, Scope.UNSUBSCRIBE)}"
    first = client.post(address, data=ONE_CLICK)
    before = table_rows(app)
    second = client.post(address, data=ONE_CLICK)
    assert (second.status_code, second.text) == (first.status_code, first.text)
    assert table_rows(app) == before
    assert len(journal(app)) == 1


def test_nobody_else_is_touched(app: App, client: TestClient) -> None:
    before = table_rows(app)["subscriber"]
    client.post(f"/u/{link_token(app, Scope.UNSUBSCRIBE)}", data=ONE_CLICK)
    after = table_rows(app)["subscriber"]
    assert len([row for row in after if row not in before]) == 1


def test_what_was_still_to_be_sent_is_dropped(app: App, client: TestClient) -> None:
    planned = freeze(app)
    with app.database.write() as connection:
        deferred = "UPDATE delivery SET state = 'deferred', due_at = ? WHERE subscriber_id = ?"
        connection.exec_driver_sql(deferred, ("2024-01-31 13:00:00.000000", person(app, ONE_TOPIC).id))
    client.post(f"/u/{link_token(app, Scope.UNSUBSCRIBE)}", data=ONE_CLICK)
    client.post(f"/u/{link_token(app, Scope.UNSUBSCRIBE, ONE_TOPIC)}", data=ONE_CLICK)
    progress = app.ledger.progress(IssueId(JULY))
    assert (progress[HandOff.PLANNED], progress[HandOff.SUPPRESSED]) == (planned - 2, 2)


def test_a_trailing_slash_and_cookies_do_no_harm(app: App, client: TestClient) -> None:
    answer = client.post(
        f"/u/{link_token(app, Scope.UNSUBSCRIBE)}/", data=ONE_CLICK, headers={"cookie": "a=b", "origin": "null"}
    )
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers


def test_a_link_of_an_older_generation_still_lets_its_owner_leave(app: App, client: TestClient) -> None:
    leave, choose = link_token(app, Scope.UNSUBSCRIBE), link_token(app, Scope.PREFERENCES)
    with app.database.write() as connection:
        connection.exec_driver_sql("UPDATE subscriber SET generation = 1 WHERE id = ?", (person(app).id,))
    assert client.get(f"/p/{choose}").status_code == 404
    assert client.post(f"/u/{leave}").status_code == 200
    assert person(app).state is State.UNSUBSCRIBED


def test_a_key_made_while_the_site_runs_is_accepted(app: App, client: TestClient) -> None:
    (app.state / "keys" / "token-2.key").write_text("ab" * 32 + "\n", "ascii")
    assert app.secrets.keys.tokens.current == 2
    assert client.get(f"/u/{link_token(app, Scope.UNSUBSCRIBE)}").status_code == 200


def test_a_busy_database_asks_for_another_try(app: App, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> bool:
        raise TemporaryProblem("the database is busy", "try again in a minute")

    monkeypatch.setattr(PeopleStore, "leave", busy)
    answer = client.post(f"/u/{link_token(app, Scope.UNSUBSCRIBE)}", data=ONE_CLICK)
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    assert person(app).state is State.ACTIVE


def test_a_body_over_the_limit_is_refused_and_changes_nothing(app: App, client: TestClient) -> None:
    address = f"/u/{link_token(app, Scope.UNSUBSCRIBE)}"
    assert client.post(address, content=b"x" * (64 * 1024 + 1)).status_code == 413
    assert client.post(address, content=iter([b"x" * 40_000, b"x" * 40_000])).status_code == 413  # no length said
    assert client.post(address, content=b"x", headers={"content-length": "9" * 30}).status_code == 413
    assert person(app).state is State.ACTIVE
    assert client.post(address, content=b"x" * (64 * 1024)).status_code == 200


# -- looking


def test_looking_a_hundred_times_changes_nothing(app: App, client: TestClient) -> None:
    freeze(app)
    leave, choose = link_token(app, Scope.UNSUBSCRIBE), link_token(app, Scope.PREFERENCES)
    paths = ("/issues/", "/issues/2023-07/", "/topics/", "/topics/empathy/", f"/u/{leave}", f"/p/{choose}", "/u/x")
    before, files = table_rows(app), {path: path.read_bytes() for path in app.root.rglob("*.md")}
    for number in range(100):
        for path in paths:
            client.request("HEAD" if number % 2 else "GET", path)
    assert table_rows(app) == before
    assert {path: path.read_bytes() for path in app.root.rglob("*.md")} == files
    assert journal(app) == []


def test_the_page_says_who_and_what_and_has_one_button(shared: App, shared_client: TestClient) -> None:
    token = link_token(shared, Scope.UNSUBSCRIBE)
    page = shared_client.get(f"/u/{token}").text
    assert "a…@clinic.example.org" in page
    assert EVERYTHING not in page
    assert shared.publication.masthead in page
    assert page.count("<button") == 1
    assert f'<form method="post" action="/u/{token}">' in page
    assert "<script" not in page


def test_the_pages_of_somebody_who_left_offer_their_data_and_no_more(app: App, client: TestClient) -> None:
    leave, choose = link_token(app, Scope.UNSUBSCRIBE), link_token(app, Scope.PREFERENCES)
    client.post(f"/u/{leave}")
    buttons = [
        re.findall(r'<button[^>]*value="([^"]*)"', client.get(path).text) for path in (f"/u/{leave}", f"/p/{choose}")
    ]
    assert buttons == [[], ["data", "erase"]]


@pytest.mark.parametrize("path", ["/u/", "/p/"])
def test_pages_of_links_are_private(shared: App, shared_client: TestClient, path: str) -> None:
    scope = Scope.UNSUBSCRIBE if path == "/u/" else Scope.PREFERENCES
    for token in (link_token(shared, scope), "x"):
        headers = shared_client.get(path + token).headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-robots-tag"] == "noindex"


# -- preferences


def test_preferences_have_the_way_out_beside_them(app: App, client: TestClient) -> None:
    page = client.get(f"/p/{link_token(app, Scope.PREFERENCES, ONE_TOPIC)}").text
    action = "/u/" + page.partition('<form method="post" action="/u/')[2].partition('"')[0]
    assert action == f"/u/{link_token(app, Scope.UNSUBSCRIBE, ONE_TOPIC)}"
    assert client.post(action).status_code == 200
    assert person(app, ONE_TOPIC).state is State.UNSUBSCRIBED


# -- links that are none


def bad_tokens(app: App) -> dict[str, str]:
    good = link_token(app, Scope.UNSUBSCRIBE)
    who, july = person(app), IssueId(JULY)
    changed = "A" if good[-1] != "A" else "B"
    raw = base64.urlsafe_b64decode(good)
    return {
        "truncated": good[:-1],
        "too long": good + "A",
        "empty-looking": "-",
        "forged": good[:-1] + changed,
        "of another person": base64.urlsafe_b64encode(raw[:6] + bytes(8) + raw[14:]).decode(),
        "of an id no database holds": base64.urlsafe_b64encode(raw[:6] + b"\xff" * 8 + raw[14:]).decode(),
        "of nobody": sign(Scope.UNSUBSCRIBE, SubscriberId(1), july, 0, app.secrets.keys.tokens),
        "of a later generation": sign(Scope.UNSUBSCRIBE, who.id, july, 1, app.secrets.keys.tokens),
        "of another publication": sign(Scope.UNSUBSCRIBE, who.id, july, 0, TokenKeys(1, {1: b"another key"})),
        "of a sample message": sign(Scope.UNSUBSCRIBE, who.id, july, 0, SAMPLE_KEYS),
        "for preferences": link_token(app, Scope.PREFERENCES),
        "for bounces": link_token(app, Scope.BOUNCE),
        "with a slot": "__DM_UNSUBSCRIBE__",
        "not ASCII": "é" * 40,
    }


BAD = (
    "truncated", "too long", "empty-looking", "forged", "of another person", "of an id no database holds", "of nobody",
    "of a later generation", "of another publication", "of a sample message", "for preferences", "for bounces",
    "with a slot", "not ASCII",
)  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_link_that_is_not_genuine_touches_nobody(shared: App, shared_client: TestClient, kind: str) -> None:
    before = table_rows(shared)
    token = bad_tokens(shared)[kind]
    expected = shared_client.get("/u/no-such-token")
    assert str(shared.publication.contact) in expected.text
    for method in ("GET", "HEAD", "POST"):
        answer = shared_client.request(method, f"/u/{token}")
        assert answer.status_code == 404
        assert method == "HEAD" or answer.text == expected.text
    if kind != "for preferences":
        assert shared_client.get(f"/p/{token}").text == expected.text
    assert table_rows(shared) == before
    assert journal(shared) == []


@given(st.binary(min_size=30, max_size=30))
def test_no_invented_token_is_accepted(shared_client: TestClient, raw: bytes) -> None:
    token = base64.urlsafe_b64encode(b"\x01\x01\x01" + raw[3:]).decode()
    assert shared_client.post(f"/u/{token}").status_code == 404
    assert shared_client.get(f"/p/{token}").status_code == 404


@given(
    st.binary(max_size=300),
    st.sampled_from(
        [
            "multipart/form-data; boundary=x",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=x; charset=zlib",
            "application/x-www-form-urlencoded",
            "text/plain",
            ";;;=",
        ]
    ),
)
def test_no_body_breaks_the_way_out(shared_client: TestClient, body: bytes, kind: str) -> None:
    for content in (body, b"--x\r\nContent-Disposition: form-data; name=" + body + b"\r\n\r\n1\r\n--x--"):
        answer = shared_client.post("/u/no-such-token", content=content, headers={"content-type": kind})
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("address", "shown"), [("a@example.org", "a…@example.org"), ("Anne.B@EXAMPLE.org", "A…@example.org")]
)
def test_an_address_is_masked(address: str, shown: str) -> None:
    assert masked(parse_address(address)).lower() == shown.lower()
