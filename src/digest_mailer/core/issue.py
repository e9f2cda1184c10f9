"""An issue: the articles of one month, as frozen values.

Made from a file by `core.issue_file.parse_issue`; from here on nothing reads the file again. Text fields
are plain text; `Markdown` fields are Markdown with raw HTML off.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NewType

from digest_mailer.core.citation import Citation
from digest_mailer.core.errors import Place
from digest_mailer.core.identity import ENGLISH, ArticleKey, IssueId, Language, TopicKey, month_title
from digest_mailer.core.source import Source

Markdown = NewType("Markdown", str)

WORDS_PER_MINUTE = 238  # silent reading of non-fiction in English: Brysbaert 2019, doi 10.1016/j.jml.2019.104047


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a study: `n = 288`, `d = .58`, an interval; and what it measures."""

    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Article:
    """One study, summarised. Its first topic is the section that it stands in."""

    key: ArticleKey
    title: str
    body: Markdown
    implications: Markdown
    topics: tuple[TopicKey, ...] = ()
    research_type: str = ""  # key of a ResearchType; empty until the author chooses
    citation: Citation | None = None
    takeaway: str = ""
    figures: tuple[Figure, ...] = ()
    open_access_url: str = ""
    call_to_action: Markdown = Markdown("")
    language: Language = ENGLISH  # of its words
    place: Place = field(default=Place(), compare=False)
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)  # of its fields, by their names here

    @property
    def words(self) -> int:
        """Words of title, citation, body and implications."""
        citation = self.citation.text if self.citation else ""
        return sum(len(text.split()) for text in (self.title, citation, self.body, self.implications))

    @property
    def reading_minutes(self) -> int:
        """Minutes to read it, rounded half up, at least 1."""
        return max(1, int(self.words / WORDS_PER_MINUTE + 0.5))


@dataclass(frozen=True, slots=True)
class Issue:
    """One month's issue. A translation of it is an issue too, of which only the words count: its subject,
    preheader, title, teaser and author, and of each article the title, the texts, takeaway and figures."""

    id: IssueId
    articles: tuple[Article, ...]
    subject: str = ""
    preheader: str = ""
    title: str = ""  # empty: the month in words
    teaser: tuple[str, ...] = ()
    author: str = ""  # empty: the publication's
    language: Language = ENGLISH
    published: date | None = None
    translations: tuple["Issue", ...] = ()
    path: str = field(default="", compare=False)
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)
    source: Source = field(default=Source(), compare=False, repr=False)  # what was typed; nothing reads it but rules

    @property
    def heading(self) -> str:
        """The title, or the month in words."""
        return self.title or month_title(self.id)

    @property
    def has_own_title(self) -> bool:
        """Whether its title says more than the month, which every language has words of its own for."""
        return self.title not in ("", month_title(self.id))
