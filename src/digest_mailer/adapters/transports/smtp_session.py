"""One connection to an SMTP server: open it, carry messages one after the other, leave.

Every step answers None to go on or the `Outcome` that the attempt ends in, classified by `smtp_reply`. The
session knows whether an octet of the content has left, which no exception of the library tells: DATA and the
body are sent apart, with their own time limits. It logs nothing, retries nothing, and never sends a password
without TLS.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import cast

import aiosmtplib

from digest_mailer.adapters.transports.smtp_content import path, stuffed
from digest_mailer.adapters.transports.smtp_reply import Reply, Stage, judge, lost, read_reply
from digest_mailer.adapters.transports.smtp_settings import SmtpSettings, Tls
from digest_mailer.core.delivery import Deferred, Outcome, Refused, Scope
from digest_mailer.core.message import Envelope, Message

_MAX_MESSAGES = 100  # on one connection
_MAX_AGE = 300.0  # seconds
_QUIT_TIMEOUT = 5.0  # the answer to QUIT changes nothing
_LOG_INS = ("plain", "login", "cram-md5")


class _Client(aiosmtplib.SMTP):
    """Closes at once: a graceful end of TLS would wait for the server half a minute, with our tasks gone."""

    def close(self) -> None:
        if self.transport is not None:
            cast("asyncio.WriteTransport", self.transport).abort()
        super().close()


class SmtpSession:
    """A connection, from before its opening to after its end. Not used by two tasks at a time."""

    def __init__(self, settings: SmtpSettings, context: ssl.SSLContext | None) -> None:
        self._settings = settings
        self._client = _Client(
            hostname=settings.host,
            port=settings.port,
            local_hostname=settings.local_hostname or "localhost",
            use_tls=settings.tls is Tls.IMPLICIT,
            start_tls=False,
            tls_context=context,
            timeout=settings.timeouts.command,
        )
        self._opened = 0.0
        self._carried = 0

    @property
    def connected(self) -> bool:
        return self._client.is_connected

    @property
    def reusable(self) -> bool:
        """Whether another message may go over it."""
        age = asyncio.get_running_loop().time() - self._opened
        return self.connected and self._carried < _MAX_MESSAGES and age < _MAX_AGE

    async def open(self) -> Outcome | None:
        """Connect, protect, log in; the outcome for the message at hand when that fails."""
        self._opened = asyncio.get_running_loop().time()
        trouble = await self._greet() or await self._protect() or await self._log_in()
        if trouble:
            self._client.close()
        return trouble

    async def mail(self, message: Message) -> Outcome | None:
        """Begin the message: its size and its sender."""
        sender = path(message.envelope.sender)
        if sender is None:
            return Refused(Scope.ACCOUNT, "the sender's address cannot be written in an SMTP command")
        command = [b"MAIL", b"FROM:" + sender]
        if self._client.supports_extension("size"):  # RFC 1870
            limit = self._client.esmtp_extensions["size"]
            if limit.isdecimal() and 0 < int(limit) < len(message.content):
                return Refused(Scope.MESSAGE, f"{len(message.content)} octets, and the server takes {limit}")
            command.append(b"SIZE=%d" % len(message.content))
        self._carried += 1
        return await self._say(Stage.MAIL, message.envelope, *command)

    async def carry(self, message: Message, attempting: Callable[[], Awaitable[None]]) -> Outcome:
        """Bring the begun message to its end. `attempting` is awaited before any of the content leaves."""
        recipient = path(message.envelope.recipient)
        if recipient is None:
            return Refused(Scope.RECIPIENT, "the address cannot be written in an SMTP command")
        if refusal := await self._say(Stage.RCPT, message.envelope, b"RCPT", b"TO:" + recipient):
            return refusal
        await attempting()
        return await self._say(Stage.DATA, message.envelope, b"DATA") or await self._content(message)

    async def reset(self) -> None:
        """End a transaction that failed (RFC 5321 section 4.1.1.5); without it the next MAIL is out of order."""
        if not self.connected:
            return
        try:
            await self._client.rset()
        except (aiosmtplib.SMTPException, OSError):
            self._client.close()

    async def quit(self) -> None:
        """Take leave (RFC 5321 section 4.1.1.10); whatever the server makes of it, the connection ends."""
        if self.connected:
            limit = min(_QUIT_TIMEOUT, self._settings.timeouts.command)
            with suppress(aiosmtplib.SMTPException, OSError):
                await self._client.quit(timeout=limit)
        await self.drop()

    async def drop(self) -> None:
        """End the connection without a word, and let the loop take its transports down."""
        self._client.close()
        for _ in range(3):
            await asyncio.sleep(0)

    async def _greet(self) -> Outcome | None:
        try:
            await self._client.connect(timeout=self._settings.timeouts.connect)
        except aiosmtplib.SMTPResponseException as answer:
            return judge(Stage.GREETING, read_reply(answer.code, answer.message)) or lost(
                Stage.GREETING, f"an unexpected {answer.code}"
            )
        except (aiosmtplib.SMTPException, OSError) as problem:
            return _unreachable(Stage.GREETING, problem)
        return await self._ehlo()

    async def _ehlo(self) -> Outcome | None:
        name = self._settings.local_hostname or self._address_literal()
        return await self._library(Stage.EHLO, self._client.ehlo(hostname=name))

    async def _protect(self) -> Outcome | None:
        """STARTTLS, required: without it the attempt ends here (RFC 8314 section 3)."""
        if self._settings.tls is not Tls.STARTTLS:
            return None
        if not self._client.supports_extension("starttls"):
            return Refused(Scope.TRANSPORT, "the server offers no STARTTLS, and unprotected mail is not sent")
        # Forgets what was said in plain text, so EHLO comes again: RFC 3207 section 4.2.
        return await self._library(Stage.STARTTLS, self._client.starttls()) or await self._ehlo()

    async def _log_in(self) -> Outcome | None:
        """One method, once: the library's own `login` would send a wrong password by each method in turn."""
        username, password = self._settings.username, self._settings.password
        if not username:
            return None
        offered = self._client.server_auth_methods
        method = next((name for name in _LOG_INS if name in offered), None)
        if method == "plain":  # RFC 4616
            return await self._library(Stage.AUTH, self._client.auth_plain(username, password))
        if method == "login":
            return await self._library(Stage.AUTH, self._client.auth_login(username, password))
        if method == "cram-md5":  # RFC 2195
            return await self._library(Stage.AUTH, self._client.auth_crammd5(username, password))
        return Refused(Scope.ACCOUNT, "the server offers no way to log in that is known here")

    async def _library(self, stage: Stage, step: Awaitable[object]) -> Outcome | None:
        """A step that the library does whole."""
        try:
            await step
        except aiosmtplib.SMTPResponseException as answer:
            return judge(stage, read_reply(answer.code, answer.message, self._settings.username)) or lost(
                stage, f"an unexpected {answer.code}"
            )
        except (aiosmtplib.SMTPException, OSError) as problem:
            return _unreachable(stage, problem)
        return None

    async def _say(self, stage: Stage, envelope: Envelope, *command: bytes) -> Outcome | None:
        """One command and its reply. After an answer that is none, or none at all, the connection is dropped."""
        try:
            response = await self._client.execute_command(*command)
        except (aiosmtplib.SMTPException, OSError) as problem:
            self._client.close()
            return lost(stage, _why(problem))
        return self._judged(stage, envelope, response)

    async def _content(self, message: Message) -> Outcome:
        """The content, its final dot and the reply: from here on, silence means `Unknown`."""
        protocol = self._client.protocol
        if protocol is None or not protocol.is_connected:
            return lost(Stage.DATA, "the connection was lost")
        content = stuffed(message.content)
        try:
            protocol.write(content)
            response = await protocol.read_response(timeout=self._settings.timeouts.final_dot)
        except (aiosmtplib.SMTPException, OSError) as problem:
            self._client.close()
            return lost(Stage.DOT, _why(problem))
        outcome = self._judged(Stage.DOT, message.envelope, response)
        if self.connected and cast("asyncio.WriteTransport", protocol.transport).get_write_buffer_size():
            self._client.close()  # it answered before it had all: what still goes would be read as commands
        return outcome or lost(Stage.DOT, f"an unexpected {response.code}")

    def _judged(self, stage: Stage, envelope: Envelope, response: aiosmtplib.SMTPResponse) -> Outcome | None:
        reply = read_reply(response.code, response.message, envelope.recipient, envelope.sender)
        if reply.code == 421 or not _is_answer(stage, reply):  # RFC 5321 section 3.8
            self._client.close()
        return judge(stage, reply)

    def _address_literal(self) -> str:
        """Who we are when no name is set: our end of the connection (RFC 5321 section 4.1.3)."""
        name = self._client.get_transport_info("sockname") if self.connected else None
        host = name[0].partition("%")[0] if name else "127.0.0.1"
        return f"[IPv6:{host}]" if ":" in host else f"[{host}]"


def _is_answer(stage: Stage, reply: Reply) -> bool:
    """Whether the server still speaks our protocol."""
    return 400 <= reply.code < 600 or (reply.code == 354 if stage is Stage.DATA else 200 <= reply.code < 300)


def _unreachable(stage: Stage, problem: Exception) -> Deferred | Refused:
    """No usable connection. A certificate that does not hold is no accident that passes."""
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Refused(Scope.TRANSPORT, f"the server's certificate is not valid: {cause.verify_message}")
        cause = cause.__cause__
    return Deferred(Scope.TRANSPORT, f"at {stage}: {_why(problem)}")


def _why(problem: Exception) -> str:
    """The library's sentence; a reply that it could not parse is not quoted."""
    if isinstance(problem, aiosmtplib.SMTPResponseException):
        return "an answer that is not SMTP"
    return str(problem) or type(problem).__name__
