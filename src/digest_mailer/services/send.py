"""Sends an approved issue: claim, address, hand over, record, and again until nobody is left.

One run is one process holding the lock. Rows are claimed durably in batches, a message is addressed only when
the transport can take it, its row is durable as `attempting` before its content may leave, and the outcome is
recorded before the next decision. What happens next is RetryPolicy's to say. Rendering is never needed: the
stored editions are what is sent.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ParamSpec, TypeVar, assert_never

from digest_mailer.core.delivery import (
    Accepted,
    Done,
    GiveUp,
    HandOff,
    Hold,
    Outcome,
    PutBack,
    Retry,
    RetryPolicy,
)
from digest_mailer.core.edition import Edition, decode_edition
from digest_mailer.core.identity import IssueId, RowId
from digest_mailer.core.mailing import Claim, Mailing, Progress, Status
from digest_mailer.core.message import Keys, Message, address
from digest_mailer.ports import Approvals, Clock, Ledger, Transport

_P = ParamSpec("_P")
_T = TypeVar("_T")

BATCH = 50  # rows claimed at a time
GRACE = timedelta(seconds=30)  # for what is in flight when asked to stop
_FIRST_REST = timedelta(seconds=10)  # after trouble with the transport, doubled each time
_LONGEST_REST = timedelta(minutes=5)


class _Withdrawn(Exception):  # noqa: N818 - not a fault
    """The row in hand may not be sent any more: its person left while the server was being told of it."""


async def _until(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, but no longer than this."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


class Ending(StrEnum):
    """Why a run ended."""

    COMPLETE = "complete"  # nobody is left to serve
    WAITING = "waiting"  # somebody is due again, later than this run waits
    TROUBLE = "trouble"  # the transport would not do it
    STOPPED = "stopped"  # the person asked to stop


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    ending: Ending
    progress: Progress
    accepted: int  # in this run
    due: datetime | None = None
    trouble: str = ""  # the server's or the system's own words


@dataclass
class Run:
    """One run of one mailing. `stop` may be called from a signal handler of the same loop."""

    ledger: Ledger
    approvals: Approvals
    transport: Transport
    keys: Keys
    clock: Clock
    policy: RetryPolicy
    jitter: Callable[[], float]
    on_progress: Callable[[HandOff], None] = lambda _: None
    rest: Callable[[asyncio.Event, float], Awaitable[None]] = _until  # waits for the event or so many seconds

    _mailing: Mailing = field(init=False)
    _store: ThreadPoolExecutor = field(init=False, repr=False)
    _stopping: asyncio.Event = field(init=False, repr=False)
    _editions: dict[str, Edition] = field(default_factory=dict, init=False, repr=False)
    _in_hand: dict[RowId, tuple[Claim, bytes]] = field(default_factory=dict, init=False, repr=False)
    _accepted: int = field(default=0, init=False)
    _trouble: str = field(default="", init=False)
    _hopeless: bool = field(default=False, init=False)
    _working: "asyncio.Task[None] | None" = field(default=None, init=False, repr=False)

    async def send(self, issue: IssueId, owner: str, wait: timedelta) -> Ended:
        """Send on until everybody is served, or the next try is due later than `wait` from now."""
        self._stopping = asyncio.Event()
        threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        with self.ledger.session(), threads as self._store:
            self._mailing = await self._do(self.ledger.take_over, issue, self.transport.url, owner, self.clock.now())
            return await self._rounds(self.clock.now() + wait)

    def stop(self) -> bool:
        """First call: no new message, what is in flight gets 30 seconds. Second: drop it; it is unknown. Whether it
        is the first."""
        if self._stopping.is_set():
            self._drop()
            return False
        self._stopping.set()
        asyncio.get_running_loop().call_later(GRACE.total_seconds(), self._drop)
        return True

    def _drop(self) -> None:
        if self._working:
            self._working.cancel()

    # -- rounds

    async def _rounds(self, deadline: datetime) -> Ended:
        rest = _FIRST_REST
        while True:
            before = self._accepted
            await self._round()
            progress = await self._do(self.ledger.progress, self._mailing.issue)
            if self._stopping.is_set() and progress.open:
                return await self._ended(Ending.STOPPED, Status.PAUSED)
            if not progress.waiting:
                complete = Status.COMPLETE if not progress.open else Status.SENDING
                return await self._ended(Ending.COMPLETE, complete)
            now = self.clock.now()
            if self._trouble:
                rest = _FIRST_REST if self._accepted > before else min(rest * 2, _LONGEST_REST)
                if self._hopeless or not self._accepted or now + rest > deadline:
                    return await self._ended(Ending.TROUBLE, Status.PAUSED)
                due = now + rest
            elif progress[HandOff.PLANNED]:
                due = now  # the round ended early, because somebody in hand left
            else:
                later = await self._do(self.ledger.next_due, self._mailing.issue)
                due = later or now
                if due > deadline:
                    return await self._ended(Ending.WAITING, Status.SENDING)
            await self.rest(self._stopping, max((due - now).total_seconds(), 0))

    async def _ended(self, ending: Ending, status: Status) -> Ended:
        await self._do(self.ledger.set_status, self._mailing.id, self._mailing.fence, status)
        progress = await self._do(self.ledger.progress, self._mailing.issue)
        due = await self._do(self.ledger.next_due, self._mailing.issue)
        return Ended(ending, progress, self._accepted, due, self._trouble)

    async def _round(self) -> None:
        """Hand over everybody who is due. Ends early on trouble, on `stop`, when somebody in hand left, and when
        dropped."""
        self._trouble = ""
        self._working = asyncio.create_task(self._hand_over())
        try:
            await self._working
        except _Withdrawn:
            return  # the transport let go of everything; the next round takes it up
        except asyncio.CancelledError:
            if not self._stopping.is_set():
                raise
        finally:
            self._working = None
            self._in_hand.clear()
            await self._do(self.ledger.release, self._mailing, self.clock.now())

    async def _hand_over(self) -> None:
        async with (
            aclosing(self._messages()) as messages,
            # closed before rows are given back: nothing may still be on its way
            aclosing(self.transport.deliver(messages, self._begin_attempt)) as outcomes,
        ):
            async for row, outcome in outcomes:
                await self._settle(row, outcome)

    # -- one message

    async def _messages(self) -> AsyncGenerator[tuple[RowId, Message]]:
        while not self._rests():
            claims = await self._do(self.ledger.claim, self._mailing, BATCH, self.clock.now())
            if not claims:
                return
            for claim in claims:
                if self._rests():
                    return
                if not await self._do(self.ledger.still_claimed, claim.row, self._mailing.fence):
                    continue  # they left a moment ago
                edition = await self._edition(claim.artefact_hash)
                message = address(edition, claim.recipient, self._mailing.started, self.keys)
                self._in_hand[claim.row] = (claim, hashlib.sha256(message.content).digest())
                yield claim.row, message

    def _rests(self) -> bool:
        """Whether no further message may be begun."""
        return self._stopping.is_set() or bool(self._trouble)

    async def _begin_attempt(self, row: RowId) -> None:
        digest = self._in_hand[row][1]
        fence, now = self._mailing.fence, self.clock.now()
        if not await self._do(self.ledger.begin_attempt, row, fence, digest, self.transport.url, now):
            raise _Withdrawn

    async def _settle(self, row: RowId, outcome: Outcome) -> None:
        claim, _ = self._in_hand.pop(row)
        now = self.clock.now()
        step = self.policy.next_step(outcome, claim.attempts + 1, self._mailing.started, now, self.jitter())
        due: datetime | None = None
        match step:
            case Done():
                state = HandOff.ACCEPTED
            case Retry(at):
                state, due = HandOff.DEFERRED, at
            case GiveUp(final):
                state = final
            case Hold():  # rest: who loses one answer may lose them all, and every one is held
                state, self._trouble = HandOff.UNKNOWN, outcome.reply or "no answer"
            case PutBack(stop):
                state, due, self._trouble = HandOff.PLANNED, now, outcome.reply or "no answer"
                self._hopeless = self._hopeless or stop
            case _:
                assert_never(step)
        fence, url = self._mailing.fence, self.transport.url
        await self._do(self.ledger.record, row, fence, outcome, url, state, due, now)
        self._accepted += isinstance(outcome, Accepted)
        self.on_progress(state)

    async def _edition(self, digest: str) -> Edition:
        if digest not in self._editions:
            self._editions[digest] = decode_edition(await self._do(self.approvals.artefact, digest))
        return self._editions[digest]

    async def _do(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a port of the store on its one thread."""
        return await asyncio.get_running_loop().run_in_executor(self._store, lambda: call(*args, **kwargs))
