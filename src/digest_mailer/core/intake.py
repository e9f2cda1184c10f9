"""Rows of an import as plain tuples: a million objects would take longer to make than to store.

`subscriber_row` says what a row means, as a `Candidate`; this is the same in the form in which a million of them move.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from digest_mailer.core.audience import Candidate, Reject
from digest_mailer.core.identity import ENGLISH, Language

# What an import says of somebody beside who they are and what they follow: state, end of a pause, language (empty when
# it does not say), source and day of consent, day of joining; days as they are written. Few are different, so they are
# counted, not repeated.
Standing = tuple[str, str | None, str, str, str, str]

# What somebody follows: 1 for all topics, else 0, and the words of topics. No bool, which sqlite3 would first look for
# a way to adapt.
Follows = tuple[int, ...]

# A row that can be used: its number, the typed address, name, attributes as JSON, what it follows, standing.
IntakeRow = tuple[int, str, str, str, Follows, Standing]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of an import."""

    rows: Sequence[IntakeRow]
    rejects: Sequence[Reject] = ()
    named: Sequence[tuple[int, str]] = ()  # number and typed address of rows that were rejected for something else
    read: int = 0  # rows of the file


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a list, and what it was taken for."""

    name: str
    fields: tuple[str, ...] = ()  # more than one where another program's column says several things
    attribute: str = ""  # its name, where the column is one
    clear: bool = True  # whether that is certain; else somebody has to say
    example: str = ""  # the first text in it


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an import comes from, for the record."""

    source: str  # name of the file
    digest: str  # SHA-256 of the file
    actor: str = ""
    rejected: int = 0  # rows
    language: Language = ENGLISH  # of new people where the file does not say


def row_of(person: Candidate) -> IntakeRow:
    """The candidate as a row."""
    attributes = attributes_text(person.attributes)
    return (person.row, person.address.typed, person.name, attributes, follows_of(person), standing_of(person))


def follows_of(person: Candidate) -> Follows:
    """What the person follows."""
    return (int(person.all_topics), *person.topics)


def standing_of(person: Candidate) -> Standing:
    """The part of a row that many share."""
    until = person.paused_until.isoformat() if person.paused_until else None
    day = person.consent.given_on.isoformat()
    joined = person.joined_on.isoformat() if person.joined_on else day
    return (str(person.state), until, person.language or "", person.consent.source, day, joined)


def attributes_text(attributes: Mapping[str, str]) -> str:
    """Attributes as they are stored: equal ones as equal texts."""
    return json.dumps(dict(attributes), ensure_ascii=False, sort_keys=True) if attributes else "{}"
