"""Who got what, who did not, and why: everything that is on record of one person.

The message that somebody was sent is built again from the stored edition and the values kept in their row, and
compared with the row's digest: what is shown is what was sent, or it says that it cannot tell.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from digest_mailer.core.audience import Subscriber, eligible
from digest_mailer.core.edition import Edition, decode_edition
from digest_mailer.core.identity import IssueId
from digest_mailer.core.mailing import Attempt, Delivery, Mailing
from digest_mailer.core.message import Keys, Message
from digest_mailer.core.stencil import Stencil
from digest_mailer.core.topic import Catalogue, intersect, union
from digest_mailer.ports import Approvals, Ledger, Oversight, Signer, Subscribers


@dataclass(frozen=True, slots=True)
class Sent:
    """What one person was to get of one issue."""

    delivery: Delivery
    attempts: Sequence[Attempt]
    edition: Edition
    why: str  # the line of the mail that says why they get it; empty when their values were erased
    message: Message | None  # as it was built, or would be
    same: bool | None  # whether it is what was sent; None when nothing was, or nobody can tell


@dataclass(frozen=True, slots=True)
class NotSent:
    """Why somebody has no row for an issue."""

    issue: IssueId
    reason: str


@dataclass(frozen=True, slots=True)
class Explainer:
    """Answers for one person."""

    people: Subscribers
    ledger: Ledger
    oversight: Oversight
    approvals: Approvals
    keys: Keys
    signer: Signer | None
    today: Callable[[], date]  # the day where the publication is
    catalogue: Catalogue

    def topics(self, person: Subscriber) -> str:
        """What they follow, in words."""
        if person.all_topics:
            return "all topics"
        return "; ".join(topic.name for topic in self.catalogue.in_words(person.topics)) or "no topic"

    def entitled(self, person: Subscriber) -> str:
        """Why they would get no mail today; empty when they would."""
        suppressed = self.people.suppression(person.id)
        reason = eligible(person.state, person.paused_until, suppressed=bool(suppressed), today=self.today())
        if suppressed:
            return f"on the suppression list since {suppressed[1]:%Y-%m-%d}: {suppressed[0]}"
        if reason:
            return str(reason)
        return "" if person.all_topics or any(person.topics) else "follows no topic"

    def sent(self, person: Subscriber, issue: IssueId | None = None) -> Iterator[Sent]:
        """Every issue they have a row for, newest first, or one."""
        for delivery in self.oversight.deliveries(issue, person=person.id):
            edition = decode_edition(self.approvals.artefact(delivery.artefact_hash))
            mailing = self.ledger.mailing(delivery.issue)
            message = self._message(delivery, edition, mailing) if mailing else None
            same = message.digest == delivery.digest if message and delivery.digest else None
            reader = delivery.recipient
            why = edition.why_line(reader.topics, all_topics=reader.all_topics) if reader else ""
            yield Sent(delivery, self.oversight.attempts(delivery.row), edition, why, message, same)

    def not_sent(self, person: Subscriber, issue: IssueId) -> NotSent:
        """Why they have no row for an issue, as far as today's records tell."""
        mailing = self.ledger.mailing(issue)
        if not mailing:
            return NotSent(issue, "it was never sent")
        if reason := self.entitled(person):
            return NotSent(issue, reason)
        approval = self.approvals.latest(issue)
        labels = [self._labels(digest) for digest in approval.editions.values()] if approval else []
        if labels and not person.all_topics and not any(intersect(person.topics, union(labels))):
            return NotSent(issue, "it has no article on a topic they follow")
        return NotSent(issue, f"they were not in its audience when it was sent, {mailing.started:%Y-%m-%d}")

    def _labels(self, digest: str) -> tuple[int, ...]:
        edition = decode_edition(self.approvals.artefact(digest))
        keys = [topic.key for topic in self.catalogue if topic.ordinal in {label.ordinal for label in edition.labels}]
        return self.catalogue.words(keys)

    def _message(self, delivery: Delivery, edition: Edition, mailing: Mailing) -> Message | None:
        if not delivery.recipient:
            return None
        message = Stencil(edition, mailing.started, self.keys).address(delivery.recipient)
        return self.signer.sign(message, mailing.started) if self.signer else message
