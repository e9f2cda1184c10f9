"""The hot path of a send, as SQL on the driver's connection: claim, begin, record.

Each function works inside the transaction that its caller opened. Every change asks for the fence of the row,
so a sender that was overtaken changes nothing. Rows that were put back come last among the planned ones: a
message that breaks every connection does not keep the others waiting.
"""

import json
from collections.abc import Sequence
from datetime import date, datetime
from sqlite3 import Connection
from typing import Any

from digest_mailer.adapters.store.tables import stamp
from digest_mailer.core.address import EmailAddress
from digest_mailer.core.audience import State, eligible
from digest_mailer.core.delivery import HandOff, Outcome
from digest_mailer.core.errors import Locked
from digest_mailer.core.identity import RowId, SubscriberId
from digest_mailer.core.mailing import Claim, Mailing
from digest_mailer.core.message import Recipient
from digest_mailer.core.topic import words_of


def claim(driver: Connection, found: Mailing, limit: int, now: datetime) -> Sequence[Claim]:
    """Take up to `limit` rows that are due; people who may not get mail any more become suppressed instead.
    Raises Locked when another sender has taken over."""
    if driver.execute("SELECT fence FROM mailing WHERE id = ?", (found.id,)).fetchone()[0] != found.fence:
        raise Locked("another process has taken over this mailing", "see: digest-mailer status")
    claims: list[Claim] = []
    while not claims:
        rows = driver.execute(_DUE, (found.id, stamp(now), limit)).fetchall()
        if not rows:
            return []
        checked = [(row, _why_not(row, now.date())) for row in rows]
        driver.executemany(_DROP, [(stamp(now), why_not, row[0]) for row, why_not in checked if why_not])
        claims = [_claim(row) for row, why_not in checked if not why_not]
    driver.executemany(_CLAIM, [(found.fence, stamp(now), one.row) for one in claims])
    return claims


def begin(driver: Connection, row: RowId, fence: int, digest: bytes, transport: str, now: datetime) -> bool:
    """Note that the row's message may be on the wire; False when it is not this sender's to send any more."""
    if not driver.execute(_BEGIN_ROW, (digest, stamp(now), row, fence)).rowcount:
        return False
    driver.execute(_BEGIN_ATTEMPT, (stamp(now), transport, row))
    return True


def record(
    driver: Connection,
    row: RowId,
    fence: int,
    outcome: Outcome,
    transport: str,
    state: HandOff,
    due: datetime | None,
    now: datetime,
) -> None:
    """Keep what an attempt ended in and where the row goes from there."""
    kept = (
        type(outcome).__name__.lower(),
        getattr(outcome, "scope", None),
        getattr(outcome, "code", None),
        getattr(outcome, "enhanced", ""),
        outcome.reply,
    )
    ended = driver.execute(_END_ATTEMPT, (stamp(now), *kept, row, row, fence)).rowcount
    if not ended:  # it was turned away before its content could leave
        driver.execute(_WHOLE_ATTEMPT, (stamp(now), transport, *kept, row, fence))
        driver.execute(_COUNT_ATTEMPT, (row, fence))
    due_at = stamp(due) if due else None
    driver.execute(_RECORD_ROW, (state, due_at, outcome.reply, stamp(now), row, fence))


_DUE = """
SELECT d.id, d.subscriber_id, d.artefact_hash, d.slots, d.attempts, s.state, s.paused_until,
       EXISTS (SELECT 1 FROM suppression x WHERE x.address_hash = d.address_hash),
       p.typed, p.canonical, p.name, s.generation
FROM (SELECT * FROM (SELECT * FROM delivery WHERE mailing_id = ?1 AND state = 'planned' ORDER BY due_at LIMIT ?3)
      UNION ALL SELECT * FROM delivery WHERE mailing_id = ?1 AND state = 'deferred' AND due_at <= ?2 LIMIT ?3) d
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
UPDATE delivery SET state = ?, due_at = ?, detail = ?, changed_at = ?
WHERE id = ? AND fence = ? AND state IN ('claimed', 'attempting')
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
