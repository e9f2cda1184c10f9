"""Lists of people by the pages: read in the background, looked at, corrected, taken in as a whole or not at all."""

import asyncio
import csv
import io
import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest
from starlette.testclient import TestClient

from accessible_support import flaws
from admin_support import admin_client, document
from core_support import ROOT
from digest_mailer.adapters.browser import Browser
from digest_mailer.bootstrap import App, build_app
from digest_mailer.core.account import Role
from digest_mailer.core.address import parse_address
from digest_mailer.core.audience import State, Subscriber
from digest_mailer.core.segment import EVERYBODY
from digest_mailer.services.uploads import Upload
from digest_mailer.web.admin import importing
from digest_mailer.web.admin.housekeeping import keep_tidy
from digest_mailer.web.app import build_site
from publication_support import EVERYTHING, FixedClock, make_publication, person, table_rows

IMPORT = "/admin/import/"
HEADER = "email,name,topics,consent_source,consent_date"
ANNA = "anna@example.org,Anna,Empathy,form,2023-01-01"
BOB = "bob@example.org,Bob,Emphaty,form,2023-01-01"
GOOD = f"{HEADER}\n{ANNA}\n"
MIXED = f"{HEADER}\n{ANNA}\n{BOB}\nnobody,Nobody,ALL,form,2023-01-01\n"
CONSENT = {"source": "conference booth", "day": "2023-05-01"}


class Queue:
    """Instead of threads: what is to be done waits until it is asked for."""

    def __init__(self) -> None:
        self.waiting: deque[Callable[[], None]] = deque()

    def __call__(self, work: Callable[[], None]) -> None:
        """Take it."""
        self.waiting.append(work)

    def run(self) -> None:
        """Do the next."""
        self.waiting.popleft()()


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication to change, whose uploads are worked on at once."""
    app = make_publication(tmp_path)
    app.uploads.spawn = lambda work: work()
    return app


@pytest.fixture
def queue(app: App) -> Queue:
    """Its uploads wait here."""
    app.uploads.spawn = Queue()
    return app.uploads.spawn


@pytest.fixture
def client(app: App) -> TestClient:
    """An admin's browser."""
    return admin_client(app, Role.ADMIN)


def upload(client: TestClient, text: str | bytes, name: str = "list.csv", **fields: str | list[str]) -> str:
    """Upload a list; answers the address of its page."""
    content = text.encode() if isinstance(text, str) else text
    answer = client.post(IMPORT, files={"file": (name, content)}, data=fields)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def figures(client: TestClient, page: str) -> list[int]:
    """New, changed, as they are, kept out, rejected."""
    return [int(one.text_content()) for one in document(client.get(page).text).cssselect(".figures dd")]


def taken_for(client: TestClient, page: str) -> dict[str, str]:
    """What each column is shown as."""
    rows = document(client.get(page).text).cssselect(".columns-of-list tbody tr")
    chosen = [row.cssselect("option[selected]") or row.cssselect("option")[:1] for row in rows]
    names = [row.cssselect("th")[0].text_content() for row in rows]
    return {name: one[0].text_content().strip() for name, one in zip(names, chosen, strict=True)}


def find(app: App, address: str) -> Subscriber | None:
    """The person of an address."""
    return app.people.find(parse_address(address))


def kept_files(app: App) -> list[Path]:
    """The uploads that are on disk."""
    return sorted((app.state / "uploads").iterdir())


def count(app: App) -> int:
    """All people."""
    return sum(app.people.count(EVERYBODY).values())


def test_a_list_is_looked_at_and_then_taken_in(app: App, client: TestClient) -> None:
    before = table_rows(app)
    page = upload(client, GOOD, "spring list.csv")
    text = client.get(page).text
    assert figures(client, page) == [1, 0, 0, 0, 0]
    assert "1 row was read" in text
    assert "encoding UTF-8" in text
    assert "Import 1 person" in text
    assert table_rows(app) == before, "so far nothing was changed"
    assert client.post(page, data={"do": "apply", "seen": "1"}).headers["location"] == page
    assert "1 person is new." in client.get(page).text
    anna = find(app, "anna@example.org")
    assert anna
    assert (anna.name, anna.state) == ("Anna", State.ACTIVE)
    entry = next(app.trail.records())
    assert (entry.action, entry.actor) == ("import", "admin:1")
    assert (entry.facts["file"], entry.facts["created"]) == ("spring list.csv", 1)


def test_the_page_shows_how_far_it_has_come(app: App, client: TestClient, queue: Queue) -> None:
    page = upload(client, GOOD)
    reading = client.get(page)
    assert (reading.headers["refresh"], "The file is being read." in reading.text) == ("2", True)
    found: Upload[importing.People] = app.uploads.find(page.split("/")[-2], "admin:1", importing.People)
    seen = []
    found_rows = app.importer.__class__.run

    def watched(*given: object, **named: object) -> object:
        result = found_rows(*given, **named)  # type: ignore[arg-type]
        seen.append((found.stage, found.rows, found.octets))
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app.importer.__class__, "run", watched)
        queue.run()
    assert seen == [("reading", 1, len(GOOD))]
    assert "refresh" not in client.get(page).headers
    client.post(page, data={"do": "apply", "seen": "1"})
    writing = client.get(page)
    assert (writing.headers["refresh"], "being taken in" in writing.text) == ("2", True)
    found.rows, found.octets = 1, found.size
    assert "Now all of them are taken in at once." in client.get(page).text
    assert client.post(page, data={"do": "drop"}).status_code == 409, "it cannot be stopped any more"
    queue.run()
    assert "1 person is new." in client.get(page).text


def test_in_a_thread_it_comes_to_the_same(app: App, client: TestClient) -> None:
    app.uploads = type(app.uploads)(app.uploads.files, app.clock)
    page = upload(client, GOOD)
    for do in ("apply", ""):
        while "refresh" in client.get(page).headers:
            pass
        if do:
            assert client.post(page, data={"do": do, "seen": "1"}).status_code == 303
    assert "1 person is new." in client.get(page).text
    assert find(app, "anna@example.org")


def test_rows_that_cannot_be_taken_are_set_aside_only_when_that_is_said(app: App, client: TestClient) -> None:
    page = upload(client, MIXED)
    assert figures(client, page) == [1, 0, 0, 0, 2]
    text = client.get(page).text
    assert "did you mean &#34;Empathy&#34;?" in text
    assert "must have an @-sign" in text
    before = table_rows(app)
    refused = client.post(page, data={"do": "apply", "seen": "1"})
    assert (refused.status_code, "Tick the box" in refused.text) == (400, True)
    assert table_rows(app) == before
    client.post(page, data={"do": "apply", "seen": "1", "good": "yes"})
    assert (count(app), find(app, "bob@example.org")) == (51, None)
    assert next(app.trail.records()).facts["rejected"] == 2
    assert len(kept_files(app)) == 1, "for the rejected rows"
    client.post(page, data={"do": "drop"})
    assert kept_files(app) == []


def test_rejected_rows_are_downloaded_corrected_and_imported(app: App, client: TestClient) -> None:
    page = upload(client, MIXED)
    for _ in range(2):  # before and after
        answer = client.get(f"{page}rejects/")
        assert answer.headers["content-disposition"] == 'attachment; filename="rejects.csv"'
        table = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert table[0] == ["reject_row", "reject_reason", *HEADER.split(",")]
        assert [row[0] for row in table[1:]] == ["3", "4"]
        client.post(page, data={"do": "apply", "seen": "1", "good": "yes"})
    second = upload(client, answer.text.replace("Emphaty", "Empathy").replace("nobody,", "somebody@example.org,"))
    assert figures(client, second) == [2, 0, 0, 0, 0]
    assert client.get(f"{second}rejects/").status_code == 404


def test_who_has_left_is_kept_out(app: App, client: TestClient) -> None:
    app.subscriptions.leave(person(app), "link")
    page = upload(client, f"{HEADER}\n{EVERYTHING},Amélie,ALL,form,2024-01-01\n")
    assert figures(client, page) == [0, 0, 0, 1, 0]
    text = client.get(page).text
    assert "There is nothing to import." in text
    assert "Kept out are people who have left" in text
    assert person(app).state is State.UNSUBSCRIBED


def test_what_the_file_does_not_say_is_said_in_the_form(app: App, client: TestClient) -> None:
    page = upload(client, "Courriel\nanna@example.org\n", **CONSENT, scope="some", topic=["empathy", "attachment"])
    assert figures(client, page) == [1, 0, 0, 0, 0]
    client.post(page, data={"do": "apply", "seen": "1"})
    anna = find(app, "anna@example.org")
    assert anna
    assert anna.consent
    assert (anna.consent.source, str(anna.consent.given_on)) == ("conference booth", "2023-05-01")
    assert {topic.key for topic in app.library.vocabulary.catalogue.in_words(anna.topics)} == {"empathy", "attachment"}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"source": "booth"}, "needs both a source and a day"),
        ({"day": "2023-05-01"}, "needs both a source and a day"),
        ({"source": "booth", "day": "in May"}, "is not a day"),
        ({"source": "booth", "day": "2999-01-01"}, "a day to come"),
        ({"source": "booth", "day": "1969-12-31"}, "before 1970"),
        ({"source": "b\u202e", "day": "2023-05-01"}, "control character U+202E"),
        ({"source": "b" * 1001, "day": "2023-05-01"}, "is too long"),
        ({**CONSENT, "scope": "some"}, "no topic is ticked"),
        ({**CONSENT, "scope": "some", "topic": "nonsense"}, "no topic is ticked"),
        (CONSENT, "Say below what these people follow"),
        ({"scope": "all"}, "lacks consent_source, consent_date"),
    ],
)
def test_a_slip_in_the_form_costs_no_second_upload(
    app: App, client: TestClient, fields: dict[str, str], said: str
) -> None:
    before = table_rows(app)
    page = upload(client, "email\nanna@example.org\n", **fields)
    text = client.get(page).text
    assert said in text
    form = document(text).cssselect("form")[0]
    assert form.fields["source"] == fields.get("source", ""), "it stands as it was typed"
    assert client.post(page, data={"do": "apply", "seen": "1"}).status_code == 409
    assert table_rows(app) == before
    client.post(page, data={"do": "read", "form": "yes", **CONSENT, "scope": "all"})
    assert figures(client, page) == [1, 0, 0, 0, 0]


def test_a_column_is_what_somebody_says(app: App, client: TestClient) -> None:
    text = "Adresse élec.;Courriels;Prénom;Name\nanna@example.org;lots;Anna;x\n"
    page = upload(client, text, **CONSENT, scope="all")
    assert "lacks email" in client.get(page).text
    said = {"column-0": "email", "column-2": "name", "column-3": "attribute", "column-1": "nonsense"}
    client.post(page, data={"do": "read", "form": "yes", **CONSENT, "scope": "all", **said})
    assert "two columns for" in client.get(page).text, "a column called name and one that is said to be it"
    client.post(page, data={"do": "read", "form": "yes", **CONSENT, "scope": "all", "column-0": "email"})
    assert taken_for(client, page) == {
        "Adresse élec.": "Address", "Courriels": "attribute courriels", "Prénom": "attribute prénom", "Name": "Name",
    }  # fmt: skip
    client.post(page, data={"do": "apply", "seen": "3"})
    anna = find(app, "anna@example.org")
    assert anna
    assert (anna.name, anna.attributes) == ("x", {"courriels": "lots", "prénom": "Anna"})


def test_a_column_that_is_nearly_one_of_ours_has_to_be_said(app: App, client: TestClient) -> None:
    page = upload(client, f"{HEADER},langauge\n{ANNA},fr\n")
    assert "did you mean" in client.get(page).text
    assert taken_for(client, page)["langauge"] == "not clear"
    client.post(page, data={"do": "read", "form": "yes", "column-5": "attribute"})
    client.post(page, data={"do": "apply", "seen": "2"})
    anna = find(app, "anna@example.org")
    assert anna
    assert (anna.language, anna.attributes) == ("en", {"langauge": "fr"})


@pytest.mark.parametrize(
    ("name", "kind", "shown"),
    [
        ("mailchimp-subscribed", "Mailchimp", {"Email Address": "Address", "First Name": "Name", "OPTIN_IP": "left out",
                                               "CONFIRM_TIME": "When they agreed", "TAGS": "Topics, attribute tags",
                                               "Role": "attribute role"}),
        ("mailchimp-unsubscribed", "Mailchimp", {"UNSUB_TIME": "State"}),
        ("kit", "Kit", {"first_name": "Name", "status": "State", "created_at": "When they agreed"}),
    ],
)  # fmt: skip
def test_an_export_is_recognised_with_all_its_columns(
    client: TestClient, name: str, kind: str, shown: dict[str, str]
) -> None:
    content = (ROOT / "tests" / "corpus" / "subscribers" / f"{name}.csv").read_bytes()
    page = upload(client, content, scope="all")
    assert f"an export of {kind}" in client.get(page).text
    assert shown.items() <= taken_for(client, page).items()


def test_an_encoding_is_chosen_where_it_cannot_be_told(app: App, client: TestClient) -> None:
    page = upload(client, f"{HEADER}\n{ANNA.replace('Anna', 'Наталья')}\n".encode("cp1251"))
    assert "choose its encoding below" in client.get(page).text
    client.post(page, data={"do": "read", "form": "yes", "encoding": "windows-1251"})
    assert "Windows, Cyrillic" in client.get(page).text
    client.post(page, data={"do": "apply", "seen": "2"})
    anna = find(app, "anna@example.org")
    assert anna
    assert anna.name == "Наталья"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "tests" / "corpus" / "subscribers").glob("*.csv")), ids=lambda p: p.stem
)
def test_every_file_has_a_page(app: App, client: TestClient, path: Path) -> None:
    before = table_rows(app)
    page = client.get(upload(client, path.read_bytes(), path.name))
    assert page.status_code == 200
    cannot = "The file cannot be used yet" in page.text
    assert cannot or "What the file would do" in page.text
    assert cannot == path.stem.startswith("error") or "these people follow" in page.text
    assert "something went wrong" not in page.text
    assert table_rows(app) == before


def test_a_second_list_waits_until_the_first_is_read(app: App, client: TestClient, queue: Queue) -> None:
    first, second = upload(client, GOOD), upload(client, MIXED)
    assert len(queue.waiting) == 1
    assert "Another list is being read" in client.get(second).text
    for page in (first, second):
        assert client.post(page, data={"do": "read"}).status_code == 409
    queue.run()
    client.post(first, data={"do": "apply", "seen": "1"})
    assert client.post(second, data={"do": "read"}).status_code == 409, "also while one is taken in"
    queue.run()
    assert client.post(second, data={"do": "read"}).status_code == 303
    queue.run()
    assert figures(client, second) == [0, 0, 1, 0, 2]


def test_a_list_is_for_who_uploaded_it(app: App, client: TestClient) -> None:
    page = upload(client, MIXED)
    local = admin_client(app)
    for path in (page, f"{page}rejects/", f"{IMPORT}{'0' * 32}/", f"{IMPORT}..%2Fdigest.db/"):
        assert local.get(path).status_code == 404
    for do in ("read", "apply", "drop"):
        assert local.post(page, data={"do": do, "good": "yes"}).status_code == 404
    assert find(app, "anna@example.org") is None
    assert client.get(page).status_code == 200


def test_nothing_is_taken_in_that_nobody_looked_at(app: App, client: TestClient, queue: Queue) -> None:
    before = table_rows(app)
    page = upload(client, GOOD)
    assert client.post(page, data={"do": "apply", "seen": "1"}).status_code == 409
    queue.run()
    client.post(page, data={"do": "apply", "seen": "1"})
    assert client.post(page, data={"do": "apply", "seen": "1"}).status_code == 409, "once is enough"
    queue.run()
    assert client.post(page, data={"do": "read"}).status_code == 409
    assert client.post(page, data={"do": "apply", "seen": "1"}).status_code == 409
    assert len(table_rows(app)["import_run"]) == len(before["import_run"]) + 1


def test_a_list_that_was_taken_in_is_gone_from_the_disk(app: App, client: TestClient) -> None:
    page = upload(client, GOOD)
    [path] = kept_files(app)
    if os.name == "posix":
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert path.read_text(encoding="utf-8") == GOOD
    client.post(page, data={"do": "apply", "seen": "1"})
    assert kept_files(app) == []
    assert "The uploaded file is deleted." in client.get(page).text


def test_a_list_is_cancelled_also_while_it_is_read(app: App, client: TestClient, queue: Queue) -> None:
    page = upload(client, GOOD)
    assert client.post(page, data={"do": "drop"}).headers["location"] == f"{IMPORT}?said=dropped"
    assert client.get(page).status_code == 404
    queue.run()
    assert kept_files(app) == []
    other = upload(client, GOOD)
    queue.run()
    client.post(other, data={"do": "drop"})
    assert kept_files(app) == []
    assert find(app, "anna@example.org") is None


def test_what_is_older_than_a_day_goes_although_nobody_comes(app: App) -> None:
    clock, waits = app.clock, list[float]()
    assert isinstance(clock, FixedClock)
    page = upload(admin_client(app), GOOD)
    os.utime(kept_files(app)[0], (clock.now().timestamp(),) * 2)

    async def an_hour(seconds: float) -> None:
        assert len(kept_files(app)) == 1, f"it is there after {len(waits)} hours"
        waits.append(seconds)
        if len(waits) == 26:
            raise asyncio.CancelledError
        clock.advance(timedelta(seconds=seconds))

    with pytest.raises(AssertionError, match="after 25 hours"):
        asyncio.run(keep_tidy(app.uploads, an_hour))
    assert set(waits) == {3600}
    assert kept_files(app) == []
    assert admin_client(app).get(page).status_code == 404


def test_a_site_that_starts_tidies_at_once(app: App, client: TestClient) -> None:
    upload(client, GOOD)
    [old] = kept_files(app)
    day_old = (app.clock.now() - timedelta(days=1, seconds=1)).timestamp()
    os.utime(old, (day_old, day_old))
    tidied, tidy = Event(), app.uploads.files.tidy

    class Watched:
        """The files, and whether somebody tidied them."""

        def __getattr__(self, name: str) -> object:
            return getattr(files, name)

        def tidy(self, *given: Any) -> None:
            """As they do."""
            tidy(*given)
            tidied.set()

    files, app.uploads.files = app.uploads.files, cast("Any", Watched())
    with TestClient(build_site(app, inbox=False)):
        assert tidied.wait(10)
    assert not old.exists()


def test_a_list_that_is_a_day_old_is_not_found_even_where_its_file_is(app: App) -> None:
    assert isinstance(app.clock, FixedClock)
    page = upload(admin_client(app), MIXED)
    app.clock.advance(timedelta(days=1, seconds=1))
    local = admin_client(app)  # nobody is signed in for so long
    assert len(kept_files(app)) == 1
    answers = [local.get(page), local.get(f"{page}rejects/"), local.post(page, data={"do": "apply", "seen": "1"})]
    assert [one.status_code for one in answers] == [404] * 3
    upload(local, GOOD)
    assert len(kept_files(app)) == 2, "the clock of the disk is another one"


def test_deleting_the_upload_of_a_list_that_was_taken_in_says_no_more_than_that(app: App, client: TestClient) -> None:
    page = upload(client, MIXED)
    client.post(page, data={"do": "apply", "seen": "1", "good": "yes"})
    gone = client.post(page, data={"do": "drop"}).headers["location"]
    text = client.get(gone).text
    assert "The upload is deleted." in text
    assert "Nothing was changed." not in text
    back = client.get(page)
    assert (back.status_code, "nothing was changed" in back.text) == (404, False)


def test_a_list_that_was_taken_in_is_not_taken_in_twice(app: App, client: TestClient) -> None:
    page = upload(client, MIXED)
    client.post(page, data={"do": "apply", "seen": "1", "good": "yes"})
    before = table_rows(app)
    for fields in ({"good": "yes", "seen": "1"}, {"seen": "1"}, {}):
        again = client.post(page, data={"do": "apply", **fields})
        assert (again.status_code, "It was taken in already" in again.text) == (409, True)
        assert "1 person is new." in again.text
    assert client.post(page, data={"do": "read"}).status_code == 409
    assert table_rows(app) == before


def test_of_two_windows_the_one_that_shows_what_is_no_longer_so_is_told(app: App, client: TestClient) -> None:
    page = upload(client, f"{HEADER},nom\n{ANNA},Jeanne\n".replace(",name,", ",call,"))
    seen = document(client.get(page).text).cssselect("input[name=seen]")[0].get("value")
    client.post(page, data={"do": "read", "form": "yes", "column-1": "name", "column-5": "attribute"})
    before = table_rows(app)
    for old in ({"seen": seen}, {}, {"seen": "x"}):
        answer = client.post(page, data={"do": "apply", **old})
        assert (answer.status_code, "read anew" in answer.text) == (409, True)
        assert taken_for(client, page)["call"] == "Name"
        assert table_rows(app) == before
    now = document(answer.text).cssselect("input[name=seen]")[0].get("value")
    assert client.post(page, data={"do": "apply", "seen": now}).status_code == 303
    anna = find(app, "anna@example.org")
    assert anna
    assert (anna.name, dict(anna.attributes)) == ("Anna", {"nom": "Jeanne"})


def test_where_no_thread_can_be_started_the_page_says_so_and_nothing_is_stuck(app: App, client: TestClient) -> None:
    def none_left(_: object) -> None:
        raise RuntimeError("can't start new thread")

    at_once, app.uploads.spawn = app.uploads.spawn, none_left
    answer = client.post(IMPORT, files={"file": ("list.csv", GOOD)})
    assert (answer.status_code, "too much to do" in answer.text) == (503, True)
    [name] = [path.name for path in kept_files(app)]
    page = f"{IMPORT}{name}/"
    assert client.post(page, data={"do": "read"}).status_code == 503
    app.uploads.spawn = at_once
    client.post(page, data={"do": "read"})
    assert figures(client, page) == [1, 0, 0, 0, 0]
    seen, app.uploads.spawn = document(client.get(page).text).cssselect("input[name=seen]")[0].get("value"), none_left
    answer = client.post(page, data={"do": "apply", "seen": seen})
    assert (answer.status_code, "too much to do" in answer.text) == (503, True)
    assert figures(client, page) == [1, 0, 0, 0, 0], "as it was"
    app.uploads.spawn = at_once
    assert client.post(page, data={"do": "apply", "seen": seen}).status_code == 303
    assert find(app, "anna@example.org")


def test_rejected_rows_run_nothing_in_a_spreadsheet_and_come_back_as_they_were(app: App, client: TestClient) -> None:
    names = ("=1+1", "'=1+1", "''=1+1", "+33", "\u2009-x", "'tis")
    rows = "".join(f"nobody{n},{name},ALL,form,2023-01-01,\n" for n, name in enumerate(names))
    page = upload(client, f"{HEADER},=cmd\n{rows}")
    answer = client.get(f"{page}rejects/")
    assert answer.content.startswith(b"\xef\xbb\xbfreject_row,")
    cells = [cell for row in csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))) for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == []
    second = upload(client, re.sub(rb"nobody([0-9])", rb"reader\1@example.org", answer.content))
    assert figures(client, second) == [len(names), 0, 0, 0, 0]
    assert taken_for(client, second)["=cmd"] == "attribute =cmd"
    client.post(second, data={"do": "apply", "seen": "1"})
    kept = [found.name for n in range(len(names)) if (found := find(app, f"reader{n}@example.org"))]
    assert kept == ["=1+1", "=1+1", "'=1+1", "+33", "-x", "'tis"]


def test_a_consent_may_be_of_today_where_the_publication_is_and_no_later(app: App, client: TestClient) -> None:
    assert isinstance(app.clock, FixedClock)
    app.clock.instant = datetime(2024, 2, 1, 1, tzinfo=UTC)  # the day before, in Toronto
    local = admin_client(app)
    text = "email,topics\nanna@example.org,ALL\n"
    page = upload(local, text, source="booth", day="2024-01-31")
    assert figures(local, page) == [1, 0, 0, 0, 0]
    assert 'max="2024-01-31"' in local.get(page).text
    late = local.get(upload(local, text, source="booth", day="2024-02-01")).text
    assert "a day to come" in late
    dated = "email,topics,consent_source,consent_date\nanna@example.org,ALL,booth,2024-02-01\n"
    assert figures(local, upload(local, dated)) == [0, 0, 0, 0, 1]


def test_the_name_of_a_file_stands_beside_the_trail_and_not_in_it(app: App, client: TestClient) -> None:
    page = upload(client, GOOD, "jean.tremblay@example.org.csv")
    client.post(page, data={"do": "apply", "seen": "1"})
    assert "jean.tremblay" not in client.post("/admin/audit/export/").text
    assert "jean.tremblay@example.org.csv" in client.get("/admin/audit/").text
    anna = find(app, "anna@example.org")
    assert anna
    assert [one.reason for one in app.subscriptions.history(anna)] == ["jean.tremblay@example.org.csv"]
    assert app.trail.verify().faults == ()


def test_after_a_new_start_the_page_says_to_upload_again(app: App, client: TestClient) -> None:
    page = upload(client, GOOD)
    again = build_app(app.root, clock=app.clock)
    after = admin_client(again, None)
    answer = after.get(page)
    assert (answer.status_code, "upload the file again" in answer.text) == (404, True)


def test_a_server_that_dies_while_it_writes_leaves_nothing_of_it(app: App, tmp_path: Path) -> None:
    program = """
import os, sys
from pathlib import Path
from digest_mailer.adapters.store import audit
from digest_mailer.bootstrap import build_app
from digest_mailer.web.admin.import_form import Typed
from digest_mailer.web.admin.importing import ImportPages, People
from digest_mailer.services.importing import Asked

app = build_app(Path(sys.argv[1]))
app.uploads.spawn = lambda work: work()
pages = ImportPages(type("Gate", (), {"app": app}))
with open(sys.argv[2], "rb") as data:
    upload = app.uploads.keep(data, "list.csv", "admin:1", People(Typed()))
app.uploads.read(upload, pages.work(upload, Asked()))
assert upload.about.imported.result.created == 5000, upload.problem
audit.append = lambda *_: os._exit(9)  # every row is written by now
app.uploads.apply(upload, pages.work(upload, Asked(True, False, "admin:1")), 1)
"""
    rows = "".join(f"reader{number}@example.org,,ALL,form,2023-01-01\n" for number in range(5000))
    path = tmp_path / "list.csv"
    path.write_text(f"{HEADER}\n{rows}", encoding="utf-8")
    before = table_rows(app)
    done = subprocess.run(
        [sys.executable, "-c", program, app.root, path], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (9, "")
    assert table_rows(app) == before
    assert len(kept_files(app)) == 1, "which the next start deletes when it is a day old"


def test_no_file_and_too_large_a_file_are_refused(
    app: App, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for files in ({}, {"file": ("", b"")}):
        answer = client.post(IMPORT, data={**CONSENT}, files=files or None)
        assert answer.status_code == 400
    assert "Choose a file first." in answer.text
    monkeypatch.setattr(importing, "LIMIT", 1000)
    large = b"x" * 100_000
    assert client.post(IMPORT, files={"file": ("list.csv", large)}).status_code == 413
    boundary = {"content-type": "multipart/form-data; boundary=b"}
    start = b'--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n'
    sizes = {1: 303, 1000: 413}
    for parts, status in sizes.items():  # in parts, so that nobody knows beforehand how many come
        content = iter([start, *[large[:100]] * parts, b"\r\n--b--\r\n"])
        assert client.post(IMPORT, content=content, headers=boundary).status_code == status
    assert len(kept_files(app)) == 1


@pytest.mark.parametrize("body", [b"", b"nonsense", b"--b\r\nbroken"])
def test_what_is_no_form_is_refused(app: App, client: TestClient, body: bytes) -> None:
    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert client.post(IMPORT, content=body, headers=headers).status_code == 400
    assert not (app.state / "uploads").exists()


@pytest.mark.parametrize(
    ("name", "shown"),
    [("C:\\lists\\people.csv", "people.csv"), ("../../people\u202e.csv", "people.csv"), ("/", "the file")],
)
def test_a_name_has_no_folders(client: TestClient, name: str, shown: str) -> None:
    page = client.get(upload(client, GOOD, name)).text
    assert f'<span class="url">{shown}</span>' in page


def test_a_disk_that_is_full_is_told(app: App, client: TestClient) -> None:
    (app.state / "uploads").write_text("in the way", encoding="utf-8")
    answer = client.post(IMPORT, files={"file": ("list.csv", GOOD)}, data=CONSENT)
    assert (answer.status_code, "cannot keep the file" in answer.text) == (507, True)
    assert "conference booth" in answer.text


def test_a_fault_of_ours_is_told_without_anybody_s_address(
    app: App, client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("anna@example.org")

    monkeypatch.setattr(type(app), "people_columns", broken)
    page = upload(client, GOOD)
    assert "something went wrong with this list" in client.get(page).text
    assert "RuntimeError" in caplog.text
    assert "anna@" not in caplog.text
    monkeypatch.undo()
    client.post(page, data={"do": "read"})
    assert figures(client, page) == [1, 0, 0, 0, 0]


def test_looking_changes_nothing(app: App, client: TestClient) -> None:
    page = upload(client, MIXED)
    before, files = table_rows(app), kept_files(app)
    for path in (IMPORT, page, f"{page}rejects/", f"{page}?do=apply&good=yes"):
        assert client.get(path).status_code == 200
    assert (table_rows(app), kept_files(app)) == (before, files)


def test_authors_do_not_see_it(app: App, client: TestClient) -> None:
    page, author = upload(client, MIXED), admin_client(app, Role.AUTHOR)
    answers = [author.get(IMPORT), author.get(page), author.get(f"{page}rejects/"), author.post(page)]
    answers.append(author.post(IMPORT, files={"file": ("list.csv", GOOD)}))
    assert [one.status_code for one in answers] == [403] * 5
    assert len(kept_files(app)) == 1


@pytest.mark.parametrize("language", ["en", "fr"])
def test_it_can_be_read_on_every_screen(app: App, browser: Browser, language: str) -> None:
    client = admin_client(app, Role.ADMIN, language)
    long = f"{'a-very-long-name-' * 5}.csv"
    failed = upload(client, "Courriel,langauge\nanna@example.org,x\n", long, **CONSENT)
    page = upload(client, MIXED, long)
    pages = [client.get(IMPORT), client.get(f"{IMPORT}?said=dropped"), client.post(IMPORT, data=CONSENT),
             client.get(failed), client.get(page), client.post(page, data={"do": "apply", "seen": "1"})]  # fmt: skip
    pages.append(client.post(page, data={"do": "apply", "seen": "0", "good": "yes"}))
    client.post(page, data={"do": "apply", "seen": "1", "good": "yes"})
    pages += [client.get(page), client.post(page, data={"do": "apply"}), client.get(upload(client, GOOD))]
    pages.append(client.get(f"{IMPORT}?said=deleted"))
    queue = Queue()
    app.uploads.spawn = queue
    reading = upload(client, GOOD.replace("Anna", "Anne"))
    pages += [client.get(reading), client.get(upload(client, GOOD))]
    queue.run()
    client.post(reading, data={"do": "apply", "seen": "1"})
    pages.append(client.get(reading))
    for number, one in enumerate(pages):
        assert "template web/" not in one.text, number
        assert f'<html lang="{language}"' in one.text, number
        opened = re.sub(r"<details(?![^>]* open)", "<details open", one.text)
        assert flaws(browser, client, opened) == [], number
