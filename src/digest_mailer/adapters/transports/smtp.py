"""The SMTP transport: messages to a relay or submission server, over a few connections that are used again.

Each connection is a worker of `workers`; a connection's conversation is in `smtp_session`, the meaning of
replies in `smtp_reply`, the settings and the URL in `smtp_settings`. A message gets one attempt. A connection
that the server closed between two messages is replaced without a word, because of the next message nothing
has left yet. A wrong password is tried once, whatever the number of connections. Never: a retry, a changed
message, a password in plain text.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from digest_mailer.adapters.transports.smtp_content import objection
from digest_mailer.adapters.transports.smtp_session import SmtpSession
from digest_mailer.adapters.transports.smtp_settings import SmtpSettings
from digest_mailer.adapters.transports.workers import run_workers
from digest_mailer.core.delivery import Accepted, Outcome, Refused, Scope
from digest_mailer.core.errors import ConfigError
from digest_mailer.core.identity import RowId
from digest_mailer.core.message import Message


class SmtpTransport:
    """Fulfils `ports.Transport` over SMTP. Raises ConfigError when built from incomplete settings."""

    def __init__(self, settings: SmtpSettings) -> None:
        if settings.username and not settings.password:
            raise ConfigError(
                f"no password for the SMTP server {settings.host}",
                "give it in a secret file or in the environment, or take the user out of the transport URL",
            )
        self._settings = settings
        self._context = settings.tls_context()

    @property
    def url(self) -> str:
        return self._settings.url

    @property
    def live(self) -> bool:
        return not self._settings.loopback

    def deliver(
        self,
        messages: AsyncIterator[tuple[RowId, Message]],
        on_attempt: Callable[[RowId], Awaitable[None]],
    ) -> AsyncGenerator[tuple[RowId, Outcome]]:
        """See `ports.Transport.deliver`."""
        door = _Door()
        count = self._settings.connections
        workers = [_SmtpWorker(self._settings, self._context, door, on_attempt) for _ in range(count)]
        return run_workers(workers, messages)


class _Door:
    """Lets connections open one by one until one has been let in, and none after an account was turned away:
    servers slow down or lock an account that fails to log in again and again."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._let_in = False
        self._refused: Refused | None = None

    async def open(self, session: SmtpSession) -> Outcome | None:
        if self._let_in:
            return await self._try(session)
        async with self._lock:
            return await self._try(session)

    async def _try(self, session: SmtpSession) -> Outcome | None:
        if self._refused is not None:
            return self._refused
        trouble = await session.open()
        if trouble is None:
            self._let_in = True
        elif isinstance(trouble, Refused) and trouble.scope is Scope.ACCOUNT:
            self._refused = trouble
        return trouble


class _SmtpWorker:
    """Carries one message after the other over one connection at a time."""

    def __init__(
        self,
        settings: SmtpSettings,
        context: ssl.SSLContext | None,
        door: _Door,
        on_attempt: Callable[[RowId], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._context = context
        self._door = door
        self._on_attempt = on_attempt
        self._session = SmtpSession(settings, context)

    async def attempt(self, row: RowId, message: Message) -> Outcome:
        if problem := objection(message.content):
            return Refused(Scope.MESSAGE, problem)
        outcome = await self._begin(message) or await self._session.carry(message, lambda: self._on_attempt(row))
        if not isinstance(outcome, Accepted):
            await self._session.reset()
        return outcome

    async def _begin(self, message: Message) -> Outcome | None:
        """MAIL over the connection at hand, or over a new one when the server has closed that meanwhile."""
        if self._session.reusable:
            outcome = await self._session.mail(message)
            if self._session.connected:
                return outcome
        await self._session.quit()
        self._session = SmtpSession(self._settings, self._context)
        return await self._door.open(self._session) or await self._session.mail(message)

    async def finish(self) -> None:
        await self._session.quit()

    async def drop(self) -> None:
        await self._session.drop()
