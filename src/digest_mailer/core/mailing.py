"""The sending of one issue: one mailing per issue, in one or more waves; and how far it has come."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from digest_mailer.core.delivery import OPEN, HandOff
from digest_mailer.core.edition import EditionKey
from digest_mailer.core.identity import IssueId, RowId
from digest_mailer.core.message import Recipient


class Status(StrEnum):
    """Where a mailing stands."""

    SENDING = "sending"  # people are still to be served; whether a process runs is the lock's to say
    PAUSED = "paused"  # stopped by the admin or by a fault that needs one
    COMPLETE = "complete"  # nobody is open


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


@dataclass(frozen=True, slots=True)
class Claim:
    """A row of the ledger that this sender has taken, with what its message needs."""

    row: RowId
    recipient: Recipient
    artefact_hash: str
    attempts: int  # before this one


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
