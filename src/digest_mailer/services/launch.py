"""Starting a send, or going on with one: what `send` decides before the first message leaves.

An unfinished mailing is continued as it was frozen, whatever has happened to its issue since. Otherwise the
people who may get the issue and have no row yet make a new wave, if every interlock lets them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from digest_mailer.core.delivery import HandOff
from digest_mailer.core.edition import Assignment, article_topics
from digest_mailer.core.errors import InterlockError, NothingMatched
from digest_mailer.core.identity import IssueId
from digest_mailer.core.issue import Issue
from digest_mailer.core.mailing import Approval, Mailing, Progress, WaveRequest
from digest_mailer.core.publication import Publication
from digest_mailer.core.segment import Segment
from digest_mailer.ports import Clock, Ledger, Subscribers, Transport
from digest_mailer.services.interlocks import Interlocks, check_count
from digest_mailer.services.library import Library
from digest_mailer.services.oversight import check_open
from digest_mailer.services.planning import SendPlan, make_plan
from digest_mailer.services.publish import publish


@dataclass(frozen=True, slots=True)
class Launch:
    """What a send is about to do."""

    issue: IssueId
    plan: SendPlan | None  # the people of a new wave; None when a mailing is continued
    approval: Approval | None
    waiting: int  # people of earlier waves who are still to be served

    @property
    def people(self) -> int:
        """How many people are to be confirmed."""
        return self.plan.people if self.plan else 0


@dataclass(frozen=True, slots=True)
class Launcher:
    """Decides and starts."""

    library: Library
    people: Subscribers
    ledger: Ledger
    interlocks: Interlocks
    publication: Publication
    clock: Clock
    max_age: timedelta

    def prepare(self, issue_id: IssueId, segment: Segment, transport: Transport) -> Launch:
        """Find out what there is to do, and refuse what must not be done. Changes nothing."""
        mailing = self.ledger.mailing(issue_id)
        progress = self.ledger.still_open(issue_id)
        if mailing:
            check_open(mailing)
        if mailing and progress.waiting:
            self.interlocks.check_resume(mailing, transport)
        if progress.waiting > progress[HandOff.DEFERRED]:
            return Launch(issue_id, None, None, progress.waiting)
        try:
            plan = self.plan(self._issue(issue_id), segment)
            if plan.people:
                return Launch(issue_id, plan, self.interlocks.check(plan, transport), progress.waiting)
        except InterlockError:
            if progress.waiting:  # what blocks a new wave never blocks people of a started one
                return Launch(issue_id, None, None, progress.waiting)
            raise
        if progress.waiting:
            return Launch(issue_id, None, None, progress.waiting)
        raise _nobody(plan, mailing, self.ledger.progress(issue_id))

    def check_resume(self, issue_id: IssueId, transport: Transport) -> None:
        """Refuse to go on where there is nothing to go on with, or where it must not."""
        mailing = self.ledger.mailing(issue_id)
        if not mailing:
            raise NothingMatched(f"{issue_id} was never sent", f"see: digest-mailer plan {issue_id}")
        check_open(mailing)
        self.interlocks.check_resume(mailing, transport)

    def plan(self, issue: Issue, segment: Segment) -> SendPlan:
        """Who would get the issue now."""
        catalogue = self.library.vocabulary.catalogue
        return make_plan(issue, segment, self.people, catalogue, self.publication, self.clock.now().date())

    def start(self, launch: Launch, transport: Transport, confirmed: int | None) -> int:
        """Publish the issue and freeze the audience. Answers the number of people added.

        `confirmed` is the number that the person saw and typed, or None where nobody was asked.
        """
        if not launch.plan or not launch.approval:
            return 0
        if confirmed is not None:
            check_count(confirmed, launch.plan.people)
        issue, source, now = launch.plan.issue, self.library.source, self.clock.now()

        def agree(people: int) -> None:
            """The list may have changed between the plan and now. The last step before the audience stands."""
            if confirmed is not None:
                check_count(confirmed, people)
            if people:
                publish(source, issue, now, self.publication.timezone)

        added = self.ledger.open_wave(launch.approval, self._request(launch.plan, transport, now), agree)
        if not added and not launch.waiting:
            raise NothingMatched(f"nobody is left who would get {issue.id}", "they all left a moment ago")
        return added

    def _request(self, plan: SendPlan, transport: Transport, now: datetime) -> WaveRequest:
        topics = article_topics(plan.issue, self.library.vocabulary.catalogue)
        assignment = Assignment(topics, self.publication.languages, self.publication.no_match)
        expires = now + self.max_age
        return WaveRequest(plan.segment, assignment, transport.url, now, expires, plan.people, plan.sequence)

    def _issue(self, issue_id: IssueId) -> Issue:
        examined = self.library.examine(issue_id)
        if examined.issue is None or not examined.acceptable:
            raise InterlockError(f"{issue_id} has mistakes", f"see them with: digest-mailer lint {issue_id}")
        return examined.issue


def _nobody(plan: SendPlan, mailing: Mailing | None, progress: Progress) -> InterlockError | NothingMatched:
    if not mailing:
        reasons = ", ".join(f"{count} {why}" for why, count in plan.excluded.items()) or "the segment is empty"
        return NothingMatched(f"nobody would get {plan.issue.id}: {reasons}", "see: digest-mailer subscribers list")
    unknown = progress[HandOff.UNKNOWN]
    held = f"; {unknown} unknown, held: digest-mailer status {plan.issue.id}" if unknown else ""
    return InterlockError(
        f"{plan.issue.id} was already sent to {progress[HandOff.ACCEPTED]} of {progress.total} people "
        f"on {mailing.started:%Y-%m-%d}",
        f"nobody gets an issue twice, and nobody else would get it now{held}",
    )
