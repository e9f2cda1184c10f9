"""An import beside the list: its rows in tables that only this connection sees, compared with who is there.

All of it happens without a lock on the database: temporary tables live in a file of their own. `compare` finds out what
each row would do; `core.audience` says what may become of whom, and is asked for every pair of states.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any

from digest_mailer.adapters.store.roster_sql import COMPARE, COUNTED, STAGE, STANDINGS, TABLES
from digest_mailer.adapters.store.runs import Runs
from digest_mailer.core.address import address_hasher
from digest_mailer.core.audience import ImportResult, Reject, State, has_left, more_restricted
from digest_mailer.core.identity import SubscriberId
from digest_mailer.core.intake import Batch, Standing

TWICE = "the same address stands in an earlier row"


class StagingTables:
    """The rows of one import on one connection."""

    def __init__(
        self,
        connection: SqliteConnection,
        folder: Path,
        address_key: bytes,
        new_ids: Callable[[int], Iterator[SubscriberId]],
    ) -> None:
        self._connection = connection
        self._new_ids = new_ids
        self._hash = address_hasher(address_key)
        self._runs = Runs(folder)
        self._standings: defaultdict[Standing, int] = defaultdict(count(1).__next__)
        for statement in TABLES:
            connection.execute(statement)
        pairs = [(now, wanted) for now in State for wanted in State]
        rows = [(now, wanted, more_restricted(now, wanted), has_left(now)) for now, wanted in pairs]
        connection.executemany("INSERT INTO narrowing VALUES (?, ?, ?, ?)", rows)

    def take(self, batch: Batch) -> None:
        """Collect the rows of a batch."""
        hashed = self._hash
        if batch.rows:
            rows, typed, names, attributes, follows, standings = zip(*batch.rows, strict=True)
            hashes = [hashed(one.lower()) for one in typed]
            topics, numbers = zip(*follows, strict=True), map(self._standings.__getitem__, standings)
            self._runs.add(zip(hashes, rows, typed, names, attributes, *topics, numbers, strict=True))
        self._runs.add((hashed(one.lower()), row, one, None) for row, one in batch.named)

    def seal(self) -> list[Reject]:
        """All rows are there; answers those whose address stands in an earlier row. Each is given the id that its
        person will have if it is a new one, the smallest to the first by hash: so people are written one behind the
        other, and whoever does not have the key of the hashes learns nothing from it."""
        repeated: list[Reject] = []
        connection, ids = self._connection, self._new_ids(self._runs.total)
        connection.execute("BEGIN")
        for part in self._runs.ordered():
            connection.executemany(STAGE, _first_of_each(part, ids, repeated))
        connection.executemany(STANDINGS, ((number, *standing) for standing, number in self._standings.items()))
        connection.execute("COMMIT")
        self._runs.close()
        return sorted(repeated, key=lambda reject: reject.row)

    def compare(self) -> ImportResult:
        """What each row would do, now; in whatever transaction is open."""
        self._connection.execute("DELETE FROM met")
        self._connection.execute(COMPARE)
        counts = self._connection.execute(COUNTED).fetchone()
        (total,) = self._connection.execute("SELECT count(*) FROM staged").fetchone()
        return ImportResult(total - sum(counts), *counts)

    def close(self) -> None:
        """Forget the rows."""
        self._runs.close()


def _first_of_each(
    rows: Iterable[tuple[Any, ...]], ids: Iterator[SubscriberId], repeated: list[Reject]
) -> Iterable[tuple[Any, ...]]:
    """Rows of usable people with their ids, each address once. A row counts even when it was rejected: a later one may
    not bring back who left in it."""
    before = None
    for row, new_id in zip(rows, ids, strict=False):  # in this order: no id is taken for nothing
        if row[0] == before:
            repeated.append(Reject(row[1], row[2], TWICE))
            continue
        before = row[0]
        if row[3] is not None:
            yield (new_id, row[0], *row[2:])
