"""A segment as SQL, and what else several stores ask.

A segment means the same as `core.segment.matches`; a property test compares the two.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, FromClause, Row, and_, exists, false, func, not_, or_, true
from sqlalchemy.sql.elements import ColumnElement

from digest_mailer.adapters.store.tables import delivery, person, received_later, subscriber
from digest_mailer.core.delivery import HandOff
from digest_mailer.core.identity import IssueId
from digest_mailer.core.segment import Segment
from digest_mailer.core.topic import TopicWords

TOPIC_COLUMNS: tuple[Column[int], ...] = tuple(subscriber.c[f"topics_{n}"] for n in range(4))
_NO_ID = -1  # less than all
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_ .-]+")


@dataclass(frozen=True, slots=True)
class View:
    """Where the conditions of a segment look. With a wave, what people received is what they had when it was made."""

    people: FromClause = subscriber
    own: FromClause = person  # attributes and address
    everything: ColumnElement[bool] = subscriber.c.all_topics  # who follows all topics
    wave: Row[Any] | None = None


NOW = View()


def topic_columns(people: FromClause) -> tuple[ColumnElement[int], ...]:
    """The columns of topic words of whatever has the columns of `subscriber`."""
    return tuple(people.c[f"topics_{n}"] for n in range(4))


def in_segment(segment: Segment, view: View = NOW) -> ColumnElement[bool]:
    """The condition that somebody is in the segment."""
    people, columns = view.people, topic_columns(view.people)
    conditions: list[ColumnElement[bool]] = []
    if any(segment.any_topics):
        conditions.append(or_(view.everything, _shares(columns, segment.any_topics)))
    if any(segment.all_topics):
        conditions.append(or_(view.everything, _holds(columns, segment.all_topics)))
    if any(segment.no_topics):
        conditions.append(and_(not_(view.everything), _lacks(columns, segment.no_topics)))
    if segment.states:
        conditions.append(people.c.state.in_(segment.states))
    if segment.languages:
        conditions.append(people.c.language.in_(segment.languages))
    if segment.joined_from:
        conditions.append(people.c.joined_on >= segment.joined_from)
    if segment.joined_before:
        conditions.append(people.c.joined_on < segment.joined_before)
    conditions += (_has_attribute(view.own.c.attributes, *pair) for pair in segment.attributes.items())
    if segment.received:
        conditions.append(_received(view, segment.received))
    if segment.not_received:
        conditions.append(not_(_received(view, segment.not_received)))
    return and_(true(), *conditions)


def in_order_of_ids() -> ColumnElement[bool]:
    """A condition that always holds, and has people read in the order of ids, in which they and the ledger stand on the
    disk. In the order of an index, each row would be fetched from another place."""
    return subscriber.c.id > _NO_ID


def asks_person(segment: Segment) -> bool:
    """Whether the segment asks for more than stands in `subscriber`: a query must join `person` then."""
    return bool(segment.attributes or segment.issues)


def follows_any(people: FromClause = subscriber) -> ColumnElement[bool]:
    """The condition that somebody follows any topic at all."""
    return or_(people.c.all_topics, *(column != 0 for column in topic_columns(people)))


def _received(view: View, issues: Sequence[IssueId]) -> ColumnElement[bool]:
    """The ledger has an accepted row of one of the issues, of the person or of their address: who comes back after an
    erasure has another id."""
    mine = delivery.c.subscriber_id == view.people.c.id
    of_address = delivery.c.address_hash == view.own.c.address_hash
    conditions: list[ColumnElement[bool]] = [delivery.c.issue.in_(issues), delivery.c.state == HandOff.ACCEPTED]
    if view.wave is not None:
        of_row = (received_later.c.wave_id == view.wave.id, received_later.c.delivery_id == delivery.c.id)
        conditions += [delivery.c.id <= view.wave.last_delivery, ~exists().where(*of_row)]
    return or_(exists().where(mine, *conditions), exists().where(of_address, *conditions))


def _has_attribute(attributes: ColumnElement[str], name: str, values: Sequence[str]) -> ColumnElement[bool]:
    """Compared as values where a name could be grammar of a JSON path, as with a quotation mark in it."""
    if not values:
        return true()
    if _PLAIN_NAME.fullmatch(name):
        return func.json_extract(attributes, f'$."{name}"').in_(values)
    pairs = func.json_each(attributes).table_valued("key", "value")
    return exists().select_from(pairs).where(pairs.c.key == name, pairs.c.value.in_(values))


def _shares(columns: Sequence[ColumnElement[int]], words: TopicWords) -> ColumnElement[bool]:
    parts = [column.bitwise_and(word) != 0 for column, word in zip(columns, words, strict=True) if word]
    return or_(false(), *parts)


def _lacks(columns: Sequence[ColumnElement[int]], words: TopicWords) -> ColumnElement[bool]:
    parts = [column.bitwise_and(word) == 0 for column, word in zip(columns, words, strict=True) if word]
    return and_(true(), *parts)


def _holds(columns: Sequence[ColumnElement[int]], words: TopicWords) -> ColumnElement[bool]:
    parts = (column.bitwise_and(word) == word for column, word in zip(columns, words, strict=True) if word)
    return and_(true(), *parts)
