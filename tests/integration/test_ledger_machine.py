"""A mailing to which everything happens, in any order: the ledger and the retry policy against a small model.

The store is the real one, on SQLite; the model is plain Python and knows what is promised: of everybody in the frozen
audience how far their message has come, how often it was tried, and, which no ledger can know, what the server has
taken. Hypothesis makes up the story: people come and leave, senders take turns, are overtaken, are killed and lose
their power, servers answer or do not, the clock goes on and back, an admin pauses, cancels, retries and settles.
After every step the two must agree, and at the end a last sender and the server's log must settle everybody.
"""

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count, islice
from pathlib import Path
from typing import assert_never
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core_support import JULY
from digest_mailer.adapters.store.lease import SenderLease, recorder_path
from digest_mailer.adapters.store.oversight import OversightStore
from digest_mailer.adapters.store.roster import RosterStore
from digest_mailer.adapters.store.tables import stamp
from digest_mailer.core.address import address_hash
from digest_mailer.core.audience import (
    Candidate,
    Ground,
    State,
    Subscriber,
    Suppression,
    eligible,
    has_left,
    more_restricted,
)
from digest_mailer.core.delivery import (
    OPEN,
    Accepted,
    Done,
    Fate,
    GiveUp,
    HandOff,
    Hold,
    Outcome,
    PutBack,
    Retry,
    RetryPolicy,
    Unknown,
)
from digest_mailer.core.errors import InterlockError, Locked, NothingMatched
from digest_mailer.core.feedback import FeedbackEvent
from digest_mailer.core.identity import ENGLISH, FRENCH, Language, RowId, SubscriberId
from digest_mailer.core.mailing import Claim, Progress, Result, Status
from digest_mailer.core.message import local_id
from digest_mailer.core.segment import EVERYBODY, Segment, matches
from digest_mailer.core.topic import words_of
from digest_mailer.services.oversight import Overseer, Settled
from publication_support import FixedClock
from send_support import BUSY, CLOSED, DOWN, KEYS, NOBODY, SILENCE, TAKEN
from store_support import KEY, NOW, WAY, candidate, make_store

POOL = [f"reader{number}@example.org" for number in range(5)]
SEGMENTS = [EVERYBODY, Segment("five", any_topics=words_of((5,))), Segment("french", languages=(FRENCH,))]
SLOTS = 5  # rows that a sender may have claimed without a durable result
AGE = timedelta(hours=48)
STILL_TO_SEND = (HandOff.PLANNED, HandOff.CLAIMED, HandOff.DEFERRED)
MAY_HAVE_LEFT = (HandOff.CLAIMED, HandOff.SUPPRESSED, HandOff.CANCELLED)  # of a row that a sender has in hand
POLICY = RetryPolicy()

some = st.integers(0, 6)  # one of several, whatever their number


class BrokenOffError(Exception):
    """What ends a turn after its transaction was kept."""


@dataclass
class Row:
    """Somebody in the frozen audience."""

    address: str
    reader: SubscriberId
    state: HandOff = HandOff.PLANNED
    due: datetime | None = None
    attempts: int = 0
    numbers: list[int] = field(default_factory=list)  # of the attempts on record
    taken: bool = False  # the server has it, since the admin last said to send it again
    held_back: bool = False  # moved out of a sender's hand, which may have begun it

    def note(self) -> None:
        """One more attempt is on record."""
        self.attempts += 1
        self.numbers.append(self.attempts)


@dataclass
class Parcel:
    """A row in a sender's hand."""

    row: Row
    claim: Claim
    begun: datetime | None = None
    held: bool = False  # the server got all of it and took it
    result: Result | None = None


@dataclass
class Sender:
    """A process that has the lease, or had it."""

    lease: SenderLease
    owner: str
    hand: dict[str, Parcel] = field(default_factory=dict)
    seen: Status = Status.SENDING

    def unbegun(self) -> list[Parcel]:
        """Of which nothing has left."""
        return [one for one in self.hand.values() if not one.begun and not one.result]

    def unanswered(self) -> list[Parcel]:
        """Which may be on the wire."""
        return [one for one in self.hand.values() if one.begun and not one.result]

    def done(self) -> list[tuple[Parcel, Result]]:
        """Which have ended, and whose ends are not durable."""
        return [(one, one.result) for one in self.hand.values() if one.result]


@dataclass
class Book:
    """The model: who is on the list, and what the ledger promises of everybody in the mailing."""

    people: dict[str, Subscriber] = field(default_factory=dict)
    suppressed: set[str] = field(default_factory=set)
    rows: dict[str, Row] = field(default_factory=dict)
    coming: dict[str, Row] = field(default_factory=dict)  # of a wave whose rows are not written yet
    status: Status | None = None
    expires: datetime = NOW

    def everybody(self) -> list[Row]:
        """In the frozen audience."""
        return [*self.rows.values(), *self.coming.values()]

    def are(self, *states: HandOff) -> list[Row]:
        """The written rows in these states."""
        return [row for row in self.rows.values() if row.state in states]

    def in_hand(self) -> list[Row]:
        """Claimed, or moved after that: after a power loss they may have left."""
        return [*self.are(HandOff.CLAIMED), *(one for one in self.are(*MAY_HAVE_LEFT[1:]) if one.held_back)]

    def audience(self, segment: Segment, now: datetime) -> list[Subscriber]:
        """Who would be in a wave that is opened now."""
        return [
            person
            for address, person in self.people.items()
            if address not in self.rows and self.entitled(person, now) and matches(segment, person)
            if person.all_topics or any(person.topics)
        ]

    def entitled(self, person: Subscriber, now: datetime) -> bool:
        """Whether somebody may get mail now."""
        suppressed = str(person.address) in self.suppressed
        return eligible(person.state, person.paused_until, suppressed=suppressed, today=now.date()) is None

    def may(self, row: Row, now: datetime) -> bool:
        """Whether the person of a row may get it now. Who was deleted and came back is somebody else."""
        person = self.people.get(row.address)
        return person is not None and person.id == row.reader and self.entitled(person, now)

    def load(self, row: Candidate, now: datetime) -> None:
        """An import never gives anybody more mail, and who gets less by it gets none that is not begun."""
        before = self.people[row.address.typed]
        if row.address.typed in self.suppressed or has_left(before.state):
            return
        after = replace(before, topics=row.topics, all_topics=row.all_topics, language=row.language or before.language)
        after = replace(after, state=more_restricted(before.state, row.state))
        if row.state is State.PAUSED:
            ends = [row.paused_until, *([before.paused_until] if before.state is State.PAUSED else [])]
            known = [end for end in ends if end]
            after = replace(after, paused_until=max(known) if len(known) == len(ends) else None)
        self.people[row.address.typed] = after
        if after != before and row.state is State.PAUSED and not self.entitled(after, now):
            self.drop(after.id)

    def drop(self, reader: SubscriberId) -> None:
        """Nothing more is sent to somebody."""
        for row in self.are(*STILL_TO_SEND):
            if row.reader == reader:
                row.held_back = row.state is HandOff.CLAIMED
                row.state, row.due = HandOff.SUPPRESSED, None

    def stand(self, status: Status) -> None:
        """Complete with nobody open, and only then; closed for good."""
        if self.status is Status.CLOSED:
            return
        if not self.coming and not self.are(*OPEN):
            self.status = Status.COMPLETE
        else:
            self.status = Status.SENDING if status is Status.COMPLETE else status

    def record(self, row: Row, result: Result) -> None:
        """What an attempt ended in. Who left while it was on the wire stays so, unless it may have arrived. What
        evidence has settled meanwhile stays settled."""
        if row.state not in MAY_HAVE_LEFT or row.attempts != result.before:
            return
        row.held_back = False
        told = result.state in (HandOff.ACCEPTED, HandOff.REFUSED, HandOff.UNKNOWN)
        if row.state is HandOff.CLAIMED or told:
            row.due = result.due if row.state is HandOff.CLAIMED else None
            row.state = result.state
        row.note()

    def settle(self, sender: Sender, *, power: bool) -> int:
        """The next one takes over: answers how many became unknown. With `power` the recorder can be believed."""
        before = self.are(HandOff.UNKNOWN)
        if not power:
            for row in self.in_hand():
                self.lose(row)
        for parcel in sender.hand.values() if power else ():
            if parcel.row.state not in MAY_HAVE_LEFT:
                continue
            outcome = parcel.result.outcome if parcel.result else Unknown("no answer")
            if parcel.begun and isinstance(outcome, Unknown):
                self.lose(parcel.row)
            elif parcel.begun and isinstance(outcome, Accepted):
                parcel.row.state = HandOff.ACCEPTED
                parcel.row.note()
        for row in self.are(HandOff.CLAIMED):
            row.state = HandOff.PLANNED
        for row in self.rows.values():
            row.held_back = False
        return len(self.are(HandOff.UNKNOWN)) - len(before)

    def lose(self, row: Row) -> None:
        """Nobody knows how an attempt ended: it is counted, and has no entry."""
        row.state = HandOff.UNKNOWN
        row.attempts += 1

    def told(self, row: Row, state: HandOff) -> None:
        """An unknown row is settled by evidence or by word, which stands behind its attempts."""
        row.state = state
        row.numbers.append(max(row.numbers, default=0) + 1)
        row.attempts = max(row.attempts, row.numbers[-1])


class Mailings(RuleBasedStateMachine):
    """One mailing, and all that can befall it."""

    @initialize(people=st.integers(3, 5), segment=st.sampled_from([EVERYBODY, EVERYBODY, *SEGMENTS]))
    def start(self, people: int, segment: Segment) -> None:
        """A list with some people on it, and a mailing to them."""
        self.folder = tempfile.TemporaryDirectory()
        self.store = make_store(Path(self.folder.name))
        self.eye = sqlite3.connect(
            self.store.database.path, isolation_level=None
        )  # open, or SQLite tidies up each time
        self.eye.execute("SELECT 1 FROM delivery").fetchall()
        numbers = count(1)  # no chance in it: ids decide the order of rows
        ids = (SubscriberId(number * 40503 % 65536) for number in numbers)
        self.store.roster = RosterStore(self.store.database, KEY, lambda number: islice(ids, number))
        self.alive: set[str] = set()
        self.store.ledger._runs = self.alive.__contains__
        self.approval = self.store.approve()
        self.clock = FixedClock()
        self.overseer = Overseer(self.store.ledger, OversightStore(self.store.database), KEYS, self.clock, AGE, True)
        self.book = Book()
        self.sender: Sender | None = None
        self.overtaken: Sender | None = None
        self.left: Sender | None = None  # who died, and whose work nobody has settled yet
        self.power = True  # has never failed since
        self.owners = count(1)
        self.log: list[str] = []  # of the server: every Message-ID that it took
        self.server: Counter[str] = Counter()  # how often it took one for somebody
        self.words: Counter[str] = Counter()  # how often somebody's was to be sent again
        self.by_hash = {address_hash(candidate(one).address, KEY): one for one in POOL}
        for number, address in enumerate(POOL[:people]):
            self.load(candidate(address, (5, 6)[: number % 3], language=(ENGLISH, FRENCH)[number % 2]))
        self.open_wave(segment)

    def teardown(self) -> None:
        """A last sender, the server's log and the admin's word settle everybody."""
        if not hasattr(self, "folder"):
            return
        try:
            if self.book.status:
                self.settle_everything()
        finally:
            for sender in (self.sender, self.overtaken):
                if sender:
                    sender.lease.close()
            self.eye.close()
            self.folder.cleanup()

    # -- people

    @rule(
        address=st.sampled_from(POOL),
        topics=st.sampled_from([(), (), (5,), (5, 6), None]),
        language=st.sampled_from([ENGLISH, FRENCH]),
        pause=st.sampled_from([None, None, None, -1, 0, 2]),
    )
    def come_or_change(
        self, address: str, topics: tuple[int, ...] | None, language: Language, pause: int | None
    ) -> None:
        """An import: somebody new, other topics, another language, a pause."""
        row = candidate(address, topics or (), language=language)
        row = replace(row, all_topics=topics == ())  # who drops their last topic gets no issue, but a row stays
        if pause is not None:
            row = replace(row, state=State.PAUSED, paused_until=self.clock.now().date() + timedelta(days=pause))
        self.load(row)

    @rule(
        which=st.integers(0, 2 * len(POOL) - 1), how=st.sampled_from(["leave", "link", "suppress", "delete", "return"])
    )
    def go(self, which: int, how: str) -> None:
        """Somebody gets nothing further, from this moment on; often somebody whose message is in a sender's hand."""
        in_hand = [*self.sender.hand] if self.sender else []
        address = [*in_hand, *POOL][which % (len(in_hand) + len(POOL))]
        match how:
            case "leave":
                self.depart(address, by_link=False)
            case "link":
                self.leave_by_the_link(which)
            case "suppress":
                self.suppress(address)
            case _:
                self.delete(address, back=how == "return")

    # -- waves

    @precondition(lambda self: not self.sender and self.may_open())
    @rule(segment=st.sampled_from(SEGMENTS))
    def open_wave(self, segment: Segment) -> None:
        """Everybody in a segment who may get the issue and has no row yet."""
        now = self.tick()
        new = self.book.audience(segment, now)
        assert self.store.ledger.open_wave(self.approval, self.store.request(segment, now)) == len(new)
        if new:
            self.book.coming = {str(one.address): Row(str(one.address), one.id) for one in new}
            self.book.status, self.book.expires = Status.SENDING, now + AGE

    # -- one sender at a time

    @precondition(lambda self: self.may_send() and not self.sender)
    @rule(follow=st.booleans(), limit=st.integers(1, SLOTS), held=st.lists(st.booleans(), max_size=SLOTS))
    def take_the_lease(self, follow: bool, limit: int, held: list[bool]) -> None:
        """A new sender: it settles what the one before left, as the flight recorder tells."""
        if follow:  # the policy that unknown people get it once more
            first = [row for row in self.book.are(HandOff.UNKNOWN) if not self.words[row.address]]
            assert self.overseer.follow_policy(JULY) == len(first)
            for row in first:
                self.send_again(row)
        self.take()
        self.turn(limit, held)

    @precondition(lambda self: self.may_send() and self.sender and self.sender.hand)
    @rule(limit=st.integers(0, SLOTS))
    def overtake(self, limit: int) -> None:
        """Nobody sends beside a sender that lives. When it falls asleep, it is taken for dead, and another goes on."""
        self.forget_overtaken()
        assert self.sender
        before = self.store.dump()
        with pytest.raises(Locked):
            self.store.ledger.lease(JULY, WAY, "another", SLOTS, self.clock.now())
        assert self.store.dump() == before
        self.alive.remove(self.sender.owner)
        self.overtaken = self.left = self.sender
        self.take()
        self.turn(limit, [])
        with pytest.raises(Locked):
            self.overtaken.lease.turn((), SLOTS, self.clock.now())

    @precondition(lambda self: self.overtaken)
    @rule(outcome=st.sampled_from([TAKEN, BUSY, NOBODY, DOWN, SILENCE]))
    def awake_too_late(self, outcome: Outcome) -> None:
        """Whoever was overtaken changes nothing more, whatever the server has told them."""
        old, now, before = self.overtaken, self.clock.now(), self.store.dump()
        assert old
        hand = list(old.hand.values())
        told = [self.end(old, one, outcome, 0.5) for one in hand]
        assert old.lease.news([one.claim.row for one in hand]).overtaken
        assert old.lease.news([one.claim.row for one in hand]).dropped == {one.claim.row for one in hand}
        with pytest.raises(Locked):
            old.lease.turn(told, SLOTS, now)
        old.lease.release(Status.COMPLETE, "", [one.claim.row for one in hand], told, now)
        assert self.store.dump() == before
        self.forget_overtaken()

    # -- its work

    @precondition(lambda self: self.sender)
    @rule(limit=st.integers(0, SLOTS), held=st.lists(st.booleans(), max_size=SLOTS))
    def turn(self, limit: int, held: list[bool]) -> None:
        """Results become durable and rows are claimed in one transaction; then some are begun."""
        sender = self.sender
        assert sender
        limit, now, done = self.limit(sender, limit), self.tick(), sender.done()
        claims = sender.lease.turn([result for _, result in done], limit, now).claims
        self.turned(sender, now)
        self.claimed([claim.recipient.address.typed for claim in claims], limit, now)
        for claim in claims:
            row = self.book.rows[claim.recipient.address.typed]
            assert (claim.recipient.id, claim.attempts) == (row.reader, row.attempts)
            sender.hand[row.address] = Parcel(row, claim)
        self.begin(held)

    @precondition(lambda self: self.sender)
    @rule(limit=st.integers(0, SLOTS), dies=st.booleans())
    def turn_that_is_broken_off(self, limit: int, dies: bool) -> None:
        """It was kept, but its sender does not know: what it claimed is in nobody's hand. The sender ends, and if it
        still can, it hands the same results in once more, which changes nothing."""
        sender = self.sender
        assert sender
        limit, now, results = self.limit(sender, limit), self.tick(), [result for _, result in sender.done()]
        with (
            patch.object(sender.lease._recorder, "land", side_effect=BrokenOffError),
            pytest.raises(BrokenOffError),
        ):
            sender.lease.turn(results, limit, now)
        self.turned(sender, now)
        before = {row.address for row in self.book.are(HandOff.CLAIMED)}
        self.write_coming()
        new = [one for one, (state, *_) in self.found().items() if state == "claimed" and one not in before]
        self.claimed(new, limit, now)
        if dies:
            self.left = sender
            self.end_of_sender()
        else:
            self.end_in_order(Status.PAUSED, results)

    @precondition(lambda self: self.sender and self.sender.unbegun())
    @rule(held=st.lists(st.booleans(), min_size=1, max_size=SLOTS))
    def begin(self, held: list[bool]) -> None:
        """Messages leave; the server may take them, whatever the sender hears of that."""
        assert self.sender
        for parcel, taken in zip(self.sender.unbegun(), held, strict=False):
            self.hand_over(self.sender, parcel, held=taken)

    @precondition(lambda self: self.sender and self.sender.unanswered())
    @rule(ends=st.lists(st.sampled_from([BUSY, NOBODY, DOWN, CLOSED, SILENCE]), min_size=1, max_size=SLOTS),
          jitter=st.floats(0, 1))  # fmt: skip
    def answer(self, ends: list[Outcome], jitter: float) -> None:
        """The server's answers to messages that left, which may get lost."""
        assert self.sender
        for parcel, end in zip(self.sender.unanswered(), ends, strict=False):
            heard = TAKEN if parcel.held and end is not SILENCE else end
            self.hear(self.sender, parcel, heard, jitter)

    @precondition(lambda self: self.sender and self.sender.unbegun())
    @rule(ends=st.lists(st.sampled_from([TAKEN, TAKEN, BUSY, NOBODY, SILENCE, DOWN]), min_size=1, max_size=SLOTS),
          jitter=st.floats(0, 1))  # fmt: skip
    def serve(self, ends: list[Outcome], jitter: float) -> None:
        """Some messages from their beginning to their end."""
        assert self.sender
        for parcel, end in zip(self.sender.unbegun(), ends, strict=False):
            self.hand_over(self.sender, parcel, held=isinstance(end, Accepted | Unknown))
            self.hear(self.sender, parcel, end, jitter)

    @precondition(lambda self: self.sender and self.sender.unbegun())
    @rule(which=some, end=st.sampled_from([BUSY, NOBODY, DOWN, CLOSED]), jitter=st.floats(0, 1))
    def fail_before_any_content(self, which: int, end: Outcome, jitter: float) -> None:
        """Refused before a word of it left, or no connection."""
        assert self.sender
        unbegun = self.sender.unbegun()
        self.hear(self.sender, unbegun[which % len(unbegun)], end, jitter)

    @precondition(lambda self: self.sender)
    @rule()
    def look(self) -> None:
        """Whoever left is dropped before their message is begun, and a pause is noticed."""
        sender = self.sender
        assert sender
        changed, unbegun = sender.lease.changed(), sender.unbegun()
        news = sender.lease.news([one.claim.row for one in unbegun])
        gone = [one for one in unbegun if one.row.state is not HandOff.CLAIMED]
        assert news.dropped == {one.claim.row for one in gone}
        assert news.status is self.book.status
        assert changed or (not gone and news.status is sender.seen)
        assert not news.overtaken
        sender.lease.let_go([one.claim.row for one in gone])
        for one in gone:
            one.row.held_back = False
            del sender.hand[one.row.address]
        sender.seen = news.status

    # -- its end

    @precondition(lambda self: self.sender)
    @rule(status=st.sampled_from([Status.SENDING, Status.PAUSED, Status.COMPLETE, Status.HELD]))
    def release(self, status: Status) -> None:
        """An orderly end: the last results are kept, and who is without an answer is named."""
        self.end_in_order(status, [])

    @precondition(lambda self: (self.sender and self.sender.hand) or self.left)
    @rule(how=st.sampled_from(["killed", "killed", "no recorder", "another boot"]))
    def die(self, how: str) -> None:
        """The process is killed at whatever it was doing. Its recorder stays, but after a power loss it is gone or says
        nothing: all that was claimed may have been on the wire."""
        if self.sender:
            self.left = self.sender
            self.end_of_sender()
        if how == "killed":
            return
        self.forget_overtaken()
        ((mailing,),) = self.store.sql("SELECT id FROM mailing")
        path = recorder_path(self.store.database.path, mailing)
        if how == "no recorder":
            path.unlink(missing_ok=True)
        elif self.power:
            content = bytearray(path.read_bytes())
            content[8] ^= 1
            path.write_bytes(content)
        self.power = False

    # -- time

    @rule(minutes=st.sampled_from([2, 2, 30, 30, 13 * 60, 49 * 60]), back=st.integers(0, 90))
    def time_goes_on(self, minutes: int, back: int) -> None:
        """People become due, pauses end, the issue gets too old; and sometimes somebody sets the clock back."""
        self.clock.advance(timedelta(seconds=-back) if back > 45 else timedelta(minutes=minutes))

    # -- the admin

    @precondition(lambda self: self.sender or self.left)
    @rule(cancel=st.sampled_from([False] * 5 + [True]))
    def stop(self, cancel: bool) -> None:
        """For a while, or for good; what is over can neither be paused nor cancelled."""
        self.tick()
        over = self.book.status in (Status.COMPLETE, Status.CLOSED)
        if over or (self.book.status is Status.PAUSED and not cancel):
            with pytest.raises(InterlockError):
                (self.overseer.cancel if cancel else self.overseer.pause)(JULY)
        elif cancel:
            self.cancel()
        else:
            self.overseer.pause(JULY)
            self.book.status = Status.PAUSED

    @precondition(lambda self: self.book.are(HandOff.DEFERRED, HandOff.REFUSED, HandOff.EXPIRED))
    @rule(states=st.sets(st.sampled_from([HandOff.DEFERRED, HandOff.REFUSED, HandOff.EXPIRED]), min_size=1))
    def retry(self, states: set[HandOff]) -> None:
        """People who were given up for now or for good are planned again, with new time."""
        now, rows = self.tick(), self.book.are(*states)
        if self.book.status is Status.CLOSED:
            with pytest.raises(InterlockError):
                self.overseer.retry(JULY, sorted(states))
            return
        if not rows:
            with pytest.raises(NothingMatched):
                self.overseer.retry(JULY, sorted(states))
            return
        assert self.overseer.retry(JULY, sorted(states)) == len(rows)
        for row in rows:
            row.state, row.due = HandOff.PLANNED, now
        self.book.status, self.book.expires = Status.SENDING, now + AGE

    @precondition(lambda self: self.book.are(HandOff.UNKNOWN))
    @rule(which=some, resend=st.booleans())
    def resolve(self, which: int, resend: bool) -> None:
        """The admin's word on somebody who is unknown."""
        self.tick()
        unknown = self.overseer.unknown(JULY)
        self.clear_up()
        one = unknown[which % len(unknown)]
        if resend and self.book.status is Status.CLOSED:
            with pytest.raises(InterlockError):
                self.overseer.resolve(JULY, [one], HandOff.PLANNED)
            return
        assert self.overseer.resolve(JULY, [one], HandOff.PLANNED if resend else HandOff.ACCEPTED) == 1
        row = next(row for row in self.book.are(HandOff.UNKNOWN) if row.reader == one.subscriber)
        if resend:
            self.send_again(row)
        else:
            self.book.told(row, HandOff.ACCEPTED)
        assert self.book.status
        self.book.stand(self.book.status)

    @precondition(lambda self: self.log)
    @rule(part=st.sampled_from(["all", "the newest", "the first half"]))
    def bring_evidence(self, part: str) -> None:
        """What the server's log says was taken is accepted; nobody else is touched."""
        halves = {"all": self.log, "the newest": self.log[-1:], "the first half": self.log[: len(self.log) // 2]}
        self.learn(halves[part])

    # -- what must hold after every step

    @invariant()
    def the_ledger_says_what_the_model_says(self) -> None:
        """State, time, number of attempts, and every attempt on record: everybody has one row, in one state."""
        if not hasattr(self, "book"):
            return
        self.write_coming()
        expected = {
            row.address: (
                str(row.state),
                row.attempts,
                stamp(row.due) if row.due and row.state is HandOff.DEFERRED else None,
                row.numbers,
            )
            for row in self.book.rows.values()
        }
        assert self.found() == expected

    @invariant()
    def the_counts_are_those_of_the_model(self) -> None:
        """Progress, who is named, when somebody is due, and how the mailing stands."""
        if not hasattr(self, "book"):
            return
        ledger, book = self.store.ledger, self.book
        counted = Counter(row.state for row in book.everybody())
        assert ledger.progress(JULY) == Progress(counted)
        assert ledger.still_open(JULY) == Progress({state: n for state, n in counted.items() if state in OPEN})
        assert ledger.next_due(JULY) == min((row.due for row in book.are(HandOff.DEFERRED) if row.due), default=None)
        mailing = ledger.mailing(JULY)
        assert (mailing.status if mailing else None) == book.status
        assert book.status is not Status.COMPLETE or not ledger.still_open(JULY).open
        assert book.status is not Status.CLOSED or not ledger.still_open(JULY).waiting

    @invariant()
    def nobody_gets_it_twice_and_nobody_is_missed(self) -> None:
        """A second copy needs the admin's word. And what the server took is accepted, or unknown, or in the hand of a
        sender whom nobody has followed yet."""
        if not hasattr(self, "book"):
            return
        assert all(number <= 1 + self.words[address] for address, number in self.server.items())
        in_hand = {address for one in (self.sender, self.left) if one for address in one.hand}
        for row in self.book.rows.values():
            assert not row.taken or row.address in in_hand or row.state in (HandOff.ACCEPTED, HandOff.UNKNOWN), row

    # -- steps that several rules take

    def cancel(self) -> None:
        """Nobody else is served, and everybody who is not is on record."""
        self.write_coming(everything=True)
        rows = self.book.are(*STILL_TO_SEND)
        assert self.overseer.cancel(JULY) == len(rows)
        for row in rows:
            row.held_back = row.state is HandOff.CLAIMED
            row.state, row.due = HandOff.CANCELLED, None
        self.book.status = Status.CLOSED
        self.clear_up()

    def clear_up(self) -> None:
        """Whoever asks about a mailing has the work of a dead sender settled."""
        if self.left and not self.sender:
            self.book.settle(self.left, power=self.power)
            self.left, self.power = None, True
            assert self.book.status
            self.book.stand(self.book.status)

    def leave_by_the_link(self, which: int) -> None:
        """Whoever uses the link of the issue has the issue: that settles who was unknown."""
        holders = [row for row in self.book.rows.values() if row.taken]
        if holders:
            self.depart(holders[which % len(holders)].address, by_link=True)

    def suppress(self, address: str) -> None:
        """Put an address on the suppression list."""
        if address in self.book.suppressed:
            return
        now = self.tick()
        person = self.book.people.get(address)
        digest = address_hash(candidate(address).address, KEY)
        self.store.suppressions.add([Suppression(digest, Ground.COMPLAINT, "complaint", now)], "tests", now)
        self.book.suppressed.add(address)
        if person:
            self.book.drop(person.id)

    def delete(self, address: str, *, back: bool) -> None:
        """Somebody is deleted, and perhaps imported again at once: then they have another id, but no second row."""
        person = self.book.people.pop(address, None)
        if not person:
            return
        for table in ("consented", "person"):
            self.store.sql(f"DELETE FROM {table} WHERE subscriber_id = ?", person.id)  # noqa: S608
        self.store.sql("DELETE FROM subscriber WHERE id = ?", person.id)
        if back:
            self.load(candidate(address))

    def may_open(self) -> bool:
        """As `services.launch` decides: those who wait come first."""
        return self.book.status is not Status.CLOSED and not self.book.coming and not self.book.are(*STILL_TO_SEND[:2])

    def may_send(self) -> bool:
        """As `services.launch` decides."""
        return self.book.status not in (None, Status.CLOSED)

    def tick(self) -> datetime:
        """A moment later."""
        self.clock.advance(timedelta(seconds=1))
        return self.clock.now()

    def load(self, row: Candidate) -> None:
        """Import one row."""
        now, address = self.tick(), row.address.typed
        self.store.load(row, now=now)
        if address in self.book.people:
            self.book.load(row, now)
        elif address not in self.book.suppressed:
            self.book.people[address] = self.store.person(address)

    def depart(self, address: str, *, by_link: bool) -> None:
        """Leave, and perhaps say by it that the issue arrived."""
        now, person, row = self.tick(), self.book.people.get(address), self.book.rows.get(address)
        reader = row.reader if row and by_link else person.id if person else None
        if reader is None:
            return
        here = person is not None and person.id == reader
        leaves = here and person is not None and not has_left(person.state)
        assert self.store.people.leave(reader, "link", now, JULY if by_link else None) == leaves
        if here and by_link and row and row.state is HandOff.UNKNOWN:
            row.state = HandOff.ACCEPTED
        if leaves and person:
            self.book.people[address] = replace(person, state=State.UNSUBSCRIBED, paused_until=None)
            self.book.drop(reader)

    def take(self) -> None:
        """Become the sender."""
        owner = f"sender {next(self.owners)}"
        lease = self.store.ledger.lease(JULY, WAY, owner, SLOTS, self.tick())
        self.alive.add(owner)
        if self.left:
            begun = sum(one.begun is not None for one in self.left.hand.values())
            claimed = len(self.book.in_hand())
            unknown = self.book.settle(self.left, power=self.power)
            assert unknown <= (begun if self.power else max(begun, claimed))
        self.left, self.power, self.sender = None, True, Sender(lease, owner)
        self.book.status = Status.SENDING
        assert lease.mailing.expires == self.book.expires

    def limit(self, sender: Sender, wanted: int) -> int:
        """How many rows the sender may claim: as many as it has room for, and none when it should stop."""
        put_back = any(result.state is HandOff.PLANNED for _, result in sender.done())
        room = SLOTS - len(sender.hand) + len(sender.done())
        return 0 if put_back or sender.seen is not Status.SENDING else min(wanted, room)

    def turned(self, sender: Sender, now: datetime, *, expire: bool = True) -> None:
        """The results of a turn are kept, and it may be too late for who is still waiting."""
        for parcel, result in sender.done():
            self.book.record(parcel.row, result)
            del sender.hand[parcel.row.address]
        if expire and now > sender.lease.mailing.expires:
            for row in self.book.are(HandOff.PLANNED, HandOff.DEFERRED):
                row.state, row.due = HandOff.EXPIRED, None

    def claimed(self, addresses: Iterable[str], limit: int, now: datetime) -> None:
        """Claimed are only people who are due and may get it; and somebody is, if anybody can be."""
        self.write_coming()
        sender, claims = self.sender, list(addresses)
        assert sender
        assert not self.book.coming or len(claims) == limit
        if now > sender.lease.mailing.expires:
            self.turned(sender, now)  # who came last is too late as well
        due = [row for row in self.book.rows.values() if self.is_due(row, now)]
        may = {row.address for row in due if self.book.may(row, now)}
        assert set(claims) <= may
        assert len(claims) <= limit
        assert claims or not (limit and may)
        found = self.found()
        for row in due:
            if row.address in claims:
                row.state = HandOff.CLAIMED
            elif row.address not in may and found[row.address][0] == "suppressed":
                row.state, row.due, row.held_back = HandOff.SUPPRESSED, None, False

    def is_due(self, row: Row, now: datetime) -> bool:
        """Whether it is somebody's turn."""
        return row.state is HandOff.PLANNED or (
            row.state is HandOff.DEFERRED and row.due is not None and row.due <= now
        )

    def hand_over(self, sender: Sender, parcel: Parcel, *, held: bool) -> None:
        """Content leaves."""
        sender.lease.begin(parcel.claim.row)
        parcel.begun, parcel.held = self.tick(), held
        if held:
            parcel.row.taken = True
            self.server[parcel.row.address] += 1
            self.log.append(local_id(JULY, parcel.row.reader, KEYS.message_id))

    def hear(self, sender: Sender, parcel: Parcel, outcome: Outcome, jitter: float) -> None:
        """An attempt has ended, for the sender."""
        parcel.result = self.end(sender, parcel, outcome, jitter)
        if parcel.begun and not isinstance(outcome, Unknown):
            sender.lease.answered(parcel.claim.row, accepted=isinstance(outcome, Accepted))

    def end(self, sender: Sender, parcel: Parcel, outcome: Outcome, jitter: float) -> Result:
        """Where an attempt leaves its row: the retry policy says it."""
        now, claim = self.tick(), parcel.claim
        step = POLICY.next_step(outcome, claim.attempts + 1, sender.lease.mailing.expires, now, jitter)
        due: datetime | None = None
        match step:
            case Done():
                state = HandOff.ACCEPTED
            case Retry(at):
                state, due = HandOff.DEFERRED, at
            case GiveUp(final):
                state = final
            case Hold():
                state = HandOff.UNKNOWN
            case PutBack():
                state, due = HandOff.PLANNED, now
            case _:
                assert_never(step)
        return Result(claim.row, outcome, state, due, parcel.begun, now, "1 to there", b"d" * 32, parcel.claim.attempts)

    def send_again(self, row: Row) -> None:
        """The admin has said so: whatever the server took before, it may take it once more."""
        row.state, row.due, row.taken = HandOff.PLANNED, None, False
        self.words[row.address] += 1

    def learn(self, log: Sequence[str]) -> None:
        """Show the admin a part of the server's log."""
        self.tick()
        self.clear_up()
        open_ends = self.book.are(HandOff.UNKNOWN, HandOff.SUPPRESSED, HandOff.CANCELLED)
        found = [row for row in open_ends if local_id(JULY, row.reader, KEYS.message_id) in log]
        unknown = [row for row in self.book.are(HandOff.UNKNOWN) if row not in found]
        events = [FeedbackEvent(f"{name}@digest.example.org", Fate.NONE, "queued") for name in log]
        assert self.overseer.learn(JULY, events) == Settled(len(found), 0, len(unknown))
        for row in found:
            self.book.told(row, HandOff.ACCEPTED)
        if found and self.book.status:
            self.book.stand(self.book.status)

    def end_in_order(self, status: Status, again: Sequence[Result]) -> None:
        """Release the lease; `again` are results that were kept already."""
        sender = self.sender
        assert sender
        unanswered, now = sender.unanswered(), self.tick()
        results = [*again, *(result for _, result in sender.done())]
        sender.lease.release(status, "", [one.claim.row for one in unanswered], results, now)
        self.end_of_sender()
        self.turned(sender, now, expire=False)
        lost = sum(one.row.state in MAY_HAVE_LEFT for one in unanswered)
        assert self.book.settle(sender, power=True) == lost
        self.book.stand(status)

    def end_of_sender(self) -> None:
        """Its process is gone."""
        assert self.sender
        self.sender.lease.close()
        self.alive.discard(self.sender.owner)
        self.sender = None

    def forget_overtaken(self) -> None:
        """Its process is gone at last."""
        if self.overtaken:
            self.overtaken.lease.close()
            self.overtaken = None

    def write_coming(self, *, everything: bool = False) -> None:
        """Take note that the rows of a wave were written: of all of it at once, as few as they are here."""
        written = self.found().keys() - self.book.rows.keys()
        if written or everything:
            assert everything or written == self.book.coming.keys()
            self.book.rows |= self.book.coming
            self.book.coming = {}

    def found(self) -> dict[str, tuple[str, int, str | None, list[int]]]:
        """The rows of the ledger by address: state, attempts, when they are due, and the numbers of their attempts."""
        rows = self.eye.execute("SELECT id, address_hash, state, attempts, due_at FROM delivery").fetchall()
        numbers: dict[RowId, list[int]] = {}
        for row, number in self.eye.execute("SELECT delivery_id, number FROM attempt ORDER BY number"):
            numbers.setdefault(row, []).append(number)
        assert len({digest for _, digest, *_ in rows}) == len(rows)
        return {
            self.by_hash[digest]: (state, attempts, due if state == "deferred" else None, numbers.get(row, []))
            for row, digest, state, attempts, due in rows
        }

    def settle_everything(self) -> None:
        """Nobody is unknown at the end, and everybody whom the server took has it: once, but for the admin's word."""
        if self.sender:
            self.die("killed")
        closed = self.book.status is Status.CLOSED
        self.take()
        self.learn(self.log)
        for row in self.book.are(HandOff.UNKNOWN):
            assert not row.taken
        while self.book.are(HandOff.UNKNOWN):
            self.resolve(0, resend=not closed)
        self.serve_everybody()
        self.release(Status.COMPLETE)
        assert self.book.status is Status.COMPLETE or closed
        self.the_ledger_says_what_the_model_says()
        self.the_counts_are_those_of_the_model()
        for row in self.book.rows.values():
            assert row.state not in OPEN
            assert not row.taken or row.state is HandOff.ACCEPTED
            assert self.server[row.address] <= 1 + self.words[row.address]

    def serve_everybody(self) -> None:
        """The server takes whatever comes, until nobody is due any more, now or later."""
        for _ in range(4 * len(POOL)):
            self.turn(SLOTS, [])
            assert self.sender
            if later := self.store.ledger.next_due(JULY):
                self.clock.instant = max(self.clock.instant, later)
            elif not self.sender.hand and not self.book.coming and not self.book.are(HandOff.PLANNED):
                return
            self.serve([TAKEN] * SLOTS, 0.5)
        pytest.fail("somebody is never served")


TestAMailingToWhichEverythingHappens = Mailings.TestCase
TestAMailingToWhichEverythingHappens.settings = settings(
    max_examples=settings().max_examples // 4, stateful_step_count=30
)
