"""People who were there before: their consents, their states and their days of joining are carried over."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config

from digest_mailer.adapters.store.audit import AuditStore
from digest_mailer.adapters.store.database import Database
from digest_mailer.adapters.store.people import PeopleStore
from digest_mailer.core.identity import SubscriberId

AT = "2023-05-01T10:00:00.000000Z"
LATER = "2023-06-01T10:00:00.000000Z"


@pytest.fixture
def old(tmp_path: Path) -> Database:
    """A database of the step before, with three people: two of one import, one who left."""
    database = Database(tmp_path / "digest.db")
    _upgrade(database, "0002")
    with closing(sqlite3.connect(database.path)) as connection, connection:
        connection.execute("INSERT INTO meta VALUES ('incarnation', '00'), ('sequence', '7')")
        connection.execute("INSERT INTO import_run VALUES (1, ?, 'people.csv', 'digest', 2, 0, 0, 0)", (AT,))
        for number, name in enumerate(("ann", "bob", "cyd"), 1):
            columns = "id, state, language, all_topics, created_at, changed_at, changed_seq"
            values = (number, "unsubscribed" if name == "cyd" else "active", AT, AT)
            connection.execute(f"INSERT INTO subscriber ({columns}) VALUES (?, ?, 'en', 1, ?, ?, 1)", values)  # noqa: S608
            person = (number, bytes([number] * 16), f"{name}@clinic.ca", f"{name}@clinic.ca", name)
            connection.execute("INSERT INTO person VALUES (?, ?, ?, ?, ?, '{}')", person)
        consents = [(1, "booth", "2022-05-20", 1), (2, "booth", "2022-05-20", 1), (1, "form", "2023-01-09", None)]
        connection.executemany(
            "INSERT INTO consent (subscriber_id, source, given_on, import_id, recorded_at) VALUES (?, ?, ?, ?, ?)",
            [(*consent, AT) for consent in consents],
        )
        moves: list[tuple[Any, ...]] = [(1, AT, None, "active", "imported"), (3, AT, None, "active", "imported")]
        moves.append((3, LATER, "active", "unsubscribed", "one-click"))
        columns = "subscriber_id, at, from_state, to_state, reason"
        connection.executemany(f"INSERT INTO transition ({columns}) VALUES (?, ?, ?, ?, ?)", moves)  # noqa: S608
        connection.execute("INSERT INTO suppression VALUES (?, 'complaint', ?)", (bytes(16), AT))
    _upgrade(database, "0003")
    return database


def test_every_consent_is_there_once_for_all_who_gave_it(old: Database) -> None:
    people = PeopleStore(old)
    given = {
        number: [(one.source, str(one.given_on)) for one in people.consents(SubscriberId(number))]
        for number in (1, 2, 3)
    }
    assert given == {1: [("form", "2023-01-09"), ("booth", "2022-05-20")], 2: [("booth", "2022-05-20")], 3: []}
    with closing(sqlite3.connect(old.path)) as connection:
        assert connection.execute("SELECT count(*) FROM consent").fetchone() == (2,)


def test_the_day_of_joining_is_that_of_the_first_consent_or_of_the_record(old: Database) -> None:
    people = PeopleStore(old)
    days = [str(found.joined_on) for number in (1, 2, 3) if (found := people.get(SubscriberId(number)))]
    assert days == ["2022-05-20", "2022-05-20", "2023-05-01"]


def test_states_so_far_begin_a_whole_trail(old: Database) -> None:
    trail = AuditStore(old)
    assert (trail.verify().entries, trail.verify().faults) == (3, ())
    told = [
        (one.action, one.facts["from"], one.facts["to"], one.content["reason"])
        for one in trail.records(SubscriberId(3))
    ]
    assert told == [("unsubscribe", "active", "unsubscribed", "one-click"), ("import", "", "active", "imported")]


def test_a_suppression_counts_in_every_wave(old: Database) -> None:
    with closing(sqlite3.connect(old.path)) as connection:
        assert connection.execute("SELECT kind, changed_seq FROM suppression").fetchall() == [("manual", 0)]


def _upgrade(database: Database, step: str) -> None:
    if not database.path.exists():
        database._make_file()
    config = Config()
    config.set_main_option("script_location", "digest_mailer.adapters.store:migrations")
    with closing(database.connect()) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, step)
