"""The list counted: how many people are alike in everything that decides what they get of an issue.

Counting a million people must not keep a send waiting. What takes the time is to fetch each row, and to sort them into
groups. So nearly everybody is counted from the index `ix_subscriber_audience` alone, state by state, by one number
that holds all that decides: sorting numbers is quick. Who would need a look elsewhere is counted apart and taken out
of the others: the few who are suppressed, have a row in the ledger, are paused, were erased, or follow no topic of
the first word.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Connection, Integer, Row, Select, case, exists, func, null, or_, select, type_coerce, union
from sqlalchemy.sql.elements import ColumnElement

from digest_mailer.adapters.store.conditions import TOPIC_COLUMNS, asks_person, follows_any, in_order_of_ids, in_segment
from digest_mailer.adapters.store.tables import delivery, person, subscriber, suppression
from digest_mailer.core.audience import AudienceGroup, State
from digest_mailer.core.identity import IssueId, Language
from digest_mailer.core.segment import Segment
from digest_mailer.core.topic import TopicWords

_FEW = (State.PAUSED, State.ERASED)  # a pause has a day, and who was erased is no person any more
_MANY = tuple(state for state in State if state not in _FEW)
_ROOM = 2**16  # what is behind the topics in a number: languages x 2
_TOPICS_IN_FRONT = 2**46


class _Decisive(NamedTuple):
    """An `AudienceGroup` without its number."""

    state: State
    paused_until: date | None
    suppressed: bool
    already: bool
    follows: bool
    topics: TopicWords
    all_topics: bool
    language: Language


class _Like(NamedTuple):
    """What most people are grouped by."""

    state: State
    all_topics: bool
    language: Language
    topics: TopicWords


def groups(connection: Connection, issue: IssueId, topics: TopicWords, segment: Segment) -> Sequence[AudienceGroup]:
    """The people of a segment, grouped by everything that decides what they get of an issue with these topics. A
    handful of rows, whatever the size of the list."""
    quick = not asks_person(segment)
    looked_up, many = _looked_up(issue, topics, segment), Counter[_Like]()
    if quick:
        looked_up = looked_up.where(subscriber.c.id.in_(_apart(issue)))
        many.update(dict(_counted(connection, topics, segment)))
    else:
        looked_up = looked_up.where(in_order_of_ids())
    found = Counter[_Decisive]()
    for row in connection.execute(looked_up):
        mine = _decisive(row)
        found[mine] += row.people
        if row.indexed and mine.state in _MANY and quick:
            many[_Like(mine.state, mine.all_topics, mine.language, mine.topics)] -= row.people
    for like, people in many.items():
        found[_Decisive(like.state, None, False, False, True, like.topics, like.all_topics, like.language)] += people
    return [AudienceGroup(*decisive, people) for decisive, people in found.items() if people]


def _looked_up(issue: IssueId, topics: TopicWords, segment: Segment) -> Select[Any]:
    """The groups with a look into the other tables for each person."""
    masked = [column.bitwise_and(word) for column, word in zip(TOPIC_COLUMNS, topics, strict=True)]
    keys: list[ColumnElement[Any]] = [
        subscriber.c.state.label("state"),
        case((subscriber.c.state == State.PAUSED, subscriber.c.paused_until), else_=null()).label("paused_until"),
        exists().where(suppression.c.address_hash == person.c.address_hash).label("suppressed"),
        exists().where(delivery.c.issue == issue, delivery.c.address_hash == person.c.address_hash).label("already"),
        follows_any().label("follows"),
        _in_index().label("indexed"),
        subscriber.c.all_topics.label("all_topics"),
        subscriber.c.language.label("language"),
        *(column.label(f"t{number}") for number, column in enumerate(masked)),
    ]
    people = select(*keys, func.count().label("people")).select_from(subscriber.join(person))
    return people.where(in_segment(segment)).group_by(*keys)


def _apart(issue: IssueId) -> Any:
    """The ids of those who are not counted by a number."""
    of_hash = select(person.c.subscriber_id)
    return union(
        select(subscriber.c.id).where(subscriber.c.state.in_(_FEW)),
        select(subscriber.c.id).where(
            subscriber.c.state.in_(_MANY), subscriber.c.topics_0 == 0, subscriber.c.all_topics.is_(False)
        ),
        of_hash.join(suppression, suppression.c.address_hash == person.c.address_hash),
        of_hash.join(delivery, delivery.c.address_hash == person.c.address_hash).where(delivery.c.issue == issue),
    )


def _in_index() -> ColumnElement[bool]:
    """Whether the index tells that somebody follows anything."""
    return or_(subscriber.c.topics_0 != 0, subscriber.c.all_topics.is_(True))


def _counted(connection: Connection, topics: TopicWords, segment: Segment) -> Iterator[tuple[_Like, int]]:
    """Everybody who needs no look elsewhere."""
    languages = connection.scalars(select(subscriber.c.language).distinct()).all()
    if not languages:
        return
    words = [number for number, word in enumerate(topics) if word]
    columns = [TOPIC_COLUMNS[number].bitwise_and(topics[number]) for number in words]
    spoken = case({one: place for place, one in enumerate(languages)}, value=subscriber.c.language, else_=0)
    number = spoken * 2 + type_coerce(subscriber.c.all_topics, Integer)
    if in_front := len(words) == 1 and topics[words[0]] < _TOPICS_IN_FRONT:
        columns, number = [], columns[0] * _ROOM + number
    query = select(number, *columns, func.count()).select_from(subscriber).group_by(number, *columns)
    for state in _MANY:
        of_state = query.where(subscriber.c.state == state, _in_index(), in_segment(segment))
        for value, *shared, people in connection.execute(of_state):
            front, small = divmod(value, _ROOM)
            found = dict(zip(words, [front] if in_front else shared, strict=True))
            mine = tuple(found.get(place, 0) for place in range(len(topics)))
            yield _Like(state, bool(small % 2), Language(languages[small // 2]), mine), people


def _decisive(row: Row[Any]) -> _Decisive:
    return _Decisive(
        state=State(row.state),
        paused_until=row.paused_until,
        suppressed=bool(row.suppressed),
        already=bool(row.already),
        follows=bool(row.follows),
        topics=(row.t0, row.t1, row.t2, row.t3),
        all_topics=bool(row.all_topics),
        language=Language(row.language),
    )
