"""Who publishes: name, sender, addresses, languages, theme.

Configuration fills it; an approval freezes the parts that reach a mail (`Sender`) with the edition.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from digest_mailer.core.address import EmailAddress
from digest_mailer.core.identity import ENGLISH, Language
from digest_mailer.core.theme import Theme

HTML_BUDGET = 92 * 1024  # bytes; beyond it an edition turns to takeaways, well before Gmail's 102 KiB


class NoMatch(StrEnum):
    """What a reader gets whose topics no article of the issue has."""

    SKIP = "skip"  # no mail this month
    ALL = "all"  # the whole issue


@dataclass(frozen=True, slots=True)
class Sender:
    """Everything of the publication that stands in a message's headers and envelope."""

    name: str  # display name of From
    address: EmailAddress
    reply_to: EmailAddress
    list_name: str
    list_id: str  # RFC 2919, without brackets; permanent
    base_url: str  # no trailing slash
    feedback_id: str  # Gmail's SenderId: 5 to 15 characters, permanent
    bounce_mailbox: EmailAddress | None = None  # bounces+TOKEN@ goes there; else From is the return path
    unsubscribe_mailbox: EmailAddress | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """What a publication says of itself in one more language; what is empty stays as it is."""

    name: str = ""
    masthead: str = ""
    masthead_long: str = ""
    author: str = ""
    language_notice: str = ""
    footer: str = ""


@dataclass(frozen=True, slots=True)
class Publication:
    """One newsletter: one directory, one list."""

    sender: Sender
    name: str
    masthead: str  # one sentence, for the mail
    masthead_long: str  # a paragraph, for the archive
    author: str
    language_notice: str
    contact: EmailAddress
    postal_address: str
    timezone: str
    languages: tuple[Language, ...] = (ENGLISH,)
    footer: str = ""  # Markdown, for the foot of the mail: who funds it, a registration, a second way to reach you
    translations: Mapping[Language, Words] = field(default_factory=dict)
    no_match: NoMatch = NoMatch.SKIP
    html_budget: int = HTML_BUDGET  # bytes of HTML that an edition may have before it turns to takeaways
    theme: Theme = field(default=Theme())

    @property
    def base_url(self) -> str:
        """Where the archive and the pages of `serve` are, without a trailing slash."""
        return self.sender.base_url

    def language_for(self, wanted: Language) -> Language:
        """The language a reader gets: the wanted one where the publication has it, else its first."""
        return wanted if wanted in self.languages else self.languages[0]

    def in_language(self, language: Language) -> "Publication":
        """The publication in the words of a language, as far as it has them."""
        words = self.translations.get(language)
        if words is None:
            return self
        said = {name: getattr(words, name) for name in words.__slots__ if getattr(words, name)}
        return replace(self, **said)
