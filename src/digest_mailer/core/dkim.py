"""What a DKIM signature says and covers (RFC 6376), up to the bytes that a key signs and the record in the DNS.

    parts = read(message)                      headers and body in canonical form, the body hashed
    header = unsigned(parts, stamp)            the DKIM-Signature line with an empty b=
    finished(header, key(to_sign(parts, header)))

Always c=relaxed/relaxed (section 3.4), so that a relay may fold a header anew. Never l=, which would let anybody
append to the body (section 8.2), never x=, and t= is the time given, so that the same message is signed with the
same bytes on every attempt.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from digest_mailer.core.errors import ConfigError

# What is signed where it is there, in this order: what people see and what mail programs act on (section 5.4.1).
# Not Return-Path and Received, which change on the way (section 5.4).
NAMES = (
    "From", "To", "Reply-To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "List-Id",
    "List-Unsubscribe", "List-Unsubscribe-Post", "List-Archive", "List-Owner", "List-Post", "Feedback-ID",
    "Content-Language", "Precedence",
)  # fmt: skip
# Named once more than they are there, so that a second one breaks the signature (sections 5.4.2 and 8.15).
OVERSIGNED = frozenset({"From", "To", "Subject", "List-Unsubscribe", "List-Unsubscribe-Post"})

_WIDTH = 78  # RFC 5322 section 2.1.1
_SIGNATURE_WIDTH = 74  # with " b=" in front within 78
_STRING = 255  # octets of one string in a TXT record: RFC 1035 section 3.3.14
_LARGE = 1024  # of a piece that messages share, in octets
_CRLF = b"\r\n"
_BLANK = _CRLF + _CRLF
_KEYS = tuple(name.lower().encode() for name in NAMES)

Fields = Mapping[bytes, Sequence[bytes]]  # lower-case name -> values in canonical form, from the top


class Algorithm(StrEnum):
    """The a= of a signature. rsa-sha1 must not be used (RFC 8301 section 3.1)."""

    RSA = "rsa-sha256"
    ED25519 = "ed25519-sha256"  # RFC 8463

    @property
    def key_type(self) -> str:
        """The k= of the record in the DNS."""
        return self.removesuffix("-sha256")


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who signs, with what, and when."""

    algorithm: Algorithm
    domain: str
    selector: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Parts:
    """A message as its signatures see it; the same for all of them."""

    names: str  # the h= tag, folded
    header: bytes  # the fields of these names in canonical form
    body_hash: str


@dataclass(frozen=True, slots=True)
class Record:
    """The public half of a key as a TXT record (section 3.6.1)."""

    name: str
    value: str

    @property
    def strings(self) -> tuple[str, ...]:
        """The value in strings that a record can hold; readers join them with nothing between (section 3.6.2.2)."""
        return tuple(self.value[start : start + _STRING] for start in range(0, len(self.value), _STRING))


def signing_domain(configured: str, sender_domain: str) -> str:
    """The d=: the domain of From, or the configured one when it is that or a parent of it, as DMARC compares them
    (RFC 9989, alignment). Raises ConfigError for another."""
    domain = (configured or sender_domain).lower()
    if domain == sender_domain or ("." in domain and sender_domain.endswith(f".{domain}")):
        return domain
    raise ConfigError(
        f"[dkim] domain {domain} is not the sender's domain {sender_domain} or a parent of it",
        "leave it out, or name a domain that the address of [sender] belongs to",
    )


def record(selector: str, domain: str, algorithm: Algorithm, public: bytes) -> Record:
    """What to publish for a key: name and value. The selector tells receivers where to look (section 3.6.2.1)."""
    value = f"v=DKIM1; k={algorithm.key_type}; p={b64encode(public).decode()}"
    return Record(f"{selector}._domainkey.{domain}", value)


def read(pieces: Sequence[bytes]) -> Parts:
    """A message with CRLF, ready to be signed. Raises ValueError without exactly one From: such a message must not
    be signed (RFC 6376 section 5.4, RFC 5322 section 3.6).

    It comes in pieces because those of one edition are shared, and what was worked out for a large one is kept.
    """
    head, begun, rest = _divide(pieces)
    fields = header_fields(head)
    counts = tuple(len(fields.get(key, ())) for key in _KEYS)
    if counts[0] != 1:
        raise ValueError("a message to be signed has exactly one From")
    body = relaxed_body(begun, rest)
    return Parts(_names_tag(counts), chosen(fields, _KEYS), body_hash(body))


def body_hash(body: bytes) -> str:
    """The bh= of a body in canonical form."""
    return b64encode(hashlib.sha256(body).digest()).decode()


def _divide(pieces: Sequence[bytes]) -> tuple[bytes, bytes, Sequence[bytes]]:
    """The header, the beginning of the body, the pieces of the rest of it: shared ones stay the objects they are."""
    head = b""
    for place, piece in enumerate(pieces, 1):
        head += piece
        if (end := head.find(_BLANK)) >= 0:
            return head[:end], head[end + len(_BLANK) :], pieces[place:]
    return head, b"", ()  # RFC 5322 section 3.5: a body is optional


def header_fields(head: bytes) -> Fields:
    """The fields of a header in canonical form (section 3.4.2): unfolded, one space for each run of white space,
    none around the name and the value."""
    fields: dict[bytes, list[bytes]] = {}
    for line in _one_space(_unfold(head)).split(_CRLF):
        name, _, value = line.partition(b":")
        fields.setdefault(name.rstrip(b" ").lower(), []).append(value.strip(b" "))
    return fields


def chosen(fields: Fields, keys: Iterable[bytes]) -> bytes:
    """The fields of these names as they are hashed: of several with one name the lowest first, and nothing for a
    name without a field (section 5.4.2)."""
    lines = []
    for key in keys:
        if values := fields.get(key):
            lines += [b"%b:%b\r\n" % (key, value) for value in reversed(values)]
    return b"".join(lines)


def relaxed_body(begun: bytes, pieces: Iterable[bytes] = ()) -> bytes:
    """A body in canonical form (section 3.4.4): no white space at the ends of lines, one space for each other run
    of it, no empty lines at the end; nothing at all when nothing else is there."""
    done: list[bytes] = []
    line = begun  # what is not yet worked on: it may end inside a line
    for piece in pieces:
        if len(piece) < _LARGE or _CRLF not in piece:
            line += piece
        else:
            first, lines, last = _lines_of(piece)
            done += (_relaxed_lines(line + first), lines)
            line = last
    body = b"".join((*done, _relaxed_lines(line)))
    if body == _CRLF or body.endswith(_BLANK) or not body.endswith(_CRLF):
        body = body.rstrip(b" \r\n") + _CRLF
    return b"" if body == _CRLF else body


@lru_cache(maxsize=128)  # a message has two or three large ones
def _lines_of(piece: bytes) -> tuple[bytes, bytes, bytes]:
    """The end of a line that began before, whole lines in canonical form, the beginning of a line."""
    start, end = piece.find(_CRLF) + 2, piece.rfind(_CRLF) + 2
    return piece[:start], _relaxed_lines(piece[start:end]), piece[end:]


def _relaxed_lines(lines: bytes) -> bytes:
    return _one_space(lines).replace(b" \r\n", _CRLF)


def unsigned(parts: Parts, stamp: Stamp) -> bytes:
    """The finished line of a signature but for its b=, which is empty and comes last (section 3.5)."""
    tags = (
        "DKIM-Signature: v=1;",
        f"a={stamp.algorithm};",
        "c=relaxed/relaxed;",
        f"d={stamp.domain};",
        f"s={stamp.selector};",
        f"t={int(stamp.at.timestamp())};",
        f"bh={parts.body_hash};",
    )
    return f"{_fold(tags, ' ')}\r\n {parts.names}\r\n b=".encode("ascii")


@lru_cache(maxsize=16)  # messages of one edition have the same headers
def _names_tag(counts: tuple[int, ...]) -> str:
    """The h= of a message that has so many fields of each name."""
    names = [name for name, count in zip(NAMES, counts, strict=True) for _ in range(count + (name in OVERSIGNED))]
    words = [f"{name}:" for name in names]
    return _fold([f"h={words[0]}", *words[1:-1], f"{names[-1]};"], "")


def _fold(words: Iterable[str], between: str) -> str:
    """The words on lines of at most 78 characters where they allow it; a space begins every line but the first."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(between) + len(word) < _WIDTH:  # one is kept for the space in front
            lines[-1] += between + word
        else:
            lines.append(word)
    return "\r\n ".join(lines)


def to_sign(parts: Parts, header: bytes) -> bytes:
    """What the key signs: the chosen fields, and the signature's own with b= empty and without its CRLF (section
    3.7)."""
    name, _, value = _one_space(_unfold(header)).partition(b":")
    return parts.header + name.lower() + b":" + value.strip(b" ")


def finished(header: bytes, signature: bytes) -> bytes:
    """The whole line, with CRLF."""
    text = b64encode(signature)
    pieces = [text[start : start + _SIGNATURE_WIDTH] for start in range(0, len(text), _SIGNATURE_WIDTH)]
    return header + b"\r\n ".join(pieces) + _CRLF


def _unfold(head: bytes) -> bytes:
    """Without the line ends inside of fields (section 3.4.2); the white space behind them stays."""
    return head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t")


def _one_space(text: bytes) -> bytes:
    """One space for each run of spaces and tabs."""
    text = text.replace(b"\t", b" ")
    while b"  " in text:  # each turn halves the longest run
        text = text.replace(b"  ", b" ")
    return text
