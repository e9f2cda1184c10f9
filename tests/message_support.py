"""Small messages, and a pile of them to push through a transport."""

import asyncio
import gc
from collections import deque
from collections.abc import Collection, Coroutine, Iterable, Sequence
from typing import Any, TypeVar, cast

from digest_mailer.core.delivery import Outcome
from digest_mailer.core.identity import RowId
from digest_mailer.core.message import Envelope, Message, SlotValues
from digest_mailer.core.octets import octets
from digest_mailer.ports import Transport

PATIENCE = 20.0  # seconds until a test is called stuck

Result = TypeVar("Result")


def build(number: int = 1, body: bytes = b"Hello.\r\n", recipient: str = "", sender: str = "") -> Message:
    """The message of a row: small, ASCII, CRLF. It was made without an edition, so it has no decoded parts."""
    to = recipient or f"reader{number}@example.org"
    identifier = f"<m{number}@news.example.org>"
    head = f"From: news@example.org\r\nTo: {to}\r\nSubject: Issue {number}\r\nMessage-ID: {identifier}\r\n\r\n"
    return Message(
        envelope=Envelope(sender or f"bounces+t{number}@news.example.org", to),
        message_id=identifier,
        octets=octets(head.encode("ascii") + body),
        values=cast("SlotValues", None),
    )


def rows(count: int) -> list[tuple[RowId, Message]]:
    return [(RowId(number), build(number)) for number in range(1, count + 1)]


class Pile:
    """A `Work` of finished messages. An open one waits for more until it is closed. Rows in `withdrawn` may not
    leave; `begun` and `outcomes` keep what a transport said, which it may say once a row."""

    def __init__(
        self, messages: Iterable[tuple[RowId, Message]], *, withdrawn: Collection[int] = (), still_open: bool = False
    ) -> None:
        self._waiting = deque(messages)
        self._withdrawn = withdrawn
        self._open = still_open
        self._news = asyncio.Event()
        self.resting = asyncio.Event()  # the transport waits for more
        self.taken: list[RowId] = []
        self.begun: list[RowId] = []
        self.outcomes: dict[RowId, Outcome] = {}
        self.names: dict[RowId, str] = {}
        self.most = 0  # taken and not settled at one time

    def add(self, messages: Iterable[tuple[RowId, Message]]) -> None:
        self._waiting.extend(messages)
        self.resting.clear()
        self._news.set()

    def close(self) -> None:
        self._open = False
        self._news.set()

    def take(self) -> tuple[RowId, Message] | None:
        if not self._waiting:
            return None
        self.taken.append(self._waiting[0][0])
        self.most = max(self.most, len(self.taken) - len(self.outcomes))
        return self._waiting.popleft()

    async def more(self) -> bool:
        while self._open and not self._waiting:
            self.resting.set()
            await self._news.wait()
            self._news.clear()
        return bool(self._waiting)

    def begin(self, row: RowId, connection: str = "") -> bool:
        assert row in self.taken
        assert row not in self.begun
        assert row not in self.outcomes
        if row in self._withdrawn:
            return False
        self.begun.append(row)
        return True

    def settle(self, row: RowId, outcome: Outcome, connection: str = "") -> None:
        assert row in self.taken
        assert row not in self.outcomes
        assert row not in self._withdrawn
        self.outcomes[row] = outcome
        self.names[row] = connection


async def deliver(transport: Transport, messages: Sequence[tuple[RowId, Message]]) -> dict[RowId, Outcome]:
    """Everything through the transport; fails when a row gets no outcome or two."""
    pile = Pile(messages)
    await transport.deliver(pile)
    assert set(pile.outcomes) == {row for row, _ in messages}
    return pile.outcomes


async def deliver_one(transport: Transport, message: Message | None = None) -> Outcome:
    outcomes = await deliver(transport, [(RowId(1), message or build())])
    return outcomes[RowId(1)]


def run(work: Coroutine[Any, Any, Result], patience: float = PATIENCE) -> Result:
    """`asyncio.run` with a time limit; fails when a task is left, and brings unclosed resources to light."""

    async def watched() -> Result:
        async with asyncio.timeout(patience):
            result = await work
        for _ in range(5):  # a test's server has just lost its last client
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left
        return result

    try:
        return asyncio.run(watched())
    finally:
        gc.collect()
