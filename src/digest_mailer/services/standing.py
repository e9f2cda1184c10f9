"""Whether an issue is still what was approved. Asked before each send, so nothing here renders anything.

The digest covers the issue's own text, the settings and the templates, but not `published`, and not other issues,
whose later edits change nothing here.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from digest_mailer.core.issue import Issue
from digest_mailer.core.issue_writer import serialise_issue
from digest_mailer.core.mailing import Approval
from digest_mailer.core.publication import Publication
from digest_mailer.core.topic import Topic
from digest_mailer.ports import Approvals
from digest_mailer.services.library import Library


@dataclass(frozen=True, slots=True)
class Standing:
    """Compares the library's issues with their approvals."""

    library: Library
    publication: Publication
    approvals: Approvals

    def of(self, issue: Issue) -> tuple[Approval | None, bool]:
        """The newest approval of an issue, and whether the issue is still what it approved."""
        approval = self.approvals.latest(issue.id)
        return approval, approval is not None and approval.source_digest == self.digest(issue)

    def digest(self, issue: Issue) -> str:
        """SHA-256 in hex of everything an approval of this issue approves, as it stands now."""
        vocabulary = self.library.vocabulary
        topics = {key for article in issue.articles for key in article.topics}
        templates = self.library.template_sources
        document = {
            "issue": serialise_issue(replace(issue, published=None), vocabulary),
            "translations": {one.language: serialise_issue(one, vocabulary) for one in issue.translations},
            "publication": asdict(self.publication),
            "topics": [stated(topic) for topic in vocabulary.catalogue if topic.key in topics],
            "types": [asdict(one) for one in vocabulary.types],
            "templates": {name: text for name, text in templates.items() if not name.startswith("web/")},
        }
        return hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()


def stated(topic: Topic) -> dict[str, Any]:
    """What an approval holds of a topic. The topic of an article is never a merged one, and approvals from before
    topics could be merged go on standing."""
    return {name: value for name, value in asdict(topic).items() if name != "merged_into"}
