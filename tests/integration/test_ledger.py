"""The ledger remembers first: whom an issue goes to, who is sending it, and every attempt."""

import re
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from core_support import JULY, address_of, edition_of
from digest_mailer.adapters.store import hand_off
from digest_mailer.adapters.store.audience import extend, writing
from digest_mailer.adapters.store.lease import SenderLease, recorder_path, wait_for_silence
from digest_mailer.adapters.store.tables import OPEN_ROWS, stamp, wave
from digest_mailer.core.audience import State, eligible
from digest_mailer.core.delivery import Accepted, Deferred, HandOff, Outcome, Refused, Scope, Unknown
from digest_mailer.core.edition import Assignment, edition_hash, encode_edition, keys_to_build
from digest_mailer.core.errors import InterlockError, Locked
from digest_mailer.core.identity import ENGLISH, IssueId, Language
from digest_mailer.core.mailing import Claim, Result, Status
from digest_mailer.core.publication import NoMatch
from digest_mailer.core.segment import EVERYBODY, Segment
from digest_mailer.core.topic import TopicWords, has_ordinal, ordinals_of, union, words_of
from store_support import HASH, NOW, WAY, Store, candidate, make_store

FEW = settings(max_examples=settings().max_examples // 4)  # each with a database of its own
FRENCH = Language("fr")
DIGEST = b"d" * 32
LATER = NOW + timedelta(minutes=5)
BUSY = Deferred(Scope.RECIPIENT, "4.2.2 mailbox full", 452, "4.2.2")
DOWN = Deferred(Scope.TRANSPORT, "connection lost")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path)


def readers(count: int, start: int = 0) -> list[str]:
    return [f"reader{number}@example.org" for number in range(start, start + count)]


def take(lease: SenderLease, limit: int, now: datetime = NOW) -> Sequence[Claim]:
    """Claim rows that are due."""
    return lease.turn((), limit, now).claims


def ended(claim: Claim, outcome: Outcome, state: HandOff, *, begun: bool = True, due: datetime = LATER) -> Result:
    started = NOW if begun else None
    later = due if state in (HandOff.DEFERRED, HandOff.PLANNED) else None
    return Result(claim.row, outcome, state, later, started, NOW, "1 to there", DIGEST, claim.attempts)


def attempt(lease: SenderLease, claim: Claim, outcome: Outcome, state: HandOff, due: datetime = LATER) -> None:
    """Begin and end an attempt, durably."""
    lease.begin(claim.row)
    lease.turn([ended(claim, outcome, state, due=due)], 0, NOW)


def kill(lease: SenderLease) -> None:
    """End like a process that is killed."""
    lease.close()


# -- freezing an audience


def test_a_wave_makes_a_mailing_and_a_row_for_everybody(store: Store) -> None:
    store.load(*(candidate(address) for address in readers(3)))
    assert store.freeze() == 3
    assert store.states() == dict.fromkeys(readers(3), "planned")
    mailing = store.ledger.mailing(JULY)
    assert mailing is not None
    assert (mailing.issue, mailing.status, mailing.started, mailing.transport) == (JULY, Status.SENDING, NOW, WAY)
    assert mailing.expires == NOW + timedelta(hours=48)
    assert store.sql("SELECT number, segment, people, frozen FROM wave") == [(1, "{}", 3, 1)]
    assert store.sql("SELECT DISTINCT artefact_hash, attempts, fate FROM delivery") == [(HASH, 0, "none")]


def test_a_wave_to_nobody_leaves_nothing(store: Store) -> None:
    store.load(candidate("ann@clinic.ca", state=State.PENDING))
    store.approve()
    before = store.dump()
    assert store.freeze() == 0
    assert store.dump() == before
    assert store.ledger.mailing(JULY) is None


def test_a_wave_that_needs_what_was_not_approved_leaves_nothing(store: Store) -> None:
    store.load(candidate("ann@clinic.ca", (5,)), candidate("bob@clinic.ca", (6,)))
    approval = store.approve()
    before = store.dump()
    apart = Assignment((words_of((5,)), words_of((6,))), (ENGLISH,), NoMatch.SKIP)
    with pytest.raises(InterlockError, match="2 people need an edition that was not approved"):
        store.ledger.open_wave(approval, store.request(assignment=apart))
    assert store.dump() == before


def test_a_number_that_nobody_agrees_to_leaves_nothing(store: Store) -> None:
    store.load(*(candidate(address) for address in readers(3)))
    store.approve()
    before = store.dump()
    told: list[int] = []

    def agree(people: int) -> None:
        told.append(people)
        raise InterlockError("too many")

    with pytest.raises(InterlockError):
        store.freeze(agree=agree)
    assert told == [3]
    assert store.dump() == before


def test_people_are_counted_again_only_when_the_list_was_changed(store: Store) -> None:
    store.load(*(candidate(address) for address in readers(3)))
    approval, told = store.approve(), list[int]()
    counted = store.people.sequence()

    def agree(people: int) -> None:
        told.append(people)
        raise InterlockError("no")

    for _ in range(2):
        with pytest.raises(InterlockError):
            store.ledger.open_wave(approval, store.request(people=77, sequence=counted), agree)
        store.people.leave(store.person("reader0@example.org").id, "link", NOW, None)
    assert told == [77, 2]


def test_a_mailing_whose_rows_are_not_written_yet_counts_its_people_as_planned(store: Store) -> None:
    store.load(*(candidate(address) for address in readers(1200)))
    assert store.ledger.open_wave(store.approve(), store.request()) == 1200
    assert store.ledger.progress(JULY)[HandOff.PLANNED] == 1200
    with closing(store.lease()) as lease:
        assert len(take(lease, 10)) == 10
    assert store.sql("SELECT count(*) FROM delivery") == [(500,)]
    assert store.ledger.progress(JULY)[HandOff.PLANNED] + 10 == 1200


def test_a_second_wave_adds_only_who_is_new(store: Store) -> None:
    store.begin(3).close()
    store.load(candidate("new@clinic.ca"))
    assert store.freeze() == 1
    assert store.freeze() == 0
    assert len(store.states()) == 4
    assert store.sql("SELECT number, people FROM wave ORDER BY number") == [(1, 3), (2, 1)]
    assert store.sql("SELECT count(*) FROM mailing") == [(1,)]


def test_another_wave_of_a_segment_adds_nobody_twice(store: Store) -> None:
    store.load(candidate("ann@clinic.ca", language=FRENCH), candidate("bob@clinic.ca"))
    assert store.freeze(segment=Segment("french", languages=(FRENCH,))) == 1
    assert store.freeze() == 1
    assert sorted(store.states()) == ["ann@clinic.ca", "bob@clinic.ca"]
    assert [segment for (segment,) in store.sql("SELECT segment FROM wave ORDER BY id")] == [
        '{"languages": ["fr"]}',
        "{}",
    ]


def test_a_row_of_the_same_address_is_impossible(store: Store) -> None:
    store.begin(1).close()
    names = "mailing_id, wave_id, issue, address_hash, subscriber_id, artefact_hash, slots, state, changed_at"
    copy = f"INSERT INTO delivery ({names}) SELECT {names.replace('subscriber_id', '77')} FROM delivery"  # noqa: S608
    with pytest.raises(Exception, match=r"UNIQUE constraint failed: delivery\.issue, delivery\.address_hash"):
        store.sql(copy)


def test_who_comes_back_with_another_id_gets_no_second_row(store: Store) -> None:
    store.begin(1).close()
    old = store.person("reader0@example.org").id
    for table in ("consented", "person"):
        store.sql(f"DELETE FROM {table} WHERE subscriber_id = ?", old)  # noqa: S608
    store.sql("DELETE FROM subscriber WHERE id = ?", old)
    store.load(candidate("READER0@example.org"))
    assert store.person("reader0@example.org").id != old
    assert store.freeze() == 0
    assert store.sql("SELECT count(*) FROM delivery") == [(1,)]


people = st.tuples(
    st.frozensets(st.sampled_from([0, 5, 62, 63, 64, 200, 251]), max_size=3).map(words_of),
    st.booleans(),
    st.sampled_from([ENGLISH, FRENCH]),
    st.sampled_from([State.ACTIVE, State.ACTIVE, State.PAUSED, State.PENDING, State.UNSUBSCRIBED]),
    st.sampled_from([date(2024, 1, 31), date(2024, 2, 1)]),
    st.booleans(),
)


@FEW
@given(
    st.lists(people, min_size=1, max_size=8),
    st.lists(st.frozensets(st.sampled_from([5, 63, 251]), min_size=1).map(words_of), min_size=1, max_size=3).map(tuple),
    st.booleans(),
    st.sampled_from(NoMatch),
)
def test_an_audience_is_exactly_who_may_and_wants(
    drawn: list[tuple[TopicWords, bool, Language, State, date, bool]],
    articles: tuple[TopicWords, ...],
    french: bool,
    no_match: NoMatch,
) -> None:
    """And each gets the edition that the core says, whatever the database worked out."""
    segment = Segment("french", languages=(FRENCH,)) if french else EVERYBODY
    assignment = Assignment(articles, (ENGLISH, FRENCH), no_match)
    keys = keys_to_build(len(articles), assignment.languages)
    bodies = {key: encode_edition(edition_of(key=key)) for key in keys}
    expected: dict[str, tuple[str, list[int], bool]] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(Path(folder))
        approval = store.approvals.add(JULY, "source", bodies, "tests", "", NOW)
        for number, (words, all_topics, language, state, until, suppressed) in enumerate(drawn):
            row = candidate(f"reader{number}@example.org", language=language, state=state)
            pause = until if state is State.PAUSED else None
            store.load(replace(row, topics=words, all_topics=all_topics, paused_until=pause))
            if suppressed:
                store.suppress(row.address.typed)
            may = eligible(state, pause, suppressed=suppressed, today=NOW.date()) is None
            key = assignment.key(words, language, all_topics=all_topics)
            follows = all_topics or any(words)
            if may and follows and key and (language == FRENCH or not french):
                shared = [one for one in ordinals_of(words) if has_ordinal(union(articles), one)]
                expected[row.address.typed] = (edition_hash(bodies[key]), shared, all_topics)
        request = store.request(segment, assignment=assignment)
        assert store.ledger.open_wave(approval, request) == len(expected)
        claims: Sequence[Claim] = ()
        if expected:
            with closing(store.lease()) as lease:
                claims = take(lease, 100)
    found = {
        one.recipient.address.typed: (
            one.artefact_hash, [*ordinals_of(one.recipient.topics)], one.recipient.all_topics
        ) for one in claims
    }  # fmt: skip
    assert found == expected


# -- a freeze in parts


changes = st.lists(
    st.tuples(
        st.sampled_from(["join", "leave", "topics", "language", "attributes", "delete", "pause"]), st.integers(0, 11)
    ),
    max_size=6,
)


@FEW
@given(st.lists(changes, min_size=1, max_size=5), st.booleans())
def test_a_freeze_comes_to_the_same_set_whatever_happens_meanwhile(steps: list[Any], attributes: bool) -> None:
    """Interrupted after every person, with joins, leaves, edits and new imports between."""
    segment = Segment("clinicians", attributes={"role": ("clinician",)}) if attributes else EVERYBODY
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(Path(folder))
        for number in range(12):
            role = {"role": "clinician" if number % 3 else "student"}
            store.load(candidate(f"reader{number}@example.org", (number % 4,), attributes=role))
        approval = store.approve()
        at_once = store.sql(
            "SELECT subscriber_id FROM person p WHERE ? OR p.attributes LIKE '%clinician%'", not attributes
        )
        assert store.ledger.open_wave(approval, store.request(segment)) == len(at_once)
        for number, step in enumerate(steps):
            write_rows(store, 2)
            for what, whom in step:
                happen(store, what, whom, number)
        write_rows(store, 100)
        rows = store.sql("SELECT subscriber_id FROM delivery")
        assert sorted(rows) == sorted(at_once)
        assert store.sql("SELECT count(*) FROM audience_before") == [(0,)]


def write_rows(store: Store, limit: int) -> None:
    """One part of the rows, by a sender of its own that is killed right after."""
    with store.database.write() as connection:
        found = connection.execute(select(wave).where(~wave.c.frozen)).first()
        if found:
            extend(connection, found, writing(found, JULY), limit)


def happen(store: Store, what: str, whom: int, number: int) -> None:
    """Somebody does something to the list."""
    address = f"reader{whom}@example.org"
    found = store.people.find(address_of(address))
    match what:
        case "join":
            store.load(candidate(f"new{number}-{whom}@example.org", attributes={"role": "clinician"}))
        case "leave" if found:
            store.people.leave(found.id, "link", NOW, None)
        case "topics":
            store.load(candidate(address, (200,), attributes={"role": "clinician"}))
        case "language":
            store.load(candidate(address, (1,), language=FRENCH))
        case "attributes":
            store.load(candidate(address, (2,), attributes={"role": "manager"}))
        case "pause" if found:
            store.sql("UPDATE subscriber SET state = 'paused', paused_until = NULL WHERE id = ?", found.id)
        case "delete" if found:
            for table in ("consented", "person"):
                store.sql(f"DELETE FROM {table} WHERE subscriber_id = ?", found.id)  # noqa: S608
            store.sql("DELETE FROM subscriber WHERE id = ?", found.id)


# -- claiming


def test_a_claim_is_durable_and_says_what_a_message_needs(store: Store) -> None:
    store.load(candidate("Ann@clinic.ca", (5, 251), name="Ann Lee"))
    store.freeze()
    lease = store.lease()
    (claim,) = take(lease, 10)
    person = store.person("ann@clinic.ca")
    recipient = claim.recipient
    assert (recipient.id, recipient.address, recipient.name) == (person.id, person.address, "Ann Lee")
    assert (recipient.topics, recipient.all_topics, recipient.generation) == (person.topics, False, 0)
    assert (claim.artefact_hash, claim.attempts) == (HASH, 0)
    assert store.sql("SELECT state, fence FROM delivery") == [("claimed", lease.mailing.fence)]
    lease.close()


def test_claims_are_disjoint_and_end(store: Store) -> None:
    with closing(store.begin(7)) as lease:
        batches = [take(lease, 3) for _ in range(4)]
    assert [len(batch) for batch in batches] == [3, 3, 1, 0]
    assert len({claim.row for batch in batches for claim in batch}) == 7


@pytest.mark.parametrize(
    ("since", "why"),
    [
        ("UPDATE subscriber SET state = 'unsubscribed'", "unsubscribed"),
        ("UPDATE subscriber SET state = 'bounced'", "bounced"),
        ("UPDATE subscriber SET state = 'paused', paused_until = '2024-02-01'", "paused"),
        ("UPDATE subscriber SET state = 'paused'", "paused"),
        ("UPDATE subscriber SET state = 'erased'", "erased"),
        ("DELETE FROM person", "erased"),
    ],
)
def test_who_may_not_get_mail_any_more_is_not_claimed(store: Store, since: str, why: str) -> None:
    with closing(store.begin(2)) as lease:
        store.sql(since)
        assert take(lease, 10) == ()
    assert store.sql("SELECT state, detail FROM delivery") == [("suppressed", why)] * 2


def test_a_suppressed_address_is_not_claimed_and_the_others_are(store: Store) -> None:
    with closing(store.begin(3)) as lease:
        store.suppress("Reader1@example.org")
        claimed = {str(claim.recipient.address) for claim in take(lease, 10)}
    assert claimed == {"reader0@example.org", "reader2@example.org"}
    assert store.states()["reader1@example.org"] == "suppressed"


def test_a_pause_that_is_over_is_none(store: Store) -> None:
    with closing(store.begin(1)) as lease:
        store.sql("UPDATE subscriber SET state = 'paused', paused_until = '2024-01-31'")
        assert len(take(lease, 10)) == 1


def test_a_batch_of_people_who_left_hides_nobody_behind_them(store: Store) -> None:
    lease = store.begin(5)
    first = store.sql("SELECT subscriber_id FROM delivery ORDER BY id LIMIT 4")
    for (person,) in first:
        store.sql("UPDATE subscriber SET state = 'unsubscribed' WHERE id = ?", person)
    assert len(take(lease, 2)) == 1
    lease.close()


# -- one sender at a time


def test_a_sender_who_takes_over_settles_what_the_one_before_had(store: Store) -> None:
    """What had begun may have left, what was answered was, and the rest is planned again."""
    old = store.begin(6)
    claimed, begun, done, taken, returned, _ = take(old, 6)
    old.begin(begun.row)
    attempt(old, done, Accepted("250 ok"), HandOff.ACCEPTED)
    for claim, accepted in ((taken, True), (returned, False)):
        old.begin(claim.row)
        old.answered(claim.row, accepted=accepted)  # and killed before that was durable
    kill(old)
    new = store.ledger.lease(JULY, "outbox:there", "second", 100, LATER)
    assert (new.mailing.fence, new.mailing.transport) == (old.mailing.fence + 1, "outbox:there")
    states = dict(store.sql("SELECT id, state FROM delivery"))
    assert states[begun.row] == "unknown"
    assert states[done.row] == states[taken.row] == "accepted"
    assert states[claimed.row] == states[returned.row] == "planned"
    assert {claim.row for claim in take(new, 10, LATER)} == {r for r, state in states.items() if state == "planned"}
    assert [name for name, _ in store.ledger.named(JULY, HandOff.UNKNOWN)] == [str(begun.recipient.address)]
    kept = store.sql("SELECT delivery_id, outcome FROM attempt ORDER BY delivery_id")
    assert kept == sorted([(done.row, "accepted"), (taken.row, "accepted")])
    new.close()


@pytest.mark.parametrize("how", ["missing", "torn", "another boot", "another sender", "another database"])
def test_without_a_recorder_to_believe_all_that_was_claimed_may_have_left(store: Store, how: str) -> None:
    """As after a power loss. But what was durable is not touched."""
    old = store.begin(4)
    done, claimed, begun = take(old, 3)
    old.begin(begun.row)
    attempt(old, done, Accepted(), HandOff.ACCEPTED)
    kill(old)
    path = recorder_path(store.database.path, old.mailing.id)
    content = bytearray(path.read_bytes())
    match how:
        case "missing":
            path.unlink()
        case "torn":
            path.write_bytes(content[:-1])
        case "another boot":
            content[8] ^= 1
        case "another database":
            content[24] ^= 1
        case "another sender":
            content[48] ^= 1
    if how not in ("missing", "torn"):
        path.write_bytes(content)
    store.lease().close()
    states = dict(store.sql("SELECT id, state FROM delivery"))
    assert states[done.row] == "accepted"
    assert states[claimed.row] == states[begun.row] == "unknown"
    assert sorted(states.values()) == ["accepted", "planned", "unknown", "unknown"]


class SlowWatcher:
    """A connection whose every look lasts until the test lets it end, or until somebody closes it meanwhile."""

    def __init__(self, watcher: Any) -> None:
        self._watcher = watcher
        self.looking, self.closed, self.go_on = threading.Event(), threading.Event(), threading.Event()
        self.closed_in_use = False

    def execute(self, *words: Any) -> Any:
        self.looking.set()
        self.go_on.wait(10)
        self.closed_in_use = self.closed.is_set()
        return self._watcher.execute(*words)

    def close(self) -> None:
        self.closed.set()
        self._watcher.close()


@pytest.mark.parametrize("look", ["changed", "news"])
def test_a_look_ends_before_its_connection_is_closed(store: Store, look: str) -> None:
    lease = store.begin(1)
    slow = SlowWatcher(lease._watcher)
    lease._watcher = slow  # type: ignore[assignment]
    with ThreadPoolExecutor(2) as threads:
        looked = threads.submit(lease.changed) if look == "changed" else threads.submit(lease.news, [])
        assert slow.looking.wait(10)
        closing = threads.submit(lease.close)
        closed_at_once = slow.closed.wait(0.2)  # SQLite's driver does not bear that: the process would crash
        slow.go_on.set()
        looked.result()
        closing.result()
    assert not closed_at_once
    assert not slow.closed_in_use
    assert slow.closed.is_set()


def test_a_mailing_that_is_not_there_cannot_be_sent(store: Store) -> None:
    with pytest.raises(KeyError):
        store.lease()


def test_only_one_sends(store: Store) -> None:
    running = {"first": True}
    store.ledger._runs = lambda owner: running.get(owner, False)
    first = store.begin(1)
    before = store.dump()
    with pytest.raises(Locked, match="another process is sending"):
        store.lease(owner="second")
    assert store.dump() == before
    first.release(Status.PAUSED, "", (), (), NOW)
    store.lease(owner="second").close()
    first.close()


def test_a_sender_elsewhere_is_dead_when_its_beat_stands_still() -> None:
    """Watched by a clock that never goes back, not by anybody's time of day."""
    rests: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.monotonic", lambda: sum(rests))
        assert wait_for_silence(lambda: ("far/away", 7), lambda _owner: None, rests.append) == ("far/away", 7)
        assert 15 <= sum(rests) < 16
        beats = iter([7, 7, 7, 8])
        with pytest.raises(Locked):
            wait_for_silence(lambda: ("far/away", next(beats)), lambda _owner: None, rests.append)


@pytest.mark.parametrize("again", ["planned", "claimed by the new one"])
@pytest.mark.parametrize("begun", [True, False])
def test_who_was_taken_over_can_move_and_record_nothing(store: Store, again: str, begun: bool) -> None:
    old = store.begin(1)
    (claim,) = take(old, 1)
    new = store.lease(owner="second", now=LATER)
    if again != "planned":
        take(new, 1, LATER)
    before = store.dump()
    assert old.news([claim.row]).dropped == {claim.row}
    assert old.news([]).overtaken
    if begun:
        old.begin(claim.row)
    for state in (HandOff.ACCEPTED, HandOff.DEFERRED, HandOff.PLANNED):
        with pytest.raises(Locked):
            old.turn([ended(claim, Accepted(), state)], 0, LATER)
    old.release(Status.COMPLETE, "", [claim.row], (), LATER)
    with pytest.raises(Locked):
        old.turn((), 1, LATER)
    assert store.dump() == before
    old.close()
    new.close()


def test_a_release_gives_back_what_is_in_hand_and_keeps_the_rest(store: Store) -> None:
    lease = store.begin(4)
    claimed, begun, last, _ = take(lease, 4)
    lease.begin(begun.row)
    attempt(lease, claimed, Accepted(), HandOff.ACCEPTED)
    lease.begin(last.row)
    lease.release(Status.PAUSED, "why", [begun.row], [ended(last, Accepted(), HandOff.ACCEPTED)], NOW)
    lease.close()
    assert sorted(store.states().values()) == ["accepted", "accepted", "planned", "unknown"]
    assert [name for name, _ in store.ledger.named(JULY, HandOff.UNKNOWN)] == [str(begun.recipient.address)]
    found = store.ledger.mailing(JULY)
    assert found is not None
    assert (found.status, found.detail) == (Status.PAUSED, "why")


@pytest.mark.parametrize(("left", "said", "status"), [
    (0, Status.PAUSED, "complete"), (0, Status.COMPLETE, "complete"),
    (1, Status.COMPLETE, "sending"), (1, Status.PAUSED, "paused"),
])  # fmt: skip
def test_a_mailing_is_complete_when_nobody_is_open(store: Store, left: int, said: Status, status: str) -> None:
    lease = store.begin(2)
    for claim in take(lease, 2 - left):
        attempt(lease, claim, Accepted(), HandOff.ACCEPTED)
    lease.release(said, "", (), (), NOW)
    lease.close()
    assert store.sql("SELECT status, lease_owner FROM mailing") == [(status, None)]


# -- leaving


def test_who_leaves_is_news_to_the_sender(store: Store) -> None:
    lease = store.begin(3)
    claims = take(lease, 3)
    rows = [claim.row for claim in claims]
    lease.changed()
    assert not lease.changed()
    assert lease.news(rows).dropped == frozenset()
    store.people.leave(claims[1].recipient.id, "link", NOW, None)
    assert lease.changed()
    assert not lease.changed()
    assert lease.news(rows).dropped == {claims[1].row}
    lease.let_go([claims[1].row])
    lease.turn([], 0, NOW)
    assert not lease.changed()
    lease.close()


@pytest.mark.parametrize(
    ("outcome", "wanted", "state"),
    [
        (Accepted(), HandOff.ACCEPTED, "accepted"),
        (Unknown("silence"), HandOff.UNKNOWN, "unknown"),
        (Refused(Scope.RECIPIENT, "no"), HandOff.REFUSED, "refused"),
        (BUSY, HandOff.DEFERRED, "suppressed"),
        (DOWN, HandOff.PLANNED, "suppressed"),
    ],
)
def test_who_leaves_while_their_message_is_on_the_wire_is_told_of_truly(
    store: Store, outcome: Outcome, wanted: HandOff, state: str
) -> None:
    lease = store.begin(1)
    (claim,) = take(lease, 1)
    lease.begin(claim.row)
    store.people.leave(claim.recipient.id, "link", NOW, None)
    lease.turn([ended(claim, outcome, wanted)], 0, NOW)
    assert store.sql("SELECT state, due_at, attempts FROM delivery") == [(state, None, 1)]
    lease.close()


@pytest.mark.parametrize(("answered", "state"), [(None, "unknown"), (True, "accepted"), (False, "suppressed")])
def test_who_leaves_while_on_the_wire_is_told_of_truly_after_a_kill(
    store: Store, answered: bool | None, state: str
) -> None:
    lease = store.begin(1)
    (claim,) = take(lease, 1)
    lease.begin(claim.row)
    store.people.leave(claim.recipient.id, "link", NOW, None)
    if answered is not None:
        lease.answered(claim.row, accepted=answered)
    kill(lease)
    store.lease().close()
    assert store.states() == {"reader0@example.org": state}


# -- attempts


def test_every_attempt_is_kept_with_number_code_and_reply(store: Store) -> None:
    lease = store.begin(1)
    (claim,) = take(lease, 1)
    attempt(lease, claim, BUSY, HandOff.DEFERRED)
    (claim,) = take(lease, 1, LATER)
    assert claim.attempts == 1
    refused = Refused(Scope.RECIPIENT, "no such user", 550, "5.1.1")
    lease.turn([ended(claim, refused, HandOff.REFUSED, begun=False)], 0, NOW)
    lease.close()
    columns = "number, started_at, ended_at, outcome, scope, code, enhanced, reply, transport, connection"
    at = "2024-01-31T12:00:00.000000Z"
    assert store.sql(f"SELECT {columns} FROM attempt ORDER BY number") == [  # noqa: S608
        (1, at, at, "deferred", "recipient", 452, "4.2.2", "4.2.2 mailbox full", WAY, "1 to there"),
        (2, None, at, "refused", "recipient", 550, "5.1.1", "no such user", WAY, "1 to there"),
    ]
    found = store.sql("SELECT attempts, state, detail, due_at, message_digest FROM delivery")
    assert found == [(2, "refused", "no such user", None, DIGEST)]


def test_what_was_put_back_is_planned_again_and_counted(store: Store) -> None:
    lease = store.begin(1)
    (claim,) = take(lease, 1)
    attempt(lease, claim, DOWN, HandOff.PLANNED)
    assert store.sql("SELECT state, attempts FROM delivery") == [("planned", 1)]
    assert store.sql("SELECT outcome, reply FROM attempt") == [("deferred", "connection lost")]
    (claim,) = take(lease, 1)
    assert claim.attempts == 1
    lease.close()


def test_what_was_put_back_comes_behind_the_others(store: Store) -> None:
    lease = store.begin(3)
    (first,) = take(lease, 1)
    lease.turn([ended(first, DOWN, HandOff.PLANNED, begun=False, due=NOW)], 0, NOW)
    rows = [claim.row for claim in take(lease, 3)]
    assert rows[-1] == first.row
    assert len(rows) == 3
    lease.close()


def test_who_is_deferred_is_due_at_their_time_and_not_before(store: Store) -> None:
    lease = store.begin(2)
    first, second = take(lease, 2)
    attempt(lease, first, BUSY, HandOff.DEFERRED)
    attempt(lease, second, Accepted(), HandOff.ACCEPTED)
    assert store.ledger.next_due(JULY) == LATER
    assert take(lease, 2, LATER - timedelta(microseconds=1)) == ()
    assert [claim.row for claim in take(lease, 2, LATER)] == [first.row]
    assert store.ledger.next_due(JULY) is None
    lease.close()


def test_mail_goes_to_the_present_address(store: Store) -> None:
    """Pause, erasure and address are looked at again at every try."""
    lease = store.begin(1)
    (claim,) = take(lease, 1)
    attempt(lease, claim, BUSY, HandOff.DEFERRED)
    store.sql("UPDATE person SET typed = 'New@clinic.ca', canonical = 'new@clinic.ca', name = 'Newer'")
    (claim,) = take(lease, 1, LATER)
    assert (str(claim.recipient.address), claim.recipient.name) == ("New@clinic.ca", "")
    (slots,) = store.sql("SELECT slots FROM delivery")[0]
    assert '"New@clinic.ca"' in slots
    lease.close()


def test_who_is_unknown_is_never_claimed_again(store: Store) -> None:
    lease = store.begin(1)
    (claim,) = take(lease, 1)
    attempt(lease, claim, Unknown("at end of content: silence"), HandOff.UNKNOWN)
    kill(lease)
    with closing(store.lease(now=LATER)) as renewed:
        assert take(renewed, 1, LATER + timedelta(days=30)) == ()
    assert store.states() == {"reader0@example.org": "unknown"}


# -- how it stands


def test_progress_counts_people_by_hand_off_and_issue(store: Store) -> None:
    lease = store.begin(5)
    claims = take(lease, 4)
    attempt(lease, claims[0], Accepted(), HandOff.ACCEPTED)
    attempt(lease, claims[1], Unknown("lost"), HandOff.UNKNOWN)
    attempt(lease, claims[2], BUSY, HandOff.DEFERRED)
    store.freeze(IssueId("2023-06"))
    progress = store.ledger.progress(JULY)
    assert {state: progress[state] for state in HandOff if progress[state]} == {
        HandOff.ACCEPTED: 1,
        HandOff.UNKNOWN: 1,
        HandOff.DEFERRED: 1,
        HandOff.CLAIMED: 1,
        HandOff.PLANNED: 1,
    }
    assert (progress.total, progress.open, progress.waiting) == (5, 4, 3)
    assert store.ledger.progress(IssueId("2020-01")).total == 0
    lease.close()


def test_names_come_with_the_reply_and_an_erased_one_without_address(store: Store) -> None:
    lease = store.begin(2)
    for claim in take(lease, 2):
        attempt(lease, claim, Refused(Scope.RECIPIENT, f"no {claim.row}"), HandOff.REFUSED)
    lease.close()
    erased = store.person("reader0@example.org")
    store.sql("DELETE FROM person WHERE subscriber_id = ?", erased.id)
    assert [name for name, _ in store.ledger.named(JULY, HandOff.REFUSED)] == ["", "reader1@example.org"]
    assert all(detail.startswith("no ") for _, detail in store.ledger.named(JULY, HandOff.REFUSED))
    assert store.ledger.named(JULY, HandOff.UNKNOWN) == []


@pytest.mark.parametrize("query", ["claims", "settle", "next due"])
def test_what_is_asked_all_the_time_is_found_by_the_index(store: Store, query: str) -> None:
    statements = {
        "claims": hand_off._DUE,
        "settle": hand_off._PLANNED,
        "next due": f"SELECT min(due_at) FROM delivery WHERE mailing_id = 1 AND state = 'deferred' AND {OPEN_ROWS}",  # noqa: S608
    }
    values = {"claims": (1, "2024", 5), "settle": ("2024", 1), "next due": ()}[query]
    steps = [row[3] for row in store.sql(f"EXPLAIN QUERY PLAN {statements[query]}", *values)]
    assert any("ix_delivery_open" in step for step in steps)
    assert not [step for step in steps if re.match(r"SCAN (delivery|d)\b(?! USING INDEX)", step) and query != "claims"]


# -- approvals


def test_an_artefact_is_kept_once_however_often_it_is_approved(store: Store) -> None:
    first, second = store.approve(), store.approve(IssueId("2023-06"))
    assert first.editions == second.editions
    assert store.sql("SELECT count(*) FROM artefact") == [(1,)]
    assert store.approvals.latest(JULY) == first


def test_the_newest_approval_counts(store: Store) -> None:
    store.approve()
    second = store.approve()
    assert store.approvals.latest(JULY) == second
    assert store.approvals.latest(IssueId("2020-01")) is None


def test_an_artefact_that_is_not_there_is_a_defect(store: Store) -> None:
    with pytest.raises(KeyError):
        store.approvals.artefact("0" * 64)


@pytest.mark.parametrize("state", [HandOff.ACCEPTED, HandOff.DEFERRED, HandOff.REFUSED, HandOff.UNKNOWN])
def test_a_result_that_is_kept_twice_counts_once(store: Store, state: HandOff) -> None:
    """A turn that is broken off may have been kept, and comes again with the release."""
    lease = store.begin(1)
    (claim,) = take(lease, 1)
    lease.begin(claim.row)
    result = ended(claim, BUSY if state is HandOff.DEFERRED else Accepted(), state)
    lease.turn([result], 0, NOW)
    lease.release(Status.PAUSED, "", (), [result], NOW)
    lease.close()
    assert store.sql("SELECT attempts, (SELECT count(*) FROM attempt), state FROM delivery") == [(1, 1, str(state))]


# -- moved while on the wire


@pytest.mark.parametrize("begun", [True, False])
def test_who_left_while_on_the_wire_is_asked_for_after_a_power_loss(store: Store, begun: bool) -> None:
    """Nobody can know any more whether their message had begun; but of whom the sender let go before, it had not."""
    lease = store.begin(2)
    one, other = take(lease, 2)
    lease.begin(one.row)
    for claim in (one, other):
        store.people.leave(claim.recipient.id, "link", NOW, None)
    if not begun:
        lease.let_go([other.row])
    kill(lease)
    recorder_path(store.database.path, lease.mailing.id).unlink()
    store.lease(owner="second").close()
    states = dict(store.sql("SELECT id, state FROM delivery"))
    assert states == {one.row: "unknown", other.row: "unknown" if begun else "suppressed"}


def test_who_left_before_their_claim_is_not_asked_for(store: Store) -> None:
    lease = store.begin(2)
    (claim,) = take(lease, 1)
    attempt(lease, claim, BUSY, HandOff.DEFERRED)
    for (reader,) in store.sql("SELECT subscriber_id FROM delivery"):
        store.people.leave(reader, "link", NOW, None)
    kill(lease)
    recorder_path(store.database.path, lease.mailing.id).unlink()
    store.lease(owner="second").close()
    assert store.sql("SELECT state FROM delivery") == [("suppressed",)] * 2


def test_a_result_that_comes_again_is_not_of_the_next_claim(store: Store) -> None:
    lease = store.begin(1)
    (claim,) = take(lease, 1)
    lease.begin(claim.row)
    deferred = ended(claim, BUSY, HandOff.DEFERRED, due=NOW)
    assert [again.row for again in lease.turn([deferred], 1, NOW).claims] == [claim.row]
    lease.release(Status.PAUSED, "", (), [deferred], NOW)
    lease.close()
    assert store.sql("SELECT state, attempts, (SELECT count(*) FROM attempt) FROM delivery") == [("planned", 1, 1)]


def test_new_time_reaches_a_sender_that_lives(store: Store) -> None:
    lease = store.begin(1)
    store.sql("UPDATE mailing SET expires_at = ?", stamp(NOW + timedelta(days=9)))
    lease.turn((), 0, NOW)
    assert lease.mailing.expires == NOW + timedelta(days=9)
    lease.close()
