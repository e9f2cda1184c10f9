"""Approving an issue: every edition of it is made, checked and kept, so that what is sent is what was approved."""

from dataclasses import dataclass
from typing import Any

from digest_mailer.core.edition import encode_edition
from digest_mailer.core.errors import IssueError, Severity
from digest_mailer.core.identity import IssueId
from digest_mailer.core.mailing import Approval
from digest_mailer.ports import Approvals, Clock, Subscribers
from digest_mailer.services.compose import Composer
from digest_mailer.services.linting import Linter
from digest_mailer.services.standing import Standing


@dataclass(frozen=True, slots=True)
class Approver:
    """Keeps every compiled edition of an issue, so that what is sent is what was approved."""

    composer: Composer
    linter: Linter
    standing: Standing
    approvals: Approvals
    people: Subscribers
    clock: Clock

    def approve(self, issue_id: IssueId, approver: str, note: str) -> Approval:
        """Approve an issue as it stands. Raises IssueError when it, or an edition of it, has errors."""
        errors = [one for one in self.linter.lint(issue_id) if one.severity is Severity.ERROR]
        if errors:
            raise IssueError(errors)
        issue = self.composer.library.load(issue_id)
        editions = self.composer.editions(issue, self.composer.keys(issue, self.people))
        artefacts = {key: encode_edition(edition) for key, edition in editions.items()}
        digest = self.standing.digest(issue)
        return self.approvals.add(issue_id, digest, artefacts, approver, note, self.clock.now())


def to_json(approval: Approval) -> dict[str, Any]:
    """An approval as data for a result."""
    return {
        "issue": approval.issue,
        "digest": approval.source_digest,
        "approved_at": approval.approved_at.isoformat(),
        "approver": approval.approver,
        "note": approval.note,
        "editions": [{"key": str(key), "hash": edition} for key, edition in approval.editions.items()],
    }
