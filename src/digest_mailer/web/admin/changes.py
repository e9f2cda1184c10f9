"""Tells a preview that files changed: `/admin/issues/MONTH/changes/`, server-sent events, and the script that listens.

An event carries the stamp of the files, and the first one comes at once, so a page that was made before a change, or
lost its connection for a while, is behind for no longer than that. Whoever asks for something else than events is
told the stamp, once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from digest_mailer.core.account import Role
from digest_mailer.services.watching import Watch
from digest_mailer.web.admin.gate import AREA, Gate, Visit

_SCRIPT = "web/admin/preview.js"
_KIND = "text/event-stream"
_BREATH = 15.0  # seconds after which a line that means nothing shows that both are there
_RETRY = "retry: 500\n\n"


@dataclass(frozen=True, slots=True)
class Changes:
    """Events for pages that want to stay up to date."""

    gate: Gate

    def events(self, visit: Visit) -> Response:
        """`/issues/MONTH/changes/`."""
        if _KIND not in visit.request.headers.get("accept", ""):
            return Response(f"{self.gate.app.proofs.composer()[1]}\n", media_type="text/plain")
        return StreamingResponse(told(self.gate.app.watch), media_type=_KIND, headers={"X-Accel-Buffering": "no"})

    def script(self, _request: Request) -> Response:
        """`/preview.js`."""
        source = self.gate.app.files.templates()[_SCRIPT]
        return Response(source, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


async def told(watch: Watch) -> AsyncIterator[str]:
    """The stamps as they come, until the watch is closed or nobody is there."""
    loop, stamps = asyncio.get_running_loop(), asyncio.Queue[str]()

    def listener(stamp: str) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(stamps.put_nowait, stamp)

    with watch.listening(listener):
        yield _RETRY
        while True:
            try:
                stamp = await asyncio.wait_for(stamps.get(), _BREATH)
            except TimeoutError:
                yield ":\n\n"
                continue
            if not stamp:
                return
            yield f"data: {stamp}\n\n"


def change_routes(gate: Gate) -> list[Route]:
    """The events and the script."""
    changes = Changes(gate)
    return [
        *gate.page("/issues/{month}/changes/", changes.events, needs=Role.AUTHOR),
        Route(f"{AREA}/preview.js", changes.script),
    ]
