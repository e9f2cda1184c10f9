"""Drafts: an issue begun from feeds, from DOIs, or from nothing, for its author to go on with.

Nothing is written here. What of a feed is not taken, and why, comes along with the draft.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, tzinfo

from digest_mailer.core.citation import Citation, Doi, parse_doi
from digest_mailer.core.csl import cite, title_of
from digest_mailer.core.draft import Known, Proposal, Words, article, known, propose, stub, unmade
from digest_mailer.core.errors import NothingMatched, UsageError
from digest_mailer.core.feed import Entry, Feed, months_of
from digest_mailer.core.identity import IssueId, next_month, parse_issue_id
from digest_mailer.core.issue import Article, Issue
from digest_mailer.ports import FeedSource, ReferenceSource
from digest_mailer.services.library import Library

STUBS = 2  # articles of an issue that is begun from nothing; most have two or three


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A feed, and what would become of each of its entries."""

    feed: Feed
    proposals: tuple[Proposal, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """An issue that was begun, and what its author should know of it."""

    issue: Issue
    surveyed: tuple[Surveyed, ...] = ()
    made: tuple[tuple[Proposal, Words], ...] = ()  # the entries that became articles
    unresolved: tuple[str, ...] = ()  # why a citation is missing


@dataclass(frozen=True, slots=True)
class Drafter:
    """Begins issues."""

    library: Library
    feeds: FeedSource
    words: Callable[[Entry], Words]
    references: ReferenceSource
    zone: tzinfo
    today: date

    def next_issue(self) -> IssueId:
        """The month after the newest issue; this month when there is none."""
        newest = next(iter(self.library.source.ids()), None)
        issue = next_month(newest) if newest else IssueId(f"{self.today:%Y-%m}")
        if parse_issue_id(issue) is None:
            raise UsageError(f"there is no month after {newest}", "name the issue, like 2023-07")
        return issue

    def survey(
        self, sources: Iterable[str], issue: IssueId | None = None, *, undated: bool = False
    ) -> tuple[Surveyed, ...]:
        """Read feeds and judge their entries: for an issue, or each for its own month."""
        return self._survey(sources, self._known(issue), issue, undated=undated)

    def draft(self, issue: IssueId, sources: Sequence[str], dois: Sequence[str], *, undated: bool = False) -> Draft:
        """Begin an issue. Raises NothingMatched when the feeds have nothing for it, and what reading them raises."""
        wanted = _parsed(dois)
        before = self._known(issue)
        surveyed = self._survey(sources, before, issue, undated=undated)
        made = tuple((one, self.words(one.entry)) for feed in surveyed for one in feed.proposals if one.is_taken)
        if sources and not made:
            raise NothingMatched(f"the feeds have nothing for {issue}", _elsewhere(surveyed, self.zone))
        desk = _Desk(issue, self.references, set(before.keys))
        for proposal, words in made:
            desk.add_entry(proposal, words)
        for doi in wanted:
            desk.add_paper(doi)
        for _ in range(0 if desk.articles else STUBS):
            desk.add(stub(issue, desk.taken))
        return Draft(Issue(issue, tuple(desk.articles)), surveyed, made, tuple(desk.unresolved))

    def _known(self, issue: IssueId | None) -> Known:
        """What other issues hold; the draft takes the place of its own."""
        return known(one for one in self.library.all() if one.id != issue)

    def _survey(
        self, sources: Iterable[str], before: Known, issue: IssueId | None, *, undated: bool
    ) -> tuple[Surveyed, ...]:
        feeds = [self.feeds.read(source) for source in dict.fromkeys(sources)]
        entries = [entry for feed in feeds for entry in feed.entries]
        catalogue = self.library.vocabulary.catalogue
        judged = iter(propose(entries, before, catalogue, self.zone, issue=issue, undated=undated))
        return tuple(Surveyed(feed, tuple(next(judged) for _ in feed.entries)) for feed in feeds)


@dataclass(slots=True)
class _Desk:
    """Where the articles of a draft come together; their keys are taken one by one."""

    issue: IssueId
    references: ReferenceSource
    taken: set[str]
    articles: list[Article] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)

    def add(self, one: Article) -> None:
        """Add an article."""
        self.taken.add(one.key)
        self.articles.append(one)

    def add_entry(self, proposal: Proposal, words: Words) -> None:
        """Add the article of an entry; where it states a DOI and no reference, with that where it can be found."""
        one = article(proposal, words, self.issue, self.taken)
        if doi := unmade(one):
            try:
                item = self.references.find(doi)
                one = replace(one, citation=cite(item, doi)) if item else one
            except NothingMatched as problem:  # the feed may be wrong, and its entry is worth having
                self.unresolved.append(problem.what)
        self.add(one)

    def add_paper(self, doi: Doi) -> None:
        """Add an article on a paper. Raises NothingMatched when there is no such paper."""
        item = self.references.find(doi)
        if item is None:
            self.unresolved.append(f"{doi} was looked up nowhere, or is in no file; --online asks doi.org")
            self.add(stub(self.issue, self.taken, citation=Citation("", doi)))
        else:
            self.add(stub(self.issue, self.taken, title_of(item), cite(item, doi)))


def _parsed(dois: Iterable[str]) -> list[Doi]:
    """DOIs, each once. Raises UsageError for what is none."""
    found: dict[str, Doi] = {}
    for text in dois:
        doi = parse_doi(text)
        if doi is None:
            raise UsageError(f'"{text}" is not a DOI', "like 10.1037/0000358-006, or its address at doi.org")
        found.setdefault(doi.lower(), doi)
    return list(found.values())


def _elsewhere(surveyed: Iterable[Surveyed], zone: tzinfo) -> str:
    """Which months the feeds have, and what was left out for another reason."""
    proposals = [one for feed in surveyed for one in feed.proposals]
    months = months_of((one.entry for one in proposals), zone)
    listed = ", ".join(f"{month} ({count})" for month, count in list(months.items())[:6])
    has = f"they have {listed}" if months else "they have no entry with a date"
    return f"{has}; digest-mailer feed check says what is left out and why"
