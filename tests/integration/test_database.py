"""The database file: made, checked, brought up to date, shared between processes, and never half-changed."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from digest_mailer.adapters.store import database as module
from digest_mailer.adapters.store.database import REVISION, Database, incarnation, next_sequence
from digest_mailer.adapters.store.tables import metadata, segment, suppression
from digest_mailer.core.errors import ConfigError, ExitCode, TemporaryProblem
from store_support import NOW, Store, make_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path)


def tables(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]


def say_revision(path: Path, revision: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))


# -- what it is


def test_the_migrations_make_exactly_the_tables_of_the_code(store: Store) -> None:
    with store.database.read() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []


def shape(connection: sqlite3.Connection) -> dict[str, list[object]]:
    """What SQLite itself says of every table, with what alembic does not compare."""
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        name: [
            sorted(row[1:] for row in connection.execute(f"SELECT * FROM pragma_table_info('{name}')")),  # noqa: S608
            sorted(connection.execute(f'SELECT "table", "from" FROM pragma_foreign_key_list(\'{name}\')')),  # noqa: S608
            sorted(connection.execute(f"SELECT name, \"unique\" FROM pragma_index_list('{name}')")),  # noqa: S608
        ]
        for name in names
        if name != "alembic_version"
    }


def test_keys_defaults_references_and_indexes_are_those_of_the_code_too(store: Store, tmp_path: Path) -> None:
    other = Database(tmp_path / "other.db")
    with other.write() as connection:
        metadata.create_all(connection)
    with closing(sqlite3.connect(other.path)) as made, closing(sqlite3.connect(store.database.path)) as migrated:
        assert shape(migrated) == shape(made)


@pytest.mark.parametrize("way", ["read", "write"])
def test_every_connection_is_durable_and_minds_references(store: Store, way: str) -> None:
    with getattr(store.database, way)() as connection:
        values = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
        assert values == ["wal", 2]
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_a_row_that_refers_to_nothing_is_refused(store: Store) -> None:
    with pytest.raises(IntegrityError), store.database.write() as connection:
        connection.execute(text("INSERT INTO person VALUES (7, x'00', 'a@b.ca', 'a@b.ca', '', '{}', NULL)"))


def test_each_database_is_a_life_of_its_own(tmp_path: Path) -> None:
    lives = set()
    for name in "ab":
        database = Database(tmp_path / f"{name}.db")
        database.upgrade()
        with database.read() as connection:
            lives.add(incarnation(connection))
    assert len(lives) == 2
    assert all(len(life) == 32 for life in lives)


def test_the_database_is_for_its_owner_only(tmp_path: Path) -> None:
    database = Database(tmp_path / ".digest" / "digest.db")
    database.require_current()
    with database.write() as connection:
        next_sequence(connection)
        assert {path.stat().st_mode & 0o777 for path in database.path.parent.iterdir()} == {0o600}
    assert database.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_path_may_hold_what_means_something_in_a_url(tmp_path: Path) -> None:
    database = Database(tmp_path / "50%? #1;x=@:" / "digest.db")
    database.require_current()
    assert database.path.is_file()
    assert database.revision() == REVISION


# -- its revision


def test_no_database_is_made(tmp_path: Path) -> None:
    database = Database(tmp_path / "a" / "b" / "digest.db")
    assert database.revision() is None
    database.require_current()
    assert database.revision() == REVISION


def test_looking_for_a_database_makes_none(tmp_path: Path) -> None:
    Database(tmp_path / "digest.db").revision()
    assert not any(tmp_path.iterdir())


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    (tmp_path / "digest.db").touch()
    assert Database(tmp_path / "digest.db").upgrade() == (None, REVISION)


def test_upgrading_what_is_current_changes_nothing(store: Store) -> None:
    before = store.dump()
    assert store.database.upgrade() == (REVISION, REVISION)
    assert store.dump() == before


@pytest.mark.parametrize(("revision", "hint"), [("0000", "db upgrade"), ("9999", "install that version again")])
def test_another_revision_is_refused_with_what_helps(store: Store, revision: str, hint: str) -> None:
    say_revision(store.database.path, revision)
    with pytest.raises(ConfigError) as caught:
        store.database.require_current()
    assert revision in caught.value.what
    assert hint in caught.value.hint
    assert caught.value.exit_code == ExitCode.CONFIG


def damage_beginning(path: Path) -> None:
    path.write_bytes(b"what is this? " * 400)


def damage_middle(path: Path) -> None:
    page = 4096
    path.write_bytes(path.read_bytes()[:page] + b"\x5a" * (path.stat().st_size - page))


@pytest.mark.parametrize("damage", [damage_beginning, damage_middle])
def test_a_damaged_file_is_said_to_be_one_and_left_alone(store: Store, damage: object) -> None:
    assert callable(damage)
    damage(store.database.path)
    before = store.database.path.read_bytes()
    with pytest.raises(ConfigError, match="damaged or no database") as caught:
        store.database.require_current()
    assert str(store.database.path) in caught.value.what
    assert "backup" in caught.value.hint
    assert store.database.path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_a_matter_of_settings(tmp_path: Path) -> None:
    (tmp_path / ".digest").write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match="cannot make the database"):
        Database(tmp_path / ".digest" / "digest.db").require_current()


@pytest.mark.parametrize("step", ["the first index", "the last row"])
def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise ValueError(step)

    database = Database(tmp_path / "digest.db")
    with monkeypatch.context() as patch:
        if step == "the first index":
            patch.setattr(op, "create_index", fail)
        else:
            patch.setattr(module, "insert", fail)
        with pytest.raises(ValueError, match=step):
            database.upgrade()
    assert tables(database.path) == []
    database.require_current()
    assert database.revision() == REVISION


def test_processes_that_start_together_make_one_database(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def open_it(_number: int) -> None:
        database = Database(tmp_path / ".digest" / "digest.db")
        start.wait()
        database.require_current()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(open_it, range(8)))
    with closing(sqlite3.connect(tmp_path / ".digest" / "digest.db")) as connection:
        assert connection.execute("SELECT count(*) FROM meta").fetchone() == (2,)


def test_a_database_is_in_wal_mode_before_anybody_else_can_see_it(tmp_path: Path) -> None:
    """SQLite does not wait for others to change the mode: processes that start together would trip over it."""
    database = Database(tmp_path / "digest.db")
    database._make_file()
    assert database.path.read_bytes()[18:20] == b"\2\2"  # write and read version, sqlite.org/fileformat2.html


def test_who_finds_another_process_has_just_upgraded_is_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(tmp_path / "digest.db")

    def revision_of_before(_self: Database) -> None:
        """What this process saw before the other one came."""

    Database(tmp_path / "digest.db").upgrade()
    monkeypatch.setattr(Database, "revision", revision_of_before)
    assert database.upgrade() == (REVISION, REVISION)


# -- its transactions


def test_what_fails_writes_nothing(store: Store) -> None:
    before = store.dump()
    with pytest.raises(ZeroDivisionError), store.database.write() as connection:
        assert next_sequence(connection) / 0
    assert store.dump() == before


def test_what_ends_well_is_there_for_another_connection(store: Store) -> None:
    with store.database.write() as connection:
        connection.execute(insert(segment).values(name="a", definition="{}", created_at=NOW))
    assert store.sql("SELECT name, created_at FROM segment") == [("a", "2024-01-31T12:00:00.000000Z")]


def test_a_reader_sees_one_state(store: Store) -> None:
    query = text("SELECT count(*) FROM suppression")
    with store.database.read() as reading:
        assert reading.execute(query).scalar() == 0
        with store.database.write() as writing:
            writing.execute(insert(suppression).values(address_hash=b"x", reason="", since=NOW))
        assert reading.execute(query).scalar() == 0
    with store.database.read() as reading:
        assert reading.execute(query).scalar() == 1


def test_a_database_that_stays_busy_is_a_passing_problem(store: Store) -> None:
    impatient = Database(store.database.path, busy_seconds=0.01)
    with store.database.write():
        with pytest.raises(TemporaryProblem, match="busy") as caught, impatient.write():
            pytest.fail("two writers at once")
        assert caught.value.exit_code == ExitCode.TEMPORARY
        assert impatient.revision() == REVISION  # readers never wait


def test_a_second_writer_waits_for_the_first(store: Store) -> None:
    order: list[str] = []
    first_is_in, second_asks = threading.Event(), threading.Event()

    def first() -> None:
        with store.database.write() as connection:
            first_is_in.set()
            assert second_asks.wait(20)
            next_sequence(connection)
            order.append("first")

    def second() -> None:
        assert first_is_in.wait(20)
        second_asks.set()
        with store.database.write() as connection:
            order.append("second")
            assert next_sequence(connection) == 2

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(first), pool.submit(second)]:
            done.result(60)
    assert order == ["first", "second"]


def test_no_count_of_many_writers_is_lost(store: Store) -> None:
    start = threading.Barrier(4)

    def count(_number: int) -> list[int]:
        start.wait()
        counted = []
        for _ in range(5):
            with store.database.write() as connection:
                counted.append(next_sequence(connection))
        return counted

    with ThreadPoolExecutor(4) as pool:
        counted = [number for numbers in pool.map(count, range(4)) for number in numbers]
    assert sorted(counted) == [*range(1, 21)]
