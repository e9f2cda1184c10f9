"""One delivery: the connections that are open for it, who waits at the door, and who keeps the time.

A lane is a place for one connection after another; it takes a message first and then opens a connection for it.
Couriers that run out of messages rest. One task waits for more and wakes them, or opens further lanes; one looks
about every second for answers that are overdue. Whatever ends the delivery, no task and no socket is left.
"""

import asyncio
import ssl
from collections.abc import Coroutine
from itertools import count

from digest_mailer.adapters.transports.smtp_courier import Courier
from digest_mailer.adapters.transports.smtp_letter import Letter
from digest_mailer.adapters.transports.smtp_session import SmtpSession
from digest_mailer.adapters.transports.smtp_settings import SmtpSettings
from digest_mailer.core.delivery import Outcome, Refused, Scope
from digest_mailer.ports import Work


class Pool:
    """Up to `settings.connections` connections for one `Work`. `run` is called once."""

    def __init__(self, settings: SmtpSettings, context: ssl.SSLContext | None, work: Work) -> None:
        self._settings = settings
        self._context = context
        self.work = work
        self._door = _Door()
        self._numbers = count(1)
        self._lanes: set[asyncio.Task[None]] = set()
        self._helpers: set[asyncio.Task[None]] = set()
        self._sessions: set[SmtpSession] = set()
        self._couriers: set[Courier] = set()
        self._hungry = asyncio.Event()  # somebody asked in vain
        self._ended = False  # nothing will follow
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Until nothing follows and all is settled. Raises what the work raised."""
        self._start(self._helpers, self._supply())
        self._start(self._helpers, self._keep_time())
        try:
            await self._over
        finally:
            await self._clear()

    # What couriers ask for.

    def take(self) -> Letter | None:
        """The next message."""
        taken = None if self._ended else self.work.take()
        if taken is None:
            self._hungry.set()
            return None
        return Letter(*taken)

    # Tasks.

    def _start(self, kind: set[asyncio.Task[None]], work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        kind.add(task)
        task.add_done_callback(self._ended_task)

    def _ended_task(self, task: asyncio.Task[None]) -> None:
        self._lanes.discard(task)
        self._helpers.discard(task)
        problem = None if task.cancelled() else task.exception()
        if self._over.done():
            return
        if problem is not None:
            self._over.set_exception(problem)
        elif self._ended and not self._lanes:
            self._over.set_result(None)

    async def _supply(self) -> None:
        """Give out what there is, and wait for more each time that somebody asked in vain."""
        while True:
            self._hungry.clear()
            for courier in tuple(self._couriers):
                courier.wake()
            while len(self._lanes) < self._settings.connections and (letter := self.take()) is not None:
                self._start(self._lanes, self._lane(letter))
            await self._hungry.wait()
            if not await self.work.more():
                break
        self._ended = True
        for courier in tuple(self._couriers):
            courier.finish()

    async def _keep_time(self) -> None:
        """One look at all deadlines in each pulse, so that no message needs a timer."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._settings.timeouts.pulse)
            for courier in tuple(self._couriers):
                courier.check(loop.time())

    async def _lane(self, letter: Letter | None) -> None:
        while letter is not None:
            letter = await self._connect(letter) or self.take()
            await asyncio.sleep(0)  # a closed door must not keep the loop from everybody else

    async def _connect(self, letter: Letter) -> Letter | None:
        """One connection; the letter that is worth another, if there is one."""
        name = f"{next(self._numbers)} to {self._settings.host}:{self._settings.port}"
        session = SmtpSession(self._settings, self._context, name)
        self._sessions.add(session)
        session.connection.gone.add_done_callback(lambda _: self._sessions.discard(session))
        try:
            if trouble := await self._door.open(session):
                self.work.settle(letter.row, trouble, name)
                return None
            return await self._carry(session, letter)
        finally:
            session.bury()

    async def _carry(self, session: SmtpSession, letter: Letter) -> Letter | None:
        courier = Courier(session.connection, session.extensions, self._settings, self, session.name)
        self._couriers.add(courier)
        try:
            courier.start(letter)
            if self._ended:
                courier.finish()
            left = await courier.finished
        finally:
            self._couriers.discard(courier)
        await session.quit()
        return left

    async def _clear(self) -> None:
        """Drop all at once, and wait until it is gone."""
        for session in tuple(self._sessions):
            session.drop()
        tasks = self._lanes | self._helpers
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._sessions:
            await asyncio.wait([session.connection.gone for session in self._sessions])


class _Door:
    """Lets connections open one by one until one has been let in, and none after an account was turned away:
    servers slow down or lock an account that fails to log in again and again."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._let_in = False
        self._refused: Refused | None = None

    async def open(self, session: SmtpSession) -> Outcome | None:
        if self._let_in:
            return await self._try(session)
        async with self._lock:
            return await self._try(session)

    async def _try(self, session: SmtpSession) -> Outcome | None:
        if self._refused is not None:
            return self._refused
        trouble = await session.open()
        if trouble is None:
            self._let_in = True
        elif isinstance(trouble, Refused) and trouble.scope is Scope.ACCOUNT:
            self._refused = trouble
        return trouble
