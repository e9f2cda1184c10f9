"""Signed, scoped capabilities: what a link in a mail lets its holder do, and for whom.

A token is 30 bytes as 40 characters of URL-safe base64 without padding, so that it also fits behind the
plus of a bounce address (64 octets, RFC 5321 section 4.5.3.1.1):

    version 1 | key id 1 | scope 1 | issue or day 3 | subscriber 8 | MAC 16

The MAC is HMAC-SHA-256, cut to 128 bits, over those fields and the person's token generation, which is
kept in the database: raising it revokes what was handed out. Leaving and bounces must work for ever, so
their scopes accept every generation up to the current one. What is mailed to prove that somebody reads an address
names the day it was made instead of an issue, and is good for some days. A token does what its scope says, nothing
else. Nothing in it says what somebody reads.
"""

import base64
import hashlib
import hmac
import re
from binascii import b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum

from digest_mailer.core.identity import IssueId, SubscriberId, issue_from_number, issue_number, parse_issue_id

VERSION = 1
LENGTH = 40
SAMPLE_KEY_ID = 0  # signs the sample messages of `build`; public, so no server accepts it
SAMPLE_KEY = b"the key of sample messages, known to everybody"

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_BLOCK = 64  # octets of SHA-256
_INNER = bytes(octet ^ 0x36 for octet in range(256))
_OUTER = bytes(octet ^ 0x5C for octet in range(256))
_PAYLOAD = 14
_MAC = 16
_FORM = re.compile(r"[A-Za-z0-9_-]{40}")


class Scope(IntEnum):
    """What a token may do. Numbers are permanent."""

    UNSUBSCRIBE = 1  # leave; never expires
    PREFERENCES = 2  # choose topics, pause
    BOUNCE = 3  # say that a mail came back; never expires
    CONFIRM = 4  # say that one owns the address, and asked for mail
    DATA = 5  # see what is kept of one
    ERASE = 6  # be forgotten


_LASTING = (Scope.UNSUBSCRIBE, Scope.BOUNCE)
LIFE: Mapping[Scope, int] = {Scope.CONFIRM: 30, Scope.DATA: 2, Scope.ERASE: 2}  # days of those that name their day


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says, before or after its signature is checked."""

    scope: Scope
    subscriber: SubscriberId
    issue: IssueId | None  # of the mail it stood in
    key_id: int
    day: date | None = None  # when it was made, of a scope that says so instead

    def is_good_on(self, today: date) -> bool:
        """Whether it is not too old, nor of another time zone's morrow but one."""
        return self.day is None or -1 <= (today - self.day).days <= LIFE[self.scope]


@dataclass(frozen=True, slots=True)
class TokenKeys:
    """The signing keys by id; `current` signs, all verify. Id 0 is the sample key's and may not be among them
    where tokens are accepted."""

    current: int
    keys: Mapping[int, bytes]


SAMPLE_KEYS = TokenKeys(SAMPLE_KEY_ID, {SAMPLE_KEY_ID: SAMPLE_KEY})


def sign(scope: Scope, subscriber: SubscriberId, issue: IssueId, generation: int, keys: TokenKeys) -> str:
    """A token for this person and issue, signed with the current key."""
    return _signed(scope, issue_number(issue), subscriber, generation, keys)


def sign_dated(scope: Scope, subscriber: SubscriberId, day: date, generation: int, keys: TokenKeys) -> str:
    """A token for this person made on this day, of a scope in `LIFE`."""
    return _signed(scope, day.toordinal(), subscriber, generation, keys)


class Stamp:
    """Signs many tokens of one issue and scope: the same tokens as `sign`, with what they share worked out once."""

    def __init__(self, scope: Scope, issue: IssueId, keys: TokenKeys) -> None:
        self._front = bytes((VERSION, keys.current, scope)) + issue_number(issue).to_bytes(3, "big")
        self._hash = KeyedHash(keys.keys[keys.current])

    def __call__(self, subscriber: SubscriberId, generation: int) -> bytes:
        """The token of this person."""
        payload = self._front + subscriber.to_bytes(8, "big")
        mac = self._hash(payload + generation.to_bytes(4, "big"))[:_MAC]
        return b2a_base64(payload + mac, newline=False).translate(_URL_SAFE)


class KeyedHash:
    """HMAC-SHA-256 with the key worked in (RFC 2104 section 4): half the time of `hmac.digest`, which begins anew."""

    def __init__(self, key: bytes) -> None:
        block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
        self._inner, self._outer = hashlib.sha256(block.translate(_INNER)), hashlib.sha256(block.translate(_OUTER))

    def __call__(self, data: bytes) -> bytes:
        """The MAC of the data."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(data)
        outer.update(inner.digest())
        return outer.digest()


def read(text: str) -> tuple[Token, bytes] | None:
    """What a token says, unverified, and its raw bytes; None when it has not the form of a token, or names what
    cannot exist: whoever looks its subscriber up must find a number that a database can hold."""
    if not _FORM.fullmatch(text):
        return None
    raw = base64.urlsafe_b64decode(text)
    if raw[0] != VERSION or raw[2] not in tuple(Scope):
        return None
    scope, number = Scope(raw[2]), int.from_bytes(raw[3:6], "big")
    subscriber = SubscriberId(int.from_bytes(raw[6:_PAYLOAD], "big"))
    day = _day(number) if scope in LIFE else None
    issue = None if scope in LIFE else parse_issue_id(issue_from_number(number))
    if (issue is None and day is None) or subscriber >= 2**63:
        return None
    return Token(scope, subscriber, issue, raw[1], day), raw


def verify(text: str, scope: Scope, generation: int, keys: TokenKeys) -> Token | None:
    """The token when it is genuine, of this scope, and of this person's generation; else None.

    `generation` is the current one of the subscriber whom the token names (see `read`).
    """
    found = read(text)
    if not found:
        return None
    token, raw = found
    key = keys.keys.get(token.key_id)
    if token.scope != scope or key is None or token.key_id == SAMPLE_KEY_ID:
        return None
    accepted = range(generation + 1) if scope in _LASTING else (generation,)
    genuine = [hmac.compare_digest(raw[_PAYLOAD:], _mac(key, raw[:_PAYLOAD], one)) for one in accepted]
    return token if any(genuine) else None


def _signed(scope: Scope, number: int, subscriber: SubscriberId, generation: int, keys: TokenKeys) -> str:
    front = bytes((VERSION, keys.current, scope)) + number.to_bytes(3, "big")
    payload = front + subscriber.to_bytes(8, "big")
    return base64.urlsafe_b64encode(payload + _mac(keys.keys[keys.current], payload, generation)).decode()


def _day(number: int) -> date | None:
    return date.fromordinal(number) if 1 <= number <= date.max.toordinal() else None


def _mac(key: bytes, payload: bytes, generation: int) -> bytes:
    return hmac.digest(key, payload + generation.to_bytes(4, "big"), "sha256")[:_MAC]
