"""Segments in the database: what core says, counted in each way; kept by name; the same while a wave is written."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from core_support import FRENCH, JULY
from digest_mailer.adapters.store.audience import extend, writing
from digest_mailer.adapters.store.counts import count
from digest_mailer.adapters.store.segments import segment_from_json, segment_to_json
from digest_mailer.adapters.store.tables import wave
from digest_mailer.core.audience import AudienceGroup, Consent, State, Subscriber
from digest_mailer.core.errors import ChangedMeanwhileError
from digest_mailer.core.identity import ENGLISH, IssueId, Language
from digest_mailer.core.people_search import Search
from digest_mailer.core.segment import EVERYBODY, MAX_ISSUES, MAX_PAIRS, Segment, matches
from digest_mailer.core.topic import NO_TOPICS, intersect, words_of
from segment_support import DAYS, ISSUES, LANGUAGES, attributes, segments_of_one, topic_sets
from store_support import NOW, Store, candidate, make_store

FEW = settings(max_examples=settings().max_examples // 4)  # each with a database of its own
FEWER = settings(max_examples=settings().max_examples // 8)
SPRING = date(2024, 4, 1)
MAY, JUNE = IssueId("2023-05"), IssueId("2023-06")
STATES = [state for state in State if state is not State.ERASED]
ACTOR = "cli:tests"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path)


@dataclass
class Person:
    """What is drawn for one person."""

    topics: tuple[int, ...]
    all_topics: bool
    language: Language
    state: State
    until: date | None
    attributes: dict[str, str]
    joined: date
    rows: dict[IssueId, str] = field(default_factory=dict)  # of the ledger, by issue


people = st.builds(
    Person,
    topic_sets,
    st.booleans(),
    st.sampled_from(LANGUAGES),
    st.sampled_from([State.ACTIVE, *STATES]),
    st.sampled_from([None, SPRING, date(2024, 1, 1)]),
    attributes,
    st.sampled_from(DAYS),
    st.dictionaries(st.sampled_from(ISSUES), st.sampled_from(["accepted", "accepted", "unknown", "refused"])),
)


def filled(folder: str, drawn: Sequence[Person], suppressed: int = 0) -> Store:
    store = make_store(Path(folder))
    rows = [
        candidate(
            address(number),
            language=one.language,
            state=one.state,
            paused_until=one.until if one.state is State.PAUSED else None,
            attributes=one.attributes,
            consent=Consent("booth", one.joined),
        )
        for number, one in enumerate(drawn)
    ]
    both = zip(rows, drawn, strict=True)
    store.load(*(replace(row, topics=one.topics, all_topics=one.all_topics) for row, one in both))
    for number, one in enumerate(drawn):
        for issue, state in one.rows.items():
            store.receive(address(number), issue, state)
    for row in rows[:suppressed]:
        store.suppress(row.address.typed)
    return store


def address(number: int) -> str:
    return f"reader{number}@clinic.ca"


# -- SQL means what core says


@FEW
@given(st.lists(people, min_size=1, max_size=8), st.lists(segments_of_one, min_size=1, max_size=16))
def test_a_segment_in_sql_is_the_segment_of_core(drawn: list[Person], wanted: list[Segment]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = filled(folder, drawn)
        everybody = [*store.people.listing(EVERYBODY)]
        assert len(everybody) == len(drawn)
        got = {
            address(number): frozenset(issue for issue, state in one.rows.items() if state == "accepted")
            for number, one in enumerate(drawn)
        }

        def inside(segment: Segment) -> list[Subscriber]:
            return [person for person in everybody if matches(segment, person, got[person.address.canonical])]

        for one in wanted:
            found = inside(one)
            assert [*store.people.listing(one)] == found
            assert store.people.count(one) == Counter(person.state for person in found)
            states = (State.ACTIVE, State.BOUNCED)
            assert [*store.people.listing(one, states)] == [person for person in found if person.state in states]
        for person in everybody:
            assert store.segments.received(person.id, ISSUES) == got[person.address.canonical]


@pytest.mark.parametrize("erased", [Segment(), Segment(states=(State.ERASED,)), Segment(attributes={"a": ("b",)})])
def test_who_was_erased_is_in_no_segment(store: Store, erased: Segment) -> None:
    store.load(candidate(address(1), attributes={"a": "b"}))
    store.changes.erase(store.person(address(1)).id, ACTOR, NOW)
    assert [*store.people.listing(erased)] == []
    assert store.people.count(erased) == {}


def test_who_changed_the_address_or_came_back_has_received_it(store: Store) -> None:
    store.load(*(candidate(address(number)) for number in range(3)))
    for number in (0, 1):
        store.receive(address(number), JUNE)
    store.sql("UPDATE delivery SET address_hash = x'00' WHERE id = 1")
    store.sql("UPDATE delivery SET subscriber_id = 77 WHERE id = 2")
    found = store.people.listing(Segment(received=(MAY, JUNE)))
    assert [person.address.canonical for person in found] == [address(0), address(1)]
    assert store.people.count(Segment(not_received=(JUNE,))) == {State.ACTIVE: 1}
    received = [store.segments.received(store.person(address(number)).id, (MAY, JUNE)) for number in range(3)]
    assert received == [{JUNE}, {JUNE}, set()]
    assert store.segments.received(store.person(address(0)).id, ()) == set()


def test_the_database_bears_the_largest_segment_and_a_question_for_more_issues(store: Store) -> None:
    store.load(candidate(address(0)))
    issues = tuple(IssueId(f"{1960 + number // 12}-{number % 12 + 1:02}") for number in range(720))
    for sign in ("", '"'):
        attributes = {f"{sign}{number}": ("x",) for number in range(MAX_PAIRS)}
        largest = Segment(attributes=attributes, received=issues[:MAX_ISSUES], not_received=issues[:MAX_ISSUES])
        assert not largest.is_too_large
        assert store.people.count(largest) == {}
        assert [*store.people.listing(largest)] == []
        assert not store.people.page(Search(largest)).people
    person = store.person(address(0)).id
    assert store.segments.received(person, issues) == set()


def test_an_attribute_is_asked_by_name_and_values(store: Store) -> None:
    store.load(candidate("ann@clinic.ca", attributes={'a "b"': "x"}), candidate("bob@clinic.ca", attributes={"c": "x"}))
    wanted: list[tuple[str, dict[str, tuple[str, ...]]]] = [
        ("ann@clinic.ca", {'a "b"': ("x",)}),
        ("bob@clinic.ca", {"c": ("y", "x")}),
    ]
    for who, attribute in wanted:
        found = store.people.listing(Segment("one", attributes=attribute))
        assert [str(person.address) for person in found] == [who]
    assert store.people.count(Segment("none", attributes={'a "b"': ("x",), "c": ("x",)})) == {}


@pytest.mark.parametrize(
    ("segment", "index"),
    [
        (Segment(any_topics=words_of((1, 2, 3)), states=(State.ACTIVE,)), "ix_subscriber_active"),
        (Segment(languages=(FRENCH,)), "ix_subscriber_active"),
        (Segment(no_topics=words_of((3, 100))), "ix_subscriber_audience"),
        (Segment(joined_from=SPRING, joined_before=SPRING), "ix_subscriber_audience"),
    ],
)
def test_what_is_asked_of_everybody_is_counted_from_an_index_alone(store: Store, segment: Segment, index: str) -> None:
    """A look at each row makes a count of a million people ten times as slow."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        asked.append((statement, values))

    with store.database.read() as connection:
        event.listen(connection, "before_cursor_execute", note)
        assert count(connection, segment) == {}
        statement, values = asked[-1]
        plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    looks = [step for step in plan if " subscriber " in step]
    assert looks
    assert all("USING COVERING INDEX" in step for step in looks)
    assert any(index in step for step in looks)


@FEW
@given(st.lists(people, min_size=1, max_size=8), topic_sets, segments_of_one, st.integers(0, 3))
def test_groups_are_the_people_counted_by_what_decides(
    drawn: list[Person], topics: tuple[int, ...], wanted: Segment, suppressed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = filled(folder, drawn, suppressed)
        store.freeze(segment=Segment("some", languages=(ENGLISH,)))
        of_july = "SELECT canonical FROM delivery JOIN person USING (subscriber_id) WHERE issue = ?"
        frozen = {canonical for (canonical,) in store.sql(of_july, JULY)}
        out = {address(number) for number in range(suppressed)}
        expected = Counter[AudienceGroup]()
        for person in store.people.listing(wanted):
            group = AudienceGroup(
                state=person.state,
                paused_until=person.paused_until if person.state is State.PAUSED else None,
                suppressed=person.address.canonical in out,
                already=person.address.canonical in frozen,
                follows=person.all_topics or person.topics != NO_TOPICS,
                topics=intersect(person.topics, topics),
                all_topics=person.all_topics,
                language=person.language,
                people=1,
            )
            expected[group] += 1
        found = store.people.groups(JULY, topics, wanted)
        assert {replace(group, people=1): group.people for group in found} == expected
        assert len(found) == len(expected)


# -- a wave of a segment that asks for issues, states and days

events = st.tuples(st.sampled_from(["accepted", "refused", "new row", "pause", "attribute", "fate"]), st.integers(0, 7))


@FEWER
@given(
    st.lists(st.sampled_from(["none", "accepted", "unknown", "planned", "refused"]), min_size=8, max_size=8),
    st.lists(st.lists(events, max_size=6), min_size=1, max_size=4),
    st.booleans(),
)
def test_a_wave_has_who_had_received_an_issue_when_it_was_made(
    before: list[str], steps: list[list[tuple[str, int]]], got: bool
) -> None:
    """Written two people at a time, while another mailing goes on and unknown rows are settled."""
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(Path(folder))
        joined = [Consent("booth", date(2023 if number else 2021, 1, 1)) for number in range(len(before))]
        store.load(*(candidate(address(number), (1,), consent=one) for number, one in enumerate(joined)))
        for number, state in enumerate(before):
            if state != "none":
                store.receive(address(number), JUNE, state)
        segment = Segment(states=(State.ACTIVE,), joined_from=date(2022, 1, 1))
        segment = replace(segment, received=(JUNE,)) if got else replace(segment, not_received=(JUNE,))
        at_once = [address(n) for n, state in enumerate(before) if n and (state == "accepted") == got]
        assert store.ledger.open_wave(store.approve(), store.request(segment)) == len(at_once)
        for step in steps:
            write_rows(store, 2)
            for what, whom in step:
                happen(store, what, whom)
        write_rows(store, 100)
        assert sorted(store.states()) == sorted(at_once)
        assert store.sql("SELECT count(*) FROM received_later") == [(0,)]


def write_rows(store: Store, limit: int) -> None:
    """One part of the rows, by a sender that is killed right after."""
    with store.database.write() as connection:
        found = connection.execute(select(wave).where(~wave.c.frozen)).first()
        if found:
            extend(connection, found, writing(found, JULY), limit)


def happen(store: Store, what: str, whom: int) -> None:
    """Something changes that a segment asks for."""
    of_june = "issue = '2023-06' AND subscriber_id = (SELECT subscriber_id FROM person WHERE canonical = ?)"
    match what:
        case "accepted" | "refused":
            open_row = "state != 'accepted'"
            store.sql(f"UPDATE delivery SET state = ? WHERE {of_june} AND {open_row}", what, address(whom))  # noqa: S608
        case "fate":
            late = "2030-01-01T00:00:00.000000Z"
            store.sql(f"UPDATE delivery SET changed_at = ? WHERE {of_june}", late, address(whom))  # noqa: S608
        case "new row" if not store.sql(f"SELECT 1 FROM delivery WHERE {of_june}", address(whom)):  # noqa: S608
            store.receive(address(whom), JUNE)
        case "pause":
            store.load(candidate(address(whom), (1,), state=State.PAUSED, consent=Consent("again", SPRING)))
        case "attribute":
            store.load(candidate(address(whom), (2,), attributes={"role": "new"}, consent=Consent("again", SPRING)))


def test_a_plan_of_a_segment_that_asks_for_issues_is_counted_again(store: Store) -> None:
    """An acceptance changes nobody on the list, so its sequence does not tell."""
    store.load(candidate(address(0)), candidate(address(1)))
    store.receive(address(0), JUNE)
    segment = Segment(not_received=(JUNE,))
    request = replace(store.request(segment), people=1, sequence=store.people.sequence())
    store.receive(address(1), JUNE)
    assert store.ledger.open_wave(store.approve(), request) == 0


# -- named segments


@given(segments_of_one)
def test_a_definition_is_read_back_as_it_was_written(segment: Segment) -> None:
    assert segment_from_json(segment.name, segment_to_json(segment)) == segment


def test_a_definition_of_an_older_version_is_read() -> None:
    old = '{"any": [0, 251], "languages": ["fr"], "attributes": {"role": "clinician"}}'
    attributes = {"role": ("clinician",)}
    assert segment_from_json("a", old) == Segment("a", words_of((0, 251)), languages=(FRENCH,), attributes=attributes)


def test_named_segments_are_kept_by_name(store: Store) -> None:
    kept = [Segment("b", any_topics=words_of([251])), Segment("a", languages=(FRENCH,), attributes={'x"': ("é",)})]
    assert all(store.segments.add(segment, ACTOR, NOW) for segment in kept)
    assert store.segments.all() == kept[::-1]
    assert store.segments.get("b") == kept[0]


def test_a_name_of_a_segment_is_taken_once(store: Store) -> None:
    assert store.segments.add(Segment("a"), ACTOR, NOW)
    assert not store.segments.add(Segment("a", languages=(FRENCH,)), ACTOR, NOW)
    assert store.segments.get("a") == Segment("a")
    assert store.segments.get("b") is None


def test_a_segment_that_means_something_else_meanwhile_is_left_alone(store: Store) -> None:
    old, new = Segment("a", attributes={"role": ("x",)}), Segment("a", languages=(FRENCH,))
    store.segments.add(old, ACTOR, NOW)
    assert store.segments.edit(new, ACTOR, NOW, only_if=old)
    before = store.dump()
    with pytest.raises(ChangedMeanwhileError):
        store.segments.edit(Segment("a"), ACTOR, NOW, only_if=old)
    with pytest.raises(ChangedMeanwhileError):
        store.segments.remove("a", ACTOR, NOW, only_if=old)
    assert store.dump() == before
    assert store.segments.remove("a", ACTOR, NOW, only_if=replace(new, name=""))


def test_what_is_done_to_segments_is_on_record(store: Store) -> None:
    assert not store.segments.edit(Segment("a"), ACTOR, NOW)
    assert not store.segments.remove("a", ACTOR, NOW)
    store.segments.add(Segment("a", languages=(FRENCH,)), ACTOR, NOW)
    assert store.segments.edit(Segment("a", states=(State.PAUSED,)), ACTOR, NOW)
    assert store.segments.edit(Segment("a", states=(State.PAUSED,)), ACTOR, NOW)  # nothing new
    assert store.segments.get("a") == Segment("a", states=(State.PAUSED,))
    assert store.segments.remove("a", ACTOR, NOW)
    assert store.segments.all() == []
    french, paused = {"languages": ["fr"]}, {"states": ["paused"]}
    entries = [(one.actor, one.action, dict(one.facts)) for one in store.trail.records()]
    assert entries[::-1] == [
        (ACTOR, "segment-add", {"name": "a", "definition": french}),
        (ACTOR, "segment-edit", {"name": "a", "before": french, "definition": paused}),
        (ACTOR, "segment-remove", {"name": "a", "definition": paused}),
    ]
