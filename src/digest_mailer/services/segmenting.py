"""Segments as people name them: by a kept name or by an expression; keeping them; and why somebody is in one or not.

What the command and the pages do to segments goes through here, so both refuse the same with the same sentences. A page
was made for one meaning of a segment and says which when its form comes back (`mark`), so that of two windows that save
something different the second is told, and changes nothing.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from digest_mailer.core.audience import Subscriber
from digest_mailer.core.errors import ChangedMeanwhileError, NothingMatched, UsageError, did_you_mean
from digest_mailer.core.identity import IssueId, is_key
from digest_mailer.core.segment import EVERYBODY, Segment, matches, parts
from digest_mailer.core.segment_form import Condition, Draft, read_pair, words, write_pair
from digest_mailer.core.segment_text import looks_like_expression, parse, write
from digest_mailer.core.topic import Catalogue
from digest_mailer.ports import Clock, Segments
from digest_mailer.services.library import Library

Said = Mapping[Condition, Iterable[str]]  # a segment as a form has it

ADDRESSES = ("new", "count")  # of pages that stand where a segment's own would


@dataclass(frozen=True, slots=True)
class Reason:
    """One condition, and one person beside it."""

    part: Segment  # the condition alone
    condition: str  # the same as an expression
    holds: bool
    has: tuple[str, ...]  # what is known of the person
    everything: bool = False  # asked for topics: the person follows all of them


def find_segment(segments: Segments, said: str | None, library: Library) -> Segment:
    """The segment of this name or expression, everybody for none. Raises NothingMatched with a did-you-mean for an
    unknown name, UsageError with a column for an expression that cannot be read, and for a kept one that is too large
    for the database."""
    if not said or said == EVERYBODY.name:
        return EVERYBODY
    if looks_like_expression(said):
        return parse(said, library.vocabulary.catalogue, said)
    found = kept(segments, said)
    if found.is_too_large:
        raise UsageError(f"{said} asks for too much to be counted", "remove it, or leave some of its conditions out")
    return found


def kept(segments: Segments, name: str) -> Segment:
    """The segment of this name. Raises NothingMatched with a did-you-mean when there is none."""
    found = segments.get(name)
    if found is None:
        raise unknown(segments, name)
    return found


def unknown(segments: Segments, name: str) -> NothingMatched:
    """What to say when there is no segment of this name."""
    known = [segment.name for segment in segments.all()]
    hint = did_you_mean(name, known) or f"segments: {', '.join(known) or 'none yet; see segments add'}"
    return NothingMatched(f'there is no segment "{name}"', hint)


def from_words(said: Said, catalogue: Catalogue, name: str = "") -> Segment:
    """The segment of these words, those of attributes as `NAME=VALUE` pairs. Raises UsageError like `Draft.add`."""
    draft = Draft(catalogue)
    for condition, values in said.items():
        for value in values:
            attribute, word = read_pair(value) if condition is Condition.ATTRIBUTE else ("", value)
            draft.add(condition, word, attribute)
    return draft.segment(name)


def in_words(segment: Segment, catalogue: Catalogue) -> Said:
    """The words of a segment; `from_words` makes the same of them."""
    said: dict[Condition, list[str]] = {}
    for condition, attribute, values in words(segment, catalogue):
        pairs = (write_pair(attribute, value) for value in values)
        said.setdefault(condition, []).extend(pairs if condition is Condition.ATTRIBUTE else values)
    return said


def add(segments: Segments, segment: Segment, actor: str, clock: Clock) -> None:
    """Keep a new segment. Raises UsageError for what cannot be a name, and for one that is taken."""
    name = segment.name
    if not is_key(name) or name == EVERYBODY.name or name in ADDRESSES:
        raise UsageError(
            f'"{name}" cannot name a segment', "use lower-case letters, digits and hyphens, like trauma-fr"
        )
    if not segments.add(segment, actor, clock.now()):
        raise UsageError(f'there is a segment "{name}" already', "choose another name, or edit that one")


def edit(segments: Segments, segment: Segment, actor: str, clock: Clock, seen: str = "") -> None:
    """Give a kept segment another meaning. Raises NothingMatched when there is none of the name, ChangedMeanwhileError
    when it does not mean what a page was made for."""
    before = _seen(segments, segment.name, seen)
    if not segments.edit(segment, actor, clock.now(), before if seen else None):
        raise unknown(segments, segment.name)


def remove(segments: Segments, name: str, actor: str, clock: Clock, seen: str = "") -> None:
    """Forget a kept segment; nothing happens to its people. Raises like `edit`."""
    before = _seen(segments, name, seen)
    if not segments.remove(name, actor, clock.now(), before if seen else None):
        raise unknown(segments, name)


def mark(segment: Segment) -> str:
    """Names the meaning of a segment that a page was made for."""
    return hashlib.sha256(repr(segment).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def explain(segment: Segment, person: Subscriber, segments: Segments, catalogue: Catalogue) -> list[Reason]:
    """Every condition beside what is known of the person; they are in the segment when all of them hold."""
    received = segments.received(person.id, segment.issues)
    return [_reason(part, person, received, catalogue) for part in parts(segment)]


def _seen(segments: Segments, name: str, seen: str) -> Segment:
    """The segment as it is, when it is still what was seen."""
    before = kept(segments, name)
    if seen and seen != mark(before):
        raise ChangedMeanwhileError(f"the segment {name} was changed meanwhile", "look at it again")
    return before


def _reason(part: Segment, person: Subscriber, received: frozenset[IssueId], catalogue: Catalogue) -> Reason:
    condition, attribute, _ = next(words(part, catalogue))
    has: tuple[str, ...]
    everything = False
    match condition:
        case Condition.ANY | Condition.ALL | Condition.NONE:
            everything = person.all_topics
            has = tuple(topic.key for topic in catalogue.in_words(person.topics)) if not everything else ()
        case Condition.STATE:
            has = (person.state,)
        case Condition.LANGUAGE:
            has = (person.language,)
        case Condition.ATTRIBUTE:
            has = (person.attributes[attribute],) if attribute in person.attributes else ()
        case Condition.JOINED_FROM | Condition.JOINED_BEFORE:
            has = (str(person.joined_on),) if person.joined_on else ()
        case Condition.RECEIVED | Condition.NOT_RECEIVED:
            has = tuple(sorted(received.intersection(part.issues)))
    return Reason(part, write(part, catalogue), matches(part, person, received), has, everything)
