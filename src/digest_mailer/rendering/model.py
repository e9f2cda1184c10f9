"""What one edition shows, as values that templates only have to write down.

Everything is selected, sorted, formatted and given its address here; a template holds layout and wording,
never a decision. Nothing depends on a reader: three slots stand in for what does (`core.edition.Slot`).
Texts are typed `str`, empty when there is nothing; a missing value cannot reach a mail as `None`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from digest_mailer.core.archive import ArchiveEntry, related
from digest_mailer.core.edition import EditionKey, Slot
from digest_mailer.core.identity import IssueId, Language, TopicKey, month_title
from digest_mailer.core.issue import WORDS_PER_MINUTE, Article, Issue
from digest_mailer.core.publication import Publication
from digest_mailer.core.research_type import ResearchTypes
from digest_mailer.core.topic import Catalogue
from digest_mailer.core.urls import article_url, issue_url, issues_url, topic_url
from digest_mailer.rendering.links import safe_url
from digest_mailer.rendering.markdown import Block, render_block
from digest_mailer.rendering.statistics import keep_together, keep_value_together
from digest_mailer.rendering.templates import Templates

# Headings: 1 the issue, 2 sections, 3 articles, 4 parts of an article; what an author adds goes below these.
BODY_HEADING = 4
PART_HEADING = 5
CALLOUT_WIDTH_PX = 480

_RIGHT_TO_LEFT = ("ar", "fa", "he", "ur", "yi")
_NO_TOPIC = "Other studies"  # only a draft has an article without a topic


@dataclass(frozen=True, slots=True)
class Context:
    """What rendering needs beside the issue: the same for every edition of a publication."""

    publication: Publication
    catalogue: Catalogue
    types: ResearchTypes
    templates: Templates


@dataclass(frozen=True, slots=True)
class Link:
    """Words and where they lead."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class FigureView:
    """A number and what it measures."""

    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class ArticleView:
    """One study. `number` counts from 1 in this edition, and `anchor` is its id in the HTML."""

    number: int
    anchor: str
    title: str
    url: str
    topics: tuple[Link, ...]
    research_type: str
    reading: str
    takeaway: str
    figures: tuple[FigureView, ...]
    body: Block
    implications: Block
    call_to_action: Block
    reference: str
    doi_url: str
    open_access_url: str


@dataclass(frozen=True, slots=True)
class Section:
    """The articles that share their first topic. `url` is empty for articles without one."""

    name: str
    url: str
    articles: tuple[ArticleView, ...]


@dataclass(frozen=True, slots=True)
class EditionModel:
    """One edition as its templates see it."""

    publication: str
    masthead: str
    language: Language
    direction: str  # ltr or rtl
    title: str
    month: str
    subject: str
    preheader: str
    teaser: str
    byline: str
    studies: str  # "3 studies"
    reading: str  # "7 minute read"
    language_notice: str
    contact: Link
    web_url: str
    sections: tuple[Section, ...]
    topics: tuple[Link, ...]  # of all its articles, in catalogue order
    related: tuple[Link, ...]
    previous: tuple[Link, ...]  # one or none
    all_issues_url: str
    postal_address: str
    why: str = Slot.WHY.mark
    unsubscribe_url: str = Slot.UNSUBSCRIBE.mark
    preferences_url: str = Slot.PREFERENCES.mark

    @property
    def articles(self) -> tuple[ArticleView, ...]:
        """All articles in the order of the mail."""
        return tuple(article for section in self.sections for article in section.articles)


def build_model(issue: Issue, key: EditionKey, past: Sequence[ArchiveEntry], context: Context) -> EditionModel:
    """The model of one edition. `past` is published, older than the issue, newest first (`core.archive.before`).

    Raises ValueError for a selection that the issue does not have, ContentError for content that cannot stand
    in a mail.
    """
    publication, base, language = context.publication, context.publication.base_url, key.language
    shown = shown_articles(issue, key)
    topics = context.catalogue.in_words(context.catalogue.words(t for article in shown for t in article.topics))
    return EditionModel(
        publication=publication.name,
        masthead=publication.masthead,
        language=issue.language,
        direction="rtl" if issue.language.split("-")[0] in _RIGHT_TO_LEFT else "ltr",
        title=issue.heading,
        month=month_title(issue.id),
        subject=issue.subject,
        preheader=issue.preheader,
        teaser=_teaser(issue, key),
        byline=f"By {issue.author or publication.author}" if issue.author or publication.author else "",
        studies=f"{len(shown)} {'study' if len(shown) == 1 else 'studies'}",
        reading=_minutes(shown),
        language_notice=publication.language_notice,
        contact=Link(str(publication.contact), safe_url(f"mailto:{publication.contact}")),
        web_url=safe_url(issue_url(base, issue.id, language)),
        sections=_sections(shown, language, context),
        topics=tuple(_topic_link(topic.key, language, context) for topic in topics),
        related=tuple(
            Link(f"{month_title(one.issue)}: {one.title}", safe_url(article_url(base, one.key, language)))
            for one in related(shown, past)
        ),
        previous=tuple(_issue_link(entry, language, context) for entry in past[:1]),
        all_issues_url=safe_url(issues_url(base, language)),
        postal_address=publication.postal_address,
    )


def shown_articles(issue: Issue, key: EditionKey) -> tuple[Article, ...]:
    """The articles of a selection. Raises ValueError for a position that the issue does not have."""
    if not key.positions or not all(1 <= position <= len(issue.articles) for position in key.positions):
        raise ValueError(f"issue {issue.id} has {len(issue.articles)} articles, the edition asks for {key.positions}")
    return tuple(issue.articles[position - 1] for position in key.positions)


def _teaser(issue: Issue, key: EditionKey) -> str:
    """`This month: a, b and c.`; a phrase an article when there are as many, else all of them."""
    phrases = list(issue.teaser)
    if len(phrases) == len(issue.articles):
        phrases = [phrases[position - 1] for position in key.positions]
    if not phrases:
        return ""
    listed = " and ".join([", ".join(phrases[:-1]), phrases[-1]] if phrases[1:] else phrases)
    return f"This month: {listed.rstrip('.')}."


def _minutes(articles: Sequence[Article]) -> str:
    words = sum(article.words for article in articles)
    return f"{max(1, int(words / WORDS_PER_MINUTE + 0.5))} minute read"


def _sections(articles: Sequence[Article], language: Language, context: Context) -> tuple[Section, ...]:
    """Articles by their first topic, topics in the order in which they first appear."""
    groups: dict[TopicKey | None, list[Article]] = {}
    for article in articles:
        groups.setdefault(article.topics[0] if article.topics else None, []).append(article)
    return tuple(_numbered_sections(groups, language, context))


def _numbered_sections(
    groups: dict[TopicKey | None, list[Article]], language: Language, context: Context
) -> Iterator[Section]:
    number = 1
    for topic, articles in groups.items():
        heading = _topic_link(topic, language, context) if topic else Link(_NO_TOPIC, "")
        views = tuple(_article(article, n, language, context) for n, article in enumerate(articles, number))
        number += len(views)
        yield Section(heading.name, heading.url, views)


def _article(article: Article, number: int, language: Language, context: Context) -> ArticleView:
    citation = article.citation
    return ArticleView(
        number=number,
        anchor=f"a{number}",
        title=article.title,
        url=safe_url(article_url(context.publication.base_url, article.key, language)),
        topics=tuple(_topic_link(topic, language, context) for topic in article.topics),
        research_type=context.types.by_key(article.research_type).display(language) if article.research_type else "",
        reading=_minutes([article]),
        takeaway=keep_together(article.takeaway),
        figures=tuple(FigureView(keep_value_together(f.value), keep_together(f.meaning)) for f in article.figures),
        body=render_block(article.body, heading=BODY_HEADING),
        implications=render_block(article.implications, heading=PART_HEADING, image_width=CALLOUT_WIDTH_PX),
        call_to_action=render_block(article.call_to_action, heading=PART_HEADING),
        reference=citation.reference if citation else "",
        doi_url=safe_url(citation.url) if citation and citation.url else "",
        open_access_url=safe_url(article.open_access_url) if article.open_access_url else "",
    )


def _topic_link(key: TopicKey, language: Language, context: Context) -> Link:
    topic = context.catalogue.by_key(key)
    return Link(topic.display(language), safe_url(topic_url(context.publication.base_url, key, language)))


def _issue_link(entry: ArchiveEntry, language: Language, context: Context) -> Link:
    month: str = month_title(IssueId(entry.issue))
    words = [month, entry.subject if entry.heading == month else entry.heading]
    url = issue_url(context.publication.base_url, entry.issue, language)
    return Link(": ".join(word for word in words if word), safe_url(url))
