"""Sending: everybody once, nobody twice, and whatever happens on the way stands in the ledger."""

import asyncio
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_support import JULY, address_of, edition_of, recipient_of
from digest_mailer.adapters.store import flight_recorder, hand_off
from digest_mailer.adapters.store.database import incarnation
from digest_mailer.adapters.store.flight_recorder import Mark
from digest_mailer.adapters.store.lease import SenderLease, recorder_path
from digest_mailer.core.delivery import Accepted, Deferred, HandOff, Outcome, Scope, Unknown
from digest_mailer.core.errors import Locked, TemporaryProblem
from digest_mailer.core.mailing import Status, Turn
from digest_mailer.core.pacing import Limit, Pacer
from digest_mailer.core.stencil import Stencil
from digest_mailer.services import desk, send
from digest_mailer.services.send import Canary, Ended, Ending
from message_support import run
from send_support import BUSY, CLOSED, DOWN, KEYS, NOBODY, SILENCE, TAKEN, Dropped, Sending, Way
from store_support import NOW, Store, candidate, make_store

FEW = settings(max_examples=settings().max_examples // 8)  # each with a database of its own
MANY = 100_000 if settings.get_current_profile_name() == "soak" else 10_000
MONTH = timedelta(days=30)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path)


def fill(store: Store, count: int) -> list[str]:
    """A mailing to so many people; their addresses."""
    addresses = [f"reader{number}@example.org" for number in range(count)]
    store.load(*(candidate(address) for address in addresses))
    assert store.freeze() == count
    return addresses


def by_address(**ends: list[Outcome]) -> Callable[[str, int], Outcome]:
    """Ends by the part before the @, one an attempt; else taken."""

    def end(address: str, number: int) -> Outcome:
        scripted = ends.get(address.partition("@")[0], [])
        return scripted[number - 1] if number <= len(scripted) else TAKEN

    return end


def in_order(*ends: Outcome) -> Callable[[str, int], Outcome]:
    """Ends of the first attempts, whoever they are for; then taken."""
    scripted = iter(ends)
    return lambda _address, _number: next(scripted, TAKEN)


def status(store: Store) -> Status | None:
    mailing = store.ledger.mailing(JULY)
    return mailing.status if mailing else None


def names(store: Store, state: HandOff) -> set[str]:
    return {address for address, _ in store.ledger.named(JULY, state)}


# -- how a run ends


def test_everybody_gets_it_once(store: Store) -> None:
    addresses = fill(store, 120)  # more than two batches
    sending = Sending(store, Way(connections=4))
    ended = run(sending.send())
    assert (ended.ending, ended.accepted, ended.progress[HandOff.ACCEPTED]) == (Ending.COMPLETE, 120, 120)
    assert sending.way.taken == Counter(addresses)
    assert sending.told == {HandOff.ACCEPTED: 120}
    assert (status(store), sending.rests) == (Status.COMPLETE, [])


def test_a_second_run_sends_to_nobody(store: Store) -> None:
    fill(store, 3)
    run(Sending(store, Way()).send())
    again = Sending(store, Way())
    assert run(again.send()).ending is Ending.COMPLETE
    assert not again.way.tries


def test_who_is_deferred_gets_it_when_they_are_due(store: Store) -> None:
    addresses = fill(store, 3)
    sending = Sending(store, Way(by_address(reader1=[BUSY, BUSY])))
    begun = sending.clock.now()
    ended = run(sending.send())
    assert ended.ending is Ending.COMPLETE
    assert sending.way.taken == Counter(addresses)
    assert sending.way.tries["reader1@example.org"] == 3
    assert sending.rests == [60, 300]  # the policy's first delays, at a jitter of one half
    assert sending.clock.now() - begun == timedelta(minutes=6)
    assert sending.told == {HandOff.ACCEPTED: 3, HandOff.DEFERRED: 2}


def test_a_run_does_not_wait_beyond_its_time_and_the_next_goes_on(store: Store) -> None:
    fill(store, 2)
    first = Sending(store, Way(by_address(reader1=[BUSY])))
    ended = run(first.send(timedelta(seconds=59)))
    assert (ended.ending, ended.due, first.rests) == (
        Ending.WAITING,
        first.clock.now() + timedelta(minutes=1),
        [],
    )
    assert status(store) is Status.SENDING
    second = Sending(store, Way(), first.clock)
    assert run(second.send(timedelta(seconds=59))).ending is Ending.WAITING
    assert not second.way.tries
    second.clock.advance(timedelta(minutes=1))
    assert run(second.send(timedelta(0))).ending is Ending.COMPLETE
    assert second.way.taken == {"reader1@example.org": 1}


def test_who_is_busy_for_ever_is_given_up(store: Store) -> None:
    fill(store, 2)
    sending = Sending(store, Way(by_address(reader1=[BUSY] * 100)))
    assert run(sending.send(MONTH)).ending is Ending.COMPLETE
    assert store.states() == {"reader0@example.org": "accepted", "reader1@example.org": "expired"}
    assert timedelta(seconds=sum(sending.rests)) <= timedelta(hours=48)


def test_who_is_refused_is_never_tried_again(store: Store) -> None:
    fill(store, 3)
    run(Sending(store, Way(by_address(reader1=[NOBODY]))).send())
    assert store.ledger.named(JULY, HandOff.REFUSED) == [("reader1@example.org", NOBODY.reply)]
    again = Sending(store, Way())
    run(again.send(MONTH))
    assert not again.way.tries
    assert status(store) is Status.COMPLETE


def test_values_that_cannot_stand_in_a_message_are_refused_and_keep_nobody_waiting(store: Store) -> None:
    fill(store, 5)
    store.freeze()
    store.sql("UPDATE delivery SET slots = json_set(slots, '$.name', char(8234)) WHERE id = 2")
    ended = run(Sending(store, Way()).send())
    assert (ended.ending, ended.accepted) == (Ending.COMPLETE, 4)
    assert Counter(store.states().values()) == {"accepted": 4, "refused": 1}
    ((detail,),) = store.sql("SELECT detail FROM delivery WHERE id = 2")
    assert "cannot be made" in detail


def test_who_is_unknown_is_held_and_everybody_else_is_served(store: Store) -> None:
    addresses = fill(store, 5)
    sending = Sending(store, Way(in_order(TAKEN, SILENCE)))
    ended = run(sending.send(MONTH))
    (held,) = names(store, HandOff.UNKNOWN)
    assert sending.way.taken == Counter(set(addresses) - {held})
    assert (ended.ending, ended.progress.open) == (Ending.COMPLETE, 1)
    assert status(store) is Status.SENDING
    again = Sending(store, Way())
    run(again.send(MONTH))
    assert not again.way.tries


def test_a_server_that_loses_every_answer_makes_few_unknown(store: Store) -> None:
    fill(store, 60)
    sending = Sending(store, Way(lambda _address, _number: SILENCE, connections=4))
    ended = run(sending.send(MONTH))
    assert ended.ending is Ending.TROUBLE
    assert 1 <= ended.progress[HandOff.UNKNOWN] <= 4
    assert ended.progress[HandOff.PLANNED] == 60 - ended.progress[HandOff.UNKNOWN]


def test_a_server_that_is_down_ends_the_run_with_nothing_sent(store: Store) -> None:
    fill(store, 60)
    sending = Sending(store, Way(lambda _address, _number: DOWN, connections=4))
    ended = run(sending.send(MONTH))
    assert (ended.ending, ended.accepted, ended.trouble) == (Ending.TROUBLE, 0, DOWN.reply)
    assert ended.progress[HandOff.PLANNED] == 60
    assert sum(sending.way.tries.values()) <= 4
    assert not sending.way.contents
    assert sending.rests == []
    assert status(store) is Status.PAUSED


def test_a_message_that_breaks_every_connection_keeps_nobody_waiting(store: Store) -> None:
    addresses = fill(store, 60)
    sending = Sending(store, Way(lambda address, _n: DOWN if address == "reader3@example.org" else TAKEN))
    ended = run(sending.send(timedelta(minutes=10)))
    assert sending.way.taken == Counter(set(addresses) - {"reader3@example.org"})
    assert ended.progress[HandOff.ACCEPTED] == 59
    assert store.states()["reader3@example.org"] == "deferred"


def test_a_server_that_goes_away_in_the_middle_is_waited_for(store: Store) -> None:
    addresses = fill(store, 60)
    sending = Sending(store, Way(in_order(*[TAKEN] * 10, DOWN, DOWN, DOWN, *[TAKEN] * 10, DOWN)))
    ended = run(sending.send())
    assert ended.ending is Ending.COMPLETE
    assert sending.way.taken == Counter(addresses)
    assert sending.rests == [10, 20, 40, 10]
    assert status(store) is Status.COMPLETE


def test_a_server_that_stays_away_is_given_up_after_the_time(store: Store) -> None:
    fill(store, 60)
    sending = Sending(store, Way(in_order(*[TAKEN] * 10, *[DOWN] * 1000)))
    ended = run(sending.send(timedelta(minutes=15)))
    assert (ended.ending, ended.accepted) == (Ending.TROUBLE, 10)
    assert ended.progress[HandOff.PLANNED] == 50
    assert sum(sending.rests) <= 15 * 60
    assert max(sending.rests) <= 5 * 60


def test_a_refused_account_ends_the_run_at_once(store: Store) -> None:
    fill(store, 60)
    sending = Sending(store, Way(in_order(*[TAKEN] * 10, *[CLOSED] * 1000)))
    ended = run(sending.send(MONTH))
    assert (ended.ending, ended.trouble) == (Ending.TROUBLE, CLOSED.reply)
    assert sending.rests == []
    assert sum(sending.way.tries.values()) == 11
    assert status(store) is Status.PAUSED


def test_a_refused_account_is_not_forgotten_for_a_connection_lost_after_it(store: Store) -> None:
    fill(store, 60)
    sending = Sending(store, Way(in_order(*[TAKEN] * 10, CLOSED, DOWN, DOWN, DOWN), connections=3))
    ended = run(sending.send(MONTH))
    assert ended.ending is Ending.TROUBLE
    assert sending.rests == []


# -- stopping


def test_a_stop_finishes_what_is_in_flight_and_begins_nothing(store: Store) -> None:
    addresses = fill(store, 60)

    async def after(_address: str) -> None:
        if len(sending.way.contents) == 10:
            sending.run.stop()
            await asyncio.sleep(0)

    sending = Sending(store, Way(connections=3, after=after))
    ended = run(sending.send())
    assert ended.ending is Ending.STOPPED
    assert 10 <= len(sending.way.contents) <= 12
    assert ended.accepted == len(sending.way.contents)
    assert ended.progress[HandOff.PLANNED] == 60 - ended.accepted
    assert status(store) is Status.PAUSED
    rest = Sending(store, Way())
    assert run(rest.send()).ending is Ending.COMPLETE
    assert sending.way.taken + rest.way.taken == Counter(addresses)


@pytest.mark.parametrize("patience", ["a second stop", "half a minute"])
def test_what_is_dropped_in_flight_is_unknown_and_named(
    store: Store, monkeypatch: pytest.MonkeyPatch, patience: str
) -> None:
    addresses = fill(store, 60)
    if patience == "half a minute":
        monkeypatch.setattr(send, "GRACE", timedelta(0))

    async def after(address: str) -> None:
        if len(sending.way.contents) >= 10:
            hanging.add(address)
            if len(hanging) == 3:
                assert sending.run.stop() is True
                if patience == "a second stop":
                    assert sending.run.stop() is False
            await asyncio.Event().wait()

    hanging: set[str] = set()
    sending = Sending(store, Way(connections=3, after=after))
    ended = run(sending.send())
    assert ended.ending is Ending.STOPPED
    assert names(store, HandOff.UNKNOWN) == hanging
    assert len(hanging) == 3
    assert ended.progress[HandOff.PLANNED] == 60 - ended.accepted - 3
    rest = Sending(store, Way())
    run(rest.send())
    assert sending.way.taken + rest.way.taken == Counter(set(addresses) - hanging)


def test_a_stop_with_the_last_message_is_none(store: Store) -> None:
    fill(store, 1)

    async def after(_address: str) -> None:
        sending.run.stop()

    sending = Sending(store, Way(after=after))
    assert run(sending.send()).ending is Ending.COMPLETE
    assert status(store) is Status.COMPLETE


def test_a_stop_ends_a_rest(store: Store) -> None:
    fill(store, 2)

    async def rest(stopping: asyncio.Event, seconds: float) -> None:
        asyncio.get_running_loop().call_soon(sending.run.stop)
        await send._until(stopping, seconds * 1000)

    sending = Sending(store, Way(by_address(reader1=[BUSY])))
    sending.run.rest = rest
    assert run(sending.send()).ending is Ending.STOPPED
    assert store.states()["reader1@example.org"] == "deferred"


def test_a_rest_ends_by_itself() -> None:
    run(send._until(asyncio.Event(), 0.0))


def test_a_drop_while_an_answer_is_being_kept_lets_nothing_more_leave(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = fill(store, 60)
    turn = SenderLease.turn

    def stop_and_turn(lease: SenderLease, *args: Any) -> Turn:
        if len(sending.way.contents) >= 10:
            for _ in range(2):
                loops[0].call_soon_threadsafe(sending.run.stop)
        return turn(lease, *args)

    async def slowly(_address: str) -> None:
        await asyncio.sleep(0.001)

    async def work() -> Ended:
        loops.append(asyncio.get_running_loop())
        return await sending.send()

    loops: list[asyncio.AbstractEventLoop] = []
    monkeypatch.setattr(SenderLease, "turn", stop_and_turn)
    sending = Sending(store, Way(connections=3, after=slowly))
    assert run(work()).ending is Ending.STOPPED
    monkeypatch.undo()
    left = {address for address, _ in sending.way.contents}
    assert len(left) == len(sending.way.contents) < 60
    rest = Sending(store, Way())
    run(rest.send())
    assert left.isdisjoint(rest.way.tries)
    assert {*rest.way.taken, *names(store, HandOff.UNKNOWN)} >= set(addresses) - left
    assert set(store.states().values()) <= {"accepted", "unknown"}


# -- surprises


def test_a_defect_of_the_transport_loses_nobody(store: Store) -> None:
    addresses = fill(store, 60)
    broken = Sending(store, Way(lambda address, _n: Dropped() if address == "reader7@example.org" else TAKEN))
    with pytest.raises(Dropped):
        run(broken.send())
    assert names(store, HandOff.UNKNOWN) == {"reader7@example.org"}
    assert set(store.states().values()) == {"accepted", "unknown", "planned"}
    rest = Sending(store, Way())
    run(rest.send())
    assert broken.way.taken + rest.way.taken == Counter(set(addresses) - {"reader7@example.org"})


def test_an_answer_that_cannot_be_kept_is_not_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flight recorder has it for the next sender."""
    addresses = fill(store, 10)

    def busy(*_args: object) -> None:
        raise TemporaryProblem("the database is busy")

    monkeypatch.setattr(hand_off, "record", busy)
    broken = Sending(store, Way(connections=2))
    with pytest.raises(TemporaryProblem):
        run(broken.send())
    monkeypatch.undo()
    assert set(store.states().values()) == {"claimed"}
    rest = Sending(store, Way())
    assert run(rest.send()).ending is Ending.COMPLETE
    assert broken.way.taken + rest.way.taken == Counter(addresses)
    assert set(store.states().values()) == {"accepted"}


def test_a_run_that_is_cancelled_from_outside_settles_its_rows(store: Store) -> None:
    fill(store, 10)

    async def after(_address: str) -> None:
        reached.set()
        await asyncio.Event().wait()

    async def work() -> None:
        task = asyncio.create_task(sending.send())
        await reached.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    reached = asyncio.Event()
    sending = Sending(store, Way(after=after))
    run(work())
    assert Counter(store.states().values()) == {"unknown": 1, "planned": 9}


def test_when_another_process_takes_over_the_first_ends_and_changes_nothing(store: Store) -> None:
    """It was taken for dead, so what it still has in hand is on the wire; the fence keeps it from the ledger."""
    fill(store, 60)
    other: list[SenderLease] = []

    async def before(_address: str) -> None:
        if len(sending.way.contents) == 10 and not other:
            other.append(await asyncio.to_thread(store.lease, JULY, "other"))
            other[0]._connection.detach()

    sending = Sending(store, Way(before=before))
    with pytest.raises(Locked):
        run(sending.send())
    assert Counter(store.states().values()) == {"accepted": 10, "planned": 50}


def test_a_process_that_was_asleep_begins_nothing_until_it_knows_that_it_may(store: Store) -> None:
    addresses = fill(store, 5)
    asleep = [False]
    turns: list[int] = []

    def begin(address: str) -> None:
        assert not asleep[0], address

    async def before(address: str) -> None:
        if address == "reader2@example.org" and not turns:
            asleep[0] = True
            sending.run._desk._renewed -= 60
            turn = SenderLease.turn

            def woken(lease: SenderLease, *args: Any) -> Turn:
                asleep[0] = False
                turns.append(1)
                return turn(lease, *args)

            sending.run._desk.lease.turn = woken.__get__(sending.run._desk.lease)  # type: ignore[method-assign]

    async def after(address: str) -> None:
        begin(address)

    sending = Sending(store, Way(before=before, after=after))
    assert run(sending.send()).ending is Ending.COMPLETE
    assert turns
    assert sending.way.taken == Counter(addresses)


# -- leaving


async def leave_and_be_noticed(store: Store, sending: Sending, address: str) -> None:
    """Leave, and wait for the next look of the sender at what others have done."""
    person = store.person(address)
    await asyncio.to_thread(store.people.leave, person.id, "link", sending.clock.now(), None)
    while not sending.run._desk._dropped:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)


def test_who_leaves_while_others_are_served_gets_nothing(store: Store) -> None:
    addresses = fill(store, 20)  # one batch, all claimed

    async def after(address: str) -> None:
        if len(sending.way.contents) == 1:
            person = store.person(next(one for one in addresses if one != address))
            gone.append(person.address.typed)
            await leave_and_be_noticed(store, sending, person.address.typed)

    gone: list[str] = []
    sending = Sending(store, Way(after=after))
    assert run(sending.send()).ending is Ending.COMPLETE
    assert sending.way.taken == Counter(set(addresses) - set(gone))
    assert sending.way.tries[gone[0]] == 0
    assert store.states()[gone[0]] == "suppressed"


@pytest.mark.parametrize("connections", [1, 3])
def test_who_leaves_while_the_server_is_told_of_them_gets_nothing(store: Store, connections: int) -> None:
    """Behind RCPT, before DATA: the last moment."""
    addresses = fill(store, 20)

    async def before(address: str) -> None:
        if address == "reader7@example.org":
            await leave_and_be_noticed(store, sending, address)

    sending = Sending(store, Way(connections=connections, before=before))
    assert run(sending.send()).ending is Ending.COMPLETE
    assert sending.way.taken == Counter(set(addresses) - {"reader7@example.org"})
    assert [address for address, _ in sending.way.contents].count("reader7@example.org") == 0
    assert store.states()["reader7@example.org"] == "suppressed"


# -- what is durable, and when


def test_who_leaves_does_not_end_the_run_for_the_others(store: Store) -> None:
    """Although somebody else is deferred until after this run."""
    addresses = fill(store, 10)

    async def before(address: str) -> None:
        if address == "reader5@example.org":
            await leave_and_be_noticed(store, sending, address)

    sending = Sending(store, Way(by_address(reader0=[BUSY]), before=before))
    ended = run(sending.send(timedelta(0)))
    assert sending.way.taken == Counter(set(addresses) - {"reader0@example.org", "reader5@example.org"})
    assert ended.progress[HandOff.PLANNED] == 0


def test_a_claim_is_on_disk_and_a_mark_is_made_before_content_leaves(store: Store) -> None:
    fill(store, 5)
    seen: list[tuple[str, Mark]] = []

    async def look(address: str) -> None:
        (row,) = store.sql("SELECT id FROM delivery WHERE subscriber_id = ?", store.person(address).id)[0]
        mailing = sending.run._desk.lease.mailing
        with store.database.read() as connection:
            life = incarnation(connection)
        marks = flight_recorder.read(recorder_path(store.database.path, mailing.id), life, mailing.id, mailing.fence)
        assert marks is not None
        seen.append((store.states()[address], marks[row]))

    sending = Sending(store, Way(before=look, after=look))
    run(sending.send())
    assert seen == 5 * [("claimed", Mark.CLAIMED), ("claimed", Mark.STARTED)]
    assert set(store.states().values()) == {"accepted"}


def test_a_retry_is_the_same_message_and_the_ledger_knows_its_bytes(store: Store) -> None:
    fill(store, 1)
    sending = Sending(store, Way(by_address(reader0=[BUSY, BUSY, BUSY])))
    run(sending.send(MONTH))
    contents = [content for _, content in sending.way.contents]
    assert len(contents) == 4
    assert len(set(contents)) == 1
    reader = recipient_of(id=store.person("reader0@example.org").id, address=address_of("reader0@example.org"), name="")
    again = Stencil(edition_of(), NOW, KEYS).address(reader)
    assert again.content == contents[0]
    assert store.sql("SELECT message_digest FROM delivery") == [(again.digest,)]


def test_everyones_message_is_their_own(store: Store) -> None:
    addresses = fill(store, 8)
    sending = Sending(store, Way(connections=2))
    run(sending.send())
    for address, content in sending.way.contents:
        assert f"To: {address}".encode() in content.replace(b'"', b"").replace(b"<", b"").replace(b">", b"")
    assert len({content for _, content in sending.way.contents}) == len(addresses)


def test_of_thousands_everybody_gets_it_once(store: Store) -> None:
    addresses = fill(store, MANY)
    sending = Sending(store, Way(connections=8))
    assert asyncio.run(sending.send()).ending is Ending.COMPLETE
    assert sending.way.taken == Counter(addresses)
    assert store.sql("SELECT count(*), count(DISTINCT delivery_id) FROM attempt") == [(MANY, MANY)]


# -- how fast, and until when


def test_a_mailing_that_rested_too_long_is_not_sent_any_more(store: Store) -> None:
    """Whoever was never tried included: a digest is stale after two days."""
    fill(store, 1200)
    first = Sending(store, Way(in_order(BUSY, TAKEN, *[DOWN] * 10)))
    assert run(first.send(timedelta(0))).ending is Ending.TROUBLE
    later = Sending(store, Way(), first.clock)
    later.clock.advance(timedelta(hours=49))
    ended = run(later.send())
    assert (ended.ending, ended.accepted) == (Ending.COMPLETE, 0)
    assert not later.way.tries
    assert Counter(store.states().values()) == {"accepted": 1, "expired": 1199}
    assert status(store) is Status.COMPLETE


def test_no_more_are_in_flight_to_a_provider_than_was_asked_for(store: Store) -> None:
    store.load(*(candidate(f"reader{n}@{'outlook.com' if n % 2 else 'hotmail.fr'}") for n in range(20)))
    store.load(*(candidate(f"reader{n}@clinic.ca") for n in range(20)))
    store.freeze()
    flying: Counter[str] = Counter()
    most: Counter[str] = Counter()

    async def before(address: str) -> None:
        family = "clinic" if address.endswith("clinic.ca") else "microsoft"
        flying[family] += 1
        most[family] = max(most[family], flying[family])
        await asyncio.sleep(0.001)

    async def after(address: str) -> None:
        flying["clinic" if address.endswith("clinic.ca") else "microsoft"] -= 1

    sending = Sending(store, Way(connections=8, before=before, after=after))
    sending.run.pacer = Pacer(limits={"microsoft": Limit(in_flight=2)})
    assert run(sending.send()).ending is Ending.COMPLETE
    assert most["microsoft"] == 2
    assert most["clinic"] > 2
    assert sum(sending.way.taken.values()) == 40


def test_a_rate_holds_mail_back_and_nobody_is_forgotten(store: Store) -> None:
    addresses = fill(store, 30)
    sending = Sending(store, Way(connections=4))
    sending.run.pacer = Pacer(per_second=200)
    assert run(sending.send()).ending is Ending.COMPLETE
    assert sending.way.taken == Counter(addresses)


def test_what_comes_back_slows_the_run_down(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a relay every message is accepted; what the providers think of it is heard later."""
    monkeypatch.setattr(desk, "_HEED", 0)
    fill(store, 60)

    async def after(_address: str) -> None:
        if sending.way.taken.total() == 30:
            store.sql("UPDATE delivery SET fate = 'delayed' WHERE state = 'claimed' OR state = 'accepted'")
        await asyncio.sleep(0.002)

    sending = Sending(store, Way(after=after))
    assert run(sending.send()).ending is Ending.COMPLETE
    assert sending.run.pacer.busy
    assert sending.way.taken.total() == 60


# -- canaries


def canaries(store: Store, way: Way) -> Sending:
    sending = Sending(store, way)
    sending.run.canary = Canary(5, timedelta(minutes=10))
    return sending


def test_canaries_that_do_well_let_the_others_go(store: Store) -> None:
    addresses = fill(store, 30)
    sending = canaries(store, Way())
    assert run(sending.send()).ending is Ending.COMPLETE
    assert sending.rests == [600]
    assert sending.way.taken == Counter(addresses)


def test_canaries_without_time_to_wait_hold_the_others_until_a_resume(store: Store) -> None:
    addresses = fill(store, 30)
    sending = canaries(store, Way())
    ended = run(sending.send(timedelta(0)))
    assert (ended.ending, ended.accepted, ended.progress[HandOff.PLANNED]) == (Ending.HELD, 5, 25)
    assert status(store) is Status.HELD
    rest = Sending(store, Way())
    assert run(rest.send()).ending is Ending.COMPLETE
    assert sending.way.taken + rest.way.taken == Counter(addresses)


@pytest.mark.parametrize("what", ["refused", "bounced", "complained"])
def test_canaries_that_do_badly_hold_the_others(store: Store, what: str) -> None:
    fill(store, 30)
    way = Way(in_order(NOBODY) if what == "refused" else lambda _address, _number: TAKEN)
    sending = canaries(store, way)

    async def rest(_stopping: asyncio.Event, _seconds: float) -> None:
        if what != "refused":
            store.sql("UPDATE delivery SET fate = ? WHERE id = (SELECT min(id) FROM delivery)", what)

    sending.run.rest = rest
    ended = run(sending.send())
    assert ended.ending is Ending.HELD
    assert "of the first 5, 1 were refused" in ended.trouble
    assert sum(way.tries.values()) == 5


def test_more_canaries_than_people_are_everybody(store: Store) -> None:
    fill(store, 3)
    assert run(canaries(store, Way()).send()).ending is Ending.COMPLETE


# -- whatever the server says: nobody twice, nobody forgotten

outcomes = st.sampled_from(
    [TAKEN, TAKEN, BUSY, NOBODY, DOWN, SILENCE, Deferred(Scope.MESSAGE, "later"), Deferred(Scope.ACCOUNT, "quota")]
)


@FEW
@given(st.lists(st.lists(outcomes, max_size=4), min_size=1, max_size=6), st.integers(1, 3))
def test_the_law_of_the_ledger(scripts: list[list[Outcome]], connections: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(Path(folder))
        addresses = fill(store, len(scripts))
        script = dict(zip(addresses, scripts, strict=True))
        ends: dict[str, list[Outcome]] = defaultdict(list)

        def end(address: str, number: int) -> Outcome:
            outcome = script[address][number - 1] if number <= len(script[address]) else TAKEN
            ends[address].append(outcome)
            return outcome

        way = Way(end, connections)
        for _ in range(40):
            if run(Sending(store, way).send(MONTH)).ending is Ending.COMPLETE:
                break
        states = store.states()
        assert set(states) == set(addresses)
        for address in addresses:
            last = ends[address][-1]
            assert sum(isinstance(one, Accepted | Unknown) for one in ends[address]) <= 1
            assert way.taken[address] == (states[address] == "accepted") == isinstance(last, Accepted)
            assert (states[address] == "unknown") == isinstance(last, Unknown)
            assert states[address] in ("accepted", "unknown", "refused", "expired")
        assert store.people.find(address_of(addresses[0]))
