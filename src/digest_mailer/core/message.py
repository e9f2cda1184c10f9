"""One edition addressed to one subscriber: envelope, every header, bytes.

`address` is the only maker of a `Message` and owns every header; transports carry it unchanged. Text first,
HTML last (RFC 2046 section 5.1.4), both UTF-8 in quoted-printable, CRLF throughout, no line over 998. Ids in
it are opaque: HMACs of issue and subscriber, so that a retry is the same message and nobody reads a topic
out of a header.
"""

import hmac
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from digest_mailer.core.address import EmailAddress
from digest_mailer.core.edition import Edition, Slot, escape_html, fill
from digest_mailer.core.flowed import PARAMETERS, flow
from digest_mailer.core.header import mailbox, phrase, structured, unstructured
from digest_mailer.core.identity import IssueId, SubscriberId
from digest_mailer.core.publication import Sender
from digest_mailer.core.token import SAMPLE_KEY, SAMPLE_KEYS, Scope, TokenKeys, sign
from digest_mailer.core.topic import TopicWords
from digest_mailer.core.urls import issues_url, preferences_url, unsubscribe_url

TEXT_WIDTH = 72


@dataclass(frozen=True, slots=True)
class Recipient:
    """What a message needs of a subscriber."""

    id: SubscriberId
    address: EmailAddress
    name: str
    topics: TopicWords
    all_topics: bool
    generation: int


@dataclass(frozen=True, slots=True)
class Keys:
    """The secrets of a publication that make ids and tokens."""

    tokens: TokenKeys
    message_id: bytes


SAMPLE_KEYRING = Keys(SAMPLE_KEYS, SAMPLE_KEY)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Return path and recipient as SMTP sees them (RFC 5321 section 3.3)."""

    sender: str
    recipient: str


@dataclass(frozen=True, slots=True)
class Message:
    """A finished message. Built by `address`, never altered after."""

    envelope: Envelope
    message_id: str
    subject: str
    to: EmailAddress
    text: str
    html: str
    content: bytes  # headers and body, CRLF


def message_id(issue: IssueId, subscriber: SubscriberId, domain: str, key: bytes) -> str:
    """The Message-ID of this issue to this person: the same on every attempt (RFC 5322 section 3.6.4)."""
    digest = hmac.digest(key, f"message-id {issue} {subscriber}".encode(), "sha256")
    return f"<{b32encode(digest[:20]).decode().lower()}@{domain}>"


def address(edition: Edition, recipient: Recipient, date: datetime, keys: Keys) -> Message:
    """Address an edition to a subscriber. The same arguments give the same bytes."""
    leave = sign(Scope.UNSUBSCRIBE, recipient.id, edition.issue, recipient.generation, keys.tokens)
    choose = sign(Scope.PREFERENCES, recipient.id, edition.issue, recipient.generation, keys.tokens)
    bounce = sign(Scope.BOUNCE, recipient.id, edition.issue, recipient.generation, keys.tokens)
    sender = edition.sender
    values = {
        Slot.WHY: edition.why_line(recipient.topics, all_topics=recipient.all_topics),
        Slot.UNSUBSCRIBE: unsubscribe_url(sender.base_url, leave),
        Slot.PREFERENCES: preferences_url(sender.base_url, choose),
    }
    html = fill(edition.html, {slot: escape_html(value) for slot, value in values.items()})
    text = fill(edition.text, values | {Slot.WHY: flow(values[Slot.WHY], TEXT_WIDTH)})
    identifier = message_id(edition.issue, recipient.id, sender.address.domain, keys.message_id)
    headers = _headers(edition, recipient, date, identifier, values[Slot.UNSUBSCRIBE], leave)
    return Message(
        envelope=Envelope(_return_path(sender, bounce), recipient.address.typed),
        message_id=identifier,
        subject=edition.subject,
        to=recipient.address,
        text=text,
        html=html,
        content=headers.encode("ascii") + _body(text, html, identifier, PARAMETERS if edition.flowed else {}),
    )


def _headers(
    edition: Edition, recipient: Recipient, date: datetime, identifier: str, leave_url: str, leave: str
) -> str:
    """Every header but those of the MIME structure; `docs/reference/message.md` tells the rule of each."""
    sender = edition.sender
    ways_out = [f"<{leave_url}>"]
    if sender.unsubscribe_mailbox:
        ways_out.append(f"<mailto:{_plus(sender.unsubscribe_mailbox, leave)}?subject=unsubscribe>")
    return "".join(
        (
            mailbox("From", sender.name, sender.address),
            mailbox("To", recipient.name, recipient.address),
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
    )


def _body(text: str, html: str, identifier: str, flowed: Mapping[str, str]) -> bytes:
    """The MIME structure and both parts; `flowed` are the parameters of the text part.

    The boundary cannot occur in quoted-printable: `=_` never does.
    """
    mime = EmailMessage(policy=SMTP)
    mime.set_content(text, charset="utf-8", cte="quoted-printable", params=flowed)
    mime.add_alternative(html, subtype="html", charset="utf-8", cte="quoted-printable")
    mime.set_boundary(f"=_{identifier.strip('<>').partition('@')[0]}")
    return mime.as_bytes()


def _return_path(sender: Sender, token: str) -> str:
    """VERP with an opaque token, where bounces are read; the sender's own address otherwise."""
    return _plus(sender.bounce_mailbox, token) if sender.bounce_mailbox else sender.address.typed


def _plus(mailbox: EmailAddress, token: str) -> str:
    local, _, domain = mailbox.typed.rpartition("@")
    return f"{local}+{token}@{domain}"
