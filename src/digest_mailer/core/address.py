"""An email address is validated and normalised once, then trusted.

`typed` is what mail goes to; `canonical` decides whether two addresses are one person: local part
case-folded, domain in its ASCII form. The syntax is RFC 5321 section 4.1.2 as email-validator reads it
(no quoted local parts, no address literals, no SMTPUTF8), 64 octets before the @ (section 4.5.3.1.1);
never a DNS query.
"""

import hmac
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from digest_mailer.core.identity import is_control

# RFC 2606 section 2 and 3, RFC 6761: names that no mail can reach.
RESERVED_TOP = ("test", "example", "invalid", "localhost")
RESERVED_SECOND = ("example.com", "example.net", "example.org")


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
    if any(is_control(char) for char in stripped):
        raise AddressError("the address holds a control character")
    try:
        found = validate_email(
            stripped, check_deliverability=False, strict=True, test_environment=True, globally_deliverable=True
        )
    except EmailNotValidError as problem:
        raise AddressError(str(problem)) from problem
    if not found.local_part.isascii():
        raise AddressError("the part before the @ is not ASCII, which mail servers on the way may refuse")
    typed = f"{found.local_part}@{found.ascii_domain}"
    return EmailAddress(typed, f"{found.local_part.casefold()}@{found.ascii_domain.lower()}")


def address_hash(address: EmailAddress, key: bytes) -> bytes:
    """The keyed hash by which the ledger and the suppression list know a mailbox: 16 bytes, not reversible
    without the key. The key is permanent; another one would let the same person be mailed twice."""
    return hmac.digest(key, address.canonical.encode(), "sha256")[:16]
