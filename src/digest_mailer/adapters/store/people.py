"""Subscribers: who they are, what they follow, and how they leave.

Leaving moves the person's open rows of the ledger in the same transaction, so that a running send drops them.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, func, null, or_, select, union, update

from digest_mailer.adapters.store.browsing import ids_before, ids_behind, looked_for
from digest_mailer.adapters.store.changes import move_person
from digest_mailer.adapters.store.conditions import in_segment
from digest_mailer.adapters.store.counts import count
from digest_mailer.adapters.store.database import Database, sequence
from digest_mailer.adapters.store.groups import groups
from digest_mailer.adapters.store.tables import (
    consent,
    consented,
    delivery,
    import_move,
    import_run,
    person,
    subscriber,
    suppression,
)
from digest_mailer.core.address import RESERVED_SECOND, RESERVED_TOP, EmailAddress
from digest_mailer.core.audience import AudienceGroup, Consent, ImportMark, State, Subscriber
from digest_mailer.core.audit import READER
from digest_mailer.core.delivery import Fate, HandOff
from digest_mailer.core.identity import IssueId, Language, SubscriberId
from digest_mailer.core.move import Move
from digest_mailer.core.people_search import PAGE, PeoplePage, Search
from digest_mailer.core.segment import Segment
from digest_mailer.core.topic import TopicWords

_READ = "they used the link in it"


class PeopleStore:
    """The port `Subscribers` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, subscriber_id: SubscriberId) -> Subscriber | None:
        """The person with this id."""
        return self._one(_people().where(subscriber.c.id == subscriber_id))

    def find(self, address: EmailAddress) -> Subscriber | None:
        """The person with this address, however it is spelled."""
        return self._one(_people().where(person.c.canonical == address.canonical))

    def addresses(self, subscriber_ids: Collection[SubscriberId]) -> Mapping[SubscriberId, str]:
        """The addresses of those of these people who are known, as they were typed."""
        query = select(person.c.subscriber_id, person.c.typed).where(person.c.subscriber_id.in_(subscriber_ids))
        with self._database.read() as connection:
            return {SubscriberId(row.subscriber_id): row.typed for row in connection.execute(query)}

    def listing(self, segment: Segment, states: Sequence[State] = ()) -> Iterator[Subscriber]:
        """The people of a segment by address, of all states or of some."""
        query = _people().where(in_segment(segment)).order_by(person.c.canonical)
        if states:
            query = query.where(subscriber.c.state.in_(states))
        with self._database.read() as connection:
            for row in connection.execution_options(yield_per=1000).execute(query):
                yield _subscriber(row)

    def page(self, search: Search, behind: str = "", before: str = "", size: int = PAGE) -> PeoplePage:
        """People who are found, by address: the first ones behind an address, or the last ones before one."""
        with self._database.read() as connection:
            if before:
                found = ids_before(connection, search, before, size + 1)
                page, earlier, later = found[-size:], len(found) > size, True
            else:
                found = ids_behind(connection, search, behind, size + 1)
                page, earlier, later = found[:size], bool(behind), len(found) > size
            query = _people().where(subscriber.c.id.in_(page)).order_by(person.c.canonical)
            return PeoplePage([_subscriber(row) for row in connection.execute(query)], earlier, later)

    def found(self, search: Search) -> Iterator[Subscriber]:
        """Everybody who is found, by address."""
        query = _people().where(in_segment(search.segment)).order_by(person.c.canonical)
        with self._database.read() as connection:
            query = query.where(looked_for(connection, search))
            for row in connection.execution_options(yield_per=1000).execute(query):
                yield _subscriber(row)

    def count(self, segment: Segment) -> Mapping[State, int]:
        """How many people of a segment are in each state."""
        with self._database.read() as connection:
            return count(connection, segment)

    def count_reserved(self, segment: Segment) -> int:
        """How many people of a segment who get mail, or will when their pause ends, have an address at a
        reserved domain (RFC 2606)."""
        domains = [person.c.canonical.like(f"%.{top}") for top in RESERVED_TOP]
        domains += [person.c.canonical.like(f"%@{top}") for top in RESERVED_TOP]
        for name in RESERVED_SECOND:
            domains += [person.c.canonical.like(f"%@{name}"), person.c.canonical.like(f"%.{name}")]
        query = select(func.count()).select_from(subscriber.join(person))
        query = query.where(in_segment(segment), subscriber.c.state.in_((State.ACTIVE, State.PAUSED)), or_(*domains))
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def sequence(self) -> int:
        """How often the list was changed."""
        with self._database.read() as connection:
            return sequence(connection)

    def groups(self, issue: IssueId, topics: TopicWords, segment: Segment) -> Sequence[AudienceGroup]:
        """See `adapters.store.groups`."""
        with self._database.read() as connection:
            return groups(connection, issue, topics, segment)

    def leave(
        self, subscriber_id: SubscriberId, reason: str, now: datetime, issue: IssueId | None, actor: str = READER
    ) -> bool:
        """Unsubscribe the person; False when there is none or they had left already.

        `issue` is the one whose link they used: it moves that row's fate.
        """
        with self._database.write() as connection:
            found = connection.execute(select(subscriber.c.state).where(subscriber.c.id == subscriber_id)).first()
            if not found:
                return False
            if issue:
                of_issue = (delivery.c.subscriber_id == subscriber_id, delivery.c.issue == issue)
                connection.execute(update(delivery).where(*of_issue).values(fate=Fate.UNSUBSCRIBED))
                lost = update(delivery).where(*of_issue, delivery.c.state == HandOff.UNKNOWN)
                connection.execute(lost.values(state=HandOff.ACCEPTED, detail=_READ))  # they hold its link
            return move_person(connection, subscriber_id, Move.UNSUBSCRIBE, actor, reason, now)

    def suppression(self, subscriber_id: SubscriberId) -> tuple[str, datetime] | None:
        """Why and since when the person's address is on the suppression list; None when it is not."""
        listed = select(suppression.c.reason, suppression.c.since).join(
            person, person.c.address_hash == suppression.c.address_hash
        )
        with self._database.read() as connection:
            row = connection.execute(listed.where(person.c.subscriber_id == subscriber_id)).first()
            return (row.reason, row.since) if row else None

    def consents(self, subscriber_id: SubscriberId) -> Sequence[Consent]:
        """Every consent of the person, newest first."""
        query = select(consent, consented.c.confirmed_at).join(consented)
        query = query.where(consented.c.subscriber_id == subscriber_id).order_by(consent.c.id.desc())
        with self._database.read() as connection:
            return [_consent(row) for row in connection.execute(query)]

    def imports(self, subscriber_id: SubscriberId) -> Sequence[ImportMark]:
        """The imports that brought or moved the person, oldest first."""
        brought = (
            select(import_run.c.id, import_run.c.at, import_run.c.source, null().label("before"), null().label("state"))
            .join(consent, consent.c.import_id == import_run.c.id)
            .join(consented, consented.c.consent_id == consent.c.id)
            .where(consented.c.subscriber_id == subscriber_id)
        )
        moved = (
            select(
                import_run.c.id, import_run.c.at, import_run.c.source, import_move.c.from_state, import_move.c.to_state
            )
            .join(import_move, import_move.c.import_id == import_run.c.id)
            .where(import_move.c.subscriber_id == subscriber_id)
        )
        with self._database.read() as connection:
            rows = connection.execute(union(brought, moved).order_by("id", "before"))
            return [ImportMark(row.id, row.at, row.source, row.before or "", row.state or "") for row in rows]

    def _one(self, query: Select[Any]) -> Subscriber | None:
        with self._database.read() as connection:
            row = connection.execute(query).first()
            return _subscriber(row) if row else None


def _people() -> Select[Any]:
    """Subscribers with their person and newest consent."""
    newest = (
        select(func.max(consented.c.consent_id))
        .where(consented.c.subscriber_id == subscriber.c.id)
        .correlate(subscriber)
    ).scalar_subquery()
    last = and_(consented.c.subscriber_id == subscriber.c.id, consented.c.consent_id == newest)
    own = (consent.c.source, consent.c.given_on, consent.c.wording, consent.c.version, consent.c.place)
    return select(subscriber, person, *own, consented.c.confirmed_at).select_from(
        subscriber.join(person).outerjoin(consented, last).outerjoin(consent, consent.c.id == newest)
    )


def _subscriber(row: Row[Any]) -> Subscriber:
    return Subscriber(
        id=SubscriberId(row.id),
        address=EmailAddress(row.typed, row.canonical),
        state=State(row.state),
        name=row.name,
        language=Language(row.language),
        topics=(row.topics_0, row.topics_1, row.topics_2, row.topics_3),
        all_topics=row.all_topics,
        paused_until=row.paused_until,
        attributes=json.loads(row.attributes),
        consent=_consent(row) if row.source is not None else None,
        generation=row.generation,
        joined_on=row.joined_on,
    )


def _consent(row: Row[Any]) -> Consent:
    return Consent(row.source, row.given_on, row.wording, row.version, row.place, row.confirmed_at)
