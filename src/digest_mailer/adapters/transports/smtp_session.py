"""How a connection begins and ends: greeting, EHLO, TLS, log-in; QUIT. Between the two, a courier has it.

Every step answers None to go on or the `Outcome` that the attempt at hand ends in. Here things are awaited, once
a connection. A password never travels without TLS, and TLS is never begun over octets that came before it: who
put them there speaks for the server without having its certificate (RFC 3207 section 6).
"""

import asyncio
import binascii
import ssl
from base64 import b64decode, b64encode
from collections import deque
from contextlib import suppress

from digest_mailer.adapters.transports.smtp_auth import Conversation, Mechanism, NotConvinced, choose, explain
from digest_mailer.adapters.transports.smtp_connection import SmtpConnection
from digest_mailer.adapters.transports.smtp_extensions import Extensions, read_extensions
from digest_mailer.adapters.transports.smtp_reader import NotSmtp, RawReply
from digest_mailer.adapters.transports.smtp_reply import Stage, judge, read_reply
from digest_mailer.adapters.transports.smtp_settings import Auth, SmtpSettings, Tls
from digest_mailer.core.delivery import Deferred, Outcome, Refused, Scope

_QUIT_TIMEOUT = 5.0  # the answer to QUIT changes nothing
_INJECTED = "the server said more before TLS than it was asked; somebody may stand between"


class _Inbox:
    """Hears replies and keeps them until they are asked for."""

    def __init__(self) -> None:
        self._replies: deque[RawReply] = deque()
        self._problem: Exception | None = None
        self._news = asyncio.Event()

    @property
    def empty(self) -> bool:
        """Whether nothing came that was not asked for."""
        return not self._replies and not isinstance(self._problem, NotSmtp)

    def on_replies(self, replies: list[RawReply]) -> None:
        self._replies.extend(replies)
        self._news.set()

    def on_lost(self, problem: Exception) -> None:
        self._problem = problem
        self._news.set()

    async def next(self) -> RawReply:
        """The next reply. Raises what the connection was lost by."""
        while not self._replies:
            if self._problem is not None:
                raise self._problem
            self._news.clear()
            await self._news.wait()
        return self._replies.popleft()


class SmtpSession:
    """A connection's two ends in time. Not used by two tasks at once."""

    def __init__(self, settings: SmtpSettings, context: ssl.SSLContext | None, name: str) -> None:
        self.name = name  # for the ledger
        self.extensions = Extensions()
        self._settings = settings
        self._context = context
        self._inbox = _Inbox()
        self.connection = SmtpConnection(self._inbox)

    async def open(self) -> Outcome | None:
        """Connect, protect, log in; the outcome for the message at hand when that fails."""
        trouble = await self._greet() or await self._ehlo() or await self._starttls() or await self._log_in()
        if trouble:
            self.connection.abort()
        return trouble

    async def quit(self) -> None:
        """Take leave (RFC 5321 section 4.1.1.10); whatever the server makes of it, the connection ends."""
        self.connection.listener = self._inbox
        if not self.connection.over:
            with suppress(Exception):  # an answer that is none ends it just as well
                await self._ask(b"QUIT", min(_QUIT_TIMEOUT, self._settings.timeouts.command))
        self.connection.abort()

    def drop(self) -> None:
        """End the connection at once; nobody hears of it."""
        self.connection.listener = self._inbox
        self.connection.abort()

    def bury(self) -> None:
        """Drop it, and count it as gone if it never came to be."""
        self.drop()
        if not self.connection.made and not self.connection.gone.done():
            self.connection.gone.set_result(None)

    async def _greet(self) -> Outcome | None:
        settings, loop = self._settings, asyncio.get_running_loop()
        try:
            async with asyncio.timeout(settings.timeouts.connect):
                await loop.create_connection(lambda: self.connection, settings.host, settings.port)
                if settings.tls is Tls.IMPLICIT:
                    await self._protect()
                code, text = await self._inbox.next()
        except Exception as problem:  # noqa: BLE001 - classified
            return _unreachable(Stage.GREETING, problem)
        return self._judged(Stage.GREETING, code, text)

    async def _ehlo(self) -> Outcome | None:
        """EHLO, and what the server offers (RFC 5321 section 4.1.1.1)."""
        name = self._settings.local_hostname or _address_literal(self.connection.own_host)
        try:
            code, text = await self._ask(f"EHLO {name}".encode("ascii"))
        except Exception as problem:  # noqa: BLE001 - classified
            return _unreachable(Stage.EHLO, problem)
        self.extensions = read_extensions(text)
        return self._judged(Stage.EHLO, code, text)

    async def _starttls(self) -> Outcome | None:
        """STARTTLS, required: without it the attempt ends here (RFC 8314 section 3)."""
        if self._settings.tls is not Tls.STARTTLS:
            return None
        if not self.extensions.starttls:
            return Refused(Scope.TRANSPORT, "the server offers no STARTTLS, and unprotected mail is not sent")
        try:
            code, text = await self._ask(b"STARTTLS")
            if trouble := self._judged(Stage.STARTTLS, code, text):
                return trouble
            if not (self._inbox.empty and self.connection.quiet):
                return Refused(Scope.TRANSPORT, _INJECTED)
            async with asyncio.timeout(self._settings.timeouts.command):
                await self._protect()
        except Exception as problem:  # noqa: BLE001 - classified
            return _unreachable(Stage.STARTTLS, problem)
        return await self._ehlo()  # what was offered in plain text is forgotten: RFC 3207 section 4.2

    async def _protect(self) -> None:
        assert self._context is not None  # noqa: S101 - the settings made one for every kind of TLS
        await self.connection.protect(self._context, self._settings.host)

    async def _log_in(self) -> Outcome | None:
        """One mechanism, once."""
        if not self._settings.username:
            return None
        mechanism = choose(self._settings.auth, self.extensions.auth)
        if mechanism is None:
            return Refused(Scope.ACCOUNT, "the server offers no way to log in that is known here")
        conversation = mechanism.converse(self._settings.username, self._settings.password)
        try:
            return await self._converse(mechanism, conversation)
        except NotConvinced as problem:
            return Refused(Scope.ACCOUNT, f"at {Stage.AUTH}: {problem}")
        except Exception as problem:  # noqa: BLE001 - classified
            return _unreachable(Stage.AUTH, problem)

    async def _converse(self, mechanism: Mechanism, conversation: Conversation) -> Outcome | None:
        """AUTH with its initial response, then an answer to each challenge (RFC 4954 section 4)."""
        line = b"AUTH %b %b" % (mechanism.name.encode(), b64encode(next(conversation)) or b"=")
        code, text = await self._ask(line)
        told = ""
        answers = 1
        while code == 334:
            challenge = _decoded(text)
            told = explain(challenge) if self._settings.auth is Auth.XOAUTH2 else ""
            try:
                line = b64encode(conversation.send(challenge))
            except StopIteration:
                raise NotConvinced(f"{mechanism.name}: the server asks on and on") from None
            answers += 1
            code, text = await self._ask(line)
        if 200 <= code < 300 and mechanism.mutual and answers < 3:  # RFC 5802 section 5: it proves itself last
            raise NotConvinced(f"{mechanism.name}: the server did not prove that it knows the password")
        return self._judged(Stage.AUTH, code, text + f" ({told})".encode() if told else text)

    async def _ask(self, line: bytes, limit: float = 0.0) -> RawReply:
        async with asyncio.timeout(limit or self._settings.timeouts.command):
            if not self._inbox.empty:  # else it would be taken for the answer to this
                raise NotSmtp
            self.connection.write(line + b"\r\n")
            return await self._inbox.next()

    def _judged(self, stage: Stage, code: int, text: bytes) -> Outcome | None:
        return judge(stage, read_reply(code, text, self._settings.username))


def _decoded(text: bytes) -> bytes:
    try:
        return b64decode(text.strip(), validate=True)
    except binascii.Error:
        return b""


def _address_literal(host: str) -> str:
    """Who we are when no name is set: our end of the connection (RFC 5321 section 4.1.3)."""
    host = host.partition("%")[0]
    return f"[IPv6:{host}]" if ":" in host else f"[{host}]"


def _unreachable(stage: Stage, problem: Exception) -> Deferred | Refused:
    """No usable connection. A certificate that does not hold is no accident that passes."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return Refused(Scope.TRANSPORT, f"the server's certificate is not valid: {problem.verify_message}")
    why = "no answer in time" if isinstance(problem, TimeoutError) else str(problem) or type(problem).__name__
    return Deferred(Scope.TRANSPORT, f"at {stage}: {why}")
