"""Pages of a long list of people, by address, with no other cost than their own.

A page begins behind an address (or ends before one), never at a number. Most filters hold for many people, so a page
is soon full when the list is read on from there; that is tried first, over `WINDOW` people. Where it is not full by
then, those who are looked for are few: they are collected by the index of states or in the order of ids, which costs
the same wherever they are, and sorted.

An address or a name is looked for as `core.people_search` says. Most names are plain ASCII, which SQLite compares by
itself; only others are folded, by a function of ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, LargeBinary, Select, and_, cast, func, or_, select, true
from sqlalchemy.sql.elements import ColumnElement

from digest_mailer.adapters.store.conditions import View, asks_person, in_segment
from digest_mailer.adapters.store.database import sqlite
from digest_mailer.adapters.store.tables import person, subscriber
from digest_mailer.core.audience import State
from digest_mailer.core.identity import SubscriberId
from digest_mailer.core.people_search import Search, folded
from digest_mailer.core.segment import Segment

WINDOW = 4000  # people that are looked at one after the other: a few milliseconds
_FOLDED = "folded_name"
_BEHIND_ALL = "\U0010ffff"  # no address holds it
_ADDRESS = person.c.canonical
_ANYWHERE: ColumnElement[str] = func.coalesce(_ADDRESS, "")  # no index has this
_IN_ORDER_OF_IDS = person.c.subscriber_id > -1  # always holds; else SQLite might read rows in the order of addresses


def ids_behind(connection: Connection, search: Search, address: str, limit: int) -> Sequence[SubscriberId]:
    """The first people whose address stands behind this one, up to a limit."""
    return _ids(connection, search, address, limit, backward=False)


def ids_before(connection: Connection, search: Search, address: str, limit: int) -> Sequence[SubscriberId]:
    """The last people whose address stands before this one, up to a limit, by address."""
    return _ids(connection, search, address, limit, backward=True)[::-1]


def looked_for(connection: Connection, search: Search) -> ColumnElement[bool]:
    """The condition that the text of a search is found in somebody, for this connection."""
    words, start = search.words, search.start
    if not words:
        return true()
    if not search.inside:
        return and_(start <= _ADDRESS, start + _BEHIND_ALL > _ADDRESS)
    sqlite(connection).create_function(_FOLDED, 1, folded, deterministic=True)
    other = func.length(person.c.name) != func.length(cast(person.c.name, LargeBinary))
    return or_(
        *(_ADDRESS.contains(one, autoescape=True) for one in {words, start}),
        person.c.name.contains(words, autoescape=True),
        and_(other, func.instr(getattr(func, _FOLDED)(person.c.name), words) > 0),
    )


def _ids(connection: Connection, search: Search, address: str, limit: int, *, backward: bool) -> list[SubscriberId]:
    span = _Span.of(search, address, backward=backward)
    edge = _edge(connection, span, backward=backward)
    text = looked_for(connection, search) if search.inside else true()  # else the span says it
    near = [span.up_to(edge, backward=backward).holds(_ADDRESS), text, _in(search.segment)]
    found = _run(connection, near, _ADDRESS, limit, backward=backward)
    if len(found) == limit or edge is None:
        return found
    wanted = and_(_IN_ORDER_OF_IDS, _in(search.segment)) if _asks_rows(search) else _among(search.segment)
    return _run(connection, [span.holds(_ANYWHERE), text, wanted], _ANYWHERE, limit, backward=backward)


@dataclass(frozen=True, slots=True)
class _Span:
    """From one address to another: of two bounds on one side SQLite might search by the wider one."""

    low: str
    high: str
    with_low: bool = False
    with_high: bool = False

    @classmethod
    def of(cls, search: Search, address: str, *, backward: bool) -> "_Span":
        """What lies before or behind an address of what begins with the text of a search."""
        begins = "" if search.inside else search.start
        span = cls(begins, begins + _BEHIND_ALL, with_low=True)
        if backward:
            return replace(span, high=min(address, span.high))
        return replace(span, low=address, with_low=False) if address >= begins else span

    def up_to(self, edge: str | None, *, backward: bool) -> "_Span":
        """The part of it that ends with an address in it."""
        if edge is None:
            return self
        return replace(self, low=edge, with_low=True) if backward else replace(self, high=edge, with_high=True)

    def holds(self, column: ColumnElement[str]) -> ColumnElement[bool]:
        """The condition that an address lies in it."""
        low = column >= self.low if self.with_low else column > self.low
        return and_(low, column <= self.high if self.with_high else column < self.high)


def _run(
    connection: Connection, where: list[ColumnElement[bool]], order: ColumnElement[str], limit: int, *, backward: bool
) -> list[SubscriberId]:
    query = select(person.c.subscriber_id).where(*where).order_by(order.desc() if backward else order).limit(limit)
    return [SubscriberId(identifier) for identifier in connection.scalars(query)]


def _edge(connection: Connection, span: _Span, *, backward: bool) -> str | None:
    """The address at the end of the window; None when the span ends within it."""
    order = _ADDRESS.desc() if backward else _ADDRESS
    window = select(_ADDRESS).where(span.holds(_ADDRESS)).order_by(order).limit(WINDOW).subquery()
    furthest = func.min if backward else func.max
    count, edge = connection.execute(select(func.count(), furthest(window.c.canonical))).one()
    return str(edge) if count == WINDOW else None


def _asks_rows(search: Search) -> bool:
    """Whether nearly all rows of people must be read to find some: then they are, in the order of ids."""
    segment = search.segment
    return search.inside or (asks_person(segment) and (not segment.states or State.ACTIVE in segment.states))


def _in(segment: Segment) -> ColumnElement[bool]:
    """The person whose row is looked at is in the segment."""
    members = _members(segment) if segment.issues else select(subscriber.c.id).where(in_segment(segment))
    return members.where(subscriber.c.id == person.c.subscriber_id).correlate(person).exists()


def _among(segment: Segment) -> ColumnElement[bool]:
    """The same, with all who are in the segment found first."""
    return person.c.subscriber_id.in_(_members(segment))


def _members(segment: Segment) -> Select[Any]:
    """The ids of everybody in it."""
    if not asks_person(segment):
        return select(subscriber.c.id).where(in_segment(segment))
    own = person.alias()
    both = subscriber.join(own, own.c.subscriber_id == subscriber.c.id)
    return select(subscriber.c.id).select_from(both).where(in_segment(segment, View(own=own)))
