"""Ways to log in (RFC 4954), each a conversation in plain octets; base64 and the commands are the session's.

A mechanism is a generator: it gives the initial response, is sent each challenge of the server and gives the
answer to it. `choose` picks the first that server and program know: with an access token only XOAUTH2, else
SCRAM-SHA-256 and SCRAM-SHA-1 (RFC 7677, RFC 5802), where the password itself does not travel, then PLAIN
(RFC 4616), then LOGIN. One is tried, once: servers lock an account that fails again and again.
"""

import json
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass

from scramp import ScramClient, ScramException

from digest_mailer.adapters.transports.smtp_settings import Auth

_ITERATIONS = re.compile(rb",i=(\d{1,20})")  # RFC 5802 section 5.1
_MAX_ITERATIONS = 1_000_000  # about half a second, in which the loop stands still

Conversation = Generator[bytes, bytes, None]


class NotConvinced(Exception):  # noqa: N818 - the server's failure
    """The server's part of the conversation does not hold. Its text says why, in words that may be shown."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """A way to log in, by its name in EHLO. A mutual one has a part for the server to prove."""

    name: str
    converse: Callable[[str, str], Conversation]
    mutual: bool = False


def choose(auth: Auth, offered: frozenset[str]) -> Mechanism | None:
    """The mechanism to use; None when none fits."""
    known = _TOKEN if auth is Auth.XOAUTH2 else _PASSWORD
    return next((mechanism for mechanism in known if mechanism.name in offered), None)


def explain(challenge: bytes) -> str:
    """What a server says about a token that it does not take: JSON with a status and more."""
    try:
        told = json.loads(challenge)
    except ValueError:
        return ""
    status = told.get("status") if isinstance(told, dict) else None
    return f"status {status}" if isinstance(status, str | int) else ""


def _xoauth2(user: str, token: str) -> Conversation:
    yield f"user={user}\1auth=Bearer {token}\1\1".encode()
    yield b""  # a challenge tells an error, and an empty answer makes the server say so in a reply


def _scram(name: str) -> Callable[[str, str], Conversation]:
    def converse(user: str, password: str) -> Conversation:
        try:
            client = ScramClient([name], user, password)
            first = yield client.get_client_first().encode()
            rounds = _ITERATIONS.search(first)
            if rounds and int(rounds[1]) > _MAX_ITERATIONS:
                raise NotConvinced(f"{name}: the server asks for {int(rounds[1])} rounds of hashing")
            client.set_server_first(first.decode())
            last = yield client.get_client_final().encode()
            client.set_server_final(last.decode())
        except (ScramException, ValueError) as problem:
            raise NotConvinced(f"{name}: the server's answer does not hold") from problem
        yield b""

    return converse


def _plain(user: str, password: str) -> Conversation:
    yield f"\0{user}\0{password}".encode()


def _login(user: str, password: str) -> Conversation:
    yield user.encode()
    yield password.encode()


_TOKEN = (Mechanism("XOAUTH2", _xoauth2),)
_PASSWORD = (
    Mechanism("SCRAM-SHA-256", _scram("SCRAM-SHA-256"), mutual=True),
    Mechanism("SCRAM-SHA-1", _scram("SCRAM-SHA-1"), mutual=True),
    Mechanism("PLAIN", _plain),
    Mechanism("LOGIN", _login),
)
