"""The sandbox: a whole SMTP server inside the process, which files what it gets and passes nothing on.

`SandboxTransport` starts one for each delivery, on 127.0.0.1 and a free port, and delivers to it by real
SMTP; `SandboxServer` alone is the server behind the `inbox` command. Mail ends in a Maildir. The stored copy
has `Return-Path` and `Delivered-To` in front, as a server that delivers adds them (RFC 5321 section 4.4), so
that the envelope is visible; all behind them is octet for octet what came. Nothing can reach people.
"""

import asyncio
import logging
import mailbox
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from digest_mailer.adapters.transports.smtp import SmtpTransport
from digest_mailer.adapters.transports.smtp_settings import SmtpSettings, Tls
from digest_mailer.adapters.transports.waiting import waiting
from digest_mailer.core.delivery import Deferred, Scope
from digest_mailer.ports import Work

_HOST = "127.0.0.1"


class SandboxTransport:
    """Fulfils `ports.Transport` with a server of its own."""

    def __init__(self, maildir: Path, connections: int = 4) -> None:
        self._maildir = maildir
        self._connections = connections

    @property
    def url(self) -> str:
        return "sandbox:"

    @property
    def live(self) -> bool:
        return False

    @property
    def connections(self) -> int:
        return self._connections

    async def deliver(self, work: Work) -> None:
        """See `ports.Transport.deliver`."""
        server = SandboxServer(self._maildir)
        try:
            await server.start()
        except OSError as problem:
            trouble = Deferred(Scope.TRANSPORT, f"the sandbox could not start: {problem.strerror or problem}")
            async for row, _ in waiting(work):
                work.settle(row, trouble)
            return
        settings = SmtpSettings(_HOST, server.port, tls=Tls.NONE, connections=self._connections)
        try:
            await SmtpTransport(settings).deliver(work)
        finally:
            await server.stop()


class SandboxServer:
    """An SMTP server that keeps everything; `async with` starts and stops it in the running loop."""

    def __init__(self, maildir: Path, host: str = _HOST, port: int = 0) -> None:
        self.host = host
        self.port = port  # 0 until `start`: any free one
        self._maildir = maildir
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Make the Maildir, then listen. Raises OSError when one of them cannot be."""
        logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd's own; below this it tells addresses
        handler = _Filing(self._maildir)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(handler, self._connections), self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, drop whoever is connected, and wait until nothing of it runs."""
        if self._server is None:
            return
        self._server.close()
        tasks = [task for connection in self._connections if (task := connection.abort())]
        if tasks:
            await asyncio.wait(tasks)
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


class _Filing:
    """What aiosmtpd calls for a message: files one copy for each recipient."""

    def __init__(self, maildir: Path) -> None:
        maildir.parent.mkdir(parents=True, exist_ok=True)
        self._maildir = mailbox.Maildir(maildir)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content or b""
        try:
            for recipient in envelope.rcpt_tos:
                self._maildir.add(_trace(envelope.mail_from or "", recipient) + content)
        except OSError as problem:
            return f"452 4.3.1 Cannot file it: {problem.strerror}"
        return "250 2.0.0 Filed"


def _trace(sender: str, recipient: str) -> bytes:
    return f"Return-Path: <{sender}>\r\nDelivered-To: {recipient}\r\n".encode("utf-8", "surrogateescape")


class _Connection(SMTP):
    """One client, known to the server as long as it is connected or its task runs."""

    def __init__(self, handler: _Filing, connections: set["_Connection"]) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(handler, hostname="sandbox.localhost", ident="digest-mailer sandbox", loop=loop)
        self._known = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._handler_coroutine is not None:
            self._known.add(self)
            self._handler_coroutine.add_done_callback(lambda _: self._known.discard(self))

    def abort(self) -> asyncio.Task[None] | None:
        """Drop the client; the task that will have ended soon after."""
        if self.transport is not None:
            cast("asyncio.WriteTransport", self.transport).abort()
        return self._handler_coroutine
