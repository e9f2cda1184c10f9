"""From an issue to its editions, and to an approval that keeps them.

`source_digest` tells whether an issue is still what was approved: it covers the issue's own text, the
settings and the templates, but not `published`, and not other issues, whose later edits change nothing here.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from digest_mailer.core.archive import before
from digest_mailer.core.audience import EVERYBODY
from digest_mailer.core.edition import Edition, EditionKey, article_topics, encode_edition, keys_to_build, plan
from digest_mailer.core.edition import ReaderGroup as Group
from digest_mailer.core.identity import IssueId
from digest_mailer.core.issue import Issue
from digest_mailer.core.issue_writer import serialise_issue
from digest_mailer.core.mailing import Approval
from digest_mailer.core.publication import Publication
from digest_mailer.core.topic import union
from digest_mailer.ports import Approvals, Clock, Subscribers
from digest_mailer.rendering.compile import compile_edition
from digest_mailer.rendering.model import Context
from digest_mailer.rendering.templates import Templates
from digest_mailer.services.library import Library


@dataclass(frozen=True, slots=True)
class Composer:
    """Makes editions of the library's issues."""

    library: Library
    publication: Publication

    def editions(self, issue: Issue, keys: Iterable[EditionKey]) -> Mapping[EditionKey, Edition]:
        """Render these editions. Raises ContentError when a template or an edition will not do."""
        vocabulary = self.library.vocabulary
        templates = Templates(self.library.source.templates())
        context = Context(self.publication, vocabulary.catalogue, vocabulary.types, templates)
        past = before(self.library.archive(), issue.id)
        return {key: compile_edition(issue, key, past, context) for key in keys}

    def keys(self, issue: Issue, people: Subscribers | None) -> tuple[EditionKey, ...]:
        """The editions to make: all of a small issue, and those that stored subscribers would get of any."""
        languages = self.publication.languages
        wanted = self._wanted(issue, people) if people else ()
        return keys_to_build(len(issue.articles), languages, wanted)

    def source_digest(self, issue: Issue) -> str:
        """SHA-256 in hex of everything an approval of this issue approves, as it stands now."""
        vocabulary = self.library.vocabulary
        topics = {key for article in issue.articles for key in article.topics}
        templates = self.library.source.templates()
        document = {
            "issue": serialise_issue(replace(issue, published=None), vocabulary),
            "publication": asdict(self.publication),
            "topics": [asdict(topic) for topic in vocabulary.catalogue if topic.key in topics],
            "types": [asdict(one) for one in vocabulary.types],
            "templates": {name: text for name, text in templates.items() if not name.startswith("web/")},
        }
        return hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()

    def _wanted(self, issue: Issue, people: Subscribers) -> tuple[EditionKey, ...]:
        catalogue = self.library.vocabulary.catalogue
        groups = people.groups(issue.id, union(article_topics(issue, catalogue)), EVERYBODY)
        readers = [Group(g.topics, g.all_topics, g.language, g.people) for g in groups if g.follows]
        publication = self.publication
        return tuple(plan(issue, catalogue, readers, publication.languages, publication.no_match).readers)


@dataclass(frozen=True, slots=True)
class Approver:
    """Keeps every compiled edition of an issue, so that what is sent is what was approved."""

    composer: Composer
    approvals: Approvals
    people: Subscribers
    clock: Clock

    def approve(self, issue_id: IssueId, approver: str, note: str) -> Approval:
        """Approve an issue as it stands. Raises IssueError when it has errors."""
        issue = self.composer.library.load(issue_id)
        editions = self.composer.editions(issue, self.composer.keys(issue, self.people))
        artefacts = {key: encode_edition(edition) for key, edition in editions.items()}
        digest = self.composer.source_digest(issue)
        return self.approvals.add(issue_id, digest, artefacts, approver, note, self.clock.now())

    def standing(self, issue: Issue) -> tuple[Approval | None, bool]:
        """The newest approval of an issue, and whether the issue is still what it approved."""
        approval = self.approvals.latest(issue.id)
        return approval, approval is not None and approval.source_digest == self.composer.source_digest(issue)


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
