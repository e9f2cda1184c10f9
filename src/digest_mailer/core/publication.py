"""Who publishes: name, sender, addresses, languages, and the theme's values.

Configuration fills it; an approval freezes the parts that reach a mail (`Sender`) with the edition.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from digest_mailer.core.address import EmailAddress
from digest_mailer.core.identity import ENGLISH, Language

_COLOUR = re.compile(r"#[0-9a-f]{6}")


class NoMatch(StrEnum):
    """What a reader gets whose topics no article of the issue has."""

    SKIP = "skip"  # no mail this month
    ALL = "all"  # the whole issue


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of the mail, as 6-digit hex (MJML copies any other text raw into the style).

    The names say what a colour is for; `dark_*` is its counterpart for readers in dark mode.
    """

    page: str = "#f3f4f0"
    card: str = "#ffffff"
    ink: str = "#1f2933"
    muted: str = "#52606d"
    accent: str = "#0b5563"
    rule: str = "#0b7a75"
    tint: str = "#eef6f4"
    hairline: str = "#d5dcd9"
    dark_page: str = "#11171a"
    dark_card: str = "#1a2226"
    dark_ink: str = "#e6e9eb"
    dark_muted: str = "#aab5be"
    dark_accent: str = "#8ad7cd"
    dark_tint: str = "#1f3232"
    dark_hairline: str = "#38464c"

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not _COLOUR.fullmatch(getattr(self, name)):
                raise ValueError(f"theme.{name} is not a colour like #0b5563: {getattr(self, name)!r}")


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
    no_match: NoMatch = NoMatch.SKIP
    theme: Theme = field(default=Theme())

    @property
    def base_url(self) -> str:
        """Where the archive and the pages of `serve` are, without a trailing slash."""
        return self.sender.base_url

    def language_for(self, wanted: Language) -> Language:
        """The language a reader gets: the wanted one where the publication has it, else its first."""
        return wanted if wanted in self.languages else self.languages[0]
