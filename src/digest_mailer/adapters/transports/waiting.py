"""A work's messages one after the other, for transports that do one thing at a time."""

import asyncio
from collections.abc import AsyncIterator

from digest_mailer.core.identity import RowId
from digest_mailer.core.message import Message
from digest_mailer.ports import Work


async def waiting(work: Work) -> AsyncIterator[tuple[RowId, Message]]:
    """Each message when it is there, until nothing follows. Between two, everybody else gets a turn."""
    while True:
        while (taken := work.take()) is not None:
            yield taken
            await asyncio.sleep(0)
        if not await work.more():
            return
