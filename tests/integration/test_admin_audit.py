"""The pages of the audit trail: every entry is found, as the command shows it, and a break of the chain is told."""

import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from accessible_support import flaws
from admin_support import admin_client, document
from digest_mailer.adapters.browser import Browser
from digest_mailer.bootstrap import App
from digest_mailer.core.account import Role
from digest_mailer.core.audit import Note, as_line, told
from digest_mailer.core.identity import SubscriberId
from digest_mailer.web.admin.audit import PER_PAGE
from publication_support import EVERYTHING, ONE_TOPIC, FixedClock, make_publication, person, table_rows

AUDIT = "/admin/audit/"


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication to change."""
    return make_publication(tmp_path)


@pytest.fixture
def client(app: App) -> TestClient:
    """An admin's browser."""
    return admin_client(app, Role.ADMIN)


def note(app: App, action: str, count: int = 1, who: SubscriberId | None = None) -> None:
    """Entries about nothing."""
    for number in range(count):
        app.trail.note(Note("cli:tests", action, who, {"number": number}), app.clock.now())


def numbers(page: str) -> list[int]:
    """The entries of a page."""
    rows = document(page).cssselect(".trail tbody tr")
    return [int(row.cssselect("td")[0].text_content()) for row in rows]


def row(page: str, number: int) -> str:
    """What a page says of an entry."""
    for one in document(page).cssselect(".trail tbody tr"):
        if one.cssselect("td")[0].text_content() == str(number):
            return " ".join(one.text_content().split())
    raise AssertionError(f"entry {number} is not there")


def all_numbers(client: TestClient, path: str) -> list[int]:
    """The entries of this page and of all pages behind it."""
    found: list[int] = []
    while path:
        page = client.get(path).text
        found += numbers(page)
        assert len(found) == len(set(found)), "a page comes back"
        older = re.search(r'href="([^"]+)" rel="next"', page)
        path = older[1].replace("&amp;", "&") if older else ""
    return found


def broken(app: App, statement: str) -> None:
    """Change the database behind the program's back."""
    with closing(sqlite3.connect(app.database.path)) as connection, connection:
        connection.execute(statement)


def test_every_entry_is_on_one_page_and_the_newest_is_first(app: App, client: TestClient) -> None:
    note(app, "edit", 2 * PER_PAGE + 3)
    known = [one.number for one in app.trail.records()]
    assert all_numbers(client, AUDIT) == known
    assert numbers(client.get(AUDIT).text) == known[:PER_PAGE]
    assert "Newest entries" not in client.get(AUDIT).text
    assert "Newest entries" in client.get(f"{AUDIT}?before={known[-1]}").text


def test_a_page_that_is_just_full_is_the_last(app: App, client: TestClient) -> None:
    note(app, "edit", PER_PAGE - len(list(app.trail.records())))
    page = client.get(AUDIT).text
    assert (len(numbers(page)), "Older entries" in page) == (PER_PAGE, False)


def test_an_action_is_chosen_and_stays_chosen_on_the_next_page(app: App, client: TestClient) -> None:
    note(app, "edit", PER_PAGE + 1)
    note(app, "resume")
    assert all_numbers(client, f"{AUDIT}?action=edit") == [one.number for one in app.trail.records(action="edit")]
    page = document(client.get(f"{AUDIT}?action=resume").text)
    assert [one.get("value") for one in page.cssselect("#action option[selected]")] == ["resume"]
    offered = [one.get("value") for one in page.cssselect("#action option")]
    assert offered == ["", *sorted({one.action for one in app.trail.records()})]


def test_a_person_is_chosen_by_id(app: App, client: TestClient) -> None:
    one, other = person(app), person(app, ONE_TOPIC)
    app.subscriptions.leave(one, "link")
    app.subscriptions.leave(other, "link")
    page = client.get(f"{AUDIT}?person={one.id}").text
    assert numbers(page) == [entry.number for entry in app.trail.records(one.id)]
    assert f'href="/admin/people/{one.id}/">{EVERYTHING}</a>' in page
    assert ONE_TOPIC not in page


def test_a_day_is_that_of_the_publication(app: App, client: TestClient) -> None:
    """Which is in Ottawa: its evening is the next day in Greenwich."""
    clock = app.clock
    assert isinstance(clock, FixedClock)
    times = [datetime(2024, 1, 30, 4, 59, tzinfo=UTC), datetime(2024, 1, 30, 5, 0, tzinfo=UTC),
             datetime(2024, 1, 31, 4, 59, tzinfo=UTC), datetime(2024, 1, 31, 5, 0, tzinfo=UTC)]  # fmt: skip
    for time in times:
        clock.instant = time
        note(app, "edit")
    clock.instant = datetime(2024, 1, 31, 12, tzinfo=UTC)
    first = next(app.trail.records(action="edit")).number - 3
    assert numbers(client.get(f"{AUDIT}?action=edit&day=2024-01-30").text) == [first + 2, first + 1]
    assert numbers(client.get(f"{AUDIT}?action=edit&day=2024-01-29").text) == [first]
    assert "There is no such entry." in client.get(f"{AUDIT}?day=2001-01-01").text


@pytest.mark.parametrize("query", ["person=somebody", "person=0", f"person={2**63}", "day=yesterday", "before=x"])
def test_what_cannot_be_looked_for_is_said(client: TestClient, query: str) -> None:
    page = client.get(f"{AUDIT}?{query}")
    assert (page.status_code, numbers(page.text)) == (400, [])
    assert 'role="alert"' in page.text


def test_the_last_day_there_is_is_no_fault_of_the_program(client: TestClient) -> None:
    assert client.get(f"{AUDIT}?day=9999-12-31").status_code == 400


def test_an_entry_says_what_the_command_says(app: App, client: TestClient) -> None:
    app.subscriptions.pause(person(app), app.today + timedelta(days=9), "admin:1", "asked by telephone")
    entry = next(app.trail.records())
    shown = row(client.get(AUDIT).text, entry.number)
    assert told(entry) in shown
    assert "asked by telephone" in shown
    assert "admin@office.example.org" in shown, "an account is shown by its address"


def test_of_who_was_erased_nothing_is_shown(app: App, client: TestClient) -> None:
    who = person(app)
    app.subscriptions.pause(who, app.today + timedelta(days=9), "cli:root", "a word about them")
    paused = next(app.trail.records()).number
    app.subscriptions.erase(person(app), "cli:root")
    page = client.get(AUDIT).text
    assert "words: erased" in row(page, paused)
    assert f'/admin/people/{who.id}/">{who.id}</a>' in page
    assert EVERYTHING not in page


def test_looking_writes_nothing(app: App, client: TestClient) -> None:
    before = table_rows(app)
    for path in (AUDIT, f"{AUDIT}?action=import&day=2024-01-31", f"{AUDIT}check/", f"{AUDIT}export/"):
        assert client.get(path).status_code in (200, 303)
    assert client.post(f"{AUDIT}check/").status_code == 200
    assert table_rows(app) == before


def test_a_whole_chain_is_told_with_its_head(app: App, client: TestClient) -> None:
    head = app.trail.verify().head.hex()
    note(app, "edit")
    page = client.post(f"{AUDIT}check/", data={"head": f" {head.upper()} "}).text
    assert "The chain is whole." in page
    assert app.trail.verify().head.hex() in page
    assert "is not in the chain" not in page


def test_a_broken_chain_is_told(app: App, client: TestClient) -> None:
    note(app, "edit", 3)
    broken(app, "UPDATE audit SET actor = 'nobody' WHERE id = 2")
    page = client.post(f"{AUDIT}check/").text
    assert "The chain is broken." in page
    assert "entry 2 was changed" in page
    assert "The chain is whole." not in page


def test_a_chain_that_was_cut_off_is_told_to_who_kept_the_head(app: App, client: TestClient) -> None:
    note(app, "edit", 3)
    head = app.trail.verify().head.hex()
    broken(app, "DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)")
    assert "The chain is whole." in client.post(f"{AUDIT}check/").text
    page = client.post(f"{AUDIT}check/", data={"head": head}).text
    assert "This head is not in the chain." in page
    assert "The chain is whole." not in page


def test_the_export_is_the_chain_and_nothing_personal(app: App, client: TestClient) -> None:
    app.subscriptions.pause(person(app), app.today + timedelta(days=9), "cli:root", "a word about them")
    answer = client.post(f"{AUDIT}export/")
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.jsonl"'
    assert answer.text == "".join(map(as_line, app.trail.links()))
    last = json.loads(answer.text.splitlines()[-1])
    assert (last["chain"], last["action"]) == (app.trail.verify().head.hex(), "pause")
    assert "a word" not in answer.text
    assert "@" not in answer.text


def test_authors_do_not_see_it(app: App) -> None:
    author = admin_client(app, Role.AUTHOR)
    answers = [author.get(AUDIT), author.post(f"{AUDIT}check/"), author.post(f"{AUDIT}export/")]
    assert [one.status_code for one in answers] == [403] * 3


@pytest.mark.parametrize("language", ["en", "fr"])
def test_it_can_be_read_on_every_screen(app: App, browser: Browser, language: str) -> None:
    client = admin_client(app, Role.ADMIN, language)
    app.subscriptions.leave(person(app), "link")
    note(app, "edit", PER_PAGE)
    number = next(app.trail.records()).number
    pages = [client.get(AUDIT), client.get(f"{AUDIT}?before={number - 2}"), client.get(f"{AUDIT}?person=x"),
             client.get(f"{AUDIT}check/"), client.post(f"{AUDIT}check/", data={"head": "ab"})]  # fmt: skip
    broken(app, "UPDATE audit SET actor = 'nobody' WHERE id > 1")
    for page in [*pages, client.post(f"{AUDIT}check/")]:
        assert "template web/" not in page.text
        assert f'<html lang="{language}"' in page.text
        assert flaws(browser, client, page.text) == [], page.url
