"""Several workers over one stream of messages: the concurrency of a transport, and nothing about its protocol.

A worker takes the next message only when it has nothing in hand and its last outcome was taken by the caller,
so that never more than one message per worker is between the ledger and the server. When the stream ends or
fails, what is in flight is finished and reported first. When the caller closes the outcomes early, everything
is dropped at once and no task stays behind.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Protocol

from digest_mailer.core.delivery import Outcome
from digest_mailer.core.identity import RowId
from digest_mailer.core.message import Message


class Worker(Protocol):
    """One connection's worth of work."""

    async def attempt(self, row: RowId, message: Message) -> Outcome:
        """Try one message once. An exception stops the whole run."""

    async def finish(self) -> None:
        """Take leave politely: no message will follow."""

    async def drop(self) -> None:
        """Let go of everything at once; also called after `finish`."""


class _Feed:
    """The messages, shared: one worker at a time asks for the next, and an end is an end for all."""

    def __init__(self, messages: AsyncIterator[tuple[RowId, Message]]) -> None:
        self._messages = messages
        self._lock = asyncio.Lock()
        self._ended = False
        self._waiting: set[asyncio.Task[object] | None] = set()

    async def take(self) -> tuple[RowId, Message] | None:
        """The next message; None when there is none any more."""
        task = asyncio.current_task()
        self._waiting.add(task)
        try:
            async with self._lock:
                return None if self._ended else await anext(self._messages)
        except StopAsyncIteration:
            self._ended = True
            return None
        finally:
            self._waiting.discard(task)

    def stop(self) -> None:
        """Give out no more, and call back who waits for a message."""
        self._ended = True
        for task in filter(None, self._waiting):
            task.cancel()


class _Run:
    """The tasks of one delivery and the outcomes they hand over."""

    def __init__(self, workers: Sequence[Worker], messages: AsyncIterator[tuple[RowId, Message]]) -> None:
        self._workers = workers
        self._feed = _Feed(messages)
        self._outcomes: asyncio.Queue[tuple[RowId, Outcome, asyncio.Event] | None] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        for worker in self._workers:
            task = asyncio.create_task(self._work(worker))
            task.add_done_callback(self._task_ended)
            self._tasks.append(task)

    async def _work(self, worker: Worker) -> None:
        while (item := await self._feed.take()) is not None:
            row, message = item
            outcome = await worker.attempt(row, message)
            taken = asyncio.Event()
            self._outcomes.put_nowait((row, outcome, taken))
            await taken.wait()
        await worker.finish()

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is not None:
            self._feed.stop()
        self._outcomes.put_nowait(None)

    async def outcomes(self) -> AsyncIterator[tuple[RowId, Outcome, asyncio.Event]]:
        """All outcomes as they come; at the end, the first exception of a worker or of the stream."""
        running = len(self._tasks)
        while running:
            result = await self._outcomes.get()
            if result is None:
                running -= 1
            else:
                yield result
        for task in self._tasks:
            if not task.cancelled():
                task.result()

    async def end(self) -> None:
        """Cancel what still runs, asking again because Python 3.11's `wait_for` may swallow a cancellation."""
        while pending := [task for task in self._tasks if not task.done()]:
            for task in pending:
                task.cancel()
            await asyncio.wait(pending, timeout=0.1)
        for worker in self._workers:
            await worker.drop()


async def run_workers(
    workers: Sequence[Worker], messages: AsyncIterator[tuple[RowId, Message]]
) -> AsyncGenerator[tuple[RowId, Outcome]]:
    """Let the workers share the messages; yields each outcome as it comes. See `ports.Transport.deliver`."""
    run = _Run(workers, messages)
    run.start()
    try:
        async for row, outcome, taken in run.outcomes():
            yield row, outcome
            taken.set()
    finally:
        await run.end()
