"""Who follows which topic, counted; and the merging of two topics' followers.

A reader's topics are bits of four words, so to merge is one statement over the list. It changes people as any other
change does: the audience's sequence is counted up, and the triggers of `audience_before` keep who they were for every
wave that has not come to them yet, so a wave that was made before goes to the people that it was made for.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, func, literal, select, update
from sqlalchemy.sql.elements import ColumnElement

from digest_mailer.adapters.store import audit
from digest_mailer.adapters.store.conditions import TOPIC_COLUMNS
from digest_mailer.adapters.store.database import Database, next_sequence, sequence
from digest_mailer.adapters.store.tables import person, subscriber
from digest_mailer.adapters.store.tables import segment as segments
from digest_mailer.core.audience import State
from digest_mailer.core.audit import Note
from digest_mailer.core.topic import BITS_PER_WORD, Followers, Merged, Topic

_READING = subscriber.c.state.in_((State.ACTIVE, State.PAUSED))
_CONDITIONS = ("any", "all", "none")  # the parts of a stored segment that list ordinals
_EVERY_BIT = (1 << BITS_PER_WORD) - 1


class FollowingStore:
    """The port `Following` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_topic(self, ordinals: Iterable[int]) -> tuple[Mapping[int, int], int]:
        """How many people who get mail, or will when their pause ends, follow each of these topics by name; and how
        many follow all topics, who are counted in none of the others."""
        wanted = tuple(ordinals)
        everything = subscriber.c.all_topics
        sums = [func.sum(_column(one).bitwise_rshift(one % BITS_PER_WORD).bitwise_and(1)) for one in wanted]
        with self._database.read() as connection:
            named = connection.execute(select(*sums).where(_READING, everything.is_(False))).one() if sums else ()
            general = connection.execute(select(func.count()).where(_READING, everything.is_(True))).scalar_one()
        return {ordinal: many or 0 for ordinal, many in zip(wanted, named, strict=True)}, general

    def of(self, ordinal: int, second: int | None = None) -> Followers:
        """Who follows a topic by name, and of these a second one too."""
        both = func.count().filter(_follows(second)) if second is not None else literal(0)
        others = [column.bitwise_and(_without(ordinal, number)) == 0 for number, column in enumerate(TOPIC_COLUMNS)]
        only = func.count().filter(_READING, subscriber.c.all_topics.is_(False), *others)
        query = select(func.count(), func.count().filter(_READING), only, both).where(_follows(ordinal))
        with self._database.read() as connection:
            return Followers(*connection.execute(query).one())

    def highest(self) -> int:
        """The highest ordinal that anybody follows; -1 when there is none."""
        query = select(*(func.max(column) for column in TOPIC_COLUMNS))
        with self._database.read() as connection:
            words: list[int] = [word or 0 for word in connection.execute(query).one()]
        return max(n * BITS_PER_WORD + word.bit_length() - 1 if word else -1 for n, word in enumerate(words))

    def segments(self, ordinal: int) -> tuple[str, ...]:
        """The names of the kept segments that ask for a topic."""
        with self._database.read() as connection:
            rows = connection.execute(select(segments).order_by(segments.c.name))
            return tuple(row.name for row in rows if _asks_for(json.loads(row.definition), ordinal))

    def merge(self, old: Topic, into: Topic, actor: str, now: datetime) -> Merged:
        """Let everybody who follows the old topic follow the other instead, and every segment that asks for it ask
        for the other. One transaction, with its entry in the audit trail. A second time it changes nobody."""
        with self._database.write() as connection:
            renamed = _merge_segments(connection, old.ordinal, into.ordinal)
            number = sequence(connection) + 1
            changes = update(subscriber).where(_follows(old.ordinal))
            values = _merged(old.ordinal, into.ordinal) | {subscriber.c.changed_seq: number}
            people = connection.execute(changes.values({**values, subscriber.c.changed_at: now})).rowcount
            _merge_wishes(connection, old.ordinal, into.ordinal)
            if people or renamed:
                next_sequence(connection)
            facts = {"from": old.key, "into": into.key, "people": people, "segments": list(renamed)}
            audit.append(connection, Note(actor, "topics-merge", facts=facts), now)
            return Merged(people, renamed)


def _column(ordinal: int) -> ColumnElement[int]:
    return TOPIC_COLUMNS[ordinal // BITS_PER_WORD]


def _bit(ordinal: int) -> int:
    return 1 << (ordinal % BITS_PER_WORD)


def _follows(ordinal: int) -> ColumnElement[bool]:
    return _column(ordinal).bitwise_and(_bit(ordinal)) != 0


def _without(ordinal: int, word: int) -> int:
    """All bits of a word but that of the topic."""
    return _EVERY_BIT ^ _bit(ordinal) if ordinal // BITS_PER_WORD == word else _EVERY_BIT


def _merged(old: int, into: int) -> dict[ColumnElement[int], ColumnElement[int]]:
    """The words of somebody who follows the old topic, with the other instead."""
    left = _column(old).bitwise_and(_EVERY_BIT ^ _bit(old))
    if _column(old) is _column(into):
        return {_column(old): left.bitwise_or(_bit(into))}
    return {_column(old): left, _column(into): _column(into).bitwise_or(_bit(into))}


def _merge_wishes(connection: Connection, old: int, into: int) -> None:
    """Those who are about to confirm a choice get the other topic by it."""
    kept = select(person.c.subscriber_id, person.c.wish).where(person.c.wish.is_not(None))
    for who, text in connection.execute(kept).all():
        wish = json.loads(text)
        if old in wish["topics"]:
            wish["topics"] = sorted({into if one == old else one for one in wish["topics"]})
            written = json.dumps(wish, ensure_ascii=False, sort_keys=True)
            connection.execute(update(person).where(person.c.subscriber_id == who).values(wish=written))


def _merge_segments(connection: Connection, old: int, into: int) -> tuple[str, ...]:
    """Rewrite every definition that asks for the old topic; answers their names."""
    changed = []
    for row in connection.execute(select(segments).order_by(segments.c.name)).all():
        definition = json.loads(row.definition)
        if not _asks_for(definition, old):
            continue
        for condition in _CONDITIONS:
            if old in definition.get(condition, ()):
                definition[condition] = sorted({into if one == old else one for one in definition[condition]})
        text = json.dumps(definition, ensure_ascii=False)
        connection.execute(update(segments).where(segments.c.name == row.name).values(definition=text))
        changed.append(row.name)
    return tuple(changed)


def _asks_for(definition: Mapping[str, list[int]], ordinal: int) -> bool:
    return any(ordinal in definition.get(condition, ()) for condition in _CONDITIONS)
