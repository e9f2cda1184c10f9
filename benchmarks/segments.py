"""How fast segments of a long list are counted: a million people who follow one to eight of 36 topics each.

    make bench

The list is made first, which takes a minute. Each figure is the median of five counts, each with a connection of its
own, behind one that is not counted. `python benchmarks/segments.py 100000` takes another number of people.
"""

import json
import random
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

from publication import ROOT
from rendering import calibration, seconds
from report import machine

from digest_mailer.adapters.store.database import Database
from digest_mailer.adapters.store.people import PeopleStore
from digest_mailer.bootstrap import build_app
from digest_mailer.core.segment import Segment
from digest_mailer.core.segment_text import parse

PEOPLE = 1_000_000
GOAL = 60  # ms, for what is asked of topics, state and language
EXPRESSIONS = (
    ("everybody", GOAL),
    ("state:active", GOAL),
    ("any:attachment,empathy,termination state:active", GOAL),
    ("any:attachment,empathy,termination", 0),
    ("all:attachment,empathy state:active", GOAL),
    ("none:attachment,empathy,termination state:active", GOAL),
    ("any:attachment,empathy,termination state:active language:fr", GOAL),
    ("any:attachment,#70,#200 state:active", 0),
    ("joined>=2020 joined<2022 state:active", 0),
    ("role=clinician state:active", 0),
    ("role=clinician city=Montréal any:attachment", 0),
    ("state:paused role=clinician", 0),
    ("received:2023-06 state:active", 0),
    ("not:received:2023-06 state:active", 0),
)
_STATES = ("active",) * 88 + ("unsubscribed",) * 6 + ("paused", "pending", "bounced") * 2
_NOW = "2024-01-01T00:00:00.000000Z"


def main() -> None:
    """Make the list, measure, and print a table."""
    people = int(sys.argv[1]) if len(sys.argv) > 1 else PEOPLE
    catalogue = build_app(ROOT).library.vocabulary.catalogue
    with tempfile.TemporaryDirectory() as folder:
        store = PeopleStore(made(Path(folder, "digest.db"), people))
        base = seconds(calibration)
        sys.stdout.write(f"{machine()}, SQLite {sqlite3.sqlite_version}; {people:,} people\n\n")
        sys.stdout.write("| segment | people | goal | median | in loops |\n| --- | --: | --: | --: | --: |\n")
        sys.stdout.write(f"| calibration loop | | | {base * 1000:.0f} ms | 1.00 |\n")
        for expression, goal in EXPRESSIONS:
            found, took = counted(store, parse(expression, catalogue))
            at_most = f"{goal} ms" if goal else ""
            line = f"| `{expression}` | {found:,} | {at_most} | {took * 1000:.0f} ms | {took / base:.2f} |"
            sys.stdout.write(f"{line}\n")


def counted(store: PeopleStore, segment: Segment) -> tuple[int, float]:
    """How many people a segment has, and how long it takes to know."""
    return sum(store.count(segment).values()), seconds(lambda: store.count(segment))


def made(path: Path, people: int) -> Database:
    """A database with so many people."""
    database = Database(path)
    database.upgrade()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        with connection:
            _fill(connection, people)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return database


def _fill(connection: sqlite3.Connection, people: int) -> None:
    """The same people every time. Nine tenths of them have an issue, as a mailing writes it: in the order of ids."""
    chance = random.Random(7)  # noqa: S311 - nothing is secret here
    ids = [chance.getrandbits(63) for _ in range(people)]
    own = ("id", "state", "language", "all_topics", "topics_0", "created_at", "changed_at", "changed_seq", "joined_on")
    _insert(connection, "subscriber", own, _subscribers(ids, chance))
    personal = ("subscriber_id", "address_hash", "canonical", "typed", "name", "attributes")
    _insert(connection, "person", personal, _persons(ids, chance))
    connection.execute(
        "INSERT INTO delivery"
        " (mailing_id, wave_id, issue, address_hash, subscriber_id, artefact_hash, state, changed_at)"
        " SELECT 1, 1, '2023-06', address_hash, subscriber_id, '', iif(subscriber_id % 50, 'accepted', 'refused'), ?"
        " FROM person WHERE subscriber_id % 10 < 9 ORDER BY subscriber_id",
        (_NOW,),
    )


def _insert(
    connection: sqlite3.Connection, table: str, columns: tuple[str, ...], rows: Iterator[tuple[object, ...]]
) -> None:
    marks = ", ".join("?" * len(columns))
    connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)  # noqa: S608


def _subscribers(ids: list[int], chance: random.Random) -> Iterator[tuple[object, ...]]:
    for identifier in ids:
        topics = sum(1 << topic for topic in chance.sample(range(36), chance.randint(1, 8)))
        language = "fr" if chance.random() < 0.3 else "en"
        joined = date(2014, 1, 1) + timedelta(chance.randrange(3650))
        everything = chance.random() < 0.05
        yield identifier, chance.choice(_STATES), language, everything, topics, _NOW, _NOW, 1, str(joined)


def _persons(ids: list[int], chance: random.Random) -> Iterator[tuple[object, ...]]:
    for number, identifier in enumerate(ids):
        attributes = {
            "city": chance.choice(("Ottawa", "Toronto", "Montréal", "Halifax")),
            "role": chance.choice(("clinician", "student", "educator", "researcher")),
        }
        address = f"reader{number}@clinic{number % 977}.ca"
        words = json.dumps(attributes, ensure_ascii=False, sort_keys=True)
        yield identifier, chance.randbytes(16), address, address, f"Reader {number}", words


if __name__ == "__main__":
    main()
