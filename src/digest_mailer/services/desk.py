"""What lies between the ledger and a transport while an issue is sent: rows claimed, in hand, and answered.

The desk is the `Work` of a transport. The transport takes messages from it and settles them without waiting; the
desk meanwhile takes turns with the ledger on another thread, so that there is always something to take and results
become durable in batches. Messages are addressed on that thread too, a turn's at a time: many in a row take half the
time of as many between writes to the network. The desk asks the retry policy what follows each answer. Every 20
milliseconds it looks whether others have moved rows: who has left is dropped before their message is begun. And
nothing is begun on a lease that was not renewed for some seconds: a process that was asleep must first find out
whether another one sends in its place.
"""

import asyncio
import math
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import ParamSpec, TypeVar, assert_never

from digest_mailer.core.delivery import (
    Accepted,
    Done,
    GiveUp,
    HandOff,
    Hold,
    Outcome,
    PutBack,
    Refused,
    Retry,
    RetryPolicy,
    Scope,
    Unknown,
)
from digest_mailer.core.edition import decode_edition
from digest_mailer.core.health import Health
from digest_mailer.core.identity import RowId
from digest_mailer.core.mailing import Claim, Result, Status
from digest_mailer.core.message import Keys, Message
from digest_mailer.core.pacing import Pacer, asks_for_patience
from digest_mailer.core.stencil import Stencil
from digest_mailer.ports import Approvals, Clock, Lease, Signer, Transport

_P = ParamSpec("_P")
_T = TypeVar("_T")

WINDOW = 1000  # rows that may be claimed and without a durable result: after a power loss, as many may be unknown
_TICK = 0.02  # seconds between two looks at what others have done
_AHEAD = 256  # messages signed before they are taken
_BATCH = 8  # signed in one go
_STALE = 10.0  # seconds after which a lease that was not renewed is not relied on; others take it after 15
_BEAT = 5.0  # seconds between two signs of life while there is nothing else to write
_HEED = 30.0  # seconds between two looks at what was heard of messages that were handed over
_REST = 0.5  # seconds between two looks while nothing is sent


@dataclass(slots=True)
class _Parcel:
    """A claimed row with its message."""

    claim: Claim
    message: Message
    domain: str  # where it goes
    started: datetime | None = None  # since when some of it may be on the wire


@dataclass
class Desk:
    """The work of one run. All methods but those of the ledger's thread are of the loop's."""

    lease: Lease
    approvals: Approvals
    transport: Transport
    keys: Keys
    clock: Clock
    policy: RetryPolicy
    jitter: Callable[[], float]
    on_progress: Callable[[HandOff], None]
    store: ThreadPoolExecutor  # one thread
    signer: Signer | None = None
    window: int = WINDOW
    monotonic: Callable[[], float] = time.monotonic
    health: Health = field(default_factory=Health)
    pacer: Pacer = field(default_factory=Pacer)

    ration: int | None = None  # how many more may be claimed; None for everybody
    accepted: int = 0  # in this run
    trouble: str = ""  # why no further message is begun for now, in the server's or the system's words
    hopeless: bool = False  # waiting will not end the trouble
    status: Status = Status.SENDING  # as others have set it

    def __post_init__(self) -> None:
        self._queue: deque[_Parcel] = deque()
        self._signed: deque[_Parcel] = deque()  # some ahead, because signing takes long
        self._supply = self._signed if self.signer else self._queue  # what can be taken from
        self._low = self.window // 4  # so many are claimed at once, and as many results written
        self._signing = 0
        self._paced = False  # what is there may not go yet
        self._press = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="sign") if self.signer else None
        self._unbegun: set[RowId] = set()  # claimed, and nothing of the message has left
        self._in_hand: dict[RowId, _Parcel] = {}  # the transport's
        self._results: list[Result] = []
        self._dropped: set[RowId] = set()
        self._handed: Counter[str] = Counter()  # accepted since the last look at what was heard, by domain
        self._troubles: Mapping[str, int] | None = None  # at that look
        self._heeded = self.monotonic()
        self._claimed_as_of: int | None = None  # of what was claimed since the last look, the oldest sequence
        self._gone: list[RowId] = []
        self._slots = self.window
        self._stencils: dict[str, Stencil] = {}  # of the ledger's thread
        self._renewed = self.monotonic()
        self._closed = False  # nothing further is given out in this round
        self._ready = asyncio.Event()  # there may be something to take, or it has ended
        self._wake = asyncio.Event()  # there is something to write
        self._delivery: asyncio.Task[None] | None = None

    # -- a round

    async def round(self) -> bool:
        """Hand over everybody who is due. Ends early on trouble, on `close`, and when cancelled by `drop`; whether
        everybody who is due now was given out."""
        self.trouble, self._closed = "", False
        self._delivery = asyncio.create_task(self.transport.deliver(self))
        self._delivery.add_done_callback(lambda _: self._wake.set())
        exhausted = False
        watching = asyncio.create_task(self._watch())
        try:
            quiet = True
            while not self._delivery.done() and not watching.done():
                exhausted = await self._turn(flush=quiet) or exhausted
                quiet = await self._sleep()
            if watching.done():
                await watching  # it ends only in trouble
            with suppress(asyncio.CancelledError):  # by `drop`; whoever cancels this task is heard below
                await self._delivery
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            await self._end_delivery()
        await self._turn(flush=True)
        return exhausted

    def close(self) -> None:
        """Give out nothing further."""
        self._closed = True
        self._ready.set()

    def drop(self) -> None:
        """Let go of what is in flight; whoever has no answer is unknown."""
        self.close()
        if self._delivery:
            self._delivery.cancel()

    async def beat(self) -> None:
        """While nothing is sent: show that this run lives, and notice what others do. Returns when they stop it."""
        while self.status is Status.SENDING:
            await asyncio.sleep(_REST)
            await self._look()
            if self.monotonic() - self._renewed >= _BEAT:
                await self._renew((), 0)

    async def release(self, status: Status, detail: str) -> None:
        """End the work; who has no answer is unknown."""
        unanswered = [row for row, one in self._in_hand.items() if one.started]
        results, self._results = self._results, []
        await self.do(self.lease.release, status, detail, unanswered, results, self.clock.now())

    async def end(self) -> None:
        """Let go of everything."""
        if self._press:
            self._press.shutdown(cancel_futures=True)
        await self.do(self.lease.close)

    # -- what the transport sees

    def take(self) -> tuple[RowId, Message] | None:
        """See `ports.Work`."""
        while not self._closed and not self._is_stale and (parcel := self._next()):
            row = parcel.claim.row
            if row in self._dropped:
                self._let_go(row)
                continue
            if len(self._queue) < self._low:
                self._wake.set()
            if self.pacer.busy:
                self.pacer.begin(parcel.domain)
            self._in_hand[row] = parcel
            return row, parcel.message
        return None

    async def more(self) -> bool:
        """See `ports.Work`."""
        while not self._closed and (self._is_stale or self._paced or not self._supply):
            self._ready.clear()
            self._wake.set()
            await self._ready.wait()
        return not self._closed

    def begin(self, row: RowId, connection: str = "") -> bool:
        """See `ports.Work`."""
        del connection
        parcel = self._in_hand[row]
        if row in self._dropped or self._is_stale:
            del self._in_hand[row]
            self._pace(parcel, None)
            if row in self._dropped:
                self._let_go(row)
            else:
                self._supply.appendleft(parcel)
            return False
        self.lease.begin(row)
        self._unbegun.discard(row)
        parcel.started = self.clock.now()
        return True

    def settle(self, row: RowId, outcome: Outcome, connection: str = "") -> None:
        """See `ports.Work`."""
        parcel = self._in_hand.pop(row)
        self._pace(parcel, outcome)
        now, started = self.clock.now(), parcel.started
        if started is None:
            self._unbegun.discard(row)
        elif not isinstance(outcome, Unknown):
            self.lease.answered(row, accepted=isinstance(outcome, Accepted))
        state, due = self._follow(parcel, outcome, now)
        results = self._results
        digest, before = parcel.message.digest, parcel.claim.attempts
        results.append(Result(row, outcome, state, due, started, now, connection, digest, before))
        if len(results) >= self._low:
            self._wake.set()
        self.on_progress(state)

    # -- inside

    @property
    def _is_stale(self) -> bool:
        """Whether another process may have taken over, for all this one knows."""
        return self.monotonic() - self._renewed > _STALE

    def _follow(self, parcel: _Parcel, outcome: Outcome, now: datetime) -> tuple[HandOff, datetime | None]:
        """Where a row goes after an answer, and whether the run may go on."""
        if isinstance(outcome, Accepted):
            self.accepted += 1
            self._handed[parcel.domain] += 1
            self.health.note(outcome)
            return HandOff.ACCEPTED, None
        if stop := self.health.note(outcome):
            self._halt(stop, hopeless=True)
        attempts, expires = parcel.claim.attempts + 1, self.lease.mailing.expires
        step = self.policy.next_step(outcome, attempts, expires, now, self.jitter())
        match step:
            case Done():
                return HandOff.ACCEPTED, None
            case Retry(at):
                return HandOff.DEFERRED, at
            case GiveUp(final):
                return final, None
            case Hold():
                return HandOff.UNKNOWN, None
            case PutBack(hopeless):
                self._halt(outcome.reply or "no answer", hopeless=hopeless)
                return HandOff.PLANNED, now
            case _:
                assert_never(step)

    def _halt(self, why: str, *, hopeless: bool) -> None:
        self.trouble = self.trouble or why
        self.hopeless = self.hopeless or hopeless
        self.close()

    def _next(self) -> _Parcel | None:
        """The next that may go."""
        if self.signer:
            self._sign_ahead()
        supply = self._supply
        if not self.pacer.busy:
            return supply.popleft() if supply else None
        place = self._first_that_may_go()
        if place is None:
            return None
        parcel = supply[place]
        del supply[place]
        return parcel

    def _pace(self, parcel: _Parcel, outcome: Outcome | None) -> None:
        """Count an answer. As long as nothing is limited, and nobody asks for patience, nothing is counted."""
        if not self.pacer.busy:
            if outcome is None or not asks_for_patience(outcome):
                return
            for one in (parcel, *self._in_hand.values()):
                self.pacer.begin(one.domain)
        self.pacer.end(parcel.domain, outcome)
        if self._paced:
            self._go_on()

    def _first_that_may_go(self) -> int | None:
        """The place of the first that no limit holds back; None when all are, and then the time is watched."""
        now, waits = self.monotonic(), []
        for place, parcel in enumerate(self._supply):
            wait = self.pacer.delay(parcel.domain, now)
            if not wait:
                return place
            waits.append(wait)
        if waits:
            self._paced = True
            if (soonest := min(waits)) != math.inf:
                asyncio.get_running_loop().call_later(soonest, self._go_on)
        return None

    def _go_on(self) -> None:
        """A limit may not hold any more."""
        self._paced = False
        self._ready.set()

    def _sign_ahead(self) -> None:
        """Keep all processors signing, a little ahead of what is taken."""
        if not self._press:
            return
        while self._queue and self._signing + len(self._signed) < _AHEAD:
            batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
            self._signing += len(batch)
            loop = asyncio.get_running_loop()
            done = loop.run_in_executor(self._press, self._sign, batch)
            done.add_done_callback(self._on_signed)

    def _sign(self, batch: list[_Parcel]) -> list[_Parcel]:
        signer, at = self.signer, self.lease.mailing.started
        assert signer  # noqa: S101 - else there is no press
        for parcel in batch:
            parcel.message = signer.sign(parcel.message, at)
        return batch

    def _on_signed(self, done: "asyncio.Future[list[_Parcel]]") -> None:
        if done.cancelled():
            return
        parcels = done.result()
        self._signing -= len(parcels)
        self._signed.extend(parcels)
        self._sign_ahead()
        self._ready.set()

    def _let_go(self, row: RowId) -> None:
        self._unbegun.discard(row)
        self._dropped.discard(row)
        self._gone.append(row)

    async def _turn(self, *, flush: bool) -> bool:
        """One step with the ledger, if there is reason for one; whether it said that nobody is due any more. Results
        wait until there are many, or until they are to be flushed."""
        batch = self._low
        limit = batch if len(self._queue) < batch and self._slots >= batch and not self._closed else 0
        if self.ration is not None:
            limit = min(limit, self.ration)
        if self._gone:
            gone, self._gone = self._gone, []
            await self.do(self.lease.let_go, gone)
            self._slots += len(gone)
        ripe = len(self._results) >= (1 if flush else batch)
        if not limit and not ripe and not self._is_stale:
            self._close_when_empty(exhausted=self.ration == 0)
            return self.ration == 0
        results, self._results = self._results, []
        try:
            parcels, as_of = await self._renew(results, limit)
        except BaseException:
            self._results[:0] = results
            raise
        self._slots += len(results) - len(parcels)
        if self.ration is not None:
            self.ration -= len(parcels)
        self._queue.extend(parcels)
        self._unbegun.update(parcel.claim.row for parcel in parcels)
        if parcels and self._claimed_as_of is None:
            self._claimed_as_of = as_of
        self._sign_ahead()
        exhausted = (bool(limit) and not parcels) or self.ration == 0
        self._close_when_empty(exhausted=exhausted)
        self._ready.set()
        return exhausted

    async def _renew(self, results: Sequence[Result], limit: int) -> tuple[list[_Parcel], int]:
        """A turn, from whose beginning the lease counts as renewed."""
        asked = self.monotonic()
        packed = await self.do(self._pack, results, limit, self.clock.now())
        self._renewed = asked
        return packed

    def _pack(self, results: Sequence[Result], limit: int, now: datetime) -> tuple[list[_Parcel], int]:
        """A turn with the ledger, on its thread: what was claimed, addressed, and as of which sequence."""
        turn = self.lease.turn(results, limit, now)
        for digest in {claim.artefact_hash for claim in turn.claims} - self._stencils.keys():
            edition = decode_edition(self.approvals.artefact(digest))
            self._stencils[digest] = Stencil(edition, self.lease.mailing.started, self.keys)
        parcels, spoiled = [], []
        for claim in turn.claims:
            try:
                parcels.append(self._address(claim))
            except ValueError as problem:
                spoiled.append(_spoiled(claim, str(problem), now))
        if spoiled:
            self.lease.turn(spoiled, 0, now)
        return parcels, turn.sequence

    def _address(self, claim: Claim) -> _Parcel:
        reader = claim.recipient
        return _Parcel(claim, self._stencils[claim.artefact_hash].address(reader), reader.address.domain)

    def _close_when_empty(self, *, exhausted: bool) -> None:
        if exhausted and not (self._queue or self._signed or self._signing):
            self.close()

    async def _watch(self) -> None:
        """Look again and again, beside the turns: one of them may have to wait for who is writing."""
        while True:
            await self._look()
            if self._troubles is None or self.monotonic() - self._heeded >= _HEED:
                await self._heed()
            await asyncio.sleep(_TICK)

    async def _heed(self) -> None:
        """Go slower to those of whom bad things were heard, and faster again when there were none."""
        before, self._troubles = self._troubles, await asyncio.to_thread(self.lease.troubles)
        handed, self._handed = self._handed, Counter()
        begun, self._heeded = self._heeded, self.monotonic()
        if before is not None and (self._troubles != before or self.pacer.busy):
            new = {domain: number - before.get(domain, 0) for domain, number in self._troubles.items()}
            self.pacer.heed(self._heeded - begun, handed, new)
            self._go_on()

    async def _look(self) -> None:
        """Notice what others have done. What was claimed before a change and came to the desk after it is looked at
        in the next look."""
        changed = await asyncio.to_thread(self.lease.changed)
        if not changed and (self._claimed_as_of is None or self._claimed_as_of >= self.lease.sequence):
            return
        self._claimed_as_of = None
        news = await asyncio.to_thread(self.lease.news, list(self._unbegun))
        self._dropped |= news.dropped & self._unbegun
        self.status = news.status
        if news.status is not Status.SENDING or news.overtaken:
            self.close()

    async def _sleep(self) -> bool:
        """Until there is something to write, but no longer than a tick; whether it was a whole tick."""
        try:
            async with asyncio.timeout(_TICK):
                await self._wake.wait()
        except TimeoutError:
            return True
        finally:
            self._wake.clear()
        return False

    async def _end_delivery(self) -> None:
        """Nothing may still be on its way when rows are given back."""
        delivery = self._delivery
        if delivery and not delivery.done():
            self.close()
            delivery.cancel()
            await asyncio.wait([delivery])

    async def do(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a port of the store on its one thread."""
        return await asyncio.get_running_loop().run_in_executor(self.store, lambda: call(*args, **kwargs))


def _spoiled(claim: Claim, why: str, now: datetime) -> Result:
    """A row whose values cannot stand in a message: it is refused, and keeps nobody else waiting."""
    outcome = Refused(Scope.MESSAGE, f"the message cannot be made: {why}")
    return Result(claim.row, outcome, HandOff.REFUSED, None, None, now, "", b"", claim.attempts)
