"""Whom an admin looks for in the list, and a page of those who were found.

What is typed is looked for at the beginning of addresses, or anywhere in addresses and names; neither case nor accents
matter, so that `emilie` finds Émilie. A whole address is looked for as it is kept, with its domain in ASCII. The
database answers by the same meaning; a property test compares it with `finds`.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from digest_mailer.core.address import AddressError, parse_address
from digest_mailer.core.audience import State, Subscriber
from digest_mailer.core.identity import Language
from digest_mailer.core.segment import EVERYBODY, Segment
from digest_mailer.core.topic import TopicWords, union

_Word = TypeVar("_Word")

PAGE = 50  # people on a page


@dataclass(frozen=True, slots=True)
class Search:
    """Whom somebody looks for; all of it must hold."""

    segment: Segment = EVERYBODY
    text: str = ""  # as it was typed
    inside: bool = False  # the text may stand anywhere in the address or the name, not only begin the address

    @property
    def words(self) -> str:
        """The text as it is compared."""
        return folded(self.text)

    @property
    def start(self) -> str:
        """The text as an address begins with it."""
        try:
            return parse_address(self.text).canonical
        except AddressError:
            return self.words

    @property
    def is_countable(self) -> bool:
        """Whether it can be told how many are found without a look at every row of people."""
        return not (self.words or self.segment.attributes or self.segment.issues)


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """People by address, and whether there are more of them on either side."""

    people: Sequence[Subscriber]
    earlier: bool
    later: bool


def finds(search: Search, person: Subscriber) -> bool:
    """Whether the text is found in somebody of the segment."""
    if search.inside:
        words, address = search.words, person.address.canonical
        return words in address or search.start in address or words in folded(person.name)
    return person.address.canonical.startswith(search.start)


def folded(text: str) -> str:
    """A text as it is compared: without case, accents and spaces that nobody sees."""
    parts = unicodedata.normalize("NFD", " ".join(text.split()).casefold())
    return "".join(char for char in parts if not unicodedata.combining(char))


def narrowed(
    segment: Segment,
    states: tuple[State, ...] = (),
    languages: tuple[Language, ...] = (),
    topics: TopicWords | None = None,
) -> Segment | None:
    """Those of a segment who are also in one of these states, read one of these languages and follow all of these
    topics; None where nobody can be."""
    both_states, both_languages = _both(segment.states, states), _both(segment.languages, languages)
    if both_states is None or both_languages is None:
        return None
    every = union((segment.all_topics, topics)) if topics else segment.all_topics
    return replace(segment, states=both_states, languages=both_languages, all_topics=every)


def _both(first: tuple[_Word, ...], second: tuple[_Word, ...]) -> tuple[_Word, ...] | None:
    """What is in both, where an empty one stands for everything; None when nothing is."""
    if not first or not second:
        return first or second
    return tuple(one for one in first if one in second) or None
