"""Segments as people name them: by a kept name or by an expression; and why somebody is in one or not."""

from dataclasses import dataclass

from digest_mailer.core.audience import Subscriber
from digest_mailer.core.errors import NothingMatched, did_you_mean
from digest_mailer.core.identity import IssueId
from digest_mailer.core.segment import EVERYBODY, Segment, matches, parts
from digest_mailer.core.segment_form import Condition, words
from digest_mailer.core.segment_text import looks_like_expression, parse, write
from digest_mailer.core.topic import Catalogue
from digest_mailer.ports import Segments
from digest_mailer.services.library import Library


@dataclass(frozen=True, slots=True)
class Reason:
    """One condition, and one person beside it."""

    condition: str  # as an expression
    holds: bool
    has: str  # what is known of the person


def find_segment(segments: Segments, said: str | None, library: Library) -> Segment:
    """The segment of this name or expression, everybody for none. Raises NothingMatched with a did-you-mean for an
    unknown name, UsageError with a column for an expression that cannot be read."""
    if not said or said == EVERYBODY.name:
        return EVERYBODY
    if looks_like_expression(said):
        return parse(said, library.vocabulary.catalogue, said)
    found = segments.get(said)
    if found is None:
        raise unknown(segments, said)
    return found


def unknown(segments: Segments, name: str) -> NothingMatched:
    """What to say when there is no segment of this name."""
    known = [segment.name for segment in segments.all()]
    hint = did_you_mean(name, known) or f"segments: {', '.join(known) or 'none yet; see segments add'}"
    return NothingMatched(f'there is no segment "{name}"', hint)


def explain(segment: Segment, person: Subscriber, segments: Segments, catalogue: Catalogue) -> list[Reason]:
    """Every condition beside what is known of the person; they are in the segment when all of them hold."""
    received = segments.received(person.id, segment.issues)
    return [
        Reason(write(part, catalogue), matches(part, person, received), _has(part, person, received, catalogue))
        for part in parts(segment)
    ]


def _has(part: Segment, person: Subscriber, received: frozenset[IssueId], catalogue: Catalogue) -> str:
    """What the person has of what a single condition asks for."""
    condition, attribute, _ = next(words(part, catalogue))
    match condition:
        case Condition.ANY | Condition.ALL | Condition.NONE:
            followed = "; ".join(topic.name for topic in catalogue.in_words(person.topics))
            return "all topics" if person.all_topics else followed or "no topic"
        case Condition.STATE:
            return str(person.state)
        case Condition.LANGUAGE:
            return person.language
        case Condition.ATTRIBUTE:
            return person.attributes.get(attribute, "nothing")
        case Condition.JOINED_FROM | Condition.JOINED_BEFORE:
            return str(person.joined_on or "a day that is not known")
        case Condition.RECEIVED | Condition.NOT_RECEIVED:
            return ", ".join(sorted(received.intersection(part.issues))) or "none of them"
