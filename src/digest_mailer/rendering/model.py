"""What one edition shows, as values that templates only have to write down.

`rendering.assemble` makes it: everything is selected, sorted, formatted and given its address there, and a
template holds layout and headings, never a decision. Nothing depends on a reader: slots stand in for what does
(`core.edition.Slot`). Texts are typed `str`, empty when there is nothing; a missing value cannot reach a mail
as `None`. What is in another language than the edition carries the attributes that say so.
"""

from dataclasses import dataclass

from markupsafe import Markup

from digest_mailer.core.edition import Slot
from digest_mailer.core.identity import Language
from digest_mailer.core.publication import Publication
from digest_mailer.core.research_type import ResearchTypes
from digest_mailer.core.topic import Catalogue
from digest_mailer.rendering.markdown import Block
from digest_mailer.rendering.templates import Templates

SAME_LANGUAGE = Markup("")


@dataclass(frozen=True, slots=True)
class Context:
    """What rendering needs beside the issue: the same for every edition of a publication."""

    publication: Publication
    catalogue: Catalogue
    types: ResearchTypes
    templates: Templates


@dataclass(frozen=True, slots=True)
class Link:
    """Words and where they lead. `lang` as in ArticleView."""

    name: str
    url: str
    lang: Markup = SAME_LANGUAGE


@dataclass(frozen=True, slots=True)
class FigureView:
    """A number and what it measures."""

    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class ArticleView:
    """One study. `number` counts from 1 in this edition, and `anchor` is its id in the HTML. In a shortened
    edition the texts are empty, and `more` leads to them."""

    number: int
    anchor: str
    lang: Markup  # attributes that name the language of its words; empty when it is the edition's
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
    more: str  # words of the link to the whole article; empty when it is here


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
    wordmark: str
    masthead: str
    language: Language
    direction: str  # ltr or rtl
    lang: Markup  # of title, preheader and teaser, as in ArticleView
    title: str
    month: str
    subject: str
    preheader: str
    teaser: str
    byline: str
    studies: str  # "3 studies"
    reading: str  # "7 minute read"
    notes: tuple[str, ...]  # what a reader should know before reading: shortened, not translated
    language_notice: str
    contact: Link
    web_url: str
    shortened: bool
    sections: tuple[Section, ...]
    topics: tuple[Link, ...]  # of all its articles, in catalogue order
    related: tuple[Link, ...]
    previous: tuple[Link, ...]  # past issues, newest first
    all_issues_url: str
    footer: Block
    postal_address: str
    why: str = Slot.WHY.mark
    unsubscribe_url: str = Slot.UNSUBSCRIBE.mark
    preferences_url: str = Slot.PREFERENCES.mark
    pause_url: str = f"{Slot.PREFERENCES.mark}#pause"

    @property
    def articles(self) -> tuple[ArticleView, ...]:
        """All articles in the order of the mail."""
        return tuple(article for section in self.sections for article in section.articles)
