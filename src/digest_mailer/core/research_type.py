"""The second axis beside topics: how a study was made (review, trial, survey, ...)."""

from collections.abc import Iterator
from dataclasses import dataclass

from digest_mailer.core.errors import did_you_mean
from digest_mailer.core.identity import ENGLISH, Language


@dataclass(frozen=True, slots=True)
class ResearchType:
    """One type of research; the key is permanent."""

    key: str
    name: str
    name_fr: str = ""

    def display(self, language: Language = ENGLISH) -> str:
        """The name in the reader's language, in English where there is no other."""
        return self.name_fr if language == "fr" and self.name_fr else self.name


@dataclass(frozen=True, slots=True)
class ResearchTypes:
    """All types, found by key or name without regard to case."""

    types: tuple[ResearchType, ...]

    def __iter__(self) -> Iterator[ResearchType]:
        return iter(self.types)

    def find(self, name: str) -> ResearchType | None:
        """The type with this key or name."""
        folded = " ".join(name.split()).casefold()
        return next((t for t in self.types if folded in (t.key.casefold(), t.name.casefold())), None)

    def by_key(self, key: str) -> ResearchType:
        """The type with this key; KeyError when there is none."""
        for one in self.types:
            if one.key == key:
                return one
        raise KeyError(key)

    def suggest(self, name: str) -> str:
        """A did-you-mean sentence for a name that was not found."""
        return did_you_mean(name, [n for t in self.types for n in (t.name, t.key)])
