"""One TCP connection to a server: octets out, replies in, and what has left of what was written.

A `Listener` hears each reply in order, and once that the connection is over. Until the end of a message has left
this process, the server cannot have it: `holding` says so. It is known from the transport's flow control, whose
limits are set to the octets that stand behind the message in the same write. `abort` never waits; `gone` is done
when the socket is closed.
"""

import asyncio
import ssl
from typing import Protocol, cast

from digest_mailer.adapters.transports.smtp_reader import NotSmtp, RawReply, ReplyReader
from digest_mailer.adapters.transports.smtp_tunnel import Tunnel

_ROOM = 16_384  # octets; replies are short
CLOSED = "the server closed the connection"


class Listener(Protocol):
    """Who works with a connection."""

    def on_replies(self, replies: list[RawReply]) -> None:
        """The next replies."""

    def on_lost(self, problem: Exception) -> None:
        """The connection is over, and not because of us. Called once."""


class SmtpConnection(asyncio.BufferedProtocol):
    """Built by the loop; `listener` may be changed between two replies."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.over = False
        self.holding = False  # the end of the message is still in this process
        self._transport: asyncio.Transport | None = None
        self._tunnel: Tunnel | None = None
        self._secured: asyncio.Future[None] | None = None
        self._buffer = bytearray(_ROOM)  # one for all replies: the loops would make a large one for each
        self._reader = ReplyReader()
        self._paused = False
        self._behind = 0

    @property
    def made(self) -> bool:
        """Whether there is, or was, a socket."""
        return self._transport is not None

    @property
    def quiet(self) -> bool:
        """Whether nothing half came in."""
        return self._reader.empty

    @property
    def own_host(self) -> str:
        """Our end's address."""
        name = self._transport.get_extra_info("sockname") if self._transport else None
        return str(name[0]) if name else "127.0.0.1"

    async def protect(self, context: ssl.SSLContext, host: str) -> None:
        """Put TLS around all that follows. Raises what the connection was lost by when that fails."""
        self._secured = asyncio.get_running_loop().create_future()
        self._tunnel = Tunnel(context, host)
        self._tunnel.shake()
        self._put(self._tunnel.outgoing())
        await self._secured

    def write(self, data: bytes) -> None:
        """Commands."""
        self._put(self._sealed(self._tunnel, data) if self._tunnel is not None else data)

    def write_body(self, body: list[bytes], behind: bytes) -> None:
        """A message, in pieces, and the commands behind it, in one write. From here on `holding` is about this
        message."""
        self.holding = True
        if self._tunnel is not None:
            body, behind = [self._sealed(self._tunnel, b"".join(body))], self._sealed(self._tunnel, behind)
        if self._transport is None or self.over:
            return
        # Paused at one more, never at as many: loops differ in whether the limit itself pauses.
        low = len(behind)
        if low != self._behind:
            self._behind = low
            self._transport.set_write_buffer_limits(high=low + 1, low=low)
        self._transport.writelines([*body, behind] if behind else body)
        self._transport.set_write_buffer_limits(high=low + 1, low=low)  # Python 3.12.0 to 3.12.7 pause only here
        self.holding = self._paused

    def abort(self) -> None:
        """Over, without a word and at once."""
        self.over = True
        if self._transport is not None:
            self._transport.abort()

    def _put(self, data: bytes) -> None:
        if data and self._transport is not None and not self.over:
            self._transport.write(data)

    # From the loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=1, low=0)

    def get_buffer(self, _sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._receive(bytes(memoryview(self._buffer)[:nbytes]))

    def _receive(self, data: bytes) -> None:
        try:
            data = self._through(self._tunnel, data) if self._tunnel is not None else data
        except ssl.SSLZeroReturnError:
            self._lose(ConnectionError(CLOSED))
            return
        except ssl.SSLError as problem:
            self._lose(problem)
            return
        if self.over:
            return
        if replies := self._reader.feed(data):
            self.listener.on_replies(replies)
        if self._reader.broken:
            self._lose(NotSmtp())

    def eof_received(self) -> None:
        self._lose(ConnectionError(CLOSED))

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = self.holding = False

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(exc or ConnectionError(CLOSED))
        if not self.gone.done():
            self.gone.set_result(None)

    def _sealed(self, tunnel: Tunnel, data: bytes) -> bytes:
        try:
            return tunnel.sealed(data) if data else data
        except ssl.SSLError as problem:
            self._lose(problem)
            return b""

    def _through(self, tunnel: Tunnel, data: bytes) -> bytes:
        data = tunnel.opened(data)
        self._put(tunnel.outgoing())
        if tunnel.ready and self._secured is not None and not self._secured.done():
            self._secured.set_result(None)
        return data

    def _lose(self, problem: Exception) -> None:
        if self.over:
            return
        self.abort()
        if self._secured is not None and not self._secured.done():
            self._secured.set_exception(problem)
        else:
            self.listener.on_lost(problem)
