"""What a site does by itself while it runs: uploads that are a day old go, also where nobody comes any more."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from starlette.concurrency import run_in_threadpool

from digest_mailer.bootstrap import App
from digest_mailer.services.uploads import Uploads

_BETWEEN = 3600  # seconds


@asynccontextmanager
async def kept_tidy(app: App) -> AsyncIterator[None]:
    """While this lasts, the publication's uploads are kept tidy."""
    task = asyncio.create_task(keep_tidy(app.uploads, asyncio.sleep))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def keep_tidy(uploads: Uploads, wait: Callable[[float], Awaitable[None]]) -> None:
    """Delete what is older than a day, at once and then every hour."""
    while True:
        await run_in_threadpool(uploads.tidy)
        await wait(_BETWEEN)
