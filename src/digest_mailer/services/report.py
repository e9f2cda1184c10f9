"""How things stand: the issues, and the mailing of each."""

from dataclasses import dataclass

from digest_mailer.core.delivery import HandOff
from digest_mailer.core.identity import IssueId
from digest_mailer.core.mailing import Mailing, Progress
from digest_mailer.ports import Ledger
from digest_mailer.services.library import Examined, Library
from digest_mailer.services.standing import Standing


@dataclass(frozen=True, slots=True)
class IssueState:
    """An issue in the list of issues."""

    examined: Examined
    state: str  # broken, draft, approved, changed, sending, paused, complete
    sent: int  # people who were served

    @property
    def id(self) -> IssueId:
        """The month."""
        return self.examined.id


def issue_states(library: Library, standing: Standing, ledger: Ledger) -> tuple[IssueState, ...]:
    """Every issue, newest first."""
    return tuple(_state(library.examine(issue), standing, ledger) for issue in library.source.ids())


def _state(examined: Examined, standing: Standing, ledger: Ledger) -> IssueState:
    mailing = ledger.mailing(examined.id)
    sent = ledger.progress(examined.id)[HandOff.ACCEPTED] if mailing else 0
    if mailing:
        return IssueState(examined, mailing.status, sent)
    if examined.issue is None or not examined.acceptable:
        return IssueState(examined, "broken", 0)
    approval, current = standing.of(examined.issue)
    if not approval:
        return IssueState(examined, "draft", 0)
    return IssueState(examined, "approved" if current else "changed", 0)


@dataclass(frozen=True, slots=True)
class MailingState:
    """A mailing and how far it has come, with the names that need a look."""

    mailing: Mailing
    progress: Progress
    unknown: tuple[tuple[str, str], ...]
    refused: tuple[tuple[str, str], ...]


def mailing_state(ledger: Ledger, issue: IssueId) -> MailingState | None:
    """The mailing of an issue; None when it was never sent."""
    mailing = ledger.mailing(issue)
    if not mailing:
        return None
    unknown = tuple(ledger.named(issue, HandOff.UNKNOWN))
    refused = tuple(ledger.named(issue, HandOff.REFUSED))
    return MailingState(mailing, ledger.progress(issue), unknown, refused)
