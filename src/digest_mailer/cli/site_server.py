"""The site's server: says when it is ready, and lets go of pages that listen for changes when it ends."""

import socket
from collections.abc import Callable

import uvicorn

from digest_mailer.services.watching import Watch


class SiteServer(uvicorn.Server):
    """Uvicorn, which would wait for ever for a page that waits for it."""

    def __init__(self, config: uvicorn.Config, watch: Watch, ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._watch = watch
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self._ready and self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what is being answered."""
        self._watch.close()
        await super().shutdown(sockets)
