"""An email address is validated and normalised once, then trusted.

`typed` is what mail goes to; `canonical` decides whether two addresses are one person: local part
case-folded, domain in its ASCII form. The syntax is RFC 5321 section 4.1.2 as email-validator reads it
(no quoted local parts, no address literals, no SMTPUTF8), 64 octets before the @ (section 4.5.3.1.1);
never a DNS query. A domain is validated once; with a plain part before the @, that decides. Everything else is
email-validator's to judge.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from email_validator import EmailNotValidError, ValidatedEmail, validate_email

from digest_mailer.core.identity import is_control

# RFC 2606 section 2 and 3, RFC 6761: names that no mail can reach.
RESERVED_TOP = ("test", "example", "invalid", "localhost")
RESERVED_SECOND = ("example.com", "example.net", "example.org")
# a part before the @ that nobody would call unusual
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+'-]*(?:\.[A-Za-z0-9_+'-]+)*")
# lines of them, all in lower case; `*+` never tries again what it has matched
_PLAIN_LINES = re.compile(r"(?:[a-z0-9_][a-z0-9_+'-]*(?:\.[a-z0-9_+'-]+)*@[a-z0-9.-]+\n)*+")
_DOMAIN = re.compile("@(.+)")
_MAX_LOCAL = 64
_BLOCK = 64  # octets that SHA-256 works on at a time
_MAX_ADDRESS = 254  # RFC 3696, erratum 1690
_DOMAINS = 20_000  # that are remembered: some MB


class AddressError(ValueError):
    """The text is not an address that mail can be sent to; the message says why."""


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """A valid address. Build it with `parse_address`."""

    typed: str  # local part as typed, domain in ASCII: what goes into the envelope
    canonical: str  # equal for two spellings of one mailbox

    @property
    def domain(self) -> str:
        """The domain in its ASCII form, lower case."""
        return self.canonical.rpartition("@")[2]

    @property
    def is_reserved(self) -> bool:
        """Whether the domain is reserved for documentation and tests (RFC 2606)."""
        return self.domain.rpartition(".")[2] in RESERVED_TOP or any(
            self.domain == name or self.domain.endswith("." + name) for name in RESERVED_SECOND
        )

    def __str__(self) -> str:
        return self.typed


def parse_address(text: str) -> EmailAddress:
    """Read one bare address; surrounding spaces are dropped.

    Raises AddressError with a sentence when it is not one.
    """
    stripped = text.strip(" \t")
    if (plain := plain_address(stripped)) is not None:
        return EmailAddress(plain, plain.lower())
    if any(is_control(char) for char in stripped):
        raise AddressError("the address holds a control character")
    try:
        found = _validated(stripped)
    except EmailNotValidError as problem:
        raise AddressError(str(problem)) from problem
    if not found.local_part.isascii():
        raise AddressError("the part before the @ is not ASCII, which mail servers on the way may refuse")
    typed = f"{found.local_part}@{found.ascii_domain}"
    return EmailAddress(typed, f"{found.local_part.casefold()}@{found.ascii_domain.lower()}")


def plain_address(text: str) -> str | None:
    """The typed form of an address of the usual kind, whose canonical form is the same in lower case; None when it is
    for `parse_address` to say what the text is. For long lists: it costs a fortieth."""
    local, _, domain = text.rpartition("@")
    if not (_PLAIN.fullmatch(local) and len(local) <= _MAX_LOCAL and len(text) <= _MAX_ADDRESS):
        return None
    if local.isalpha() and not local.islower():
        return None  # email-validator writes the names of RFC 2142, like Postmaster, in lower case
    ascii_domain = _domain(domain)
    return f"{local}@{ascii_domain}" if ascii_domain else None


def plain_addresses(texts: Sequence[str]) -> Sequence[str | None]:
    """`plain_address` of each. Where all of them are short and in lower case, one search reads them together."""
    lines = "\n".join(texts) + "\n"
    if (
        max(map(len, texts), default=0) <= _MAX_LOCAL
        and lines.count("\n") == len(texts)
        and _PLAIN_LINES.fullmatch(lines)
        and all(_domain(domain) == domain for domain in {*_DOMAIN.findall(lines)})
    ):
        return texts
    return [plain_address(text) for text in texts]


@lru_cache(_DOMAINS)
def _domain(text: str) -> str | None:
    """The domain as it is written into addresses, when it is ASCII and email-validator takes it; else None."""
    if not text.isascii() or any(is_control(char) for char in text):
        return None
    try:
        return _validated(f"a@{text}").ascii_domain
    except EmailNotValidError:
        return None


def _validated(text: str) -> ValidatedEmail:
    return validate_email(
        text, check_deliverability=False, strict=True, test_environment=True, globally_deliverable=True
    )


def address_hash(address: EmailAddress, key: bytes) -> bytes:
    """The keyed hash by which the ledger and the suppression list know a mailbox: 16 bytes, not reversible
    without the key. The key is permanent; another one would let the same person be mailed twice."""
    return hmac.digest(key, address.canonical.encode(), "sha256")[:16]


def address_hasher(key: bytes) -> Callable[[str], bytes]:
    """`address_hash` of canonical forms in ASCII, for long lists: HMAC (RFC 2104) whose two keyed states are made
    once, which takes half the time."""
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    inner, outer = (hashlib.sha256(bytes(octet ^ pad for octet in block)) for pad in (0x36, 0x5C))

    def hashed(canonical: str) -> bytes:
        first, second = inner.copy(), outer.copy()
        first.update(canonical.encode("ascii"))
        second.update(first.digest())
        return second.digest()[:16]

    return hashed
