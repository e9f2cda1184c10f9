"""Imports as they happen: staged beside the database, merged at once, and whoever leaves meanwhile stays away."""

import gc
import json
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_support import address_of
from digest_mailer.adapters.store import roster, roster_sql, runs
from digest_mailer.adapters.store import staging as staging_module
from digest_mailer.adapters.store.database import BUSY_SECONDS
from digest_mailer.adapters.store.staging import TWICE
from digest_mailer.adapters.system import new_subscriber_ids
from digest_mailer.core.address import address_hash
from digest_mailer.core.audience import Candidate, Consent, ImportResult, Reject, State
from digest_mailer.core.identity import FRENCH, Language
from digest_mailer.core.intake import Batch, Origin, row_of
from digest_mailer.core.segment import EVERYBODY
from digest_mailer.services.importing import Asked, Importer
from publication_support import FixedClock
from store_support import BOOTH, KEY, NOW, Store, candidate, make_store

FEW = settings(max_examples=settings().max_examples // 8)
ANN = "ann@clinic.ca"
FILE = Origin("people.csv", "digest", "cli:tests", 3)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path)


def batch(*people: Candidate, rejects: tuple[Reject, ...] = (), named: tuple[tuple[int, str], ...] = ()) -> Batch:
    return Batch([row_of(replace(one, row=row)) for row, one in enumerate(people, 2)], rejects, named)


def test_who_leaves_while_a_file_is_read_stays_away(store: Store) -> None:
    store.load(candidate(ANN, (1,)), candidate("bob@clinic.ca"))
    with store.roster.staging() as staging:
        staging.take(batch(candidate(ANN, (2,)), candidate("bob@clinic.ca", (2,)), candidate("new@clinic.ca")))
        store.people.leave(store.person(ANN).id, "link", NOW, None)
        store.suppress("bob@clinic.ca")
        assert not staging.seal()
        assert staging.merge(FILE, NOW) == ImportResult(created=1, kept_out=2)
    assert store.person(ANN).state is State.UNSUBSCRIBED


def test_who_leaves_between_the_comparison_and_the_lock_stays_away(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.load(candidate(ANN, (1,)))
    compare, calls = staging_module.StagingTables.compare, []

    def leaving(tables: staging_module.StagingTables) -> ImportResult:
        result = compare(tables)
        calls.append(result)
        if len(calls) == 1:
            store.people.leave(store.person(ANN).id, "link", NOW, None)
        return result

    monkeypatch.setattr(staging_module.StagingTables, "compare", leaving)
    with store.roster.staging() as staging:
        staging.take(batch(candidate(ANN, (2,)), candidate("new@clinic.ca")))
        staging.seal()
        assert staging.merge(FILE, NOW) == ImportResult(created=1, kept_out=1)
    assert [found.changed for found in calls] == [1, 0]
    assert store.person(ANN).state is State.UNSUBSCRIBED


def test_a_file_is_read_and_compared_without_a_lock(store: Store) -> None:
    with store.roster.staging() as staging:
        staging.take(batch(candidate(ANN)))
        staging.seal()
        staging.look()
        with closing(sqlite3.connect(store.database.path, timeout=0, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
    assert BUSY_SECONDS >= 30, "docs/how-to/bring-in-people-and-past-issues.md says how long a reader may have to wait"


def test_a_look_changes_nothing_and_says_what_a_merge_does(store: Store) -> None:
    store.load(candidate(ANN))
    before = store.dump()
    rows = batch(candidate(ANN, name="Ann"), candidate("new@clinic.ca"))
    with store.roster.staging() as staging:
        staging.take(rows)
        staging.seal()
        looked = staging.look()
        assert store.dump() == before
        assert staging.merge(FILE, NOW) == looked == ImportResult(created=1, changed=1)


def test_each_address_is_taken_once_and_a_rejected_row_counts(store: Store) -> None:
    with store.roster.staging() as staging:
        staging.take(batch(candidate(ANN, (1,)), candidate("bob@clinic.ca"), candidate("ANN@clinic.ca", (2,))))
        staging.take(Batch([row_of(replace(candidate("cyd@clinic.ca"), row=9))], (), [(8, "Cyd@Clinic.ca"), (10, ANN)]))
        repeated = staging.seal()
        assert staging.merge(FILE, NOW).created == 2
    assert [(one.row, one.email) for one in repeated] == [(4, "ANN@clinic.ca"), (9, "cyd@clinic.ca"), (10, ANN)]
    assert {one.reason for one in repeated} == {TWICE}
    assert store.person(ANN).topics == candidate(ANN, (1,)).topics
    assert store.people.find(address_of("cyd@clinic.ca")) is None


def test_one_entry_in_the_trail_tells_of_all_rows(store: Store) -> None:
    with store.roster.staging() as staging:
        staging.take(batch(*(candidate(f"reader{n}@clinic.ca") for n in range(5))))
        staging.seal()
        staging.merge(FILE, NOW)
    (entry,) = store.trail.records(action="import")
    assert (entry.actor, entry.subscriber, entry.content) == ("cli:tests", None, {})
    facts = {"import": 1, "digest": "digest", "created": 5, "changed": 0, "kept_out": 0, "rejected": 3}
    assert entry.facts == {**facts, "file": "people.csv"}
    assert [json.loads(one.facts) for one in store.trail.links()] == [facts], "the name may be somebody's"
    assert store.sql("SELECT created, rejected FROM import_run") == [(5, 3)]
    assert store.trail.verify().faults == ()


def test_an_import_is_one_consent_record_that_its_rows_refer_to(store: Store) -> None:
    form = Consent("form", date(2023, 1, 2))
    people = [candidate(f"reader{n}@clinic.ca", consent=(BOOTH, form)[n % 2]) for n in range(6)]
    store.load(*people)
    assert store.sql("SELECT count(*), import_id FROM consent") == [(2, 1)]
    assert store.sql("SELECT consent_id, count(*) FROM consented GROUP BY 1 ORDER BY 1") == [(1, 3), (2, 3)]
    assert [store.person(str(one.address)).consent for one in people] == [one.consent for one in people]


def test_the_day_of_joining_is_that_of_the_consent_or_the_one_that_is_said(store: Store) -> None:
    store.load(candidate(ANN), candidate("bob@clinic.ca", joined_on=date(2020, 1, 1)))
    assert store.person(ANN).joined_on == BOOTH.given_on
    assert store.person("bob@clinic.ca").joined_on == date(2020, 1, 1)


def test_the_audience_is_counted_up_once(store: Store) -> None:
    before = store.people.sequence()
    store.load(*(candidate(f"reader{n}@clinic.ca") for n in range(20)))
    assert store.people.sequence() == before + 1


def test_a_merge_that_fails_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = store.dump()
    monkeypatch.setattr(roster, "NEW", (*roster_sql.NEW, "INSERT INTO nowhere VALUES (1)"))
    monkeypatch.setattr(roster, "_MANY", 1)
    with store.roster.staging() as staging:
        staging.take(batch(candidate(ANN), candidate("bob@clinic.ca")))
        staging.seal()
        with pytest.raises(sqlite3.OperationalError):
            staging.merge(FILE, NOW)
    assert store.dump() == before


def test_an_index_that_was_made_anew_is_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = "SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name"
    before = store.sql(schema)
    monkeypatch.setattr(roster, "_MANY", 3)
    store.load(*(candidate(f"reader{n}@clinic.ca") for n in range(9)))
    assert store.sql(schema) == before
    assert store.sql("PRAGMA integrity_check") == [("ok",)]


def test_rows_that_went_to_disk_come_back_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_KEPT", 50)
    rows = [
        (address_hash(address_of(f"reader{n}@clinic.ca"), KEY), n, "Amélie", None, {"a": 2**70}) for n in range(500)
    ]
    found = runs.Runs(tmp_path)
    for start in range(0, 500, 7):
        found.add(rows[start : start + 7])
    assert [row for part in found.ordered() for row in [*part]] == sorted(rows, key=lambda row: row[0])
    found.close()
    assert not [*tmp_path.iterdir()], "the file has no name"


def test_people_lie_in_the_order_of_their_hashes(store: Store) -> None:
    store.load(*(candidate(f"reader{n}@clinic.ca") for n in range(50)))
    hashes = [digest for (digest,) in store.sql("SELECT address_hash FROM person ORDER BY subscriber_id")]
    assert hashes == sorted(hashes)
    assert len({one.id for one in store.people.listing(EVERYBODY)}) == 50


@given(st.integers(0, 400))
def test_new_ids_are_random_and_ascend(number: int) -> None:
    ids = [*new_subscriber_ids(number)]
    assert len(ids) == len({*ids, *new_subscriber_ids(number)}) / 2 == number
    assert ids == sorted(ids)
    assert all(0 < one < 2**63 for one in ids)
    if number > 100:
        assert {one >> 62 for one in ids} == {one & 1 for one in ids} == {0, 1}, "every bit is drawn"


def test_the_same_again_writes_no_person(store: Store) -> None:
    people = [candidate(ANN, (1,)), candidate("bob@clinic.ca")]
    store.load(*people)
    tables = ("subscriber", "person", "consent", "consented", "import_move")
    before = [store.sql(f"SELECT * FROM {name}") for name in tables]  # noqa: S608
    assert store.load(*people) == ImportResult(unchanged=2)
    assert [store.sql(f"SELECT * FROM {name}") for name in tables] == before  # noqa: S608


def test_one_import_creates_changes_leaves_and_keeps_out(store: Store) -> None:
    store.load(candidate(ANN, (1,)), candidate("bob@clinic.ca"), candidate("cyd@clinic.ca"))
    store.suppress("cyd@clinic.ca")
    rows = (candidate(ANN, (2,)), candidate("bob@clinic.ca"), candidate("cyd@clinic.ca"), candidate("new@clinic.ca"))
    assert store.load(*rows) == ImportResult(created=1, changed=1, unchanged=1, kept_out=1)
    assert store.person(ANN).topics == candidate(ANN, (2,)).topics


def test_a_file_that_says_no_language_changes_nobody_s(store: Store) -> None:
    silent = candidate(ANN, (1,), language=None)
    store.load(candidate(ANN, (1,), language=FRENCH))
    assert store.load(silent) == ImportResult(unchanged=1)
    assert store.load(candidate(ANN, (2,), language=None)) == ImportResult(changed=1)
    assert store.person(ANN).language == FRENCH
    with store.roster.staging() as staging:
        staging.take(batch(candidate("new@clinic.ca", language=None), candidate("eva@clinic.ca", language=FRENCH)))
        staging.seal()
        staging.merge(replace(FILE, language=Language("de")), NOW)
    assert [store.person(one).language for one in ("new@clinic.ca", "eva@clinic.ca")] == ["de", FRENCH]


def test_circles_are_looked_for_as_before_when_an_import_is_over(store: Store) -> None:
    before = gc.get_threshold()
    with suppress(ZeroDivisionError), store.roster.staging():
        assert gc.get_threshold() > before
        raise ZeroDivisionError
    assert gc.get_threshold() == before


def test_rejects_stop_an_import_unless_they_are_kept(store: Store) -> None:
    importer = Importer(store.roster, FixedClock())
    rows = [batch(candidate(ANN), candidate("ann@CLINIC.ca"), rejects=(Reject(9, "x", "why"),), named=((7, ANN),))]
    rejects = [(3, TWICE), (7, TWICE), (9, "why")]
    for asked, applied in ((Asked(), False), (Asked(apply=True), False), (Asked(apply=True, keep_rejects=True), True)):
        done = importer.run(rows, "people.csv", lambda: "digest", asked)
        assert ([(one.row, one.reason) for one in done.rejects], done.applied) == (rejects, applied)
        assert (store.people.find(address_of(ANN)) is not None) is applied
    assert json.loads(store.sql("SELECT facts FROM audit")[0][0])["rejected"] == 3


states = st.sampled_from([state for state in State if state is not State.ERASED])


@FEW
@given(st.lists(st.tuples(st.integers(0, 6), states, st.integers(1, 3)), max_size=12))
def test_two_files_merge_as_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, told: list[tuple[int, State, int]]
) -> None:
    def person(number: int, state: State, topic: int) -> Candidate:
        pause = date(2099, 1, topic) if state is State.PAUSED else None
        return candidate(f"reader{number}@clinic.ca", (topic,), state=state, paused_until=pause)

    whole, single = (make_store(tmp_path_factory.mktemp("stores")) for _ in range(2))
    rounds: list[dict[int, Candidate]] = []
    for number, state, topic in told:
        for seen in rounds:
            if number not in seen:
                seen[number] = person(number, state, topic)
                break
        else:
            rounds.append({number: person(number, state, topic)})
    for seen in rounds:
        whole.load(*seen.values())
        for one in seen.values():
            single.load(one)
    columns, tables = "canonical, state, paused_until, topics_0", "person JOIN subscriber ON id = subscriber_id"
    query = f"SELECT {columns} FROM {tables} ORDER BY canonical"  # noqa: S608
    assert whole.sql(query) == single.sql(query)
    assert whole.trail.verify().faults == ()
