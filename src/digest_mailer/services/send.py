"""Sends an approved issue: rounds of handing over, rests between them, and an end that says how it stands.

One run is one process holding the mailing's lease. A round hands over everybody who is due (`services.desk`); when the
way out would not do it, the run rests and tries again, when somebody is due again later, it waits. What happens
next is RetryPolicy's to say. Rendering is never needed: the stored editions are what is sent.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from digest_mailer.core.delivery import HandOff, RetryPolicy
from digest_mailer.core.errors import DigestError
from digest_mailer.core.feedback import BAD
from digest_mailer.core.identity import IssueId
from digest_mailer.core.mailing import Progress, Status
from digest_mailer.core.message import Keys
from digest_mailer.core.pacing import Pacer
from digest_mailer.ports import Approvals, Clock, Ledger, Signer, Transport
from digest_mailer.services.desk import WINDOW, Desk

GRACE = timedelta(seconds=30)  # for what is in flight when asked to stop
_FIRST_REST = timedelta(seconds=10)  # after trouble with the transport, doubled each time
_LONGEST_REST = timedelta(minutes=5)


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
    PAUSED = "paused"  # somebody else paused or cancelled it
    HELD = "held"  # the canaries are served, and nobody has said yet that all is well


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    ending: Ending
    progress: Progress
    accepted: int  # in this run
    due: datetime | None = None
    trouble: str = ""  # the server's or the system's own words


@dataclass(frozen=True, slots=True)
class Canary:
    """The first few people, whose messages tell whether the others should get theirs."""

    people: int
    wait: timedelta = timedelta(minutes=10)  # for what comes back
    tolerance: float = 0.05  # the share of bad news that is borne


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

    owner: str = "one process"  # names this one for others
    window: int = WINDOW
    signer: Signer | None = None
    pacer: Pacer = field(default_factory=Pacer)
    canary: Canary | None = None

    _desk: Desk = field(init=False, repr=False)
    _stopping: asyncio.Event = field(init=False, repr=False)
    _rest: timedelta = field(init=False, repr=False)

    async def send(self, issue: IssueId, wait: timedelta) -> Ended:
        """Send on until everybody is served, or the next try is due later than `wait` from now."""
        self._stopping = asyncio.Event()
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="store") as store:
            self._desk = desk = await self._sit_down(store, issue)
            try:
                return await self._rounds(self.clock.now() + wait)
            except BaseException as surprise:
                with suppress(DigestError):  # what cannot be written now, the next sender finds in the flight recorder
                    await desk.release(Status.PAUSED, str(surprise))
                raise
            finally:
                await desk.end()

    def stop(self) -> bool:
        """First call: no new message, what is in flight gets 30 seconds. Second: drop it; it is unknown. Whether it
        is the first."""
        if self._stopping.is_set():
            self._desk.drop()
            return False
        self._stopping.set()
        self._desk.close()
        asyncio.get_running_loop().call_later(GRACE.total_seconds(), self._desk.drop)
        return True

    async def _sit_down(self, store: ThreadPoolExecutor, issue: IssueId) -> Desk:
        lease = await asyncio.get_running_loop().run_in_executor(
            store, self.ledger.lease, issue, self.transport.url, self.owner, self.window, self.clock.now()
        )
        return Desk(
            lease, self.approvals, self.transport, self.keys, self.clock, self.policy, self.jitter, self.on_progress,
            store, self.signer, self.window, pacer=self.pacer,
        )  # fmt: skip

    async def _rounds(self, deadline: datetime) -> Ended:
        desk, self._rest = self._desk, _FIRST_REST
        desk.ration = self.canary.people if self.canary else None
        while True:
            before = desk.accepted
            exhausted = not self._is_stopped and await desk.round()
            if desk.status is not Status.SENDING:
                return await self._ended(Ending.PAUSED, desk.status)
            if self._stopping.is_set():
                return await self._ended(Ending.STOPPED, Status.PAUSED)
            if desk.trouble:
                following = await self._after_trouble(before, deadline)
            elif desk.ration == 0:
                following = await self._after_canaries(deadline)
            elif exhausted:
                following = await self._after_everybody(deadline)
            else:
                continue  # the round ended early, because somebody in hand left
            if isinstance(following, Ended):
                return following
            await self._wait(following)

    async def _after_trouble(self, before: int, deadline: datetime) -> Ended | timedelta:
        """Rest, longer each time that nothing went; or give up."""
        desk = self._desk
        self._rest = _FIRST_REST if desk.accepted > before else min(self._rest * 2, _LONGEST_REST)
        if desk.hopeless or not desk.accepted or self.clock.now() + self._rest > deadline:
            return await self._ended(Ending.TROUBLE, Status.PAUSED)
        return self._rest

    async def _after_everybody(self, deadline: datetime) -> Ended | timedelta:
        """Wait for who is due again; or end."""
        later = await self._desk.do(self.ledger.next_due, self._desk.lease.mailing.issue)
        if later is None:
            return await self._ended(Ending.COMPLETE, Status.COMPLETE)
        if later > deadline:
            return await self._ended(Ending.WAITING, Status.SENDING)
        return later - self.clock.now()

    async def _after_canaries(self, deadline: datetime) -> Ended | timedelta:
        """Let the others go, or hold them."""
        assert self.canary  # noqa: S101 - else there is no ration
        if why := await self._watch_canaries(self.canary, deadline):
            return await self._ended(Ending.HELD, Status.HELD, why)
        self._desk.ration = None
        return timedelta(0)

    async def _watch_canaries(self, canary: Canary, deadline: datetime) -> str:
        """Wait for what is heard of the first messages; answers why the others must wait, empty when they need not."""
        if self.clock.now() + canary.wait > deadline:
            return f"the first {canary.people} are served; look at what comes back, then resume"
        await self._wait(canary.wait)
        issue = self._desk.lease.mailing.issue
        progress = await self._desk.do(self.ledger.progress, issue)
        fates = await self._desk.do(self.ledger.fates, issue)
        bad = progress[HandOff.REFUSED] + progress[HandOff.UNKNOWN] + sum(fates.get(fate, 0) for fate in BAD)
        if bad > canary.tolerance * canary.people:
            return f"of the first {canary.people}, {bad} were refused, came back, or were complained about"
        return ""

    @property
    def _is_stopped(self) -> bool:
        return self._stopping.is_set() or self._desk.status is not Status.SENDING

    async def _wait(self, time: timedelta) -> None:
        """So long, or until somebody stops it. Raises Locked when another process has taken over meanwhile."""
        if time <= timedelta(0):
            return
        beating = asyncio.create_task(self._desk.beat())
        beating.add_done_callback(lambda _: self._stopping.set() if not _.cancelled() else None)
        try:
            await self.rest(self._stopping, time.total_seconds())
        finally:
            beating.cancel()
            await asyncio.wait([beating])
        if not beating.cancelled():
            beating.result()

    async def _ended(self, ending: Ending, status: Status, why: str = "") -> Ended:
        desk, issue = self._desk, self._desk.lease.mailing.issue
        await desk.release(status, why or desk.trouble)
        progress = await desk.do(self.ledger.progress, issue)
        due = await desk.do(self.ledger.next_due, issue)
        if ending in (Ending.STOPPED, Ending.PAUSED) and not progress.open:
            ending = Ending.COMPLETE
        return Ended(ending, progress, desk.accepted, due, why or desk.trouble)
