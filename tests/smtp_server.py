"""SMTP servers to test against, in the running loop: one that keeps what it gets, one that follows a script.

`ScriptedServer` answers each stage with a default that goes on, or as scripted: a reply, silence, a closed
connection, half a reply. It notes what it saw: commands, connections, log-ins, contents, and what a client said
before it might. Nothing in it sleeps.
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
from scramp import ScramException, ScramMechanism


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
    """A server whose every answer can be set, by stage: greeting, ehlo, starttls, auth, mail, rcpt, data, dot
    (the end of content, by DATA or BDAT), rset, quit; and early: what to do after the first line of content, where
    the server stops to read; challenge: an odd one; proof: none of it. An action alone is always taken, a sequence
    of them once each before the default.
    A careless one answers DATA with 354 when there is no recipient, and one that sulks stays inside the transaction
    when it has refused a content. At its end it fails when a client spoke out of turn."""

    def __init__(
        self,
        script: Script | None = None,
        *,
        extensions: Sequence[str] = ("ENHANCEDSTATUSCODES",),
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        login: tuple[str, str] | None = None,
        methods: str = "PLAIN LOGIN",
        careless: bool = False,
        sulks: bool = False,
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
        self.careless = careless
        self.sulks = sulks
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.seen: Counter[str] = Counter()
        self.commands: list[str] = []
        self.contents: list[bytes] = []
        self.empties = 0  # lone dots
        self.behind: list[str] = []  # what had come in one piece with each content
        self.faults: list[str] = []  # what came before its time
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
        if kind is None:
            assert not self.faults, self.faults

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

    def offers(self, extension: str) -> bool:
        return extension in self._extensions

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
    def password(self) -> str:
        return self._login[1] if self._login else ""

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
        self._transaction = ""  # or the last command of it that was taken

    async def hold(self) -> None:
        await self._answer("greeting")
        while line := await self._reader.readline():
            command = line.decode().rstrip("\r\n")
            self._server.commands.append(command)
            verb = command.split(" ")[0].lower()
            self._server.seen[verb] += 1
            self._watch(verb)
            await self._do(verb, command)

    async def _do(self, verb: str, command: str) -> None:
        if verb == "ehlo":
            await self._answer("ehlo", self._server.offer(secure=self._secure))
        elif verb == "starttls":
            await self._protect()
        elif verb == "auth":
            await self._auth(command)
        elif verb in ("mail", "rcpt", "data", "bdat"):
            await self._transact(verb, command)
        elif verb == "quit":
            await self._answer("quit")
            raise _Gone
        else:
            self._transaction = "" if verb == "rset" else self._transaction
            await self._answer(verb)

    def _waiting(self) -> bytes:
        return bytes(self._reader._buffer)  # type: ignore[attr-defined]

    def _watch(self, verb: str) -> None:
        """RFC 2920 section 3.1: which commands may be said before the answer to the one before."""
        alone = not self._server.offers("PIPELINING") or verb in ("ehlo", "data", "quit", "starttls", "auth")
        if alone and self._waiting():
            self._server.faults.append(f"{self._waiting()!r} behind {verb}")

    async def _transact(self, verb: str, command: str) -> None:
        """In order or refused; nested transactions too: that is what a forgotten RSET ends in."""
        before = {"mail": ("",), "rcpt": ("mail", "rcpt")}.get(verb, ("rcpt",))
        careless = verb == "data" and self._server.careless
        if verb == "bdat":
            await self._chunk(int(command.split(" ")[1]), in_order=self._transaction in before)
        elif self._transaction not in before and not careless:
            await self._send("503 5.5.1 Nested MAIL" if verb == "mail" else "503 5.5.1 Out of order")
        elif await self._answer(verb):
            self._transaction = verb
            if verb == "data":
                await self._data()

    async def _data(self) -> None:
        await self._early()
        content = b""
        while (line := await self._reader.readline()) not in (b".\r\n", b""):
            content += line.removeprefix(b".")
        if line:
            self._server.empties += not content
            await self._end_of_content(content)

    async def _chunk(self, size: int, *, in_order: bool) -> None:
        await self._early()
        content = await self._reader.readexactly(size)
        if in_order:
            await self._end_of_content(content)
        else:
            await self._send("503 5.5.1 Out of order")

    async def _early(self) -> None:
        if early := self._server.next_action("early"):
            await self._reader.readline()
            if isinstance(early, Say):
                await self._send(early.text)
            elif isinstance(early, Close):
                raise _Gone
            self._server.reached.set()
            await asyncio.Event().wait()

    async def _end_of_content(self, content: bytes) -> None:
        """One content at a time is unanswered: behind this one may stand commands, and no other content."""
        waiting = self._waiting().decode().splitlines(keepends=True)
        self._server.behind.append(" ".join(line[:4].strip() for line in waiting))
        for line in waiting:
            if not line.startswith(("RSET", "MAIL", "RCPT", "DATA", "QUIT")):
                self._server.faults.append(f"{line!r} behind an unanswered content")
        if await self._answer("dot"):
            self._transaction = ""
            self._server.contents.append(content)
        else:
            self._transaction = "rcpt" if self._server.sulks else ""

    async def _protect(self) -> None:
        if await self._answer("starttls"):
            await self._writer.start_tls(cast("ssl.SSLContext", self._server.tls))
            self._secure = True

    async def _auth(self, command: str) -> None:
        """By the methods that the server knows, each with an initial response."""
        _, method, initial = f"{command} ".split(" ")[:3]
        if isinstance(odd := self._server.next_action("challenge"), Say):
            await self._send(odd.text)
            while await self._reader.readline():
                await self._send("235 2.7.0 Welcome")
            raise _Gone
        if method == "PLAIN":  # RFC 4616
            user, password = _decode(initial).split("\0")[1:]
            right = self._server.check(user, password)
        elif method == "LOGIN":
            user, password = _decode(initial), await self._challenge("Password:")
            right = self._server.check(user, password)
        elif method == "XOAUTH2":
            right = await self._token(_decode(initial))
        elif method.startswith("SCRAM"):
            right = await self._scram(method, _decode(initial))
        else:
            await self._answer("auth", "504 5.5.4 Not known")
            return
        await self._answer("auth", "235 2.7.0 Welcome" if right else "535 5.7.8 Wrong user name or password")

    async def _challenge(self, text: str) -> str:
        await self._send(f"334 {base64.b64encode(text.encode()).decode()}")
        return _decode((await self._reader.readline()).decode())

    async def _token(self, initial: str) -> bool:
        fields = dict(field.split("=", 1) for field in initial.strip("\1").split("\1"))
        right = self._server.check(fields["user"], fields["auth"].removeprefix("Bearer "))
        if not right:
            assert await self._challenge('{"status":"401","schemes":"Bearer"}') == ""
        return right

    async def _scram(self, method: str, first: str) -> bool:
        mechanism = ScramMechanism(method)
        password = self._server.password
        known = mechanism.make_auth_info(password, iteration_count=4096)
        scram = mechanism.make_server(lambda _: known)
        scram.set_client_first(first)
        final = await self._challenge(scram.get_server_first())
        try:
            scram.set_client_final(final)
        except ScramException:
            return self._server.check("", "")
        if self._server.next_action("proof"):  # the server does not prove that it knows the password
            return True
        assert await self._challenge(scram.get_server_final()) == ""
        return self._server.check(first.split(",")[2].removeprefix("n="), password)

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
