"""The ledger: who gets an issue, how far each hand-off has come, and every attempt. It remembers first.

A row is unique by issue and keyed hash of the address, over segments, waves, transports and imports: nobody
gets an issue twice. The audience of a wave is frozen in one transaction. A sender takes rows in batches that
are durable before use, and its fence stands in every row it moves: when another sender takes over, the first
can move nothing more. What an earlier sender left `claimed` never left this machine and is planned again;
what it left `attempting` may have, and is unknown.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from digest_mailer.adapters.store import hand_off
from digest_mailer.adapters.store.audience import audience
from digest_mailer.adapters.store.database import Database, incarnation, next_sequence, sqlite
from digest_mailer.adapters.store.segments import segment_to_json
from digest_mailer.adapters.store.tables import (
    delivery,
    mailing,
    person,
    wave,
)
from digest_mailer.core.audience import Segment
from digest_mailer.core.delivery import HandOff, Outcome
from digest_mailer.core.identity import IssueId, RowId
from digest_mailer.core.mailing import Approval, Claim, Mailing, Progress, Status
from digest_mailer.core.topic import TopicWords
from digest_mailer.ports import Agree, Assign, anybody


class LedgerStore:
    """The port `Ledger` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def session(self) -> AbstractContextManager[None]:
        """While a run lasts: makes its many small steps quicker."""
        return self._database.kept_open()

    # -- mailings

    def mailing(self, issue: IssueId) -> Mailing | None:
        """The mailing of an issue."""
        with self._database.read() as connection:
            return _mailing(connection, issue)

    def freeze(
        self,
        approval: Approval,
        segment: Segment,
        topics: TopicWords,
        assign: Assign,
        transport: str,
        now: datetime,
        agree: Agree = anybody,
    ) -> int:
        """Write a wave: a row for everybody in the segment who may get the issue, has an edition, and has no row
        yet. Makes the mailing when it is the first. All of it or nothing. Answers the number of people added."""
        with self._database.write() as connection:
            sequence = next_sequence(connection)
            found = _mailing(connection, approval.issue) or _new_mailing(connection, approval, transport, now)
            number = connection.execute(select(func.count()).where(wave.c.mailing_id == found.id)).scalar_one() + 1
            values = {"mailing_id": found.id, "number": number, "segment": segment_to_json(segment), "people": 0}
            added = connection.execute(
                insert(wave).values(**values, audience_seq=sequence, approval_id=approval.id, created_at=now)
            )
            wave_id = added.inserted_primary_key[0] if added.inserted_primary_key else 0
            people = 0
            for rows in audience(connection, approval.issue, segment, topics, assign, now):
                common = {"mailing_id": found.id, "wave_id": wave_id, "issue": approval.issue, "changed_at": now}
                connection.execute(insert(delivery), [row | common for row in rows])
                people += len(rows)
            agree(people)
            if not people:
                connection.rollback()
                return 0
            connection.execute(update(wave).where(wave.c.id == wave_id).values(people=people))
            changed = {"status": Status.SENDING, "approval_id": approval.id, "transport": transport}
            connection.execute(update(mailing).where(mailing.c.id == found.id).values(**changed))
            return people

    def take_over(self, issue: IssueId, transport: str, owner: str, now: datetime) -> Mailing:
        """Become the sender of a mailing. Rows of the sender before are settled: claimed ones are planned
        again, ones whose attempt had begun become unknown. KeyError when there is no mailing."""
        with self._database.write() as connection:
            found = _mailing(connection, issue)
            if not found:
                raise KeyError(issue)
            values = {"fence": found.fence + 1, "status": Status.SENDING, "transport": transport, "lease_owner": owner}
            connection.execute(update(mailing).where(mailing.c.id == found.id).values(**values))
            _settle(connection, found.id, None, now)
            renewed = _mailing(connection, issue)
            if not renewed:
                raise KeyError(issue)
            return renewed

    def set_status(self, mailing_id: int, fence: int, status: Status) -> None:
        """Say where the mailing stands; nothing when another sender has taken over."""
        with self._database.write() as connection:
            connection.execute(
                update(mailing).where(mailing.c.id == mailing_id, mailing.c.fence == fence).values(status=status)
            )

    def progress(self, issue: IssueId) -> Progress:
        """People by hand-off."""
        query = select(delivery.c.state, func.count()).where(delivery.c.issue == issue).group_by(delivery.c.state)
        with self._database.read() as connection:
            return Progress({HandOff(state): count for state, count in connection.execute(query)})

    def next_due(self, issue: IssueId) -> datetime | None:
        """When the next deferred row is due; None when there is none."""
        query = select(func.min(delivery.c.due_at)).where(
            delivery.c.issue == issue, delivery.c.state == HandOff.DEFERRED
        )
        with self._database.read() as connection:
            due: datetime | None = connection.execute(query).scalar()
            return due

    def named(self, issue: IssueId, state: HandOff) -> Sequence[tuple[str, str]]:
        """Addresses of the people in a state, with the reason or reply; an erased person's stays empty."""
        query = (
            select(person.c.typed, delivery.c.detail)
            .select_from(delivery.outerjoin(person, person.c.subscriber_id == delivery.c.subscriber_id))
            .where(delivery.c.issue == issue, delivery.c.state == state)
            .order_by(person.c.canonical)
        )
        with self._database.read() as connection:
            return [(row.typed or "", row.detail) for row in connection.execute(query)]

    # -- the hot path of a send

    def claim(self, found: Mailing, limit: int, now: datetime) -> Sequence[Claim]:
        """Take up to `limit` rows that are planned or due again. A person who may not get mail any more becomes
        suppressed instead. Durable when it returns; empty when nothing is due."""
        with self._database.write() as connection:
            return hand_off.claim(sqlite(connection), found, limit, now)

    def still_claimed(self, row: RowId, fence: int) -> bool:
        """Whether the row is still this sender's to send: the person may have left since."""
        with self._database.read() as connection:
            query = select(delivery.c.state).where(delivery.c.id == row, delivery.c.fence == fence)
            return connection.execute(query).scalar() == HandOff.CLAIMED

    def begin_attempt(self, row: RowId, fence: int, digest: bytes, transport: str, now: datetime) -> bool:
        """Note durably that the row's message may be on the wire from here on, and its digest. False when the
        person has left since the claim, or another sender has taken over: then it must not leave."""
        with self._database.write() as connection:
            return hand_off.begin(sqlite(connection), row, fence, digest, transport, now)

    def record(
        self,
        row: RowId,
        fence: int,
        outcome: Outcome,
        transport: str,
        state: HandOff,
        due: datetime | None,
        now: datetime,
    ) -> None:
        """Keep what an attempt ended in and where the row goes from there. Nothing when another sender has
        taken over."""
        with self._database.write() as connection:
            hand_off.record(sqlite(connection), row, fence, outcome, transport, state, due, now)

    def release(self, found: Mailing, now: datetime) -> None:
        """End a sender's work: what it still had is settled as `take_over` would."""
        with self._database.write() as connection:
            _settle(connection, found.id, found.fence, now)


def _settle(connection: Connection, mailing_id: int, fence: int | None, now: datetime) -> None:
    """Plan claimed rows again, call begun ones unknown: all of a mailing, or those of one fence."""
    of = [delivery.c.mailing_id == mailing_id]
    if fence is not None:
        of.append(delivery.c.fence == fence)
    claimed = update(delivery).where(*of, delivery.c.state == HandOff.CLAIMED)
    connection.execute(claimed.values(state=HandOff.PLANNED, changed_at=now))
    begun = update(delivery).where(*of, delivery.c.state == HandOff.ATTEMPTING)
    connection.execute(begun.values(state=HandOff.UNKNOWN, changed_at=now, detail=_LOST))


_LOST = "the sender ended before the server's answer was kept"


def _mailing(connection: Connection, issue: IssueId) -> Mailing | None:
    row = connection.execute(select(mailing).where(mailing.c.issue == issue)).first()
    if not row:
        return None
    return Mailing(row.id, issue, Status(row.status), row.started_at, row.transport, row.fence)


def _new_mailing(connection: Connection, approval: Approval, transport: str, now: datetime) -> Mailing:
    values = {"issue": approval.issue, "status": Status.SENDING, "started_at": now, "transport": transport}
    connection.execute(insert(mailing).values(**values, approval_id=approval.id, incarnation=incarnation(connection)))
    made = _mailing(connection, approval.issue)
    if not made:
        raise KeyError(approval.issue)
    return made
