"""The sending of one issue: one mailing per issue, in one or more waves; and how far it has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from digest_mailer.core.delivery import OPEN, Fate, HandOff, Outcome
from digest_mailer.core.edition import Assignment, EditionKey
from digest_mailer.core.identity import IssueId, RowId, SubscriberId
from digest_mailer.core.message import Recipient
from digest_mailer.core.segment import Segment


class Status(StrEnum):
    """Where a mailing stands."""

    SENDING = "sending"  # people are still to be served; whether a process runs is the lock's to say
    PAUSED = "paused"  # stopped by the admin or by a fault that needs one
    HELD = "held"  # the canaries are served, the others wait for the admin's word
    COMPLETE = "complete"  # nobody is open
    CLOSED = "closed"  # cancelled by the admin: nobody else will be served


@dataclass(frozen=True, slots=True)
class Approval:
    """An issue as somebody approved it: what it was made from, and every compiled edition by its hash."""

    id: int
    issue: IssueId
    source_digest: str
    approved_at: datetime
    approver: str
    note: str
    editions: Mapping[EditionKey, str]


@dataclass(frozen=True, slots=True)
class Mailing:
    """The sending of one issue to everybody who gets it."""

    id: int
    issue: IssueId
    status: Status
    started: datetime  # the Date of every message
    transport: str  # URL without secrets
    fence: int  # rises with every sender that takes over; a row moves only for the newest
    expires: datetime  # nobody is tried after this
    detail: str = ""  # why it is paused or held


@dataclass(frozen=True, slots=True)
class WaveRequest:
    """A wave to be: who gets it and how that is decided. `people` were counted when the audience had changed
    `sequence` times; where that is not so any more, they are counted again."""

    segment: Segment
    assignment: Assignment
    transport: str  # URL without secrets
    now: datetime
    expires: datetime  # nobody is tried after this
    people: int = 0
    sequence: int | None = None


class Claim(NamedTuple):
    """A row of the ledger that this sender has taken, with what its message needs."""

    row: RowId
    recipient: Recipient
    artefact_hash: str
    attempts: int  # before this one


class Result(NamedTuple):
    """What one attempt ended in, and where its row goes from there."""

    row: RowId
    outcome: Outcome
    state: HandOff
    due: datetime | None
    started: datetime | None  # when the first octet of content might leave; None when none did
    ended: datetime
    connection: str
    digest: bytes
    before: int  # attempts before this one: a result that comes twice is of the same claim


@dataclass(frozen=True, slots=True)
class Turn:
    """What a sender gets from the ledger in one step."""

    claims: Sequence[Claim]
    sequence: int  # how often the list had changed when these were claimed


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to hand a message over, as it was kept."""

    number: int
    started: datetime | None  # None when no content left
    ended: datetime
    transport: str
    connection: str
    outcome: str
    code: int | None
    enhanced: str
    reply: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of the ledger, as people ask for it."""

    row: RowId
    issue: IssueId
    subscriber: SubscriberId
    address: str  # the present one; empty when the person was erased
    state: HandOff
    fate: Fate
    attempts: int
    due: datetime | None
    changed: datetime
    detail: str
    artefact_hash: str
    recipient: Recipient | None  # with the values of the last attempt; None when they were erased
    digest: bytes | None


@dataclass(frozen=True, slots=True)
class News:
    """What others have done to a mailing while it is being sent."""

    dropped: frozenset[RowId]  # rows in hand that may not be sent any more
    status: Status
    overtaken: bool  # another sender has taken over


@dataclass(frozen=True, slots=True)
class Progress:
    """People of a mailing by hand-off."""

    by_state: Mapping[HandOff, int]

    def __getitem__(self, state: HandOff) -> int:
        return self.by_state.get(state, 0)

    @property
    def total(self) -> int:
        """Everybody in the mailing."""
        return sum(self.by_state.values())

    @property
    def open(self) -> int:
        """People of whom it is not settled whether they get it."""
        return sum(self[state] for state in OPEN)

    @property
    def waiting(self) -> int:
        """People who can still be served by sending on."""
        return self.open - self[HandOff.UNKNOWN]
