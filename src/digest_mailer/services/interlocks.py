"""What must hold before an issue is sent. Each refusal is an InterlockError (exit 4): nothing was sent."""

from dataclasses import dataclass

from digest_mailer.core.edition import Edition, Slot, decode_edition
from digest_mailer.core.errors import InterlockError
from digest_mailer.core.identity import IssueId
from digest_mailer.core.mailing import Approval, Mailing
from digest_mailer.core.publication import Publication
from digest_mailer.core.segment import EVERYBODY, Segment
from digest_mailer.core.urls import issues_url
from digest_mailer.ports import Approvals, Probe, Subscribers, Transport
from digest_mailer.services.planning import SendPlan
from digest_mailer.services.standing import Standing

TOLERANCE = 0.05  # by how much the number of people may differ from the confirmed one


@dataclass(frozen=True, slots=True)
class Interlocks:
    """The checks of a send."""

    standing: Standing
    approvals: Approvals
    people: Subscribers
    publication: Publication
    probe: Probe

    def check(self, plan: SendPlan, transport: Transport) -> Approval:
        """Every check but the count. Answers the approval that the send is made from."""
        if not self.publication.postal_address:
            raise InterlockError(
                "the postal address is missing",
                "set [publication] postal_address in digest.toml, then approve",
            )
        approval = self._approved(plan)
        self._complete(plan, approval)
        if transport.live:
            self._live(plan.segment)
        return approval

    def check_resume(self, mailing: Mailing, transport: Transport) -> None:
        """What was frozen for one way out goes on by another, live one only where a new send might."""
        if transport.live and transport.url != mailing.transport:
            self._live(EVERYBODY)

    def _approved(self, plan: SendPlan) -> Approval:
        issue = plan.issue.id
        approval, current = self.standing.of(plan.issue)
        if approval is None:
            raise InterlockError(f"{issue} is not approved", f"look at it with build, then: {_approve(issue)}")
        if not current:
            raise InterlockError(
                f"{issue} was changed since it was approved on {approval.approved_at:%Y-%m-%d %H:%M} UTC",
                f"look at it again, then: {_approve(issue)}",
            )
        missing = [str(key) for key in plan.readers if key not in approval.editions]
        if missing:
            raise InterlockError(
                f"the audience needs editions that were not approved: {', '.join(missing)}",
                f"somebody joined or changed topics since; {_approve(issue)}",
            )
        return approval

    def _complete(self, plan: SendPlan, approval: Approval) -> None:
        for key in plan.readers:
            edition = decode_edition(self.approvals.artefact(approval.editions[key]))
            if not _can_leave(edition):
                raise InterlockError(f"edition {key} has no unsubscribe link", "put it back into the template")

    def _live(self, segment: Segment) -> None:
        sender = self.publication.sender
        if not sender.base_url.startswith("https://"):
            raise InterlockError("base_url is not https", "one-click unsubscribe needs https (RFC 8058)")
        own = {str(a): a.is_reserved for a in (sender.address, sender.reply_to, self.publication.contact)}
        reserved = ", ".join(address for address, is_reserved in own.items() if is_reserved)
        if reserved:
            raise InterlockError(f"{reserved} is at a domain reserved for examples", "set your own in digest.toml")
        samples = self.people.count_reserved(segment)
        if samples:
            raise InterlockError(
                f"{samples} people have addresses at domains reserved for examples (RFC 2606)",
                "are these the sample subscribers? unsubscribe them, or use a segment without them",
            )
        why_not = self.probe(issues_url(sender.base_url))
        if why_not:
            raise InterlockError(
                f"the archive at {sender.base_url} does not answer: {why_not}",
                "links in the mail would lead nowhere; start digest-mailer serve behind that address",
            )


def check_count(confirmed: int, people: int) -> None:
    """Refuse when the number of people is more than 5 % off the confirmed one."""
    if abs(people - confirmed) > TOLERANCE * people:
        raise InterlockError(
            f"{confirmed} people were confirmed, but {people} would get the issue",
            "look at the plan again and confirm the number it shows",
        )


def _can_leave(edition: Edition) -> bool:
    return Slot.UNSUBSCRIBE in edition.html and Slot.UNSUBSCRIBE in edition.text


def _approve(issue: IssueId) -> str:
    return f"digest-mailer approve {issue}"
