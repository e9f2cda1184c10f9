"""The ledger: who gets an issue, how far each hand-off has come, and every attempt. It remembers first.

A row is unique by issue and keyed hash of the address, over segments, waves, transports and imports: nobody
gets an issue twice. The audience of a wave is frozen in one transaction. A sender takes rows in batches that
are durable before use, and its fence stands in every row it moves: when another sender takes over, the first
can move nothing more. What an earlier sender left `claimed` never left this machine and is planned again;
what it left `attempting` may have, and is unknown.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import Any

from sqlalchemy import Column, Connection, Row, exists, func, insert, select, update

from digest_mailer.adapters.store.conditions import TOPIC_COLUMNS, in_segment
from digest_mailer.adapters.store.database import Database, incarnation, next_sequence, sqlite
from digest_mailer.adapters.store.segments import segment_to_json
from digest_mailer.adapters.store.tables import (
    delivery,
    mailing,
    person,
    stamp,
    subscriber,
    suppression,
    wave,
)
from digest_mailer.core.address import EmailAddress
from digest_mailer.core.audience import Segment, State, eligible
from digest_mailer.core.delivery import HandOff, Outcome
from digest_mailer.core.errors import Locked
from digest_mailer.core.identity import IssueId, Language, RowId, SubscriberId
from digest_mailer.core.mailing import Approval, Claim, Mailing, Progress, Status
from digest_mailer.core.message import Recipient
from digest_mailer.core.topic import TopicWords, ordinals_of, words_of
from digest_mailer.ports import Agree, Assign, anybody

_PAGE = 2000


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
            for rows in _audience(connection, approval.issue, segment, topics, assign, now):
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
            driver = sqlite(connection)
            if driver.execute("SELECT fence FROM mailing WHERE id = ?", (found.id,)).fetchone()[0] != found.fence:
                raise Locked("another process has taken over this mailing", "see: digest-mailer status")
            claims: list[Claim] = []
            while not claims:
                rows = driver.execute(_DUE, (found.id, found.id, stamp(now), limit)).fetchall()
                if not rows:
                    return []
                checked = [(row, _why_not(row, now.date())) for row in rows]
                driver.executemany(_DROP, [(stamp(now), why_not, row[0]) for row, why_not in checked if why_not])
                claims = [_claim(row) for row, why_not in checked if not why_not]
            driver.executemany(_CLAIM, [(found.fence, stamp(now), claim.row) for claim in claims])
            return claims

    def still_claimed(self, row: RowId, fence: int) -> bool:
        """Whether the row is still this sender's to send: the person may have left since."""
        with self._database.read() as connection:
            query = select(delivery.c.state).where(delivery.c.id == row, delivery.c.fence == fence)
            return connection.execute(query).scalar() == HandOff.CLAIMED

    def begin_attempt(self, row: RowId, fence: int, digest: bytes, transport: str, now: datetime) -> bool:
        """Note durably that the row's message may be on the wire from here on, and its digest. False when the
        person has left since the claim, or another sender has taken over: then it must not leave."""
        with self._database.write() as connection:
            driver = sqlite(connection)
            if not driver.execute(_BEGIN_ROW, (digest, stamp(now), row, fence)).rowcount:
                return False
            driver.execute(_BEGIN_ATTEMPT, (stamp(now), transport, row))
            return True

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
        kept = (
            type(outcome).__name__.lower(),
            getattr(outcome, "scope", None),
            getattr(outcome, "code", None),
            getattr(outcome, "enhanced", ""),
            outcome.reply,
        )
        with self._database.write() as connection:
            driver = sqlite(connection)
            ended = driver.execute(_END_ATTEMPT, (stamp(now), *kept, row, row, fence)).rowcount
            if not ended:  # it was turned away before its content could leave
                driver.execute(_WHOLE_ATTEMPT, (stamp(now), transport, *kept, row, fence))
                driver.execute(_COUNT_ATTEMPT, (row, fence))
            due_at = stamp(due) if due else None
            driver.execute(_RECORD_ROW, (state, due_at, outcome.reply, stamp(now), row, fence))

    def release(self, found: Mailing, now: datetime) -> None:
        """End a sender's work: what it still had is settled as `take_over` would."""
        with self._database.write() as connection:
            _settle(connection, found.id, found.fence, now)


_DUE = """
SELECT d.id, d.subscriber_id, d.artefact_hash, d.slots, d.attempts, s.state, s.paused_until,
       EXISTS (SELECT 1 FROM suppression x WHERE x.address_hash = d.address_hash),
       p.typed, p.canonical, p.name, s.generation
FROM (SELECT * FROM (SELECT * FROM delivery WHERE mailing_id = ? AND state = 'planned'
      UNION ALL SELECT * FROM delivery WHERE mailing_id = ? AND state = 'deferred' AND due_at <= ?) LIMIT ?) d
LEFT JOIN subscriber s ON s.id = d.subscriber_id
LEFT JOIN person p ON p.subscriber_id = d.subscriber_id
"""
_DROP = "UPDATE delivery SET state = 'suppressed', due_at = NULL, changed_at = ?, detail = ? WHERE id = ?"
_CLAIM = "UPDATE delivery SET state = 'claimed', fence = ?, changed_at = ? WHERE id = ?"
_BEGIN_ROW = """
UPDATE delivery SET state = 'attempting', attempts = attempts + 1, message_digest = ?, changed_at = ?
WHERE id = ? AND fence = ? AND state = 'claimed'
"""
_BEGIN_ATTEMPT = """
INSERT INTO attempt (delivery_id, number, started_at, transport)
SELECT id, attempts, ?, ? FROM delivery WHERE id = ?
"""
_RECORD_ROW = """
UPDATE delivery SET state = ?1, due_at = ?2, detail = ?3, changed_at = ?4,
                    attempts = attempts - (?1 = 'planned')  -- put back: it does not count
WHERE id = ?5 AND fence = ?6 AND state IN ('claimed', 'attempting')
"""
_END_ATTEMPT = """
UPDATE attempt SET ended_at = ?, outcome = ?, scope = ?, code = ?, enhanced = ?, reply = ?
WHERE id = (SELECT max(id) FROM attempt WHERE delivery_id = ?) AND ended_at IS NULL
  AND EXISTS (SELECT 1 FROM delivery WHERE id = ? AND fence = ? AND state = 'attempting')
"""
_WHOLE_ATTEMPT = """
INSERT INTO attempt (delivery_id, number, ended_at, transport, outcome, scope, code, enhanced, reply)
SELECT id, attempts + 1, ?, ?, ?, ?, ?, ?, ? FROM delivery WHERE id = ? AND fence = ? AND state = 'claimed'
"""
_COUNT_ATTEMPT = "UPDATE delivery SET attempts = attempts + 1 WHERE id = ? AND fence = ? AND state = 'claimed'"


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


def _audience(
    connection: Connection, issue: IssueId, segment: Segment, topics: TopicWords, assign: Assign, now: datetime
) -> Iterator[list[dict[str, Any]]]:
    """The ledger rows of everybody who gets the issue and has no row yet, in pages by id."""
    masked = [column.bitwise_and(word).label(f"t{n}") for n, (column, word) in _masks(topics)]
    suppressed = exists().where(suppression.c.address_hash == person.c.address_hash)
    already = exists().where(delivery.c.issue == issue, delivery.c.address_hash == person.c.address_hash)
    query = (
        select(subscriber, person.c.address_hash, suppressed.label("suppressed"), *masked)
        .select_from(subscriber.join(person))
        .where(in_segment(segment), ~already)
        .order_by(subscriber.c.id)
        .limit(_PAGE)
    )
    last = -1
    while page := connection.execute(query.where(subscriber.c.id > last)).all():
        last = page[-1].id
        rows = []
        for row in page:
            if eligible(State(row.state), row.paused_until, suppressed=row.suppressed, today=now.date()):
                continue
            words = (row.t0, row.t1, row.t2, row.t3)
            edition = assign(words, row.all_topics, Language(row.language))
            if edition:
                rows.append(_row(row, words, edition))
        if rows:
            yield rows


def _masks(topics: TopicWords) -> Iterator[tuple[int, tuple[Column[int], int]]]:
    return enumerate(zip(TOPIC_COLUMNS, topics, strict=True))


def _row(row: Row[Any], words: TopicWords, edition: str) -> dict[str, Any]:
    return {
        "address_hash": row.address_hash,
        "subscriber_id": row.id,
        "artefact_hash": edition,
        "slots": json.dumps({"topics": ordinals_of(words), "all": row.all_topics}),
        "state": HandOff.PLANNED,
    }


def _why_not(row: tuple[Any, ...], today: date) -> str:
    """Why the person of a row may not get it after all; empty when they may."""
    if row[5] is None or row[8] is None:
        return "erased"
    return str(eligible(State(row[5]), _day(row[6]), suppressed=bool(row[7]), today=today) or "")


def _claim(row: tuple[Any, ...]) -> Claim:
    identifier, person_id, artefact_hash, slots, attempts, _, _, _, typed, canonical, name, generation = row
    values = json.loads(slots)
    recipient = Recipient(
        id=SubscriberId(person_id),
        address=EmailAddress(typed, canonical),
        name=name,
        topics=words_of(values["topics"]),
        all_topics=values["all"],
        generation=generation,
    )
    return Claim(RowId(identifier), recipient, artefact_hash, attempts)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
