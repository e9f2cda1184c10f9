"""Small messages, and a way to push them through a transport and look at what comes back."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from digest_mailer.core.address import EmailAddress
from digest_mailer.core.delivery import Outcome
from digest_mailer.core.identity import RowId
from digest_mailer.core.message import Envelope, Message
from digest_mailer.ports import Transport

PATIENCE = 20.0  # seconds until a test is called stuck

Result = TypeVar("Result")


def build(number: int = 1, body: bytes = b"Hello.\r\n", recipient: str = "", sender: str = "") -> Message:
    """The message of a row: small, ASCII, CRLF."""
    to = recipient or f"reader{number}@example.org"
    identifier = f"<m{number}@news.example.org>"
    head = f"From: news@example.org\r\nTo: {to}\r\nSubject: Issue {number}\r\nMessage-ID: {identifier}\r\n\r\n"
    return Message(
        envelope=Envelope(sender or f"bounces+t{number}@news.example.org", to),
        message_id=identifier,
        subject=f"Issue {number}",
        to=EmailAddress(to, to),
        text="",
        html="",
        content=head.encode("ascii") + body,
    )


def rows(count: int) -> list[tuple[RowId, Message]]:
    return [(RowId(number), build(number)) for number in range(1, count + 1)]


async def feed(messages: Sequence[tuple[RowId, Message]]) -> AsyncIterator[tuple[RowId, Message]]:
    for row, message in messages:
        await asyncio.sleep(0)
        yield row, message


async def no_note(_row: RowId) -> None:
    """An `on_attempt` for tests that do not watch it."""


async def deliver(
    transport: Transport,
    messages: Sequence[tuple[RowId, Message]],
    on_attempt: Callable[[RowId], Awaitable[None]] = no_note,
) -> dict[RowId, Outcome]:
    """Everything through the transport; fails when a row gets two outcomes."""
    outcomes: dict[RowId, Outcome] = {}
    async for row, outcome in transport.deliver(feed(messages), on_attempt):
        assert row not in outcomes
        outcomes[row] = outcome
    return outcomes


async def deliver_one(transport: Transport, message: Message | None = None) -> Outcome:
    outcomes = await deliver(transport, [(RowId(1), message or build())])
    return outcomes[RowId(1)]


async def deliver_first(transport: Transport, messages: Sequence[tuple[RowId, Message]]) -> None:
    """Take one outcome, then close early."""
    outcomes = transport.deliver(feed(messages), no_note)
    async with aclosing(outcomes) as pairs:
        async for _ in pairs:
            return


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run` with a time limit; fails when a task is left, and brings unclosed resources to light."""

    async def watched() -> Result:
        async with asyncio.timeout(PATIENCE):
            result = await work
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left
        return result

    try:
        return asyncio.run(watched())
    finally:
        gc.collect()
