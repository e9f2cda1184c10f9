"""A segment as SQL. Means the same as `core.audience.matches`; a property test compares the two."""

from sqlalchemy import Column, and_, exists, false, func, or_, true
from sqlalchemy.sql.elements import ColumnElement

from digest_mailer.adapters.store.tables import person, subscriber
from digest_mailer.core.audience import Segment
from digest_mailer.core.topic import TopicWords

TOPIC_COLUMNS: tuple[Column[int], ...] = tuple(subscriber.c[f"topics_{n}"] for n in range(4))


def in_segment(segment: Segment) -> ColumnElement[bool]:
    """The condition that a row of subscriber joined with person is in the segment."""
    conditions: list[ColumnElement[bool]] = []
    if any(segment.any_topics):
        conditions.append(or_(subscriber.c.all_topics, _shares(segment.any_topics)))
    if any(segment.all_topics):
        conditions.append(or_(subscriber.c.all_topics, _holds(segment.all_topics)))
    if any(segment.no_topics):
        conditions.append(and_(subscriber.c.all_topics.is_(False), ~_shares(segment.no_topics)))
    if segment.languages:
        conditions.append(subscriber.c.language.in_(segment.languages))
    for name, value in segment.attributes.items():
        conditions.append(_has_attribute(name, value))
    return and_(true(), *conditions)


def follows_any() -> ColumnElement[bool]:
    """The condition that a subscriber follows any topic at all."""
    return or_(subscriber.c.all_topics, *(column != 0 for column in TOPIC_COLUMNS))


def _has_attribute(name: str, value: str) -> ColumnElement[bool]:
    """Compared as values: in a JSON path, a quotation mark in the name would be grammar."""
    pairs = func.json_each(person.c.attributes).table_valued("key", "value")
    return exists().select_from(pairs).where(pairs.c.key == name, pairs.c.value == value)


def _shares(words: TopicWords) -> ColumnElement[bool]:
    parts = [c.bitwise_and(word) != 0 for c, word in zip(TOPIC_COLUMNS, words, strict=True) if word]
    return or_(false(), *parts)


def _holds(words: TopicWords) -> ColumnElement[bool]:
    return and_(true(), *(c.bitwise_and(word) == word for c, word in zip(TOPIC_COLUMNS, words, strict=True) if word))
