"""A run of a mailing with everything but the database made up: the way out, the clock, the waiting."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from core_support import JULY, TOKEN_KEYS
from digest_mailer.adapters.transports.waiting import waiting
from digest_mailer.core.delivery import Accepted, Deferred, HandOff, Outcome, Refused, RetryPolicy, Scope, Unknown
from digest_mailer.core.identity import RowId
from digest_mailer.core.message import Keys, Message
from digest_mailer.ports import Work
from digest_mailer.services.send import Ended, Run
from publication_support import FixedClock
from store_support import WAY, Store

KEYS = Keys(TOKEN_KEYS, b"the key of message ids, tests")
TAKEN = Accepted("250 taken")
BUSY = Deferred(Scope.RECIPIENT, "4.2.2 mailbox full", 452, "4.2.2")
NOBODY = Refused(Scope.RECIPIENT, "5.1.1 no such user", 550, "5.1.1")
SILENCE = Unknown("at end of content: silence")
DOWN = Deferred(Scope.TRANSPORT, "connection refused")
CLOSED = Refused(Scope.ACCOUNT, "5.7.8 wrong password", 535)


def keep_one_issue(root: Path) -> None:
    """Remove the months that a test does not send: reading them all takes most of its time."""
    for path in (root / "newsletters").glob("20*.md"):
        if path.stem != JULY:
            path.unlink()


class Dropped(Exception):  # noqa: N818 - a surprise that a test has planned
    """A defect of a transport."""


Step = Callable[[], Awaitable[None]]


@dataclass
class Way:
    """A way out that does as scripted. `ends` says what an attempt ends in by address and number of the attempt;
    `before` and `after` are awaited around the note that content may leave now."""

    ends: Callable[[str, int], Outcome | Exception] = lambda _address, _number: TAKEN
    connections: int = 1
    before: Callable[[str], Awaitable[None]] | None = None
    after: Callable[[str], Awaitable[None]] | None = None
    url: str = WAY
    live: bool = False
    tries: Counter[str] = field(default_factory=Counter)
    contents: list[tuple[str, bytes]] = field(default_factory=list)  # what has left, in order
    taken: Counter[str] = field(default_factory=Counter)
    open: int = 0

    async def deliver(self, work: Work) -> None:
        """See `ports.Transport.deliver`."""
        tasks = [asyncio.create_task(self._connection(work, f"connection {n}")) for n in range(self.connections)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _connection(self, work: Work, name: str) -> None:
        self.open += 1
        try:
            async for row, message in waiting(work):
                if outcome := await self._attempt(work, row, message, name):
                    work.settle(row, outcome, name)
        finally:
            self.open -= 1

    async def _attempt(self, work: Work, row: RowId, message: Message, name: str) -> Outcome | None:
        address = message.envelope.recipient
        self.tries[address] += 1
        end = self.ends(address, self.tries[address])
        if isinstance(end, Deferred | Refused) and end.scope in (Scope.TRANSPORT, Scope.ACCOUNT):
            return end  # it never came to any content
        if self.before:
            await self.before(address)
        if not work.begin(row, name):
            return None
        self.contents.append((address, message.content))
        if self.after:
            await self.after(address)
        if isinstance(end, Exception):
            raise end
        self.taken[address] += isinstance(end, Accepted)
        return end


@dataclass
class Sending:
    """A run and what it leaves behind. Nobody waits: the clock goes on instead."""

    store: Store
    way: Way
    clock: FixedClock = field(default_factory=FixedClock)
    rests: list[float] = field(default_factory=list)
    told: Counter[HandOff] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        ledger, approvals = self.store.ledger, self.store.approvals
        self.run = Run(ledger, approvals, self.way, KEYS, self.clock, RetryPolicy(), lambda: 0.5, self.tell, self.rest)

    def tell(self, state: HandOff) -> None:
        self.told[state] += 1

    async def rest(self, _stopping: asyncio.Event, seconds: float) -> None:
        self.rests.append(seconds)
        self.clock.advance(timedelta(seconds=seconds))

    async def send(self, wait: timedelta = timedelta(minutes=15)) -> Ended:
        """To the end of the run; nothing of the transport may be left."""
        ledger = self.store.ledger
        dead, ledger._runs = (
            ledger._runs,
            lambda _owner: hasattr(self.run, "_desk"),
        )  # alive as soon as it has the lease
        try:
            return await self.run.send(JULY, wait)
        finally:
            ledger._runs = dead
            assert self.way.open == 0
