"""The ledger remembers first: whom an issue goes to, who is sending it, and every attempt."""

import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from core_support import JULY, address_of
from digest_mailer.core.audience import EVERYBODY, Segment, State, eligible
from digest_mailer.core.delivery import Accepted, Deferred, HandOff, Outcome, Refused, Scope, Unknown
from digest_mailer.core.errors import InterlockError, Locked
from digest_mailer.core.identity import ENGLISH, IssueId, Language, RowId
from digest_mailer.core.mailing import Claim, Mailing, Status
from digest_mailer.core.topic import TopicWords, has_ordinal, ordinals_of, words_of
from store_support import HASH, NOW, WAY, Store, candidate, make_store, same_for_all

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


def attempt(store: Store, mailing: Mailing, claim: Claim, outcome: Outcome, state: HandOff) -> None:
    assert store.ledger.begin_attempt(claim.row, mailing.fence, DIGEST, WAY, NOW)
    end(store, mailing, claim, outcome, state)


def end(store: Store, mailing: Mailing, claim: Claim, outcome: Outcome, state: HandOff) -> None:
    due = LATER if state is HandOff.DEFERRED else None
    store.ledger.record(claim.row, mailing.fence, outcome, WAY, state, due, NOW)


# -- freezing an audience


def test_a_freeze_makes_a_mailing_a_wave_and_a_row_for_everybody(store: Store) -> None:
    store.load(*(candidate(address) for address in readers(3)))
    assert store.freeze() == 3
    assert store.states() == dict.fromkeys(readers(3), "planned")
    mailing = store.ledger.mailing(JULY)
    assert mailing is not None
    assert (mailing.issue, mailing.status, mailing.started, mailing.transport) == (JULY, Status.SENDING, NOW, WAY)
    assert store.sql("SELECT number, segment, people FROM wave") == [(1, "{}", 3)]
    assert store.sql("SELECT DISTINCT artefact_hash, attempts, fate FROM delivery") == [(HASH, 0, "none")]


def test_a_freeze_of_nobody_leaves_nothing(store: Store) -> None:
    store.load(candidate("ann@clinic.ca", state=State.PENDING))
    store.approve()
    before = store.dump()
    assert store.freeze() == 0
    assert store.dump() == before
    assert store.ledger.mailing(JULY) is None


def test_a_freeze_that_breaks_off_leaves_nothing(store: Store) -> None:
    """Behind the first page of people, of whom rows are already written."""
    store.load(*(candidate(address) for address in readers(2100)))
    store.approve()
    before = store.dump()
    seen = 0

    def assign(_topics: TopicWords, _all_topics: bool, _language: Language) -> str | None:
        nonlocal seen
        seen += 1
        if seen > 2050:
            raise InterlockError("this edition was not approved")
        return HASH

    with pytest.raises(InterlockError):
        store.freeze(assign=assign)
    assert store.dump() == before
    assert store.freeze() == 2100


def test_a_number_that_nobody_agrees_to_leaves_nothing(store: Store) -> None:
    store.load(*(candidate(address) for address in readers(3)))
    approval = store.approve()
    before = store.dump()
    told: list[int] = []

    def agree(people: int) -> None:
        told.append(people)
        raise InterlockError("too many")

    with pytest.raises(InterlockError):
        store.ledger.freeze(approval, EVERYBODY, words_of(()), same_for_all, WAY, NOW, agree)
    assert told == [3]
    assert store.dump() == before


def test_a_second_freeze_adds_only_who_is_new(store: Store) -> None:
    store.begin(3)
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
    store.begin(1)
    copy = "INSERT INTO delivery SELECT id + 1, mailing_id, wave_id, issue, address_hash, 77, artefact_hash, slots, "
    copy += "state, fate, attempts, due_at, fence, changed_at, message_digest, detail FROM delivery"
    with pytest.raises(Exception, match=r"UNIQUE constraint failed: delivery\.issue, delivery\.address_hash"):
        store.sql(copy)


def test_who_comes_back_with_another_id_gets_no_second_row(store: Store) -> None:
    store.begin(1)
    old = store.person("reader0@example.org").id
    for table in ("consent", "transition", "person"):
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
@given(st.lists(people, min_size=1, max_size=8), st.frozensets(st.sampled_from([5, 63, 251])), st.booleans())
def test_an_audience_is_exactly_who_may_and_wants(
    drawn: list[tuple[TopicWords, bool, Language, State, date, bool]], ordinals: frozenset[int], french: bool
) -> None:
    topics = words_of(ordinals)
    segment = Segment("french", languages=(FRENCH,)) if french else EVERYBODY

    def assign(words: TopicWords, all_topics: bool, _language: Language) -> str | None:
        return HASH if all_topics or any(words) else None

    expected: dict[str, tuple[list[int], bool]] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(Path(folder))
        approval = store.approve()
        for number, (words, all_topics, language, state, until, suppressed) in enumerate(drawn):
            row = candidate(f"reader{number}@example.org", language=language, state=state)
            pause = until if state is State.PAUSED else None
            store.load(replace(row, topics=words, all_topics=all_topics, paused_until=pause))
            if suppressed:
                store.suppress(row.address.typed)
            may = eligible(state, pause, suppressed=suppressed, today=NOW.date()) is None
            followed = [ordinal for ordinal in sorted(ordinals) if has_ordinal(words, ordinal)]
            if may and (all_topics or followed) and (language == FRENCH or not french):
                expected[row.address.typed] = (followed, all_topics)
        assert store.ledger.freeze(approval, segment, topics, assign, WAY, NOW) == len(expected)
        claims = store.ledger.claim(store.ledger.take_over(JULY, WAY, "first", NOW), 100, NOW) if expected else ()
    recipients = [claim.recipient for claim in claims]
    assert {one.address.typed: ([*ordinals_of(one.topics)], one.all_topics) for one in recipients} == expected


# -- claiming


def test_a_claim_is_durable_and_says_what_a_message_needs(store: Store) -> None:
    store.load(candidate("Ann@clinic.ca", (5, 251), name="Ann Lee"))
    store.freeze()
    mailing = store.ledger.take_over(JULY, WAY, "first", NOW)
    (claim,) = store.ledger.claim(mailing, 10, NOW)
    person = store.person("ann@clinic.ca")
    recipient = claim.recipient
    assert (recipient.id, recipient.address, recipient.name) == (person.id, person.address, "Ann Lee")
    assert (recipient.topics, recipient.all_topics, recipient.generation) == (person.topics, False, 0)
    assert (claim.artefact_hash, claim.attempts) == (HASH, 0)
    assert store.sql("SELECT state, fence FROM delivery") == [("claimed", mailing.fence)]


def test_claims_are_disjoint_and_end(store: Store) -> None:
    mailing = store.begin(7)
    batches = [store.ledger.claim(mailing, 3, NOW) for _ in range(4)]
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
    mailing = store.begin(2)
    store.sql(since)
    assert store.ledger.claim(mailing, 10, NOW) == []
    assert store.sql("SELECT state, detail FROM delivery") == [("suppressed", why)] * 2


def test_a_suppressed_address_is_not_claimed_and_the_others_are(store: Store) -> None:
    mailing = store.begin(3)
    store.suppress("Reader1@example.org")
    claimed = {str(claim.recipient.address) for claim in store.ledger.claim(mailing, 10, NOW)}
    assert claimed == {"reader0@example.org", "reader2@example.org"}
    assert store.states()["reader1@example.org"] == "suppressed"


def test_a_pause_that_is_over_is_none(store: Store) -> None:
    mailing = store.begin(1)
    store.sql("UPDATE subscriber SET state = 'paused', paused_until = '2024-01-31'")
    assert len(store.ledger.claim(mailing, 10, NOW)) == 1


def test_a_batch_of_people_who_left_hides_nobody_behind_them(store: Store) -> None:
    mailing = store.begin(5)
    first = store.sql("SELECT subscriber_id FROM delivery ORDER BY id LIMIT 4")
    for (person,) in first:
        store.sql("UPDATE subscriber SET state = 'unsubscribed' WHERE id = ?", person)
    assert len(store.ledger.claim(mailing, 2, NOW)) == 1


# -- one sender at a time


def test_a_sender_who_takes_over_settles_what_the_one_before_had(store: Store) -> None:
    mailing = store.begin(4)
    claimed, attempting, done, _ = store.ledger.claim(mailing, 4, NOW)
    assert store.ledger.begin_attempt(attempting.row, mailing.fence, DIGEST, WAY, NOW)
    attempt(store, mailing, done, Accepted("250 ok"), HandOff.ACCEPTED)
    renewed = store.ledger.take_over(JULY, "outbox:there", "second", LATER)
    assert renewed.fence == mailing.fence + 1
    assert renewed.transport == "outbox:there"
    states = dict(store.sql("SELECT id, state FROM delivery"))
    assert states[claimed.row] == "planned"
    assert states[attempting.row] == "unknown"
    assert states[done.row] == "accepted"
    assert {claim.row for claim in store.ledger.claim(renewed, 10, LATER)} == {
        row for row, state in states.items() if state == "planned"
    }


def test_a_mailing_that_is_not_there_cannot_be_taken_over(store: Store) -> None:
    with pytest.raises(KeyError):
        store.ledger.take_over(JULY, WAY, "first", NOW)


@pytest.mark.parametrize("again", ["planned", "claimed by the new one"])
@pytest.mark.parametrize("begun", [True, False])
def test_who_was_taken_over_can_move_and_record_nothing(store: Store, again: str, begun: bool) -> None:
    old = store.begin(1)
    (claim,) = store.ledger.claim(old, 1, NOW)
    if begun:
        store.ledger.begin_attempt(claim.row, old.fence, DIGEST, WAY, NOW)
    new = store.ledger.take_over(JULY, WAY, "second", LATER)
    if again != "planned":
        store.ledger.claim(new, 1, LATER)
    before = store.dump()
    assert not store.ledger.still_claimed(claim.row, old.fence)
    assert store.ledger.begin_attempt(claim.row, old.fence, DIGEST, WAY, LATER) is False
    for state in (HandOff.ACCEPTED, HandOff.DEFERRED, HandOff.PLANNED):
        end(store, old, claim, Accepted(), state)
    store.ledger.release(old, LATER)
    store.ledger.set_status(old.id, old.fence, Status.COMPLETE)
    with pytest.raises(Locked):
        store.ledger.claim(old, 1, LATER)
    assert store.dump() == before


def test_a_release_gives_back_what_is_in_hand_and_keeps_the_rest(store: Store) -> None:
    mailing = store.begin(3)
    claimed, attempting, _ = store.ledger.claim(mailing, 3, NOW)
    store.ledger.begin_attempt(attempting.row, mailing.fence, DIGEST, WAY, NOW)
    attempt(store, mailing, claimed, Accepted(), HandOff.ACCEPTED)
    store.ledger.release(mailing, NOW)
    assert sorted(store.states().values()) == ["accepted", "planned", "unknown"]
    assert [name for name, _ in store.ledger.named(JULY, HandOff.UNKNOWN)] == [str(attempting.recipient.address)]


# -- attempts


def test_a_row_that_is_not_claimed_cannot_be_attempted(store: Store) -> None:
    mailing = store.begin(1)
    (claim,) = store.ledger.claim(mailing, 1, NOW)
    store.people.leave(claim.recipient.id, "link", NOW, None)
    before = store.dump()
    assert not store.ledger.still_claimed(claim.row, mailing.fence)
    assert store.ledger.begin_attempt(claim.row, mailing.fence, DIGEST, WAY, NOW) is False
    assert store.dump() == before


def test_an_attempt_cannot_begin_twice(store: Store) -> None:
    mailing = store.begin(1)
    (claim,) = store.ledger.claim(mailing, 1, NOW)
    begun = [store.ledger.begin_attempt(claim.row, mailing.fence, DIGEST, WAY, NOW) for _ in range(2)]
    assert begun == [True, False]


def test_every_attempt_is_kept_with_number_code_and_reply(store: Store) -> None:
    mailing = store.begin(1)
    (claim,) = store.ledger.claim(mailing, 1, NOW)
    attempt(store, mailing, claim, BUSY, HandOff.DEFERRED)
    (claim,) = store.ledger.claim(mailing, 1, LATER)
    assert claim.attempts == 1
    end(store, mailing, claim, Refused(Scope.RECIPIENT, "no such user", 550, "5.1.1"), HandOff.REFUSED)
    kept = store.sql("SELECT number, outcome, scope, code, enhanced, reply, transport FROM attempt ORDER BY id")
    assert kept == [
        (1, "deferred", "recipient", 452, "4.2.2", "4.2.2 mailbox full", WAY),
        (2, "refused", "recipient", 550, "5.1.1", "no such user", WAY),
    ]
    assert store.sql("SELECT attempts, state, detail, due_at FROM delivery") == [(2, "refused", "no such user", None)]


def test_an_attempt_that_is_under_way_is_seen_from_outside(store: Store) -> None:
    mailing = store.begin(1)
    (claim,) = store.ledger.claim(mailing, 1, NOW)
    store.ledger.begin_attempt(claim.row, mailing.fence, DIGEST, WAY, NOW)
    assert store.sql("SELECT state, attempts, message_digest FROM delivery") == [("attempting", 1, DIGEST)]
    query = "SELECT number, started_at IS NOT NULL, ended_at, outcome FROM attempt"
    assert store.sql(query) == [(1, 1, None, None)]


@pytest.mark.parametrize("begun", [True, False])
def test_what_was_put_back_is_planned_again_and_counted(store: Store, begun: bool) -> None:
    mailing = store.begin(1)
    (claim,) = store.ledger.claim(mailing, 1, NOW)
    (attempt if begun else end)(store, mailing, claim, DOWN, HandOff.PLANNED)
    assert store.sql("SELECT state, attempts FROM delivery") == [("planned", 1)]
    assert store.sql("SELECT outcome, reply FROM attempt") == [("deferred", "connection lost")]
    (claim,) = store.ledger.claim(mailing, 1, NOW)
    assert claim.attempts == 1


def test_what_was_put_back_comes_behind_the_others(store: Store) -> None:
    mailing = store.begin(3)
    first, second, third = store.ledger.claim(mailing, 3, NOW)
    store.ledger.record(first.row, mailing.fence, DOWN, WAY, HandOff.PLANNED, NOW, NOW)
    store.ledger.release(mailing, NOW)
    assert [claim.row for claim in store.ledger.claim(mailing, 3, NOW)] == [second.row, third.row, first.row]


def test_who_is_deferred_is_due_at_their_time_and_not_before(store: Store) -> None:
    mailing = store.begin(2)
    first, second = store.ledger.claim(mailing, 2, NOW)
    attempt(store, mailing, first, BUSY, HandOff.DEFERRED)
    attempt(store, mailing, second, Accepted(), HandOff.ACCEPTED)
    assert store.ledger.next_due(JULY) == LATER
    assert store.ledger.claim(mailing, 2, LATER - timedelta(microseconds=1)) == []
    assert [claim.row for claim in store.ledger.claim(mailing, 2, LATER)] == [first.row]
    assert store.ledger.next_due(JULY) is None


def test_who_is_unknown_is_never_claimed_again(store: Store) -> None:
    mailing = store.begin(1)
    (claim,) = store.ledger.claim(mailing, 1, NOW)
    attempt(store, mailing, claim, Unknown("at end of content: silence"), HandOff.UNKNOWN)
    renewed = store.ledger.take_over(JULY, WAY, "second", LATER)
    assert store.ledger.claim(renewed, 1, LATER + timedelta(days=30)) == []
    assert store.states() == {"reader0@example.org": "unknown"}


def test_recording_twice_changes_nothing_more(store: Store) -> None:
    mailing = store.begin(1)
    (claim,) = store.ledger.claim(mailing, 1, NOW)
    attempt(store, mailing, claim, Accepted("first"), HandOff.ACCEPTED)
    before = store.dump()
    end(store, mailing, claim, Refused(Scope.RECIPIENT, "second"), HandOff.REFUSED)
    assert store.dump() == before


# -- how it stands


def test_progress_counts_people_by_hand_off_and_issue(store: Store) -> None:
    mailing = store.begin(5)
    store.freeze(IssueId("2023-06"))
    claims = store.ledger.claim(mailing, 4, NOW)
    attempt(store, mailing, claims[0], Accepted(), HandOff.ACCEPTED)
    attempt(store, mailing, claims[1], Unknown("lost"), HandOff.UNKNOWN)
    attempt(store, mailing, claims[2], BUSY, HandOff.DEFERRED)
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


def test_names_come_with_the_reply_and_an_erased_one_without_address(store: Store) -> None:
    mailing = store.begin(2)
    for claim in store.ledger.claim(mailing, 2, NOW):
        attempt(store, mailing, claim, Refused(Scope.RECIPIENT, f"no {claim.row}"), HandOff.REFUSED)
    erased = store.people.find(address_of("reader0@example.org"))
    assert erased is not None
    store.sql("DELETE FROM person WHERE subscriber_id = ?", erased.id)
    assert [name for name, _ in store.ledger.named(JULY, HandOff.REFUSED)] == ["", "reader1@example.org"]
    assert all(detail.startswith("no ") for _, detail in store.ledger.named(JULY, HandOff.REFUSED))
    assert store.ledger.named(JULY, HandOff.UNKNOWN) == []


def test_a_status_is_the_newest_senders_to_set(store: Store) -> None:
    mailing = store.begin(1)
    store.ledger.set_status(mailing.id, mailing.fence, Status.PAUSED)
    found = store.ledger.mailing(JULY)
    assert found is not None
    assert found.status is Status.PAUSED


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


def test_a_row_cannot_name_an_edition_that_is_not_kept(store: Store) -> None:
    store.load(candidate("ann@clinic.ca"))
    with pytest.raises(IntegrityError):
        store.freeze(assign=lambda _topics, _all, _language: "0" * 64)
    assert store.ledger.mailing(JULY) is None
    assert not store.ledger.still_claimed(RowId(1), 0)
