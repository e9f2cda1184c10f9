"""Named segments: definitions that are kept, counted afresh whenever they are used."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, union, update

from digest_mailer.adapters.store import audit
from digest_mailer.adapters.store.database import Database
from digest_mailer.adapters.store.tables import delivery
from digest_mailer.adapters.store.tables import person as people
from digest_mailer.adapters.store.tables import segment as segments
from digest_mailer.core.audience import State
from digest_mailer.core.audit import Note
from digest_mailer.core.delivery import HandOff
from digest_mailer.core.errors import ChangedMeanwhileError
from digest_mailer.core.identity import IssueId, Language, SubscriberId
from digest_mailer.core.segment import Segment
from digest_mailer.core.topic import ordinals_of, words_of


class SegmentStore:
    """The port `Segments` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, segment: Segment, actor: str, now: datetime) -> bool:
        """Keep a segment; False when the name is taken."""
        with self._database.write() as connection:
            if _definition(connection, segment.name) is not None:
                return False
            definition = segment_to_json(segment)
            connection.execute(insert(segments).values(name=segment.name, definition=definition, created_at=now))
            _note(connection, "segment-add", segment.name, actor, now, definition=definition)
            return True

    def edit(self, segment: Segment, actor: str, now: datetime, only_if: Segment | None = None) -> bool:
        """Give the name of a segment another meaning; False when there is none of the name. Mailings that were begun
        keep the people they were begun for. Raises ChangedMeanwhileError when it does not mean `only_if`."""
        with self._database.write() as connection:
            before, definition = _definition(connection, segment.name), segment_to_json(segment)
            if before is None:
                return False
            _require(segment.name, before, only_if)
            if definition != before:
                of_name = update(segments).where(segments.c.name == segment.name)
                connection.execute(of_name.values(definition=definition))
                _note(connection, "segment-edit", segment.name, actor, now, before=before, definition=definition)
            return True

    def remove(self, name: str, actor: str, now: datetime, only_if: Segment | None = None) -> bool:
        """Forget a name and what it means, no people; False when there is none of the name. Raises
        ChangedMeanwhileError when it does not mean `only_if`."""
        with self._database.write() as connection:
            before = _definition(connection, name)
            if before is None:
                return False
            _require(name, before, only_if)
            connection.execute(delete(segments).where(segments.c.name == name))
            _note(connection, "segment-remove", name, actor, now, definition=before)
            return True

    def get(self, name: str) -> Segment | None:
        """The segment of this name."""
        query = select(segments.c.definition).where(segments.c.name == name)
        with self._database.read() as connection:
            definition = connection.execute(query).scalar()
            return segment_from_json(name, definition) if definition is not None else None

    def all(self) -> Sequence[Segment]:
        """All segments by name."""
        with self._database.read() as connection:
            rows = connection.execute(select(segments).order_by(segments.c.name))
            return [segment_from_json(row.name, row.definition) for row in rows]

    def received(self, person: SubscriberId, issues: Sequence[IssueId]) -> frozenset[IssueId]:
        """Which of these issues somebody got, by their own number or by their address, as in `conditions`."""
        address = select(people.c.address_hash).where(people.c.subscriber_id == person).scalar_subquery()
        got = select(delivery.c.issue).where(delivery.c.state == HandOff.ACCEPTED, delivery.c.issue.in_(issues))
        query = union(got.where(delivery.c.subscriber_id == person), got.where(delivery.c.address_hash == address))
        with self._database.read() as connection:
            return frozenset(IssueId(issue) for issue in connection.scalars(query))


def _definition(connection: Connection, name: str) -> str | None:
    found: str | None = connection.execute(select(segments.c.definition).where(segments.c.name == name)).scalar()
    return found


def _require(name: str, definition: str, only_if: Segment | None) -> None:
    if only_if is not None and segment_from_json(name, definition) != replace(only_if, name=name):
        raise ChangedMeanwhileError(f"the segment {name} was changed meanwhile", "look at it again")


def _note(connection: Connection, action: str, name: str, actor: str, now: datetime, **definitions: str) -> None:
    facts = {"name": name} | {key: json.loads(definition) for key, definition in definitions.items()}
    audit.append(connection, Note(actor, action, facts=facts), now)


def segment_to_json(segment: Segment) -> str:
    """A definition as it is stored: topics by their permanent ordinals."""
    document: dict[str, Any] = {
        "any": ordinals_of(segment.any_topics),
        "all": ordinals_of(segment.all_topics),
        "none": ordinals_of(segment.no_topics),
        "states": segment.states,
        "languages": segment.languages,
        "attributes": dict(segment.attributes),
        "joined_from": segment.joined_from and str(segment.joined_from),
        "joined_before": segment.joined_before and str(segment.joined_before),
        "received": segment.received,
        "not_received": segment.not_received,
    }
    return json.dumps({name: value for name, value in document.items() if value}, ensure_ascii=False)


def segment_from_json(name: str, definition: str) -> Segment:
    """The inverse of `segment_to_json`. An older version kept one value of an attribute, as a text."""
    document = json.loads(definition)
    attributes = document.get("attributes", {})
    return Segment(
        name=name,
        any_topics=words_of(document.get("any", ())),
        all_topics=words_of(document.get("all", ())),
        no_topics=words_of(document.get("none", ())),
        states=tuple(State(one) for one in document.get("states", ())),
        languages=tuple(Language(one) for one in document.get("languages", ())),
        attributes={one: (values,) if isinstance(values, str) else tuple(values) for one, values in attributes.items()},
        joined_from=_day(document.get("joined_from")),
        joined_before=_day(document.get("joined_before")),
        received=tuple(IssueId(one) for one in document.get("received", ())),
        not_received=tuple(IssueId(one) for one in document.get("not_received", ())),
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
