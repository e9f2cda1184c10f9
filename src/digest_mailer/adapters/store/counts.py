"""How many people of a segment are in each state.

What a segment asks of topics, language, state and the day of joining stands in `ix_subscriber_audience`, so a million
people are counted without a look at one row. Nearly everybody is active and follows topics by name: they are counted
from an index of their own (`ix_subscriber_active`), which spares a look at both for each of them. Attributes and
issues need the rows of `person`. Who was erased has none, and is in no segment.
"""

from collections import Counter
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    false,
    func,
    literal,
    select,
    text,
    true,
    union_all,
)

from digest_mailer.adapters.store.conditions import View, asks_person, in_order_of_ids, in_segment
from digest_mailer.adapters.store.tables import ACTIVE_BY_TOPIC, person, subscriber
from digest_mailer.core.audience import State
from digest_mailer.core.segment import Segment


def count(connection: Connection, segment: Segment) -> dict[State, int]:
    """People by state; a state without any is left out."""
    queries = [_of_people(segment)] if asks_person(segment) else _of_index(segment)
    found = Counter[State]()
    for row in connection.execute(union_all(*queries)):
        found[State(row.state)] += row.people
    return {state: people for state, people in found.items() if people}


def _of_people(segment: Segment) -> Select[Any]:
    """By the rows of people: all of them, unless only few states are asked for."""
    state: ColumnElement[str] = subscriber.c.state
    if not segment.states or State.ACTIVE in segment.states:
        state = func.coalesce(state, "")  # no index has this
    query = _people(state.label("state")).select_from(subscriber.join(person))
    query = query.where(in_order_of_ids(), in_segment(replace(segment, states=()))).group_by(state)
    return query.where(state.in_(segment.states)) if segment.states else query


def _of_index(segment: Segment) -> list[Select[Any]]:
    states = [state for state in segment.states or State if state is not State.ERASED]
    rest, queries = replace(segment, states=()), []
    if State.ACTIVE in states and _of_first_word(segment):
        states.remove(State.ACTIVE)
        everything = (subscriber.c.state == State.ACTIVE, subscriber.c.all_topics.is_(True))
        queries = [
            _active().where(text(ACTIVE_BY_TOPIC), in_segment(rest, View(everything=false()))),
            _active().where(*everything, in_segment(rest, View(everything=true()))),
        ]
    return [*queries, _by_state().where(subscriber.c.state.in_(states), in_segment(rest))]


def _of_first_word(segment: Segment) -> bool:
    """Whether the index of active people tells all that is asked."""
    topics = (segment.any_topics, segment.all_topics, segment.no_topics)
    return not (segment.joined_from or segment.joined_before or any(any(words[1:]) for words in topics))


def _by_state() -> Select[Any]:
    return _people(subscriber.c.state).select_from(subscriber).group_by(subscriber.c.state)


def _active() -> Select[Any]:
    return _people(literal(str(State.ACTIVE)).label("state")).select_from(subscriber)


def _people(state: ColumnElement[str]) -> Select[Any]:
    columns: list[ColumnElement[Any]] = [state, func.count().label("people")]
    return select(*columns)
