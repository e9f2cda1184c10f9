"""The hot path of a send, as SQL on the driver's connection: keep results, claim, settle.

Each function works inside the transaction that its caller opened. Many rows go in and out of one statement, as
JSON: SQLite then works through them in one step, during which Python does something else, where a statement for
each row would have the two threads of a sender wait for each other. An acceptance, as nearly all results are, is
one string with its fields at fixed places: to read a field out of JSON inside JSON costs more than to write it.

Every change asks for the fence of the row, so a sender that was overtaken changes nothing, and for the number of
attempts before it, so a result that comes twice counts once. Who is suppressed or cancelled keeps a fence only as
long as a sender may have begun their message: these are asked for after a sudden end too. Rows that were put back
come last among the planned ones: a message that breaks every connection does not keep the others waiting.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from sqlite3 import Connection
from typing import Any

from digest_mailer.adapters.store.flight_recorder import Mark
from digest_mailer.adapters.store.tables import OPEN_ROWS, stamp
from digest_mailer.core.address import EmailAddress
from digest_mailer.core.audience import State, eligible
from digest_mailer.core.delivery import Accepted, HandOff
from digest_mailer.core.identity import RowId, SubscriberId
from digest_mailer.core.mailing import Claim, Result, Status
from digest_mailer.core.message import Recipient

ENDED = "the sender ended before the server's answer was kept"
STOPPED = "the machine stopped before the server's answer was kept"
TOO_LATE = "it was too late to be tried again"
RECORDED = "taken; the sender ended before the server's words were kept"


def record(driver: Connection, results: Sequence[Result], fence: int, transport: str, now: datetime) -> None:
    """Keep what attempts ended in and where their rows go from there. Nothing of rows that another sender has."""
    accepted: list[Result] = []
    others: list[Result] = []
    for result in results:
        (accepted if result.state is HandOff.ACCEPTED and result.started else others).append(result)
    if accepted:
        rows = json.dumps([_line(result) for result in accepted], ensure_ascii=False)
        driver.execute(_KEEP_ACCEPTED_ATTEMPTS, (rows, transport, fence))
        driver.execute(_KEEP_ACCEPTED, (rows, _digests(accepted), stamp(now), fence))
    if others:
        rows = json.dumps([_values(result) for result in others], ensure_ascii=False)
        driver.execute(_KEEP_ATTEMPTS, (rows, transport, fence))
        driver.execute(_KEEP_RESULTS, (rows, _digests(others), stamp(now), fence))


def claim(driver: Connection, mailing: int, fence: int, limit: int, now: datetime) -> Sequence[Claim]:
    """Take up to `limit` rows that are due; people who may not get mail any more become suppressed instead."""
    while True:
        rows = json.loads(driver.execute(_DUE, (mailing, stamp(now), limit)).fetchone()[0])
        if not rows:
            return ()
        dropped = [(stamp(now), why_not, row[0]) for row in rows if (why_not := _why_not(row, now.date()))]
        if dropped:
            driver.executemany(_DROP, dropped)
            gone = {row for _, _, row in dropped}
            rows = [row for row in rows if row[0] not in gone]
        if rows:
            driver.execute(_CLAIM, (json.dumps([row[0] for row in rows]), fence, stamp(now)))
            return _claims(driver, rows)


def expire(driver: Connection, mailing: int, now: datetime) -> None:
    """Nobody who is still waiting is tried any more: it is too late for this issue."""
    driver.execute(_EXPIRE, (stamp(now), TOO_LATE, mailing))


def no_longer_claimed(driver: Connection, rows: Sequence[RowId], fence: int) -> set[RowId]:
    """Those of the rows that may not be sent any more: their people have left since the claim."""
    return {RowId(row) for (row,) in driver.execute(_NO_LONGER, (json.dumps(rows), fence))}


def let_go(driver: Connection, rows: Sequence[RowId], fence: int) -> None:
    """Nothing of these has left, and nothing will: others have moved them."""
    driver.execute(_LET_GO, (json.dumps(rows), fence))


def settle(
    driver: Connection, mailing: int, fence: int, marks: Mapping[RowId, Mark] | None, transport: str, now: datetime
) -> None:
    """End the work of the sender with this fence: what it had claimed is planned again, unknown, or accepted, as the
    flight recorder tells; without one, all of it may have left."""
    at = stamp(now)
    if marks is None:
        driver.execute(_UNKNOWN, (at, STOPPED, mailing))
        driver.execute(_UNKNOWN_MOVED, (at, STOPPED, mailing, fence))
        return
    for row, mark in marks.items():
        if mark is Mark.STARTED:
            driver.execute(_UNKNOWN_ROW, (at, ENDED, row, fence))
        elif mark is Mark.ACCEPTED:
            driver.execute(_ACCEPTED_ATTEMPT, (at, transport, RECORDED, row, fence))
            driver.execute(_ACCEPTED_ROW, (at, row, fence))
    driver.execute(_PLANNED, (at, mailing))


def say_how_it_stands(driver: Connection, mailing: int, status: Status) -> None:
    """Give the mailing this status. But complete is one with nobody open, whatever was wanted, and nobody else's; and
    what was closed stays so."""
    driver.execute(_STANDS, (status, mailing))


_ACTIVE = str(State.ACTIVE)
_DIGEST = 32
# a row that a sender claimed, also when others have moved it since
_IN_HAND = "IN ('claimed', 'suppressed', 'cancelled')"
_TIME = "strftime('%Y-%m-%dT%H:%M:%f', {}, 'unixepoch') || '000Z'"  # as tables.stamp writes it

# a result: id, state, due, detail, started, ended, connection, outcome, scope, code, enhanced, reply, attempts before
_KEEP_ATTEMPTS = f"""
INSERT INTO attempt (delivery_id, number, started_at, ended_at, transport, connection, outcome, scope, code, enhanced,
                     reply)
SELECT d.id, d.attempts + 1, {_TIME.format("r.value ->> 4")}, {_TIME.format("r.value ->> 5")}, ?2,
       r.value ->> 6, r.value ->> 7, r.value ->> 8, r.value ->> 9, r.value ->> 10, r.value ->> 11
FROM json_each(?1) r CROSS JOIN delivery d ON d.id = r.value ->> 0
WHERE d.fence = ?3 AND d.attempts = r.value ->> 12 AND d.state {_IN_HAND}
"""  # noqa: S608 - no value of a user
# Who left while their message was on the wire stays suppressed, unless it may have arrived.
_KEEP_RESULTS = f"""
UPDATE delivery
SET state = CASE WHEN delivery.state = 'claimed' OR r.state IN ('accepted', 'refused', 'unknown')
                 THEN r.state ELSE delivery.state END,
    due_at = CASE WHEN delivery.state = 'claimed' THEN r.due END,
    fence = CASE WHEN delivery.state = 'claimed' THEN fence ELSE 0 END,
    detail = r.detail, attempts = attempts + 1, message_digest = substr(?2, r.place * 32 + 1, 32), changed_at = ?3
FROM (SELECT key AS place, value ->> 0 AS id, value ->> 1 AS state, value ->> 2 AS due, value ->> 3 AS detail,
             value ->> 12 AS before
      FROM json_each(?1)) r
WHERE delivery.id = r.id AND delivery.fence = ?4 AND delivery.attempts = r.before
  AND delivery.state {_IN_HAND}
"""  # noqa: S608 - no value of a user
# an acceptance: id 20 | attempts before 6 | started 17 | ended 17 | length of connection 3 | connection | reply
_KEEP_ACCEPTED_ATTEMPTS = f"""
INSERT INTO attempt (delivery_id, number, started_at, ended_at, transport, connection, outcome, reply)
SELECT d.id, d.attempts + 1, {_TIME.format("substr(r.value, 27, 17)")}, {_TIME.format("substr(r.value, 44, 17)")}, ?2,
       substr(r.value, 64, substr(r.value, 61, 3)), 'accepted', substr(r.value, 64 + substr(r.value, 61, 3))
FROM json_each(?1) r CROSS JOIN delivery d ON d.id = CAST(substr(r.value, 1, 20) AS INTEGER)
WHERE d.fence = ?3 AND d.attempts = CAST(substr(r.value, 21, 6) AS INTEGER)
  AND d.state {_IN_HAND}
"""  # noqa: S608 - no value of a user
_KEEP_ACCEPTED = f"""
UPDATE delivery
SET state = 'accepted', due_at = NULL, detail = '', attempts = attempts + 1,
    message_digest = substr(?2, r.place * 32 + 1, 32), changed_at = ?3
FROM (SELECT key AS place, CAST(substr(value, 1, 20) AS INTEGER) AS id, CAST(substr(value, 21, 6) AS INTEGER) AS before
      FROM json_each(?1)) r
WHERE delivery.id = r.id AND delivery.fence = ?4 AND delivery.attempts = r.before
  AND delivery.state {_IN_HAND}
"""  # noqa: S608 - no value of a user
_DUE = f"""
SELECT json_group_array(json_array(
    d.id, d.subscriber_id, d.artefact_hash, json(d.slots), d.attempts, s.state, s.paused_until,
    EXISTS (SELECT 1 FROM suppression x WHERE x.address_hash IN (d.address_hash, p.address_hash))
    OR (p.address_hash <> d.address_hash
        AND EXISTS (SELECT 1 FROM delivery o WHERE o.issue = d.issue AND o.address_hash = p.address_hash)),
    p.typed, s.generation))
FROM (SELECT * FROM (SELECT * FROM delivery
                     WHERE mailing_id = ?1 AND state = 'deferred' AND due_at <= ?2 AND {OPEN_ROWS}
                     ORDER BY due_at LIMIT ?3)
      UNION ALL
      SELECT * FROM (SELECT * FROM delivery
                     WHERE mailing_id = ?1 AND state = 'planned' AND {OPEN_ROWS}
                     ORDER BY due_at LIMIT ?3)
      LIMIT ?3) d
LEFT JOIN subscriber s ON s.id = d.subscriber_id
LEFT JOIN person p ON p.subscriber_id = d.subscriber_id
"""  # noqa: S608 - no value of a user
_DROP = "UPDATE delivery SET state = 'suppressed', fence = 0, due_at = NULL, changed_at = ?, detail = ? WHERE id = ?"
_LET_GO = """
UPDATE delivery SET fence = 0
WHERE id IN (SELECT value FROM json_each(?1)) AND fence = ?2 AND state IN ('suppressed', 'cancelled')
"""
_CLAIM = """
UPDATE delivery SET state = 'claimed', fence = ?2, changed_at = ?3 WHERE id IN (SELECT value FROM json_each(?1))
"""
_EXPIRE = f"""
UPDATE delivery
SET state = 'expired', due_at = NULL, changed_at = ?, detail = CASE WHEN detail = '' THEN ? ELSE detail END
WHERE mailing_id = ? AND state IN ('planned', 'deferred') AND {OPEN_ROWS}
"""  # noqa: S608 - no value of a user
_STANDS = f"""
UPDATE mailing SET status = CASE
    WHEN status = 'closed' THEN status
    WHEN NOT EXISTS (SELECT 1 FROM delivery WHERE mailing_id = ?2 AND {OPEN_ROWS})
         AND NOT EXISTS (SELECT 1 FROM wave WHERE mailing_id = ?2 AND NOT frozen) THEN 'complete'
    WHEN ?1 = 'complete' THEN 'sending'
    ELSE ?1 END
WHERE id = ?2
"""  # noqa: S608 - no value of a user
_RENEW = "UPDATE delivery SET slots = json_set(slots, '$.to', ?, '$.generation', ?) WHERE id = ?"
_NO_LONGER = """
SELECT r.value FROM json_each(?1) r LEFT JOIN delivery d ON d.id = r.value
WHERE d.state IS NOT 'claimed' OR d.fence != ?2
"""
_UNKNOWN = f"""
UPDATE delivery SET state = 'unknown', attempts = attempts + 1, changed_at = ?, detail = ?
WHERE mailing_id = ? AND state = 'claimed' AND {OPEN_ROWS}
"""  # noqa: S608
_UNKNOWN_MOVED = """
UPDATE delivery SET state = 'unknown', attempts = attempts + 1, changed_at = ?, detail = ?
WHERE mailing_id = ? AND fence = ? AND state IN ('suppressed', 'cancelled')
"""
_UNKNOWN_ROW = f"""
UPDATE delivery SET state = 'unknown', attempts = attempts + 1, changed_at = ?, detail = ?
WHERE id = ? AND fence = ? AND state {_IN_HAND}
"""  # noqa: S608 - no value of a user
_ACCEPTED_ATTEMPT = f"""
INSERT INTO attempt (delivery_id, number, ended_at, transport, outcome, reply)
SELECT id, attempts + 1, ?, ?, 'accepted', ? FROM delivery
WHERE id = ? AND fence = ? AND state {_IN_HAND}
"""  # noqa: S608 - no value of a user
_ACCEPTED_ROW = f"""
UPDATE delivery SET state = 'accepted', attempts = attempts + 1, changed_at = ?
WHERE id = ? AND fence = ? AND state {_IN_HAND}
"""  # noqa: S608 - no value of a user
_PLANNED = f"""
UPDATE delivery SET state = 'planned', changed_at = ? WHERE mailing_id = ? AND state = 'claimed' AND {OPEN_ROWS}
"""  # noqa: S608


def _line(result: Result) -> str:
    """An acceptance as the statements above read it."""
    row, outcome, _, _, started, ended, connection, _, before = result
    assert started  # noqa: S101 - else it has other statements
    name = connection[:999]
    begin, end = started.timestamp(), ended.timestamp()
    return f"{row:020d}{before:06d}{begin:017.6f}{end:017.6f}{len(name):03d}{name}{outcome.reply}"


def _digests(results: Sequence[Result]) -> bytes:
    return b"".join(result.digest.ljust(_DIGEST, b"\0") for result in results)


def _values(result: Result) -> tuple[Any, ...]:
    """A result as the statements above read it."""
    outcome = result.outcome
    accepted = isinstance(outcome, Accepted)
    return (
        result.row,
        result.state,
        stamp(result.due) if result.due else None,
        "" if accepted else outcome.reply,
        result.started.timestamp() if result.started else None,
        result.ended.timestamp(),
        result.connection,
        type(outcome).__name__.lower(),
        getattr(outcome, "scope", None),
        getattr(outcome, "code", None),
        getattr(outcome, "enhanced", None),
        outcome.reply,
        result.before,
    )


def _why_not(row: list[Any], today: date) -> str:
    """Why the person of a row may not get it after all; empty when they may."""
    _, _, _, slots, _, state, paused_until, suppressed, typed, _ = row
    if state == _ACTIVE and typed is not None and slots is not None and not suppressed:
        return ""
    if state is None or typed is None or slots is None:
        return "erased"
    pause = date.fromisoformat(paused_until) if paused_until else None
    return str(eligible(State(state), pause, suppressed=bool(suppressed), today=today) or "")


def _claims(driver: Connection, rows: Sequence[list[Any]]) -> list[Claim]:
    """The rows as claims; mail goes to the present address, with the present generation of tokens."""
    claims, renewed = [], []
    for identifier, person, artefact_hash, slots, attempts, _, _, _, typed, generation in rows:
        if slots["to"] != typed or slots["generation"] != generation:
            renewed.append((typed, generation, identifier))
        address, topics = EmailAddress(typed, typed.lower()), tuple(slots["topics"])
        reader = Recipient(SubscriberId(person), address, slots["name"], topics, bool(slots["all"]), generation)
        claims.append(Claim(RowId(identifier), reader, artefact_hash, attempts))
    if renewed:
        driver.executemany(_RENEW, renewed)
    return claims
