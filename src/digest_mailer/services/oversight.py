"""What an admin does to a mailing: stop it for a while or for good, try people again, settle who is unknown.

Unknown people are settled by evidence, by an event that carries their token, or by the admin's word, never by
guessing: sending again may be a second copy, leaving it may be none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from digest_mailer.core.delivery import MAY_HAVE_ARRIVED, Fate, HandOff
from digest_mailer.core.errors import InterlockError, NothingMatched, UsageError
from digest_mailer.core.feedback import FeedbackEvent, judge
from digest_mailer.core.identity import IssueId, RowId
from digest_mailer.core.mailing import Delivery, Mailing, Status
from digest_mailer.core.message import Keys, local_id
from digest_mailer.ports import Clock, Ledger, Oversight

_RETRIED = (HandOff.DEFERRED, HandOff.REFUSED, HandOff.EXPIRED)


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of evidence."""

    accepted: int  # unknown people of whom it was found
    fates: int  # people whose message's fate it told
    unknown: int  # people who are still unknown


@dataclass(frozen=True, slots=True)
class Overseer:
    """Acts on mailings."""

    ledger: Ledger
    oversight: Oversight
    keys: Keys
    clock: Clock
    max_age: timedelta
    resend_once: bool = False  # the publication's policy for people who are unknown

    def pause(self, issue: IssueId) -> None:
        """Have a mailing stop until somebody resumes it."""
        mailing = self.mailing(issue)
        if not self.oversight.pause(issue, "paused by hand"):
            raise InterlockError(f"{issue} is {mailing.status}; there is nothing to pause", f"see: {_status(issue)}")

    def cancel(self, issue: IssueId) -> int:
        """End a mailing for good; answers how many people do not get it."""
        mailing = self.mailing(issue)
        if mailing.status in (Status.COMPLETE, Status.CLOSED):
            raise InterlockError(f"{issue} is {mailing.status}; there is nothing to cancel", f"see: {_status(issue)}")
        people = self.oversight.cancel(issue, "cancelled by hand", self.clock.now())
        self.ledger.clear_up(issue, self.clock.now())
        return people

    def retry(self, issue: IssueId, states: Sequence[HandOff]) -> int:
        """Have people tried again with the next send; answers how many."""
        check_open(self.mailing(issue))
        wrong = [state for state in states if state not in _RETRIED]
        if wrong:
            raise UsageError(f"people who are {wrong[0]} are not tried again", f"one of: {', '.join(_RETRIED)}")
        now = self.clock.now()
        people = self.oversight.retry(issue, states, now, now + self.max_age)
        if not people:
            raise NothingMatched(f"nobody of {issue} is {' or '.join(states)}", f"see: {_status(issue)}")
        return people

    def unknown(self, issue: IssueId, addresses: Sequence[str] = ()) -> Sequence[Delivery]:
        """Who is unknown: all, or those with these addresses. Raises NothingMatched for one who is not."""
        self.mailing(issue)
        self.ledger.clear_up(issue, self.clock.now())
        found = list(self.oversight.deliveries(issue, (HandOff.UNKNOWN,)))
        if not addresses:
            return found
        by_address = {one.address.lower(): one for one in found}
        missing = [address for address in addresses if address.lower() not in by_address]
        if missing:
            raise NothingMatched(f"{missing[0]} is not among the unknown of {issue}", f"see: {_unknown(issue)}")
        return [by_address[address.lower()] for address in addresses]

    def resolve(self, issue: IssueId, people: Sequence[Delivery], state: HandOff) -> int:
        """Settle unknown people by the admin's word: they got it, or it is sent to them again."""
        if state is HandOff.PLANNED:
            check_open(self.mailing(issue))
        why = "left as it is, by hand" if state is HandOff.ACCEPTED else "sent again, by hand"
        return self.oversight.settle(issue, {one.row: state for one in people}, why, self.clock.now())

    def follow_policy(self, issue: IssueId) -> int:
        """Before a run: send again to whom the publication's policy says so. Answers how many."""
        if not self.resend_once or self.mailing(issue).status is Status.CLOSED:
            return 0
        return self.oversight.resend_once(issue, self.clock.now())

    def learn(self, issue: IssueId, events: Iterable[FeedbackEvent]) -> Settled:
        """Settle by evidence: whoever's message was found has it, also who had left or was cancelled meanwhile."""
        self.mailing(issue)
        self.ledger.clear_up(issue, self.clock.now())
        heard: dict[str, list[FeedbackEvent]] = {}
        for event in events:
            heard.setdefault(event.message_id.partition("@")[0], []).append(event)
        now, unknown = self.clock.now(), 0
        found: dict[str, dict[RowId, HandOff]] = {}
        fates: dict[RowId, Fate] = {}
        for one in self.oversight.deliveries(issue, (*MAY_HAVE_ARRIVED, HandOff.ACCEPTED)):
            told = heard.get(local_id(issue, one.subscriber, self.keys.message_id))
            unknown += one.state is HandOff.UNKNOWN and not told
            if not told:
                continue
            fate = judge(one.fate, (event.fate for event in told))
            if fate is not one.fate:
                fates[one.row] = fate
            if one.state in MAY_HAVE_ARRIVED:
                found.setdefault(told[0].words, {})[one.row] = HandOff.ACCEPTED
        accepted = sum(self._settle(issue, rows, why) for why, rows in found.items())
        return Settled(accepted, self.oversight.note_fates(fates, now), unknown)

    def mailing(self, issue: IssueId) -> Mailing:
        """The mailing of an issue. Raises NothingMatched when it was never sent."""
        found = self.ledger.mailing(issue)
        if not found:
            raise NothingMatched(f"{issue} was never sent", f"see: digest-mailer plan {issue}")
        return found

    def _settle(self, issue: IssueId, rows: Mapping[RowId, HandOff], why: str) -> int:
        return self.oversight.settle(issue, rows, why, self.clock.now())


def check_open(mailing: Mailing) -> None:
    """Refuse to give a mailing that was cancelled to anybody else."""
    if mailing.status is Status.CLOSED:
        raise InterlockError(f"{mailing.issue} was cancelled: {mailing.detail}", "nobody else gets it")


def how_likely(detail: str) -> str:
    """What can be said of an unknown person's chances, from what their row says."""
    if detail.startswith("at end of content"):
        return "likely: all of it was handed over, and only the answer was lost"
    if detail.startswith("the machine stopped"):
        return "unlikely for each single one: they were in hand when the machine stopped"
    return "open: it was being handed over when the sender ended"


def _status(issue: IssueId) -> str:
    return f"digest-mailer status {issue}"


def _unknown(issue: IssueId) -> str:
    return f"digest-mailer unknown {issue}"
