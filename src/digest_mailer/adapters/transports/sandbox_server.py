"""The sandbox's server: files what it gets in a Maildir, passes nothing on, and misbehaves where it is asked to.

The stored copy has `Return-Path` and `Delivered-To` in front, as a server that delivers adds them (RFC 5321 section
4.4), so that the envelope is visible; all behind them is octet for octet what came. A rehearsal's faults come at the
moment where real servers have them: refusals at RCPT, a lost connection behind 354 or behind the final dot (RFC 1047),
no greeting, a handshake that fails. It has no certificate, so a STARTTLS that does not fail is refused (RFC 3207).
"""

import asyncio
import logging
import mailbox
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from digest_mailer.core.rehearsal import Fault, Faults

HOST = "127.0.0.1"
_SLOWNESS = 0.2  # seconds before each answer of a slow connection
_IDLE = 300.0  # seconds until a silent client is dropped; RFC 5321 section 4.5.3.2.7
_REHEARSED_IDLE = 3600.0  # the client's patience is what is rehearsed
_REFUSALS = {
    Fault.LATER: "451 4.3.0 Try again later, for rehearsal",
    Fault.NEVER: "550 5.1.1 No such user, for rehearsal",
}


class Mischief:
    """A rehearsal under way: the faults, and what they are counted by. Servers that follow each other share one."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._tries: Counter[str] = Counter()
        self._stormed = 0
        self._connections = 0

    def next_connection(self) -> int:
        """The number of a new one, from 1."""
        self._connections += 1
        return self._connections

    def next_message(self, address: str) -> Fault | None:
        """What befalls a message to this address."""
        if self._stormed < self.faults.storm:
            self._stormed += 1
            return Fault.LATER
        self._tries[address] += 1
        return self.faults.of_message(address, self._tries[address])


class SandboxServer:
    """An SMTP server that keeps everything; `async with` starts and stops it in the running loop."""

    def __init__(self, maildir: Path, host: str = HOST, port: int = 0, mischief: Mischief | None = None) -> None:
        self.host = host
        self.port = port  # 0 until `start`: any free one
        self._maildir = maildir
        self._mischief = mischief or Mischief(Faults())
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Make the Maildir, then listen. Raises OSError when one of them cannot be."""
        logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd's own; below this it tells addresses
        handler = _Filing(self._maildir, self._mischief)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(handler, self._connections, self._mischief), self.host, self.port
        )
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

    def __init__(self, maildir: Path, mischief: Mischief) -> None:
        maildir.parent.mkdir(parents=True, exist_ok=True)
        self._maildir = mailbox.Maildir(maildir)
        self._mischief = mischief

    async def handle_EHLO(  # noqa: N802
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, offered: list[str]
    ) -> list[str]:
        session.host_name = hostname
        if self._mischief.faults.rate(Fault.TLS):
            offered.insert(-1, "250-STARTTLS")
        return offered

    async def handle_RCPT(  # noqa: N802
        self, server: "_Connection", _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        fault = self._mischief.next_message(address)
        if refusal := _REFUSALS.get(fault) if fault else None:
            return refusal
        server.fault = fault
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient taken"

    async def handle_DATA(self, server: "_Connection", _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content or b""
        try:
            for recipient in envelope.rcpt_tos if server.fault is not Fault.DROP_LOST else ():
                self._maildir.add(_trace(envelope.mail_from or "", recipient) + content)
        except OSError as problem:
            return f"452 4.3.1 Cannot file it: {problem.strerror}"
        if server.fault in (Fault.DROP, Fault.DROP_LOST):
            await server.drop()
        if server.fault is Fault.STALL:
            await _until_dropped()
        return "250 2.0.0 Filed"


def _trace(sender: str, recipient: str) -> bytes:
    return f"Return-Path: <{sender}>\r\nDelivered-To: {recipient}\r\n".encode("utf-8", "surrogateescape")


async def _until_dropped() -> None:
    """The end of a connection cancels what it waits for."""
    await asyncio.Event().wait()


class _Connection(SMTP):
    """One client, known to the server as long as it is connected or its task runs."""

    def __init__(self, handler: _Filing, connections: set["_Connection"], mischief: Mischief) -> None:
        self.fault: Fault | None = None  # of the message at hand
        self._number = mischief.next_connection()
        self._faults = mischief.faults
        self._known = connections
        loop = asyncio.get_running_loop()
        idle = _REHEARSED_IDLE if mischief.faults.any else _IDLE
        super().__init__(handler, hostname="sandbox.localhost", ident="digest-mailer sandbox", timeout=idle, loop=loop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._handler_coroutine is not None:
            self._known.add(self)
            self._handler_coroutine.add_done_callback(self._ended)

    def _ended(self, _task: asyncio.Task[None]) -> None:
        self._known.discard(self)
        if self.transport is not None:  # aiosmtpd leaves it open when the client goes during the greeting
            self.transport.close()

    def abort(self) -> asyncio.Task[None] | None:
        """Drop the client; the task that will have ended soon after."""
        if self.transport is not None:
            cast("asyncio.WriteTransport", self.transport).abort()
        return self._handler_coroutine

    async def drop(self) -> None:
        """Close the connection when what was said has left. Does not return."""
        if self.transport is not None:
            self.transport.close()
        await _until_dropped()

    async def push(self, status: str | bytes) -> None:
        """Every answer, the greeting first."""
        line = status.encode() if isinstance(status, str) else status
        if self._faults.strikes(Fault.HALF_OPEN, self._number):
            await _until_dropped()
        if self._faults.strikes(Fault.SLOW, self._number) and line[3:4] != b"-":  # its last line
            await asyncio.sleep(_SLOWNESS)
        await super().push(line)
        if line.startswith(b"354") and self.fault is Fault.DROP_DATA:
            await self.drop()

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802
        """A handshake that fails, once the client has begun it: octets before that would be taken for an intrusion."""
        if not self._faults.strikes(Fault.TLS, self._number):
            await super().smtp_STARTTLS(arg)
            return
        await self.push("220 2.0.0 Begin")
        await self._reader.read(1)
        await super().push("this is no TLS")
        await self.drop()
