"""Faults for a rehearsal: what a server that only plays at mail gets wrong on purpose, and how often.

`4xx=5%,5xx=1%,drop=0.1%,seed=7`: a fault and its rate, in percent or as a number between 0 and 1. A message has one
fault at most, so the rates of those that befall messages add up to 100% or less. `storm=50` refuses the first fifty
messages for now. Whom a fault befalls is drawn from the seed, the address and how often it was tried, never from the
order in which messages come: the same seed and people give the same faults, over one connection or ten.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

from digest_mailer.core.errors import ConfigError, did_you_mean


class Fault(StrEnum):
    """What goes wrong."""

    LATER = "4xx"  # a person is refused for now
    NEVER = "5xx"  # a person is refused for good
    DROP_DATA = "drop-data"  # the connection is closed before the content
    DROP = "drop"  # closed behind the content, without an answer; the message is filed
    DROP_LOST = "drop-lost"  # the same, and it is not
    STALL = "stall"  # the message is filed, and no answer comes
    SLOW = "slow"  # each answer on a connection takes a while
    HALF_OPEN = "half-open"  # a connection is taken, and nobody greets
    TLS = "tls"  # STARTTLS is offered, and the handshake fails


_OF_A_MESSAGE = (Fault.LATER, Fault.NEVER, Fault.DROP_DATA, Fault.DROP, Fault.DROP_LOST, Fault.STALL)
_RATE = re.compile(r"(\d{1,3}(?:\.\d{0,9})?|\.\d{1,9})(%?)", re.ASCII)
_NUMBER = re.compile(r"\d{1,15}", re.ASCII)
_KNOWN = (*Fault, "storm", "seed")
_SHAPE = "write faults and their rates, like 4xx=5%,drop=0.1%; storm=50 and seed=7 are whole numbers"


@dataclass(frozen=True, slots=True)
class Faults:
    """How often each comes, between 0 and 1. Without any, a server is as it should be."""

    rates: Mapping[Fault, float] = field(default_factory=dict)
    storm: int = 0  # so many messages are refused for now before anything else
    seed: int = 0

    def __str__(self) -> str:
        """As it is written."""
        parts = [f"{fault}={rate * 100:.9g}%" for fault, rate in self.rates.items()]
        return ",".join([*parts, *([f"storm={self.storm}"] if self.storm else []), f"seed={self.seed}"])

    @property
    def any(self) -> bool:
        """Whether anything goes wrong at all."""
        return bool(self.storm) or any(self.rates.values())

    def rate(self, fault: Fault) -> float:
        """How often it comes."""
        return self.rates.get(fault, 0.0)

    def of_message(self, address: str, attempt: int) -> Fault | None:
        """What befalls a message that comes to this address for the `attempt`-th time; a storm's refusals do not
        count."""
        chance = self._chance("message", address, attempt)
        for fault in _OF_A_MESSAGE:
            chance -= self.rate(fault)
            if chance < 0:
                return fault
        return None

    def strikes(self, fault: Fault, connection: int) -> bool:
        """Whether the `connection`-th connection has this fault."""
        return self._chance(fault, connection) < self.rate(fault)

    def _chance(self, *about: object) -> float:
        """A number from 0 to below 1, always the same for the same."""
        digest = sha256(" ".join(map(str, (self.seed, *about))).encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:6]) / 2**48


def parse_faults(text: str, seed: int) -> Faults:
    """Read faults as they are written; `seed` is for a text that names none. Raises ConfigError."""
    written = _read(text)
    storm, seed = _number(written, "storm", 0), _number(written, "seed", seed)
    rates = {fault: _rate(fault, written[fault]) for fault in Fault if fault in written}
    if not rates and not storm:
        raise ConfigError("no fault is named", _SHAPE)
    together = sum(rates.get(fault, 0) for fault in _OF_A_MESSAGE)
    if together > 1 + 1e-9:
        raise ConfigError(f"the faults of a message come to {together * 100:g}%", _together(rates))
    return Faults(rates, storm, seed)


def _read(text: str) -> dict[str, str]:
    written: dict[str, str] = {}
    for part in text.split(","):
        name, _, value = (word.strip() for word in part.partition("="))
        if name not in _KNOWN:
            raise ConfigError(f"unknown fault {name!r}", did_you_mean(name, _KNOWN) or _SHAPE)
        if name in written:
            raise ConfigError(f"the fault {name} stands twice", "keep one of them")
        written[name] = value
    return written


def _number(written: Mapping[str, str], name: str, default: int) -> int:
    text = written.get(name, str(default))
    if not _NUMBER.fullmatch(text):
        raise ConfigError(f"{name}={text} is not a whole number", _SHAPE)
    return int(text)


def _rate(fault: Fault, text: str) -> float:
    found = _RATE.fullmatch(text)
    rate = float(found[1]) / (100 if found[2] else 1) if found else -1
    if not 0 <= rate <= 1:
        raise ConfigError(f"{fault}={text} is no rate", f"write it as {fault}=5% or as {fault}=0.05")
    return rate


def _together(rates: Mapping[Fault, float]) -> str:
    named: Sequence[str] = [fault for fault in _OF_A_MESSAGE if fault in rates]
    return f"{', '.join(named)} may come to 100% at most, because a message has one fault"
