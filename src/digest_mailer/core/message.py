"""One edition addressed to one subscriber: envelope, every header, bytes.

`address` is the only maker of a `Message` and owns every header; transports carry it unchanged. Text first,
HTML last (RFC 2046 section 5.1.4), both UTF-8 in quoted-printable, CRLF throughout, no line over 998. Ids in
it are opaque: HMACs of issue and subscriber, so that a retry is the same message and nobody reads a topic
out of a header.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import NamedTuple, Protocol

from digest_mailer.core.address import EmailAddress
from digest_mailer.core.edition import Edition, Slot, escape_html, fill
from digest_mailer.core.flowed import PARAMETERS, flow
from digest_mailer.core.header import mailbox, phrase, structured, unstructured
from digest_mailer.core.identity import IssueId, SubscriberId
from digest_mailer.core.octets import Octets, octets
from digest_mailer.core.publication import Sender
from digest_mailer.core.token import SAMPLE_KEY, SAMPLE_KEYS, Scope, TokenKeys, sign
from digest_mailer.core.topic import NO_TOPICS, TopicWords
from digest_mailer.core.urls import issues_url, preferences_url, unsubscribe_url

TEXT_WIDTH = 72
ID_OCTETS = 16  # of a Message-ID; in hex twice as many characters
_POLICY = SMTP.clone(max_line_length=76)  # of quoted-printable: RFC 2045 section 6.7, rule 5


class Recipient(NamedTuple):
    """What a message needs of a subscriber."""

    id: SubscriberId
    address: EmailAddress
    name: str
    topics: TopicWords
    all_topics: bool
    generation: int

    @classmethod
    def nobody(cls, address: EmailAddress) -> "Recipient":
        """A reader without a name or a topic, for a message that nobody gets."""
        return cls(SubscriberId(0), address, "", NO_TOPICS, all_topics=False, generation=0)


@dataclass(frozen=True, slots=True)
class Keys:
    """The secrets of a publication that make ids and tokens."""

    tokens: TokenKeys
    message_id: bytes


SAMPLE_KEYRING = Keys(SAMPLE_KEYS, SAMPLE_KEY)


class Envelope(NamedTuple):
    """Return path and recipient as SMTP sees them (RFC 5321 section 3.3)."""

    sender: str
    recipient: str


class SlotValues(NamedTuple):
    """The reader's own values, and both parts with them filled in, for who needs them decoded."""

    edition: Edition
    recipient: Recipient
    leave: str  # token of the way out
    choose: str  # token of the preferences

    @property
    def subject(self) -> str:
        """The Subject, as people read it."""
        return self.edition.subject

    @property
    def to(self) -> EmailAddress:
        """Where it goes."""
        return self.recipient.address

    @property
    def text(self) -> str:
        """The plain text."""
        values = self._values()
        return fill(self.edition.text, values | {Slot.WHY: flow(values[Slot.WHY], TEXT_WIDTH)})

    @property
    def html(self) -> str:
        """The HTML."""
        return fill(self.edition.html, {slot: escape_html(value) for slot, value in self._values().items()})

    def _values(self) -> dict[Slot, str]:
        base_url = self.edition.sender.base_url
        return {
            Slot.WHY: self.edition.why_line(self.recipient.topics, all_topics=self.recipient.all_topics),
            Slot.UNSUBSCRIBE: unsubscribe_url(base_url, self.leave),
            Slot.PREFERENCES: preferences_url(base_url, self.choose),
        }


class Spoken(Protocol):
    """What a message says, decoded."""

    @property
    def subject(self) -> str:
        """The Subject, as people read it."""

    @property
    def to(self) -> EmailAddress:
        """Where it goes."""

    @property
    def text(self) -> str:
        """The plain text."""

    @property
    def html(self) -> str:
        """The HTML."""


class Message(NamedTuple):
    """A finished message. Built by `address` or by a stencil, never altered after; a signature in front makes
    another one. What only some ways out need is put together when it is asked for."""

    envelope: Envelope
    message_id: str
    octets: Octets  # headers and body
    values: Spoken
    digest: bytes = b""  # tells whether one built again is the same; of the octets' hash and the reader's values

    @property
    def content(self) -> bytes:
        """Headers and body, CRLF."""
        return bytes(self.octets)

    @property
    def subject(self) -> str:
        """The Subject, as people read it."""
        return self.values.subject

    @property
    def to(self) -> EmailAddress:
        """Where it goes."""
        return self.values.to

    @property
    def text(self) -> str:
        """The plain text, decoded."""
        return self.values.text

    @property
    def html(self) -> str:
        """The HTML, decoded."""
        return self.values.html


def message_id(issue: IssueId, subscriber: SubscriberId, domain: str, key: bytes) -> str:
    """The Message-ID of this issue to this person: the same on every attempt (RFC 5322 section 3.6.4)."""
    return f"<{local_id(issue, subscriber, key)}@{domain}>"


def local_id(issue: IssueId, subscriber: SubscriberId, key: bytes) -> str:
    """What stands before the @ of the Message-ID."""
    return hmac.digest(key, id_text(issue, subscriber), "sha256")[:ID_OCTETS].hex()


def id_text(issue: IssueId, subscriber: SubscriberId) -> bytes:
    """What is hashed for a Message-ID."""
    return f"message-id {issue} {subscriber}".encode()


def address(edition: Edition, recipient: Recipient, date: datetime, keys: Keys) -> Message:
    """Address an edition to a subscriber. The same arguments give the same bytes.

    The plain way, by the standard library. `core.stencil` gives the same bytes quicker.
    """
    leave = sign(Scope.UNSUBSCRIBE, recipient.id, edition.issue, recipient.generation, keys.tokens)
    choose = sign(Scope.PREFERENCES, recipient.id, edition.issue, recipient.generation, keys.tokens)
    bounce = sign(Scope.BOUNCE, recipient.id, edition.issue, recipient.generation, keys.tokens)
    identifier = message_id(edition.issue, recipient.id, edition.sender.address.domain, keys.message_id)
    envelope = Envelope(return_path(edition.sender, bounce), recipient.address.typed)
    values = SlotValues(edition, recipient, leave, choose)
    content = headers(edition, recipient, date, identifier, leave) + body(
        values.text, values.html, identifier, flowed=edition.flowed
    )
    return Message(envelope, identifier, octets(content), values)


def headers(edition: Edition, recipient: Recipient, date: datetime, identifier: str, leave: str) -> bytes:
    """Every header but those of the MIME structure; `docs/reference/message.md` tells the rule of each."""
    sender = edition.sender
    ways_out = [f"<{unsubscribe_url(sender.base_url, leave)}>"]
    if sender.unsubscribe_mailbox:
        ways_out.append(f"<mailto:{_plus(sender.unsubscribe_mailbox, leave)}?subject=unsubscribe>")
    return "".join(
        (
            mailbox("From", sender.name, sender.address),
            to_line(recipient.name, recipient.address),
            mailbox("Reply-To", "", sender.reply_to),
            unstructured("Subject", edition.subject),
            f"Date: {format_datetime(date)}\r\n",
            f"Message-ID: {identifier}\r\n",
            structured("List-Id", f"{phrase('List-Id', sender.list_name)}<{sender.list_id}>"),  # RFC 2919
            structured("List-Unsubscribe", *ways_out),  # RFC 2369 3.2; https first, RFC 8058 3.1
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",  # RFC 8058 section 3.1
            structured("List-Archive", f"<{issues_url(sender.base_url)}>"),  # RFC 2369 section 3.6
            structured("List-Owner", f"<mailto:{sender.reply_to.typed}>"),  # RFC 2369 section 3.5
            "List-Post: NO\r\n",  # RFC 2369 section 3.4
            "Precedence: bulk\r\n",
            f"Feedback-ID: {edition.issue}:{edition.key}:digest:{sender.feedback_id}\r\n",
            f"Content-Language: {edition.key.language}\r\n",  # RFC 3282
        )
    ).encode("ascii")


def to_line(name: str, address: EmailAddress) -> str:
    """The header To, the only one whose length depends on the reader."""
    return mailbox("To", name, address)


def body(text: str, html: str, identifier: str, *, flowed: bool) -> bytes:
    """The MIME structure and both parts.

    The boundary cannot occur in quoted-printable: `=_` never does.
    """
    mime = EmailMessage(policy=_POLICY)
    mime.set_content(text, charset="utf-8", cte="quoted-printable", params=PARAMETERS if flowed else {})
    mime.add_alternative(html, subtype="html", charset="utf-8", cte="quoted-printable")
    mime.set_boundary(f"=_{identifier.strip('<>').partition('@')[0]}")
    return mime.as_bytes()


def return_path(sender: Sender, token: str) -> str:
    """VERP with an opaque token, where bounces are read; the sender's own address otherwise."""
    return _plus(sender.bounce_mailbox, token) if sender.bounce_mailbox else sender.address.typed


def _plus(mailbox: EmailAddress, token: str) -> str:
    local, _, domain = mailbox.typed.rpartition("@")
    return f"{local}+{token}@{domain}"
