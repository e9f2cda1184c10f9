"""What the shell needs from the world, as Protocols. Adapters fulfil them, services call them.

Store ports are synchronous and used from one thread at a time; the transport is asynchronous. Every port has
one contract suite in tests/integration, run on each of its implementations.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Protocol

from digest_mailer.core.delivery import Outcome
from digest_mailer.core.identity import RowId
from digest_mailer.core.message import Message


class Clock(Protocol):
    """Tells the time, aware and in UTC."""

    def now(self) -> datetime:
        """The current instant."""


class Transport(Protocol):
    """A way out for messages: SMTP, a provider, a directory, the sandbox."""

    @property
    def url(self) -> str:
        """How it is named in settings and the ledger, without secrets."""

    @property
    def live(self) -> bool:
        """Whether mail handed to it can reach people. Sandbox, outbox and loopback servers are not live."""

    def deliver(
        self,
        messages: AsyncIterator[tuple[RowId, Message]],
        on_attempt: Callable[[RowId], Awaitable[None]],
    ) -> AsyncIterator[tuple[RowId, Outcome]]:
        """Try each message once and yield what each attempt ended in, in any order, one outcome a row.

        The adapter takes the next message only when it can work on it, awaits `on_attempt(row)` before the
        first octet of that message's content may leave, never retries, and never alters a message. When
        `messages` ends it finishes what is in flight, closes its connections and ends. Trouble of the way
        itself (no connection, failed log-in) is an outcome of scope TRANSPORT or ACCOUNT, never an exception.
        When the returned iterator is closed early (`aclose`), connections are dropped at once.
        """
