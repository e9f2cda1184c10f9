"""The pages of the suppression list, and the store behind them: looked up, added to, taken off, in and out again."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from accessible_support import flaws
from admin_support import admin_client, document
from digest_mailer.adapters.browser import Browser
from digest_mailer.bootstrap import App
from digest_mailer.core.account import Role
from digest_mailer.core.audience import Ground, State, Suppression
from digest_mailer.web.admin import suppression_import
from digest_mailer.web.admin.suppressions import PER_PAGE
from publication_support import EVERYTHING, ONE_TOPIC, make_publication, person, table_rows
from store_support import NOW, Store, candidate, make_store

LIST = "/admin/suppressions/"
IMPORT = f"{LIST}import/"
STRANGER = "stranger@elsewhere.example"


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication to change, whose uploads are worked on at once."""
    app = make_publication(tmp_path)
    app.uploads.spawn = at_once
    return app


@pytest.fixture
def client(app: App) -> TestClient:
    """An admin's browser."""
    return admin_client(app, Role.ADMIN)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store of its own."""
    return make_store(tmp_path)


def at_once(work: Callable[[], None]) -> None:
    """Instead of a thread."""
    work()


def upload(client: TestClient, text: str | bytes, name: str = "list.csv") -> str:
    """Upload a list; answers the address of its page."""
    content = text.encode() if isinstance(text, str) else text
    answer = client.post(IMPORT, files={"file": (name, content)})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def shown(page: str) -> list[str]:
    """Whose entries a page has."""
    return [one.text_content() for one in document(page).cssselect("tbody th")]


def figures(page: str) -> list[int]:
    """The numbers of a page."""
    return [int(one.text_content()) for one in document(page).cssselect(".figures dd")]


def entry(number: int, ground: Ground = Ground.MANUAL, age: int = 0) -> Suppression:
    """An entry, by number."""
    return Suppression(number.to_bytes(16, "big"), ground, f"reason {number}", NOW - timedelta(hours=age))


entries = st.lists(st.builds(entry, st.integers(0, 12), st.sampled_from(list(Ground)), st.integers(0, 3)), max_size=15)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries, st.sampled_from([None, *Ground]), st.integers(1, 4))
def test_pages_show_every_entry_once_and_in_order(
    tmp_path: Path, some: list[Suppression], ground: Ground | None, size: int
) -> None:
    store = make_store(tmp_path).suppressions
    store.add(some, "tests", NOW)
    known = [one for one, _ in store.all() if ground in (None, one.ground)]
    found: list[Suppression] = []
    while page := store.page(ground, (found[-1].since, found[-1].digest) if found else None, size):
        assert len(page) <= size
        assert len(found) < len(known), "a page comes back"
        found += [one.entry for one in page]
    assert found == sorted(known, key=lambda one: (one.since, one.digest), reverse=True)
    counts = store.count()
    assert sum(counts.values()) == len(list(store.all()))
    assert counts.get(ground, 0) == len(known) if ground else True


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries, entries)
def test_many_at_once_are_added_as_one_by_one(
    tmp_path: Path, before: list[Suppression], some: list[Suppression]
) -> None:
    one, other = make_store(tmp_path).suppressions, make_store(tmp_path).suppressions
    for target in (one, other):
        target.add(before, "tests", NOW)
    added = one.add(some, "tests", NOW)
    assert added == sum(other.add([single], "tests", NOW) for single in some)
    assert list(one.all()) == list(other.all())
    assert one.known(item.digest for item in some) == len({item.digest for item in some})
    assert one.known([bytes(15) + b"\xff"]) == 0


def test_who_is_suppressed_among_many_gets_nothing_of_a_mailing_under_way(store: Store) -> None:
    store.load(*(candidate(f"reader{number}@example.org") for number in range(3)))
    store.freeze()
    with store.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT address_hash, canonical FROM person").all()
    wanted = [Suppression(digest, Ground.MANUAL, "", NOW) for digest, name in rows if "reader1" not in name]
    assert store.suppressions.add([*wanted, entry(1)], "tests", NOW) == 3
    states = store.states()
    assert {name for name, state in states.items() if state == "suppressed"} == {
        "reader0@example.org", "reader2@example.org",
    }  # fmt: skip
    assert states["reader1@example.org"] == "planned"


def test_a_form_that_says_nothing_known_changes_nothing(app: App, client: TestClient) -> None:
    app.suppressing.add(["anna@example.org"], "tests", "tests")
    before = table_rows(app)
    form = {"email": "anna@example.org", "reason": "x", "do": "xyz"}
    assert client.post(f"{LIST}address/", data=form).status_code == 400
    assert table_rows(app) == before


def test_the_list_is_paged_by_ground_newest_first(app: App, client: TestClient) -> None:
    app.suppressions.add([entry(number, age=number) for number in range(PER_PAGE)], "tests", NOW)
    app.suppressions.add([entry(99, Ground.COMPLAINT, age=99)], "tests", NOW)
    first = client.get(LIST).text
    older = re.search(r'href="([^"]+)" rel="next"', first)
    assert older
    second = client.get(older[1].replace("&amp;", "&")).text
    assert (len(shown(first)), len(shown(second))) == (PER_PAGE, 1)
    assert "Newest entries" in second
    complaints = client.get(f"{LIST}?ground=complaint").text
    assert (len(shown(complaints)), "reason 99" in complaints) == (1, True)
    assert f"All {PER_PAGE + 1}" in complaints


@pytest.mark.parametrize(
    "query",
    [
        "ground=nonsense",
        "behind=nonsense",
        "behind=2024-01-01_00",
        "behind=_",
        "behind=9999-12-31T23:59:59-10:00_00",
        "behind=0001-01-01T00:00:00%2B10:00_00",
    ],
)
def test_an_address_that_was_cut_short_is_the_first_page(app: App, client: TestClient, query: str) -> None:
    app.suppressions.add([entry(1)], "tests", NOW)
    page = client.get(f"{LIST}?{query}")
    assert (page.status_code, len(shown(page.text))) == (200, 1)


def test_an_address_is_shown_where_its_person_is_known(app: App, client: TestClient) -> None:
    app.suppressing.add([EVERYTHING, STRANGER], "asked", "tests")
    page = client.get(LIST).text
    assert EVERYTHING in page
    assert f'href="/admin/people/{person(app).id}/"' in page
    assert STRANGER not in page, "of a stranger only the hash is kept"
    app.subscriptions.erase(person(app), "tests")
    assert EVERYTHING not in client.get(LIST).text


def test_an_address_is_looked_up_and_stands_in_no_address_of_a_page(app: App, client: TestClient) -> None:
    before = table_rows(app)
    absent = client.post(f"{LIST}address/", data={"email": STRANGER})
    assert (absent.status_code, "is not on the list" in absent.text) == (200, True)
    assert "Nobody subscribes with it." in absent.text
    known = client.post(f"{LIST}address/", data={"email": f"  {EVERYTHING.upper()} "})
    assert f'href="/admin/people/{person(app).id}/"' in known.text
    assert table_rows(app) == before
    app.suppressing.add([STRANGER], "they telephoned", "tests")
    there = client.post(f"{LIST}address/", data={"email": STRANGER}).text
    assert "This address is on the list" in there
    assert "they telephoned" in there
    assert not re.search(r'(href|action)="[^"]*@', there)
    assert client.get(f"{LIST}address/").headers["location"] == LIST


@pytest.mark.parametrize("typed", ["", "nobody", "a@b@c.example"])
def test_what_is_no_address_is_said(client: TestClient, typed: str) -> None:
    page = client.post(f"{LIST}address/", data={"email": typed})
    assert (page.status_code, "is not an address" in page.text) == (400, True)


def test_one_is_put_on_the_list_with_a_reason(app: App, client: TestClient) -> None:
    form = {"email": EVERYTHING, "do": "add", "reason": "wrote to the office"}
    answer = client.post(f"{LIST}address/", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{LIST}?said=added")
    found = app.suppressing.find(EVERYTHING)
    assert found
    assert (found.ground, found.reason) == (Ground.MANUAL, "wrote to the office")
    assert next(app.trail.records()).actor == "admin:1"
    assert client.post(f"{LIST}address/", data=form).headers["location"].endswith("said=same")


@pytest.mark.parametrize("reason", ["", "   ", "x" * 1001])
@pytest.mark.parametrize("do", ["add", "remove"])
def test_without_a_reason_nothing_is_done(app: App, client: TestClient, do: str, reason: str) -> None:
    if do == "remove":
        app.suppressing.add([STRANGER], "asked", "tests")
    before = table_rows(app)
    page = client.post(f"{LIST}address/", data={"email": STRANGER, "do": do, "reason": reason})
    assert (page.status_code, 'role="alert"' in page.text) == (400, True)
    assert table_rows(app) == before


def test_taking_an_address_off_brings_nobody_back(app: App, client: TestClient) -> None:
    app.subscriptions.leave(person(app), "link")
    app.suppressing.add([EVERYTHING], "asked", "tests")
    page = client.post(f"{LIST}address/", data={"email": EVERYTHING}).text
    assert "Who unsubscribed stays unsubscribed" in page
    form = {"email": EVERYTHING, "do": "remove", "reason": "a mistake of ours"}
    assert client.post(f"{LIST}address/", data=form).headers["location"] == f"{LIST}?said=removed"
    assert app.suppressing.find(EVERYTHING) is None
    assert person(app).state is State.UNSUBSCRIBED
    entry = next(app.trail.records())
    assert (entry.action, entry.content["reason"], entry.actor) == ("unsuppress", "a mistake of ours", "admin:1")
    assert client.post(f"{LIST}address/", data=form).status_code == 404


def test_many_are_added_or_none(app: App, client: TestClient) -> None:
    form = {"addresses": f"{STRANGER}\r\n{ONE_TOPIC}, nobody", "reason": "a list of the old office"}
    refused = client.post(f"{LIST}add/", data=form)
    assert (refused.status_code, "nobody" in refused.text, "old office" in refused.text) == (400, True, True)
    assert app.suppressing.find(STRANGER) is None
    form["addresses"] = f"{STRANGER}\r\n\r\n{ONE_TOPIC};{EVERYTHING}"
    assert client.post(f"{LIST}add/", data=form).headers["location"] == f"{LIST}?said=added"
    assert all(app.suppressing.find(one) for one in (STRANGER, ONE_TOPIC, EVERYTHING))
    assert client.post(f"{LIST}add/", data={"addresses": " \r\n", "reason": "x"}).status_code == 400


def test_the_export_is_noted_and_comes_back_here(app: App, client: TestClient, tmp_path: Path) -> None:
    app.suppressing.add([EVERYTHING, STRANGER], "=1+1", "tests")
    before = sorted(app.suppressing.rows(), key=str)
    answer = client.post(f"{LIST}export/")
    assert answer.headers["content-disposition"] == 'attachment; filename="suppressions.csv"'
    assert answer.text.count("'=1+1") == 2
    assert answer.content.startswith(b"\xef\xbb\xbfemail,"), "a spreadsheet takes it for UTF-8"
    noted = next(app.trail.records())
    assert (noted.action, noted.facts["rows"], noted.actor) == ("export", 2, "admin:1")
    for address in (EVERYTHING, STRANGER):
        app.suppressing.remove(address, "tests", "tests")
    page = upload(client, answer.content)
    assert client.post(page, data={"do": "apply", "seen": "1"}).status_code == 303
    assert sorted(app.suppressing.rows(), key=str) == before


def test_an_import_shows_what_it_would_do_before_it_does_it(app: App, client: TestClient) -> None:
    app.suppressing.add([EVERYTHING], "asked", "tests")
    before = table_rows(app)
    page = upload(client, f"Email,Reason\n{EVERYTHING},\n{STRANGER},they complained\n{STRANGER},twice\n")
    assert figures(client.get(page).text) == [1, 1, 0]
    assert table_rows(app) == before
    assert client.post(page, data={"do": "apply", "seen": "1"}).headers["location"] == page
    assert "1 address is new on the list." in client.get(page).text
    assert app.suppressing.find(STRANGER)
    assert next(app.trail.records()).actor == "admin:1"
    assert list((app.state / "uploads").iterdir()) == []
    assert client.post(page, data={"do": "apply", "seen": "1"}).status_code == 409


def test_rows_that_cannot_be_taken_are_set_aside_only_when_that_is_said(app: App, client: TestClient) -> None:
    page = upload(client, f"email,since\n{STRANGER},2020-01-01\nnobody,\n{ONE_TOPIC},some day\n")
    assert figures(client.get(page).text) == [1, 0, 2]
    before = table_rows(app)
    refused = client.post(page, data={"do": "apply", "seen": "1"})
    assert (refused.status_code, "Tick the box" in refused.text) == (400, True)
    assert table_rows(app) == before
    client.post(page, data={"do": "apply", "seen": "1", "good": "yes"})
    found = app.suppressing.find(STRANGER)
    assert found
    assert found.since.year == 2020
    assert app.suppressing.find(ONE_TOPIC) is None


@pytest.mark.parametrize(
    "since", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00", "0001-01-01", "1969-12-31", "some day"]
)
def test_a_time_that_cannot_be_is_told_with_its_row(app: App, client: TestClient, since: str) -> None:
    page = upload(client, f"email,since\n{STRANGER},{since}\n{ONE_TOPIC},1970-01-01\n")
    text = client.get(page).text
    assert figures(text) == [1, 0, 1]
    assert "is not a time since 1970" in text
    client.post(page, data={"do": "apply", "seen": "1", "good": "yes"})
    assert client.get(LIST).status_code == 200
    found = app.suppressing.find(ONE_TOPIC)
    assert found
    assert found.since.isoformat() == "1970-01-01T00:00:00+00:00"
    assert app.suppressing.find(STRANGER) is None


def test_a_list_that_was_taken_in_is_not_taken_in_twice(app: App, client: TestClient) -> None:
    page = upload(client, f"email\n{STRANGER}\nnobody\n")
    client.post(page, data={"do": "apply", "seen": "1", "good": "yes"})
    before = table_rows(app)
    for fields in ({"good": "yes", "seen": "1"}, {}):
        again = client.post(page, data={"do": "apply", **fields})
        assert (again.status_code, "It was taken in already" in again.text) == (409, True)
    gone = client.get(client.post(page, data={"do": "drop"}).headers["location"]).text
    assert ("The upload is deleted." in gone, "Nothing was changed." in gone) == (True, False)
    assert table_rows(app) == before


def test_of_two_windows_the_one_that_shows_what_is_no_longer_so_is_told(app: App, client: TestClient) -> None:
    page = upload(client, f"email\n{STRANGER}\n")
    client.post(page, data={"do": "read"})
    answer = client.post(page, data={"do": "apply", "seen": "1"})
    assert (answer.status_code, "read anew" in answer.text) == (409, True)
    assert app.suppressing.find(STRANGER) is None
    assert client.post(page, data={"do": "apply", "seen": "2"}).status_code == 303
    assert app.suppressing.find(STRANGER)


def test_a_disk_that_is_full_is_told(app: App, client: TestClient) -> None:
    (app.state / "uploads").write_text("in the way", encoding="utf-8")
    answer = client.post(IMPORT, files={"file": ("list.csv", f"email\n{STRANGER}\n")})
    assert (answer.status_code, "cannot keep the file" in answer.text) == (507, True)


@pytest.mark.parametrize("content", [b"", b"name\nAnna\n", b"email\n\xff\xfe\n", b'email\n"open\n'])
def test_what_is_no_such_list_is_said(app: App, client: TestClient, content: bytes) -> None:
    before = table_rows(app)
    page = upload(client, content)
    shown = client.get(page).text
    assert "The file cannot be used." in shown
    assert "list.csv" in shown
    assert client.post(page, data={"do": "apply", "seen": "1"}).status_code == 409
    assert table_rows(app) == before
    assert client.post(page, data={"do": "drop"}).headers["location"] == f"{IMPORT}?said=dropped"
    assert list((app.state / "uploads").iterdir()) == []


def test_a_list_is_found_by_who_uploaded_it(app: App, client: TestClient) -> None:
    page = upload(client, f"email\n{STRANGER}\n")
    assert admin_client(app).get(page).status_code == 404
    assert client.get(page.replace("suppressions/import", "import")).status_code == 404, "another kind of list"
    assert client.get(page).status_code == 200


def test_a_second_list_waits_until_the_first_is_read(app: App, client: TestClient) -> None:
    waiting: list[Callable[[], None]] = []
    app.uploads.spawn = waiting.append
    first = upload(client, f"email\n{STRANGER}\n")
    second = upload(client, f"email\n{ONE_TOPIC}\n")
    assert client.get(first).headers["refresh"] == "2"
    assert "Another list is being read" in client.get(second).text
    assert client.post(second, data={"do": "read"}).status_code == 409
    waiting.pop()()
    assert "refresh" not in client.get(first).headers
    assert client.post(second, data={"do": "read"}).status_code == 303
    waiting.pop()()
    assert figures(client.get(second).text) == [1, 0, 0]


def test_no_file_and_too_large_a_file_are_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.post(IMPORT, data={"x": "y"}).status_code == 400
    monkeypatch.setattr(suppression_import, "LIMIT", 1000)
    assert client.post(IMPORT, files={"file": ("list.csv", b"x" * 100_000)}).status_code == 413


def test_authors_do_not_see_it(app: App) -> None:
    author = admin_client(app, Role.AUTHOR)
    for path in (LIST, f"{LIST}add/", IMPORT):
        assert author.get(path).status_code == 403
    for path in (f"{LIST}address/", f"{LIST}add/", f"{LIST}export/", IMPORT):
        assert author.post(path).status_code == 403


@pytest.mark.parametrize("language", ["en", "fr"])
def test_it_can_be_read_on_every_screen(app: App, browser: Browser, language: str) -> None:
    client = admin_client(app, Role.ADMIN, language)
    pages = [client.get(LIST), client.get(f"{LIST}add/"), client.get(IMPORT)]
    grounds = {EVERYTHING: Ground.BOUNCE, STRANGER: Ground.ERASED, ONE_TOPIC: Ground.COMPLAINT}
    for address, ground in grounds.items():
        page = upload(client, f"email,ground,reason\n{address},{ground},a reason\nnobody,,\n")
        pages += [client.get(page), client.post(page, data={"do": "apply", "seen": "1"})]
        pages.append(client.post(page, data={"do": "apply", "seen": "0", "good": "yes"}))
        client.post(page, data={"do": "apply", "seen": "1", "good": "yes"})
        pages += [client.post(page, data={"do": "apply"}), client.get(f"{IMPORT}?said=deleted")]
        pages += [client.get(page), client.post(f"{LIST}address/", data={"email": address})]
    app.suppressions.add([entry(number) for number in range(PER_PAGE)], "tests", NOW)
    pages += [
        client.get(f"{LIST}?said=added"),
        client.get(f"{LIST}?ground=erased"),
        client.post(f"{LIST}address/", data={"email": "nobody"}),
        client.post(f"{LIST}address/", data={"email": "other@example.org", "do": "add"}),
        client.post(f"{LIST}add/", data={"addresses": "nobody"}),
        client.get(upload(client, "name\nAnna\n")),
    ]
    app.uploads.spawn = lambda _work: None
    pages += [client.get(upload(client, "email\n")), client.get(upload(client, "email\n"))]
    for number, answer in enumerate(pages):
        assert "template web/" not in answer.text
        assert f'<html lang="{language}"' in answer.text, number
        assert flaws(browser, client, answer.text) == [], number
