"""SMTP servers to test against, in the running loop: one that keeps what it gets, one that follows a script.

`ScriptedServer` answers each stage with a default that goes on, or as scripted: a reply, silence, a closed
connection, half a reply. It notes what it saw: commands, connections, log-ins, contents. Nothing in it sleeps.
"""

import asyncio
import base64
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True)
class Say:
    """Reply with this text, line breaks added."""

    text: str


@dataclass(frozen=True)
class Partial:
    """Send these octets, no line end, then close."""

    text: str


@dataclass(frozen=True)
class Close:
    """Close the connection; `say` goes out before."""

    say: str = ""


@dataclass(frozen=True)
class Hang:
    """Answer nothing and keep the connection open."""


Action = Say | Partial | Close | Hang
Script = Mapping[str, Action | Sequence[Action]]

DEFAULTS = {
    "greeting": "220 scripted.example ESMTP",
    "starttls": "220 2.0.0 Go ahead",
    "mail": "250 2.1.0 Sender taken",
    "rcpt": "250 2.1.5 Recipient taken",
    "data": "354 Go on",
    "dot": "250 2.0.0 Queued",
    "rset": "250 2.0.0 Forgotten",
    "quit": "221 2.0.0 Bye",
}


class _Gone(Exception):  # noqa: N818 - not a fault
    """The connection is over."""


class ScriptedServer:
    """A server whose every answer can be set, by stage: greeting, ehlo, starttls, auth, mail, rcpt, data, dot,
    rset, quit; and early: a reply after the first line of content, where the server then stops to read. An action
    alone is always taken, a sequence of them once each before the default."""

    def __init__(
        self,
        script: Script | None = None,
        *,
        extensions: Sequence[str] = ("ENHANCEDSTATUSCODES",),
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        login: tuple[str, str] | None = None,
        methods: str = "PLAIN LOGIN",
    ) -> None:
        self._script = {
            stage: [action] if isinstance(action, Action) else list(action) for stage, action in (script or {}).items()
        }
        self._always = {stage for stage, action in (script or {}).items() if isinstance(action, Action)}
        self._extensions = list(extensions)
        self._tls = tls
        self._implicit = implicit
        self._login = login
        self._methods = methods
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.seen: Counter[str] = Counter()
        self.commands: list[str] = []
        self.contents: list[bytes] = []
        self.failed_logins = 0
        self.good_logins = 0
        self.empty = asyncio.Event()  # nobody is connected any more
        self.reached = asyncio.Event()  # a scripted silence has begun

    async def __aenter__(self) -> Self:
        context = self._tls if self._implicit else None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context, limit=2**20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._tasks.add(task)
        self.empty.clear()
        self.seen["connection"] += 1
        try:
            await _Conversation(self, reader, writer).hold()
        except (_Gone, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            if not self._tasks:
                self.empty.set()
            transport = writer.transport
            if transport.get_write_buffer_size() and not transport.is_closing():
                with suppress(ConnectionError):
                    await writer.drain()
            transport.abort()

    def next_action(self, stage: str) -> Action | None:
        actions = self._script.get(stage)
        if not actions:
            return None
        return actions[0] if stage in self._always else actions.pop(0)

    def offer(self, *, secure: bool) -> str:
        lines = ["scripted.example", *self._extensions]
        if self._tls and not secure:
            lines.append("STARTTLS")
        if self._login and secure:
            lines.append(f"AUTH {self._methods}")
        return "\r\n".join([f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"])

    def check(self, user: str, password: str) -> bool:
        right = (user, password) == self._login
        self.good_logins += right
        self.failed_logins += not right
        return right

    @property
    def tls(self) -> ssl.SSLContext | None:
        return self._tls

    @property
    def implicit(self) -> bool:
        return self._implicit


class _Conversation:
    """One connection, from greeting to end."""

    def __init__(self, server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._secure = server.implicit
        self._transaction = False

    async def hold(self) -> None:
        await self._answer("greeting")
        while line := await self._reader.readline():
            command = line.decode().rstrip("\r\n")
            self._server.commands.append(command)
            verb = command.split(" ")[0].lower()
            self._server.seen[verb] += 1
            await self._do(verb, command)

    async def _do(self, verb: str, command: str) -> None:
        if verb == "ehlo":
            await self._answer("ehlo", self._server.offer(secure=self._secure))
        elif verb == "starttls":
            await self._protect()
        elif verb == "auth":
            await self._auth(command)
        elif verb == "mail":
            await self._mail()
        elif verb == "data":
            await self._data()
        elif verb == "quit":
            await self._answer("quit")
            raise _Gone
        else:
            self._transaction = self._transaction and verb != "rset"
            await self._answer(verb)

    async def _mail(self) -> None:
        """Nested transactions are refused: that is what a forgotten RSET ends in."""
        if self._transaction:
            await self._send("503 5.5.1 Nested MAIL")
        else:
            self._transaction = await self._answer("mail")

    async def _data(self) -> None:
        if not await self._answer("data"):
            return
        if early := self._server.next_action("early"):
            await self._reader.readline()
            await self._send(early.text if isinstance(early, Say) else "")
            await asyncio.Event().wait()
        content = b""
        while (line := await self._reader.readline()) not in (b".\r\n", b""):
            content += line.removeprefix(b".")
        self._transaction = False
        if line and await self._answer("dot"):
            self._server.contents.append(content)

    async def _protect(self) -> None:
        if await self._answer("starttls"):
            await self._writer.start_tls(cast("ssl.SSLContext", self._server.tls))
            self._secure = True

    async def _auth(self, command: str) -> None:
        """PLAIN (RFC 4616), or LOGIN with the user name at once."""
        _, method, initial = f"{command} ".split(" ")[:3]
        if method not in ("PLAIN", "LOGIN"):
            await self._answer("auth", "504 5.5.4 Not known")
            return
        if method == "PLAIN":
            user, password = _decode(initial).split("\0")[1:]
        else:
            await self._send("334 UGFzc3dvcmQ6")
            user, password = _decode(initial), _decode((await self._reader.readline()).decode())
        right = self._server.check(user, password)
        await self._answer("auth", "235 2.7.0 Welcome" if right else "535 5.7.8 Wrong user name or password")

    async def _answer(self, stage: str, default: str = "") -> bool:
        """Do what the script says at this stage; whether the conversation goes on as usual."""
        action = self._server.next_action(stage) or Say(default or DEFAULTS.get(stage, "502 5.5.2 Unknown"))
        if isinstance(action, Say):
            await self._send(action.text)
            return action.text[0] in "23"
        if isinstance(action, Hang):
            self._server.reached.set()
            while await self._reader.read(1024):
                pass
            raise _Gone
        text = action.text if isinstance(action, Partial) else f"{action.say}\r\n" if isinstance(action, Close) else ""
        if text.strip():
            self._writer.write(text.encode())
            await self._writer.drain()
        self._writer.close()
        raise _Gone

    async def _send(self, text: str) -> None:
        self._writer.write(f"{text}\r\n".encode())
        await self._writer.drain()


def _decode(text: str) -> str:
    return base64.b64decode(text).decode()


class Keeper:
    """An aiosmtpd handler that keeps contents."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []
        self.peers: set[object] = set()

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.peers.add(session.peer)
        self.contents.append(envelope.original_content or b"")
        return "250 2.0.0 Kept"


@asynccontextmanager
async def keeping_server() -> AsyncIterator[tuple[int, Keeper]]:
    """A plain aiosmtpd server on 127.0.0.1: its port, and what it keeps."""
    keeper = Keeper()
    loop = asyncio.get_running_loop()
    connections: list[SMTP] = []

    def connect() -> SMTP:
        connections.append(SMTP(keeper, hostname="keeper.example", loop=loop))
        return connections[-1]

    server = await loop.create_server(connect, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], keeper
    finally:
        server.close()
        for connection in connections:
            if connection.transport is not None:
                cast("asyncio.WriteTransport", connection.transport).abort()
        tasks = [connection._handler_coroutine for connection in connections if connection._handler_coroutine]
        if tasks:
            await asyncio.wait(tasks)
        await server.wait_closed()
