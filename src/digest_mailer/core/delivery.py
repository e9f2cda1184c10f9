"""What an attempt can end in, and what happens next: the only place that decides a retry.

A transport classifies each attempt into an `Outcome` with a scope; it retries nothing by itself.
`RetryPolicy.next_step` answers what follows; the ledger stores both. After the last octet of a message was
handed over, a lost reply is `Unknown`: the message may have been accepted (RFC 1047), so it is never
repeated without the admin's word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never


class HandOff(StrEnum):
    """How far a message to one person has come. The first axis of the ledger."""

    PLANNED = "planned"  # in the frozen audience
    CLAIMED = "claimed"  # a sender has taken it, durably
    ATTEMPTING = "attempting"  # its content may be on the wire; the flight recorder's to tell, never stored
    ACCEPTED = "accepted"  # the server took responsibility
    DEFERRED = "deferred"  # refused for now, due again later
    REFUSED = "refused"  # refused for good
    UNKNOWN = "unknown"  # may or may not have been accepted; held
    SUPPRESSED = "suppressed"  # not sent: the person may not get mail any more
    CANCELLED = "cancelled"  # not sent: the admin cancelled
    EXPIRED = "expired"  # not sent: too old


OPEN = (HandOff.PLANNED, HandOff.CLAIMED, HandOff.ATTEMPTING, HandOff.DEFERRED, HandOff.UNKNOWN)
# of whom evidence may show that they have it: a sender may have had their message on the wire
MAY_HAVE_ARRIVED = (HandOff.UNKNOWN, HandOff.SUPPRESSED, HandOff.CANCELLED)


class Fate(StrEnum):
    """What became of a message after the hand-off; moved by events only. The second axis of the ledger."""

    NONE = "none"
    DELIVERED = "delivered"
    DELAYED = "delayed"
    BOUNCED = "bounced"
    REJECTED = "rejected"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"


class Scope(StrEnum):
    """What a refusal is about."""

    RECIPIENT = "recipient"  # this mailbox
    MESSAGE = "message"  # this content
    TRANSPORT = "transport"  # the server or the way to it
    ACCOUNT = "account"  # our credentials or standing: nothing more will be taken


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server took responsibility for the message."""

    reply: str = ""


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not taken, for now. Nothing of it can arrive."""

    scope: Scope
    reply: str
    code: int | None = None  # SMTP reply code, RFC 5321 section 4.2
    enhanced: str = ""  # RFC 3463


@dataclass(frozen=True, slots=True)
class Refused:
    """Not taken, for good."""

    scope: Scope
    reply: str
    code: int | None = None
    enhanced: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Handed over, but the answer was lost."""

    reply: str


Outcome = Accepted | Deferred | Refused | Unknown


@dataclass(frozen=True, slots=True)
class Done:
    """Accepted; nothing follows."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Try this message again at a time."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Never try this message again; the hand-off ends in this state."""

    state: HandOff


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait for evidence or the admin."""


@dataclass(frozen=True, slots=True)
class PutBack:
    """The transport is at fault, not the message: it is planned again, behind the others, and sending rests.
    With `stop` the run ends: resting will not help."""

    stop: bool


Step = Done | Retry | GiveUp | Hold | PutBack

_PATIENCE = 3  # times that the way may fail under one message before the message is suspected, and waits
_MINUTE = timedelta(minutes=1)
_DEFAULT_DELAYS = (_MINUTE, 5 * _MINUTE, 15 * _MINUTE, 60 * _MINUTE, 240 * _MINUTE, 720 * _MINUTE, 1440 * _MINUTE)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Delays between attempts to one person, for submission to a relay (RFC 5321 section 4.5.4.1 asks two tries
    in the first hour), stretched or shrunk by up to a fifth."""

    delays: Sequence[timedelta] = _DEFAULT_DELAYS

    def next_step(self, outcome: Outcome, attempt: int, expires: datetime, now: datetime, jitter: float) -> Step:
        """What follows the `attempt`-th try (from 1) of a mailing that is stale after `expires`.

        `jitter` is between 0 and 1 and spreads retries, so that they do not come in waves.
        """
        match outcome:
            case Accepted():
                return Done()
            case Unknown():
                return Hold()
            case Refused(scope=Scope.TRANSPORT | Scope.ACCOUNT):
                return PutBack(stop=True)
            case Deferred(scope=Scope.TRANSPORT | Scope.ACCOUNT) if attempt <= _PATIENCE:
                return PutBack(stop=False)
            case Deferred(scope=Scope.TRANSPORT | Scope.ACCOUNT):
                return self._retry(attempt - _PATIENCE, expires, now, jitter)
            case Refused():
                return GiveUp(HandOff.REFUSED)
            case Deferred():
                return self._retry(attempt, expires, now, jitter)
            case _:
                assert_never(outcome)

    def _retry(self, attempt: int, expires: datetime, now: datetime, jitter: float) -> Step:
        if attempt > len(self.delays):
            return GiveUp(HandOff.EXPIRED)
        due = now + self.delays[attempt - 1] * (0.8 + 0.4 * jitter)
        return Retry(due) if due <= expires else GiveUp(HandOff.EXPIRED)
