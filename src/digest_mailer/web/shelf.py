"""What the archive shows: the issues that are published by now, as their files say at this moment.

Files are read for every request, and parsed again only when their bytes changed. A file that cannot be read
hides itself and nothing else; one that can be read in part is shown as far as it goes, because the addresses
in mails already sent lead to it.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from digest_mailer.bootstrap import App
from digest_mailer.core.archive import ArchiveEntry, PastArticle, before, index, related
from digest_mailer.core.errors import DigestError
from digest_mailer.core.identity import ArticleKey, IssueId, TopicKey, slug
from digest_mailer.core.issue import Article, Issue
from digest_mailer.core.issue_file import Vocabulary, examine_issue
from digest_mailer.core.topic import Topic

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """The published issues at one moment, newest first."""

    issues: tuple[Issue, ...]
    vocabulary: Vocabulary

    @property
    def entries(self) -> tuple[ArchiveEntry, ...]:
        """The issues as others refer to them."""
        return index(self.issues)

    def issue(self, month: str) -> Issue | None:
        """The issue of a month."""
        return next((issue for issue in self.issues if issue.id == month), None)

    def neighbours(self, issue: IssueId) -> tuple[Issue | None, Issue | None]:
        """The issue before this one, and the one after."""
        older = [other for other in self.issues if other.id < issue]
        newer = [other for other in self.issues if other.id > issue]
        return (older[0] if older else None), (newer[-1] if newer else None)

    def article(self, key: str) -> tuple[Issue, Article] | None:
        """An article and its issue. A key belongs to the issue that had it first."""
        for issue in reversed(self.issues):
            for article in issue.articles:
                if article.key == ArticleKey(key):
                    return issue, article
        return None

    def related(self, issue: Issue, article: Article) -> Sequence[PastArticle]:
        """Articles of older issues that share a topic or a DOI with this one."""
        return related([article], before(self.entries, issue.id))

    def of_topic(self, topic: TopicKey) -> list[tuple[Issue, Article]]:
        """The articles of a topic, newest first."""
        return [(issue, article) for issue in self.issues for article in issue.articles if topic in article.topics]

    def counted_topics(self) -> list[tuple[Topic, int]]:
        """All topics in catalogue order with their articles; a retired one only while it has any."""
        counted = [(topic, len(self.of_topic(topic.key))) for topic in self.vocabulary.catalogue]
        return [(topic, count) for topic, count in counted if count or not topic.retired]

    def topic(self, name: str) -> Topic | None:
        """The topic that an address means: its key, or any of its names written as a key. The address of a merged one
        means what it was merged into."""
        catalogue, wanted = self.vocabulary.catalogue, slug(name)
        found = next((topic for topic in catalogue if topic.key == name), None)
        if not found and wanted:
            found = next((topic for topic in catalogue if wanted in map(slug, topic.names)), None)
        return catalogue.current(found) if found else None


@dataclass
class Shelf:
    """Reads the publication's files."""

    app: App
    _parsed: dict[IssueId, tuple[bytes, Vocabulary, Issue | None]] = field(default_factory=dict)

    def now(self) -> Published:
        """What is published now, in the publication's time zone."""
        vocabulary = self.app.files.vocabulary()
        today = self.app.clock.now().astimezone(ZoneInfo(self.app.publication.timezone)).date()
        found = (self._issue(issue, vocabulary) for issue in self.app.files.ids())
        return Published(
            tuple(issue for issue in found if issue and issue.published and issue.published <= today), vocabulary
        )

    def _issue(self, issue: IssueId, vocabulary: Vocabulary) -> Issue | None:
        try:
            data = self.app.files.read(issue)
        except DigestError as problem:
            logger.warning("%s", problem.what)
            return None
        known = self._parsed.get(issue)
        if known is None or known[:2] != (data, vocabulary):
            parsed, mistakes = examine_issue(data, self.app.files.path(issue), vocabulary)
            if mistakes:
                logger.warning("%s has mistakes; see: digest-mailer lint %s", self.app.files.path(issue), issue)
            known = self._parsed[issue] = (data, vocabulary, parsed)
        return known[2]
