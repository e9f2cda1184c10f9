"""Limits of what strangers can have done: so many letters to an address, a domain, or at the wish of a network.

They stand instead of a riddle that people have to solve. Whoever fills a mailbox with other lists' questions (list
bombing) gets at most a handful out of this one, and nobody is told whether a letter was written.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address, ip_network

from digest_mailer.core.address import EmailAddress

_KEY = 16  # octets
_DAY, _HOUR, _MOMENT = timedelta(days=1), timedelta(hours=1), timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Expense:
    """One of `limit` that may be spent for a key in a span of time, from the first on."""

    kind: str
    key: bytes
    limit: int
    span: timedelta


def letter(to: EmailAddress, network: str, secret: bytes) -> tuple[Expense, ...]:
    """What a letter that a stranger asked for costs."""
    return (
        Expense("letter to address", _hash(secret, to.canonical), 3, _DAY),
        Expense("letter to domain", _hash(secret, to.domain), 2000, _HOUR),  # many domains have many people
        Expense("letter for network", _hash(secret, network), 20, _HOUR),
    )


def own_letter(to: EmailAddress, secret: bytes) -> tuple[Expense, ...]:
    """What a letter costs that its reader asked for on their own page; strangers cannot spend it."""
    return (Expense("own letter", _hash(secret, to.canonical), 5, _DAY),)


def form(network: str, secret: bytes) -> tuple[Expense, ...]:
    """What a form costs that anybody can send."""
    return (Expense("form", _hash(secret, network), 30, _MOMENT),)


def sign_in_letter(to: EmailAddress, network: str, secret: bytes) -> tuple[Expense, ...]:
    """What a letter with a link to the admins' pages costs; no other letter counts with it."""
    return (
        Expense("sign-in letter to address", _hash(secret, to.canonical), 5, _HOUR),
        Expense("sign-in letter for network", _hash(secret, network), 20, _HOUR),
    )


def password(account: str, network: str, secret: bytes) -> tuple[Expense, ...]:
    """What one try of a password costs; a link by mail stays possible when it is used up."""
    return (
        Expense("password for account", _hash(secret, account), 10, _MOMENT),
        Expense("password from network", _hash(secret, network), 30, _MOMENT),
    )


def network_of(host: str) -> str:
    """The network that an address is in, as large as one household or office has: a /24, of IPv6 a /48. What is no
    address stands for itself."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    mapped = getattr(address, "ipv4_mapped", None) or address
    return str(ip_network((mapped, 24 if mapped.version == 4 else 48), strict=False))


def _hash(secret: bytes, text: str) -> bytes:
    return hmac.digest(secret, b"budget " + text.encode(), hashlib.sha256)[:_KEY]
