"""A segment as SQL, and what else several stores ask.

A segment means the same as `core.audience.matches`; a property test compares the two.
"""

from collections.abc import Sequence

from sqlalchemy import Column, FromClause, and_, case, exists, false, func, or_, true
from sqlalchemy.sql.elements import ColumnElement

from digest_mailer.adapters.store.tables import delivery, person, subscriber
from digest_mailer.core.audience import Segment
from digest_mailer.core.delivery import HandOff
from digest_mailer.core.topic import TopicWords

TOPIC_COLUMNS: tuple[Column[int], ...] = tuple(subscriber.c[f"topics_{n}"] for n in range(4))


def topic_columns(people: FromClause) -> tuple[ColumnElement[int], ...]:
    """The columns of topic words of whatever has the columns of `subscriber`."""
    return tuple(people.c[f"topics_{n}"] for n in range(4))


def in_segment(
    segment: Segment, people: FromClause = subscriber, attributes: ColumnElement[str] = person.c.attributes
) -> ColumnElement[bool]:
    """The condition that a row of people with these attributes is in the segment."""
    columns, everything = topic_columns(people), people.c.all_topics
    conditions: list[ColumnElement[bool]] = []
    if any(segment.any_topics):
        conditions.append(or_(everything, _shares(columns, segment.any_topics)))
    if any(segment.all_topics):
        conditions.append(or_(everything, _holds(columns, segment.all_topics)))
    if any(segment.no_topics):
        conditions.append(and_(everything.is_(False), ~_shares(columns, segment.no_topics)))
    if segment.languages:
        conditions.append(people.c.language.in_(segment.languages))
    for name, value in segment.attributes.items():
        conditions.append(_has_attribute(attributes, name, value))
    return and_(true(), *conditions)


def follows_any(people: FromClause = subscriber) -> ColumnElement[bool]:
    """The condition that somebody follows any topic at all."""
    return or_(people.c.all_topics, *(column != 0 for column in topic_columns(people)))


def fence_of_claimed() -> ColumnElement[int]:
    """The fence of a row that is moved out of a sender's hand, none of another: who has one may have been served."""
    return case((delivery.c.state == HandOff.CLAIMED, delivery.c.fence), else_=0)


def _has_attribute(attributes: ColumnElement[str], name: str, value: str) -> ColumnElement[bool]:
    """Compared as values: in a JSON path, a quotation mark in the name would be grammar."""
    pairs = func.json_each(attributes).table_valued("key", "value")
    return exists().select_from(pairs).where(pairs.c.key == name, pairs.c.value == value)


def _shares(columns: Sequence[ColumnElement[int]], words: TopicWords) -> ColumnElement[bool]:
    parts = [column.bitwise_and(word) != 0 for column, word in zip(columns, words, strict=True) if word]
    return or_(false(), *parts)


def _holds(columns: Sequence[ColumnElement[int]], words: TopicWords) -> ColumnElement[bool]:
    parts = (column.bitwise_and(word) == word for column, word in zip(columns, words, strict=True) if word)
    return and_(true(), *parts)
