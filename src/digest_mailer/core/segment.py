"""Segments: parts of the list, by what is known of people.

A segment is a flat set of conditions. Each may be empty, then it holds for everybody; several must all hold. So a form
with one field a condition and an expression that somebody types (`core.segment_text`) say the same. The database
answers by the same meaning; a property test compares it with `matches`.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from types import MappingProxyType

from digest_mailer.core.audience import State, Subscriber
from digest_mailer.core.identity import IssueId, Language
from digest_mailer.core.topic import MAX_TOPICS, NO_TOPICS, TopicWords, intersect, words_of

NO_VALUES: Mapping[str, tuple[str, ...]] = MappingProxyType({})
NO_ISSUES: frozenset[IssueId] = frozenset()
EVERY_TOPIC = words_of(range(MAX_TOPICS))
MAX_PAIRS = 100  # values of attributes: SQLite takes 980 attributes, not 1000
MAX_ISSUES = 300  # 25 years


@dataclass(frozen=True, slots=True)
class Segment:
    """Conditions that must all hold, under a name when they are kept."""

    name: str = ""
    any_topics: TopicWords = NO_TOPICS  # follows at least one
    all_topics: TopicWords = NO_TOPICS  # follows every one
    no_topics: TopicWords = NO_TOPICS  # follows not one
    states: tuple[State, ...] = ()  # is in one of them
    languages: tuple[Language, ...] = ()  # reads one of them
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NO_VALUES)  # has one of the values
    joined_from: date | None = None  # that day or later
    joined_before: date | None = None  # earlier than that day
    received: tuple[IssueId, ...] = ()  # got at least one of them
    not_received: tuple[IssueId, ...] = ()  # got not one of them

    @property
    def issues(self) -> tuple[IssueId, ...]:
        """The issues that it asks for, each once."""
        return tuple(dict.fromkeys((*self.received, *self.not_received)))

    @property
    def is_too_large(self) -> bool:
        """Whether it asks for more than a segment can. Nobody can make such a one; older versions let them."""
        return sum(map(len, self.attributes.values())) > MAX_PAIRS or len(self.issues) > MAX_ISSUES


EVERYBODY = Segment("everybody")


def matches(segment: Segment, subscriber: Subscriber, received: Collection[IssueId] = NO_ISSUES) -> bool:
    """Whether the person is in the segment. `received` are the issues that they got; only those that the segment
    asks for (`Segment.issues`) need be there."""
    topics = EVERY_TOPIC if subscriber.all_topics else subscriber.topics
    return (
        (not any(segment.any_topics) or any(intersect(topics, segment.any_topics)))
        and intersect(topics, segment.all_topics) == segment.all_topics
        and not any(intersect(topics, segment.no_topics))
        and (not segment.states or subscriber.state in segment.states)
        and (not segment.languages or subscriber.language in segment.languages)
        and all(subscriber.attributes.get(name) in values for name, values in segment.attributes.items())
        and _joined(segment, subscriber.joined_on)
        and (not segment.received or any(issue in received for issue in segment.received))
        and not any(issue in received for issue in segment.not_received)
    )


def parts(segment: Segment) -> Iterator[Segment]:
    """The conditions one by one, each as a segment of its own; who matches all of them matches the whole."""
    for condition in fields(Segment):
        value = getattr(segment, condition.name)
        if condition.name == "attributes":
            yield from (Segment(attributes={name: values}) for name, values in segment.attributes.items())
        elif condition.name != "name" and value and value != NO_TOPICS:
            yield replace(Segment(), **{condition.name: value})


def _joined(segment: Segment, day: date | None) -> bool:
    """Of somebody whose day is not known, no condition on it holds."""
    start, end = segment.joined_from, segment.joined_before
    return (not start or (day is not None and day >= start)) and (not end or (day is not None and day < end))
