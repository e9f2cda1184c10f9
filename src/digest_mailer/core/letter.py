"""Mail to one person that belongs to no issue: the question whether it was they who signed up, a link they asked for.

It is written because somebody did something a moment ago, not to a list: so it names no list and no way to leave one,
and says that a program sent it (RFC 3834 section 5.1). Its look and words are `rendering.letter`'s.
"""

from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import NamedTuple

from digest_mailer.core.address import EmailAddress
from digest_mailer.core.header import mailbox, unstructured
from digest_mailer.core.identity import Language
from digest_mailer.core.message import Envelope, Message, body, to_line
from digest_mailer.core.octets import octets
from digest_mailer.core.publication import Sender


@dataclass(frozen=True, slots=True)
class Letter:
    """What is said, finished."""

    subject: str
    language: Language
    html: str
    text: str


class LetterValues(NamedTuple):
    """The parts of a letter, for who needs them decoded; what `SlotValues` is to an issue."""

    subject: str
    to: EmailAddress
    html: str
    text: str


def post(letter: Letter, sender: Sender, to: EmailAddress, name: str, date: datetime, identifier: str) -> Message:
    """The letter as a message. `identifier` is what stands before the @ of its Message-ID, never used before."""
    message_id = f"<{identifier}@{sender.address.domain}>"
    head = "".join(
        (
            mailbox("From", sender.name, sender.address),
            to_line(name, to),
            mailbox("Reply-To", "", sender.reply_to),
            unstructured("Subject", letter.subject),
            f"Date: {format_datetime(date)}\r\n",
            f"Message-ID: {message_id}\r\n",
            "Auto-Submitted: auto-generated\r\n",  # RFC 3834 section 5
            f"Content-Language: {letter.language}\r\n",  # RFC 3282
        )
    ).encode("ascii")
    content = octets(head + body(letter.text, letter.html, message_id, flowed=False))
    envelope = Envelope(sender.address.typed, to.typed)
    return Message(envelope, message_id, content, LetterValues(letter.subject, to, letter.html, letter.text))
