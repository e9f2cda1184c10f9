"""An import beside the list: its rows in tables that only this connection sees, compared with who is there.

All of it happens without a lock on the database: temporary tables live in a file of their own. `compare` finds out what
each row would do; `core.audience` says what may become of whom, and is asked for every pair of states.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any

from digest_mailer.adapters.store.roster_sql import COMPARE, FRESH, STAGE, TABLES
from digest_mailer.adapters.store.runs import Runs
from digest_mailer.core.address import address_hasher
from digest_mailer.core.audience import ImportResult, Reject, State, has_left, more_restricted
from digest_mailer.core.identity import SubscriberId
from digest_mailer.core.intake import Batch, Standing

_PARTS, _SHIFT = 64, 57  # of ids of 63 bits
TWICE = "the same address stands in an earlier row"


class StagingTables:
    """The rows of one import on one connection."""

    def __init__(self, connection: SqliteConnection, folder: Path, address_key: bytes) -> None:
        self._connection = connection
        self._hash = address_hasher(address_key)
        self._runs = Runs(folder)
        self._standings: dict[Standing, int] = {}
        for statement in TABLES:
            connection.execute(statement)
        pairs = [(now, wanted) for now in State for wanted in State]
        rows = [(now, wanted, more_restricted(now, wanted), has_left(now)) for now, wanted in pairs]
        connection.executemany("INSERT INTO narrowing VALUES (?, ?, ?, ?)", rows)

    def take(self, batch: Batch) -> None:
        """Collect the rows of a batch."""
        hashed, numbers = self._hash, self._standings
        self._runs.add(
            (hashed(typed.lower()), row, typed, name, attributes, everything, *topics,
             numbers.setdefault(standing, len(numbers) + 1))
            for row, typed, name, attributes, everything, topics, standing in batch.rows
        )  # fmt: skip
        self._runs.add((hashed(typed.lower()), row, typed, None) for row, typed in batch.named)

    def seal(self) -> list[Reject]:
        """All rows are there; answers those whose address stands in an earlier row."""
        repeated: list[Reject] = []
        connection = self._connection
        connection.execute("BEGIN")
        for part in self._runs.ordered():
            connection.executemany(STAGE, _first_of_each(part, repeated))
        standings = ((number, *standing, None) for standing, number in self._standings.items())
        connection.executemany("INSERT INTO standing VALUES (?, ?, ?, ?, ?, ?, ?, ?)", standings)
        connection.execute("COMMIT")
        self._runs.close()
        return sorted(repeated, key=lambda reject: reject.row)

    def compare(self) -> ImportResult:
        """What each row would do, now; in whatever transaction is open."""
        self._connection.execute("DELETE FROM met")
        self._connection.execute(COMPARE)
        found: dict[str, int] = dict(self._connection.execute("SELECT verdict, count(*) FROM met GROUP BY verdict"))
        (total,) = self._connection.execute("SELECT count(*) FROM staged").fetchone()
        return ImportResult(created=total - sum(found.values()), **found)

    def number(self, ids: Sequence[SubscriberId]) -> None:
        """Give the new people these ids, the smallest to the first by hash: so their rows are written one behind the
        other, and whoever does not have the key of the hashes learns nothing from it."""
        following = _ascending(ids)
        self._connection.create_function("new_id", 0, lambda: next(following))
        self._connection.execute("DELETE FROM fresh")
        self._connection.execute(FRESH)

    def close(self) -> None:
        """Forget the rows."""
        self._runs.close()


def _first_of_each(rows: Iterable[tuple[Any, ...]], repeated: list[Reject]) -> Iterable[tuple[Any, ...]]:
    """Rows of usable people, each address once. A row counts even when it was rejected: a later one may not bring back
    who left in it."""
    before = None
    for row in rows:
        if row[0] == before:
            repeated.append(Reject(row[1], row[2], TWICE))
            continue
        before = row[0]
        if row[3] is not None:
            yield (row[0], *row[2:])


def _ascending(ids: Sequence[SubscriberId]) -> Iterator[int]:
    """The ids in order, sorted in parts: a million at once would be a list of a million objects."""
    parts = [array("q") for _ in range(_PARTS)]
    for one in ids:
        parts[one >> _SHIFT].append(one)
    for part in parts:
        yield from sorted(part)
