"""Opens the database, and brings it up to date.

SQLite in WAL mode with `synchronous=FULL`: what was committed survives a power loss. Write transactions begin
IMMEDIATE, so that two writers wait for each other instead of failing half-way. A database from an older or a
newer version of the program is refused with the command that helps.
"""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import cast

from filelock import FileLock
from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, select, text, update
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import NullPool

from digest_mailer.adapters.store.tables import meta
from digest_mailer.core.errors import ConfigError, TemporaryProblem

REVISION = "0004"  # the newest step in migrations/versions
BUSY_SECONDS = 30
_SEQUENCE = "sequence"
_INCARNATION = "incarnation"


class Database:
    """One SQLite file. Each `read` and `write` is a transaction on a connection of its own."""

    def __init__(self, path: Path, busy_seconds: float = BUSY_SECONDS) -> None:
        self.path = path
        self._busy_seconds = busy_seconds
        self._engine = self._make_engine()

    def connect(self) -> Connection:
        """A connection to keep, for many small transactions, each begun as `write` begins them. When the last one
        closes, SQLite moves its whole log into the file, which takes longer than the transaction did. What refers to
        what is not checked on it: its statements are few, and the check would cost more than they do."""
        with explained(self.path):
            connection = self._engine.connect().execution_options(begin="BEGIN IMMEDIATE")
            sqlite(connection).execute("PRAGMA foreign_keys=OFF")
            return connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database."""
        with explained(self.path), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed as a whole, durably, or not at all."""
        with (
            explained(self.path),
            self._engine.connect().execution_options(begin="BEGIN IMMEDIATE") as connection,
            connection.begin(),
        ):
            yield connection

    def watcher(self) -> SqliteConnection:
        """A connection to look with, from any one thread at a time."""
        with explained(self.path):
            return sqlite3.connect(self.path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False)

    def revision(self) -> str | None:
        """The step the database is at; None when there is no database yet."""
        if not self.path.exists():
            return None
        with self.read() as connection:
            return _revision(connection)

    def require_current(self) -> None:
        """Raise ConfigError unless the database is at this program's step; make it when there is none."""
        revision = self.revision()
        if revision is None:
            self.upgrade()
        elif revision < REVISION:
            raise ConfigError(f"the database is at step {revision}, this version needs {REVISION}", _UPGRADE)
        elif revision > REVISION:
            raise ConfigError(
                f"the database is at step {revision}, made by a newer version than this one ({REVISION})",
                "install that version again",
            )

    def upgrade(self) -> tuple[str | None, str]:
        """Bring the database to this program's step; answers the steps before and after."""
        from alembic import command
        from alembic.config import Config

        before = self.revision()
        if before == REVISION:
            return before, REVISION
        self._make_file()
        config = Config()
        config.set_main_option("script_location", "digest_mailer.adapters.store:migrations")
        with closing(self.connect()) as connection, explained(self.path), connection.begin():
            before = _revision(connection)  # another process may have been faster
            config.attributes["connection"] = connection
            command.upgrade(config, REVISION)
            if before is None:
                connection.execute(insert(meta).values(key=_INCARNATION, value=secrets.token_hex(16)))
                connection.execute(insert(meta).values(key=_SEQUENCE, value="0"))
        return before, REVISION

    def _make_engine(self) -> Engine:
        url = URL.create("sqlite", database=str(self.path))  # not a text: a path may hold a question mark
        engine = create_engine(url, connect_args={"timeout": self._busy_seconds}, poolclass=NullPool)
        event.listen(engine, "connect", _set_up)
        event.listen(engine, "begin", _begin)
        return engine

    def _make_file(self) -> None:
        """An empty file in WAL mode, for its owner's eyes: SQLite gives its companions the same rights. The mode is
        set before others see the file, because SQLite does not wait for whoever uses it to change it."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(self.path.with_suffix(".lock"), mode=0o600):
                if not self.path.exists():
                    new = self.path.with_suffix(".new")
                    new.unlink(missing_ok=True)  # of a process that was killed
                    new.touch(mode=0o600)
                    with closing(sqlite3.connect(new)) as connection:
                        connection.execute("PRAGMA journal_mode=WAL")
                    new.replace(self.path)
        except OSError as problem:
            raise ConfigError(f"cannot make the database {self.path}: {problem.strerror}", _DISK) from problem


_UPGRADE = "bring it up to date with: digest-mailer db upgrade"
_DISK = "check the disk and its permissions"


def sqlite(connection: Connection) -> SqliteConnection:
    """The driver's own connection, inside the same transaction, for the hot paths."""
    return cast("SqliteConnection", connection.connection.driver_connection)


def incarnation(connection: Connection) -> str:
    """Which life of the database this is: a restored backup gets another."""
    return str(connection.execute(select(meta.c.value).where(meta.c.key == _INCARNATION)).scalar_one())


def sequence(connection: Connection) -> int:
    """How often the audience was changed."""
    return int(connection.execute(select(meta.c.value).where(meta.c.key == _SEQUENCE)).scalar_one())


def next_sequence(connection: Connection) -> int:
    """Count one more change of the audience; call it in every transaction that changes who gets mail. Whoever sends
    looks at this number to learn that somebody has left."""
    value = sequence(connection) + 1
    connection.execute(update(meta).where(meta.c.key == _SEQUENCE).values(value=str(value)))
    return value


def _revision(connection: Connection) -> str | None:
    found = connection.execute(text("SELECT name FROM sqlite_master WHERE name = 'alembic_version'")).first()
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() if found else None


def _set_up(connection: SqliteConnection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where _begin says
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
    except sqlite3.Error:
        connection.close()  # the pool does not know it yet
        raise


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Trouble with the database as a sentence, whether it comes through SQLAlchemy or straight from the driver."""
    try:
        yield
    except (DatabaseError, sqlite3.DatabaseError) as problem:
        reason = str(problem.orig if isinstance(problem, DatabaseError) else problem)
        if isinstance(problem, OperationalError | sqlite3.OperationalError):
            if "locked" in reason:
                raise TemporaryProblem(f"the database {path} is busy", "try again in a minute") from problem
            if "full" in reason:
                raise TemporaryProblem(f"the disk of {path} is full", "make room, then run it again") from problem
            raise ConfigError(f"cannot use the database {path}: {reason}", _DISK) from problem
        if "not a database" in reason or "malformed" in reason:
            raise ConfigError(f"{path} is damaged or no database: {reason}", "put a backup in its place") from problem
        raise
