"""The outbox transport: one `.eml` file a message in a directory, for tests, checks and hand delivery.

A file is named after the left part of the Message-ID, which is the same on every attempt, so a retry
overwrites itself. It appears whole or not at all: written under a temporary name, flushed to the disk, then
renamed. The content is octet for octet what SMTP would carry; the envelope is not kept. Nothing is live.
"""

from pathlib import Path
from urllib.parse import quote

from digest_mailer.adapters.durable import write_file
from digest_mailer.adapters.transports.waiting import waiting
from digest_mailer.core.delivery import Accepted, Deferred, Outcome, Scope
from digest_mailer.core.message import Message
from digest_mailer.ports import Work


class OutboxTransport:
    """Fulfils `ports.Transport` with a directory, which is made when it is first needed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def url(self) -> str:
        return f"outbox:{self._directory}"

    @property
    def live(self) -> bool:
        return False

    @property
    def connections(self) -> int:
        return 1

    async def deliver(self, work: Work) -> None:
        """See `ports.Transport.deliver`."""
        async for row, message in waiting(work):
            if work.begin(row):
                work.settle(row, self._file(message))

    def _file(self, message: Message) -> Outcome:
        name = file_name(message.message_id)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            # readable by its owner: it holds links that unsubscribe
            write_file(self._directory / name, message.content, 0o600)
        except OSError as problem:
            return Deferred(Scope.TRANSPORT, f"cannot write into {self._directory}: {problem.strerror or problem}")
        return Accepted(f"written as {name}")


def file_name(message_id: str) -> str:
    """The file of a message: the left part of its id (RFC 5322 section 3.6.4), safe on every file system."""
    return f"{quote(message_id.strip('<>').partition('@')[0], safe='')}.eml"
