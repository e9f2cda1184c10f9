"""Imports: rows against who is there already, merged in one transaction.

Reading a file takes long and holds nothing up: its rows are staged beside the database (`staging`) and compared with
it. Only then the database is locked, and if the audience has not changed since the comparison, what it found is written
by a few statements; else it is made again under the lock. So who leaves meanwhile stays away. An import may add people
and correct what is kept of them, but not what they chose themselves; it never brings back who has left or is
suppressed, and doing it twice changes nothing the second time.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime
from sqlite3 import Connection as SqliteConnection

from sqlalchemy import Connection, insert

from digest_mailer.adapters.store import audit
from digest_mailer.adapters.store.database import Database, explained, next_sequence, sequence, sqlite
from digest_mailer.adapters.store.open_rows import drop_open_rows
from digest_mailer.adapters.store.roster_sql import CHANGED, CONSENTS, DROPPED, NEW
from digest_mailer.adapters.store.staging import StagingTables
from digest_mailer.adapters.store.tables import import_run, stamp
from digest_mailer.core.audience import ImportResult, Reject, State, eligible
from digest_mailer.core.audit import Note
from digest_mailer.core.identity import SubscriberId
from digest_mailer.core.intake import Batch, Origin

_CACHE = 32_000  # KiB of pages: the index of addresses grows at places all over it
_SORTING = 8_000  # KiB, for an index that is made anew
_MANY = 50_000  # people; from here on an index is better made anew than added to
_COLLECTING = gc.get_threshold()
_RARELY = 200_000  # objects between two searches for circles: rows are many, and never in one
_INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'subscriber' AND sql IS NOT NULL"


class RosterStore:
    """The port `Roster` on the database."""

    def __init__(
        self, database: Database, address_key: bytes, new_ids: Callable[[int], Iterator[SubscriberId]]
    ) -> None:
        self._database = database
        self._key = address_key
        self._new_ids = new_ids

    @contextmanager
    def staging(self) -> Iterator["Import"]:
        """A new import, on a connection of its own."""
        path = self._database.path
        with closing(self._database.connect()) as connection, explained(path), _rare_collections():
            driver = sqlite(connection)
            driver.execute("PRAGMA temp_store=FILE")
            driver.execute(f"PRAGMA cache_size=-{_CACHE}")
            with closing(StagingTables(driver, path.parent, self._key, self._new_ids)) as tables:
                yield Import(connection, tables)


class Import:
    """The port `Staging` on the database."""

    def __init__(self, connection: Connection, tables: StagingTables) -> None:
        self._connection = connection
        self._driver = sqlite(connection)
        self._tables = tables
        self.take: Callable[[Batch], None] = tables.take

    def seal(self) -> Sequence[Reject]:
        """All rows are there."""
        return self._tables.seal()

    def look(self) -> ImportResult:
        """What a merge would do."""
        self._driver.execute("BEGIN")
        try:
            return self._tables.compare()
        finally:
            self._driver.execute("ROLLBACK")

    def merge(self, origin: Origin, now: datetime) -> ImportResult:
        """Write it."""
        driver = self._driver
        driver.execute("BEGIN")
        (seen,) = driver.execute("SELECT value FROM meta WHERE key = 'sequence'").fetchone()
        result = self._tables.compare()
        driver.execute("COMMIT")
        with self._connection.begin():
            if sequence(self._connection) != int(seen):
                result = self._tables.compare()
            self._write(origin, result, now)
        return result

    def _write(self, origin: Origin, result: ImportResult, now: datetime) -> None:
        counts = {"created": result.created, "changed": result.changed, "kept_out": result.kept_out}
        counts["rejected"] = origin.rejected
        number = next_sequence(self._connection)
        run = {"at": now, "source": origin.source, "digest": origin.digest}
        found = self._connection.execute(insert(import_run).values(**run, **counts)).inserted_primary_key
        values = {"run": found[0] if found else 0, "now": stamp(now), "sequence": number, "language": origin.language}
        (values["base"],) = self._driver.execute("SELECT coalesce(max(id), 0) FROM consent").fetchone()
        writing = (*(NEW if result.created else ()), *(CHANGED if result.changed else ()))
        with _indexes_later(self._driver, result.created):
            for statement in (*CONSENTS, *writing) if writing else ():
                self._driver.execute(statement, values)
        self._drop(now)
        # the name of the file may be somebody's: it stands in `import_run`, and never in the chain
        facts = {"import": values["run"], "digest": origin.digest, **counts}
        audit.append(self._connection, Note(origin.actor, "import", facts=facts), now)

    def _drop(self, now: datetime) -> None:
        for who, state, until in self._driver.execute(DROPPED).fetchall():
            pause = date.fromisoformat(until) if until else None
            why_not = eligible(State(state), pause, suppressed=False, today=now.date())
            if why_not:
                drop_open_rows(self._connection, SubscriberId(who), why_not, now)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let Python look for circles of objects rarely: among so many rows that is a quarter of the time of reading."""
    gc.set_threshold(_RARELY)
    try:
        yield
    finally:
        gc.set_threshold(*_COLLECTING)


@contextmanager
def _indexes_later(driver: SqliteConnection, rows: int) -> Iterator[None]:
    """Where so many people are added that it pays, the indexes of the audience are taken away and made anew."""
    (there,) = driver.execute("SELECT count(*) FROM (SELECT 1 FROM subscriber LIMIT ?)", (rows,)).fetchone()
    if rows < _MANY or there >= rows:
        yield
        return
    indexes = driver.execute(_INDEXES).fetchall()
    for name, _ in indexes:
        driver.execute(f"DROP INDEX {name}")
    yield
    driver.execute(f"PRAGMA cache_size=-{_SORTING}")
    for _, statement in indexes:
        driver.execute(statement)
    driver.execute(f"PRAGMA cache_size=-{_CACHE}")
