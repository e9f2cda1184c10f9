"""A message on its way, and one connection's share of the messages there are.

A `Letter` knows how far its message has come. A `Tray` gives a courier the letters that its server can be asked
to carry, as long as the connection may carry more, and passes on what becomes of them under the connection's name.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from digest_mailer.adapters.transports.smtp_announcer import Announcer
from digest_mailer.adapters.transports.smtp_reply import Reply, Stage, storable
from digest_mailer.adapters.transports.smtp_settings import SmtpSettings
from digest_mailer.core.delivery import Outcome
from digest_mailer.core.identity import RowId
from digest_mailer.core.message import Message
from digest_mailer.ports import Work


@dataclass(slots=True)
class Letter:
    """A message that was taken."""

    row: RowId
    message: Message
    stage: Stage = Stage.MAIL  # where an answer is waited for
    refusal: Outcome | None = None  # the first answer that was no
    again: bool = False  # its one other connection, or other MAIL, is used up

    def reply(self, code: int, text: bytes) -> Reply:
        """A reply to it, as it may be stored."""
        return Reply(code, self.storable(text))

    def storable(self, text: bytes) -> str:
        """The words of a reply to it, without its addresses."""
        envelope = self.message.envelope
        return storable(text, envelope.recipient, envelope.sender)


class Desk(Protocol):
    """Where letters come from, and whose they are."""

    work: Work

    def take(self) -> Letter | None: ...


class Tray:
    """One connection's. `closed` when nothing more shall be taken."""

    def __init__(self, desk: Desk, announcer: Announcer, settings: SmtpSettings, connection: str) -> None:
        self.closed = False
        self._time = asyncio.get_running_loop().time
        self._take = desk.take
        self._work = desk.work
        self._announcer = announcer
        self._connection = connection
        self._room = settings.max_messages  # for so many more
        self._expires = self._time() + settings.max_age
        self._returned: Letter | None = None

    @property
    def spent(self) -> bool:
        """Whether the connection has had its share."""
        return self.closed or self._room <= 0 or self._time() >= self._expires

    def next(self) -> Letter | None:
        """A letter to announce."""
        if (returned := self.take_back()) is not None:
            return returned
        while not self.spent:
            taken = self._take()
            if taken is None or self.passes(taken):
                return taken
        return None

    def give_back(self, letter: Letter) -> None:
        """It is to be announced once more."""
        self._returned = letter

    def take_back(self) -> Letter | None:
        """What was given back."""
        letter, self._returned = self._returned, None
        return letter

    def passes(self, letter: Letter) -> bool:
        """Whether the server can be asked to carry it; else that is settled."""
        objection = self._announcer.objection(letter.message)
        if objection is not None:
            self.settle(letter, objection)
            return False
        self._room -= 1
        return True

    def begin(self, letter: Letter) -> bool:
        """Whether its content may leave."""
        return self._work.begin(letter.row, self._connection)

    def settle(self, letter: Letter, outcome: Outcome) -> None:
        """What its attempt ended in."""
        self._work.settle(letter.row, outcome, self._connection)
