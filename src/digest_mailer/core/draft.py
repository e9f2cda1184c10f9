"""A draft: what of a feed becomes an article of an issue, what does not, and why.

A draft is an issue that its author goes on writing. What nobody knows yet stands there as TODO, so that the file can
be read and `lint` names what is left; nothing is made up. Where an entry came from stays at the end of its summary, as
a link that readers see too: there is no field for it, because only words of the issue reach a mail, and by that link
(or by its title) the entry is known again next month.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum
from urllib.parse import urlsplit

from digest_mailer.core.citation import Citation, Doi, find_doi
from digest_mailer.core.feed import Entry, month_of
from digest_mailer.core.identity import ArticleKey, IssueId, TopicKey, free_key
from digest_mailer.core.issue import Article, Issue, Markdown
from digest_mailer.core.markup import dissect
from digest_mailer.core.topic import Catalogue

TITLE = "TODO: the title of the article"
SUMMARY = Markdown("TODO: what was studied, how, and what was found.")
_NOTHING = Markdown("")
IMPLICATIONS = Markdown("TODO: what a clinician can do with it.")


MOST_HINTS = 500  # categories that are no topic; each costs a comparison with every topic


class Reason(StrEnum):
    """Why an entry is left out."""

    EMPTY = "empty"
    UNDATED = "undated"
    OTHER_MONTH = "other month"
    PUBLISHED = "published"
    TWICE = "twice"


@dataclass(frozen=True, slots=True)
class Words:
    """What an entry's content says, as an issue file has it."""

    summary: Markdown = _NOTHING
    implications: Markdown = _NOTHING
    citation: str = ""
    removed: tuple[str, ...] = ()  # what had no place in it


@dataclass(frozen=True, slots=True)
class Proposal:
    """One entry, and what would become of it."""

    entry: Entry
    month: IssueId | None = None
    topics: tuple[TopicKey, ...] = ()
    unmatched: tuple[tuple[str, str], ...] = ()  # categories that are no topic, each with a suggestion
    reason: Reason | None = None  # why it is left out
    why: str = ""

    @property
    def is_taken(self) -> bool:
        """Whether it becomes an article."""
        return self.reason is None


@dataclass(frozen=True, slots=True)
class Known:
    """What the issues hold already: titles and links as they are compared, keys as they are."""

    titles: Mapping[str, IssueId]
    links: Mapping[str, IssueId]
    keys: frozenset[ArticleKey]


def known(issues: Iterable[Issue]) -> Known:
    """What all these issues hold."""
    titles: dict[str, IssueId] = {}
    links: dict[str, IssueId] = {}
    keys: set[ArticleKey] = set()
    for issue in issues:
        for article in issue.articles:
            titles.setdefault(_title(article.title), issue.id)
            keys.add(article.key)
            for address in (*_addresses(article.body), article.open_access_url):
                links.setdefault(_address(address), issue.id)
    return Known({title: of for title, of in titles.items() if title}, links, frozenset(keys))


def propose(
    entries: Sequence[Entry],
    before: Known,
    catalogue: Catalogue,
    zone: tzinfo,
    *,
    issue: IssueId | None = None,
    undated: bool = False,
) -> list[Proposal]:
    """Judge every entry, in their order: those of the issue's month are taken, or of any month when none is named."""
    topics = _Topics(catalogue)
    taken: set[str] = set()
    proposals = []
    for entry in entries:
        month = month_of(entry, zone)
        reason, why = _judged(entry, month, before, taken, issue, undated=undated)
        if reason is None:
            taken |= _marks(entry)
        proposals.append(Proposal(entry, month, *topics.of(entry.categories), reason, why))
    return proposals


def _judged(
    entry: Entry, month: IssueId | None, before: Known, taken: set[str], issue: IssueId | None, *, undated: bool
) -> tuple[Reason | None, str]:
    if not (entry.title or entry.content):
        return Reason.EMPTY, "it has neither a title nor a text"
    if month is None and not undated:
        return Reason.UNDATED, entry.undated or "it has no date"
    if issue and month and month != issue:
        return Reason.OTHER_MONTH, f"it is of {month}"
    if link := entry.link and before.links.get(_address(entry.link)):
        return Reason.PUBLISHED, f"issue {link} has its link"
    if title := before.titles.get(_title(entry.title)):
        return Reason.PUBLISHED, f"issue {title} has its title"
    if not taken.isdisjoint(_marks(entry)):
        return Reason.TWICE, "it stands there before"
    return None, ""


def _marks(entry: Entry) -> set[str]:
    """By what an entry is known again."""
    return {mark for mark in (_title(entry.title), _address(entry.link)) if mark}


def _title(title: str) -> str:
    """A title as it is compared: letters and digits."""
    return " ".join("".join(char if char.isalnum() else " " for char in title.casefold()).split())


def _address(link: str) -> str:
    """A link as it is compared: http or https, with a slash at its end or without, wherever a reader came from."""
    try:
        parts = urlsplit(link.strip())
    except ValueError:
        return link
    query = "&".join(one for one in parts.query.split("&") if one and not one.startswith("utm_"))
    return f"//{parts.netloc.lower()}{parts.path.rstrip('/')}?{query}" if parts.netloc else ""


def _addresses(body: str) -> Iterable[str]:
    return (link.address for link in dissect(body).links) if "://" in body else ()


class _Topics:
    """Categories as topics; each is looked up once, since feeds repeat them."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._hints: dict[str, str] = {}

    def of(self, categories: Iterable[str]) -> tuple[tuple[TopicKey, ...], tuple[tuple[str, str], ...]]:
        """The topics that are meant, and the categories that are none, each with a suggestion."""
        keys: dict[TopicKey, None] = {}
        unmatched: dict[str, str] = {}
        for category in categories:
            topic = self._catalogue.find(category)
            if topic and not topic.retired:
                keys[topic.key] = None
            else:
                unmatched[category] = f"{topic.name} is retired" if topic else self._hint(category)
        return tuple(keys), tuple(unmatched.items())

    def _hint(self, category: str) -> str:
        if category not in self._hints and len(self._hints) < MOST_HINTS:
            self._hints[category] = self._catalogue.suggest(category)
        return self._hints.get(category, "")


def article(proposal: Proposal, words: Words, month: IssueId, taken: Collection[str]) -> Article:
    """The article that an entry becomes. Type and takeaway are the author's to find."""
    entry = proposal.entry
    doi = find_doi(words.citation) or entry.doi
    citation = Citation(words.citation, doi) if words.citation or doi else None
    return Article(
        key=free_key(entry.title, f"article-{month}", taken),
        title=entry.title or TITLE,
        body=_sourced(words.summary or SUMMARY, entry.link),
        implications=words.implications or IMPLICATIONS,
        topics=proposal.topics,
        citation=citation,
    )


def stub(month: IssueId, taken: Collection[str], title: str = "", citation: Citation | None = None) -> Article:
    """An article that is still to be written."""
    key = free_key(title, f"article-{month}", taken)
    return Article(key, title or TITLE, SUMMARY, IMPLICATIONS, citation=citation)


def unmade(article: Article) -> Doi | None:
    """The DOI of an article that has no more of a citation yet."""
    citation = article.citation
    return citation.doi if citation and not citation.text else None


def _sourced(body: Markdown, link: str) -> Markdown:
    """A summary that says at its end where it is from; a DOI stands in the citation."""
    host = urlsplit(link).hostname or ""
    if not host or host in ("doi.org", "dx.doi.org"):
        return body
    return Markdown(f"{body}\n\nSource: [{host.removeprefix('www.')}]({link})")
