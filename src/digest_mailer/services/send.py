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
from digest_mailer.core.identity import IssueId
from digest_mailer.core.mailing import Progress, Status
from digest_mailer.core.message import Keys
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

    owner: str = "one process"  # names this one for others
    window: int = WINDOW
    signer: Signer | None = None

    _desk: Desk = field(init=False, repr=False)
    _stopping: asyncio.Event = field(init=False, repr=False)

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
            store, self.signer, self.window,
        )  # fmt: skip

    async def _rounds(self, deadline: datetime) -> Ended:
        rest, desk = _FIRST_REST, self._desk
        while True:
            before = desk.accepted
            exhausted = await desk.round()
            if self._stopping.is_set() or desk.status is not Status.SENDING:
                return await self._ended(Ending.STOPPED, Status.PAUSED)
            now = self.clock.now()
            if desk.trouble:
                rest = _FIRST_REST if desk.accepted > before else min(rest * 2, _LONGEST_REST)
                if desk.hopeless or not desk.accepted or now + rest > deadline:
                    return await self._ended(Ending.TROUBLE, Status.PAUSED)
                due = now + rest
            elif not exhausted:
                continue  # the round ended early, because somebody in hand left
            else:
                later = await desk.do(self.ledger.next_due, desk.lease.mailing.issue)
                if later is None:
                    return await self._ended(Ending.COMPLETE, Status.COMPLETE)
                if later > deadline:
                    return await self._ended(Ending.WAITING, Status.SENDING)
                due = later
            await self._wait((due - now).total_seconds())

    async def _wait(self, seconds: float) -> None:
        """Until then, or until somebody stops it."""
        beating = asyncio.create_task(self._desk.beat())
        beating.add_done_callback(lambda _: self._stopping.set() if not _.cancelled() else None)
        try:
            await self.rest(self._stopping, max(seconds, 0))
        finally:
            beating.cancel()
            await asyncio.wait([beating])

    async def _ended(self, ending: Ending, status: Status) -> Ended:
        desk, issue = self._desk, self._desk.lease.mailing.issue
        await desk.release(status, desk.trouble)
        progress = await desk.do(self.ledger.progress, issue)
        due = await desk.do(self.ledger.next_due, issue)
        if ending is Ending.STOPPED and not progress.open:
            ending = Ending.COMPLETE
        return Ended(ending, progress, desk.accepted, due, desk.trouble)
