"""Past issues as an index: the previous issue and related articles, for the links of a mail.

Only published issues count, and only those older than the issue that links: what an edition takes from
other issues is fixed by their order, never by when somebody rendered it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from digest_mailer.core.citation import Doi
from digest_mailer.core.identity import ENGLISH, ArticleKey, IssueId, Language, TopicKey
from digest_mailer.core.issue import Article, Issue

MAX_RELATED = 3


@dataclass(frozen=True, slots=True)
class PastArticle:
    """An article as other issues refer to it."""

    issue: IssueId
    key: ArticleKey
    title: str
    topics: frozenset[TopicKey]
    doi: Doi | None
    language: Language = ENGLISH  # of its title


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """A published issue as other issues refer to it."""

    issue: IssueId
    title: str  # empty when it says no more than the month
    subject: str
    articles: tuple[PastArticle, ...]
    language: Language = ENGLISH  # of title and subject


def index(issues: Iterable[Issue]) -> tuple[ArchiveEntry, ...]:
    """The published issues, newest first."""
    published = (issue for issue in issues if issue.published)
    return tuple(_entry(issue) for issue in sorted(published, key=lambda issue: issue.id, reverse=True))


def before(archive: Sequence[ArchiveEntry], issue: IssueId) -> tuple[ArchiveEntry, ...]:
    """The issues older than this one, newest first."""
    return tuple(entry for entry in archive if entry.issue < issue)


def related(
    articles: Sequence[Article], past: Sequence[ArchiveEntry], limit: int = MAX_RELATED
) -> tuple[PastArticle, ...]:
    """Past articles that share a topic or a DOI with any of these, newest first."""
    topics = {topic for article in articles for topic in article.topics}
    dois = {article.citation.doi.lower() for article in articles if article.citation and article.citation.doi}
    own = {article.key for article in articles}
    found = (
        candidate
        for entry in past
        for candidate in entry.articles
        if candidate.key not in own and (candidate.topics & topics or (candidate.doi or "").lower() in dois)
    )
    return tuple(candidate for candidate, _ in zip(found, range(limit), strict=False))


def _entry(issue: Issue) -> ArchiveEntry:
    articles = tuple(
        PastArticle(issue.id, a.key, a.title, frozenset(a.topics), a.citation.doi if a.citation else None, a.language)
        for a in issue.articles
    )
    title = issue.title if issue.has_own_title else ""
    return ArchiveEntry(issue.id, title, issue.subject, articles, issue.language)
