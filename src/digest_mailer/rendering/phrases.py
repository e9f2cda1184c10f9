"""The mail's own words in a language: headings, plurals, months, lists, typography.

English stands in the templates and in this package; `translations/LANGUAGE.po` among the templates holds
another language's words, read by Babel and looked up by gettext. So a publication adds a language, or words
one differently, with one file of its own. An author's words are never translated, only typeset.
"""

import gettext
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Protocol

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from babel.numbers import format_decimal

from digest_mailer.core.errors import ContentError
from digest_mailer.core.identity import ENGLISH, IssueId, Language, issue_month

_INTERNATIONAL_ENGLISH = Locale.parse("en_001")  # lists without the serial comma


class _Translations(Protocol):
    """What `gettext` offers of a language."""

    def gettext(self, message: str) -> str: ...
    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str: ...


@dataclass(frozen=True)
class Phrases:
    """The words of one language."""

    language: Language
    _locale: Locale
    _translations: _Translations

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`."""
        return direction_of(self.language)

    def gettext(self, message: str) -> str:
        """The message in this language, in English where it has no translation."""
        return self._translations.gettext(message)

    def ngettext(self, one: str, many: str, count: int) -> str:
        """The form of a message that fits a number, which stands in it as `{count}`, written as the language does."""
        return self._translations.ngettext(one, many, count).format(count=self.number(count))

    def month(self, issue: IssueId) -> str:
        """An issue's month inside a sentence or a list: `July 2023`, `juillet 2023`."""
        return format_skeleton("yMMMM", issue_month(issue), locale=self._locale)

    def month_title(self, issue: IssueId) -> str:
        """An issue's month as a title: with a capital."""
        month = self.month(issue)
        return month[:1].upper() + month[1:]

    def day(self, day: date) -> str:
        """A day in words: `1 July 2023`, `1 juillet 2023`."""
        return format_date(day, "long", locale=self._locale)

    def moment(self, at: datetime) -> str:
        """A time, short, in the zone that it is given in: `1 Jul 2023, 09:00`."""
        day, time = (format_skeleton(skeleton, at, locale=self._locale) for skeleton in ("yMMMd", "Hm"))
        return f"{day}, {time}"

    def number(self, count: int) -> str:
        """`1,234,567`, `1 234 567`."""
        return format_decimal(count, locale=self._locale)

    def listed(self, items: list[str]) -> str:
        """`a, b and c`."""
        return format_list(items, locale=self._locale)

    def language_name(self, language: Language) -> str:
        """What this language calls another one."""
        return _locale_of(language).get_language_name(self._locale.language) or language


def name_of_language(language: Language) -> str:
    """What a language calls itself, with a capital: `English`, `Français`. The tag of one that nobody has data on."""
    locale = _locale_of(language)
    if locale is _INTERNATIONAL_ENGLISH:
        return language
    name = locale.get_display_name() or language
    return name[:1].upper() + name[1:]


def direction_of(language: Language) -> str:
    """The direction in which a language is written: `ltr` or `rtl`."""
    return _locale_of(language).text_direction


@lru_cache(maxsize=32)
def read_phrases(language: Language, source: str | None) -> Phrases:
    """The words of a language from the text of its .po file; English needs none.

    Raises ContentError when there is none, or when it cannot be read.
    """
    if source is None:
        if language != ENGLISH:
            raise ContentError(
                f'the mail has no words in "{language}"',
                f'add templates/translations/{language}.po, or take "{language}" out of [publication] languages',
            )
        return Phrases(language, _INTERNATIONAL_ENGLISH, gettext.NullTranslations())
    compiled = io.BytesIO()
    try:
        write_mo(compiled, read_po(io.StringIO(source), locale=language, abort_invalid=True))
    except (PoFileError, ValueError, UnknownLocaleError) as problem:
        raise ContentError(
            f"translations/{language}.po cannot be read: {problem}", "correct the file; msgfmt --check says where"
        ) from problem
    compiled.seek(0)
    locale = _INTERNATIONAL_ENGLISH if language == ENGLISH else _locale_of(language)
    return Phrases(language, locale, gettext.GNUTranslations(compiled))


def untranslated(sources: Mapping[str, str], language: Language, complete: Language) -> list[str]:
    """The messages that a language lacks of those that a complete one has; `sources` are the templates'."""
    if language == ENGLISH:
        return []
    wanted, given = (_messages(sources.get(f"translations/{one}.po", "")) for one in (complete, language))
    return [message for message in wanted if message not in given]


def _messages(source: str) -> list[str]:
    """The messages that a .po file translates; a fuzzy one is not translated."""
    catalogue = read_po(io.StringIO(source))
    return [_first(one.id) for one in catalogue if one.id and all(_forms(one.string)) and not one.fuzzy]


def _first(identifier: str | tuple[str, ...] | list[str]) -> str:
    return identifier if isinstance(identifier, str) else identifier[0]


def _forms(translation: str | tuple[str, ...] | list[str] | None) -> Sequence[str]:
    return translation if isinstance(translation, (tuple, list)) else [translation or ""]


@lru_cache(maxsize=32)
def _locale_of(language: Language) -> Locale:
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):  # a tag that is well formed but that nobody has data on
        return _INTERNATIONAL_ENGLISH
