"""What an admin does to a mailing beside sending it, and every row of it as people ask for them.

A change here is seen by whoever sends within moments: it moves rows and the mailing's status, never a fence. What is
on the wire at that moment is not touched; its sender tells what it ended in.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, text, update

from digest_mailer.adapters.store import hand_off
from digest_mailer.adapters.store.audience import write_all
from digest_mailer.adapters.store.database import Database, sqlite
from digest_mailer.adapters.store.lease import find_mailing
from digest_mailer.adapters.store.open_rows import fence_of_claimed
from digest_mailer.adapters.store.tables import OPEN_ROWS, attempt, delivery, mailing, person
from digest_mailer.core.address import EmailAddress
from digest_mailer.core.delivery import MAY_HAVE_ARRIVED, Fate, HandOff
from digest_mailer.core.identity import IssueId, RowId, SubscriberId
from digest_mailer.core.mailing import Attempt, Delivery, Status
from digest_mailer.core.message import Recipient

_TO_CANCEL = (HandOff.PLANNED, HandOff.CLAIMED, HandOff.DEFERRED)
_PAGE = 5000


class OversightStore:
    """The port `Oversight` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pause(self, issue: IssueId, why: str) -> bool:
        """Have it stop; False when there is nothing left to stop."""
        running = mailing.c.status.in_((Status.SENDING, Status.HELD))
        with self._database.write() as connection:
            values = {"status": Status.PAUSED, "detail": why}
            changed = connection.execute(update(mailing).where(mailing.c.issue == issue, running).values(**values))
            return bool(changed.rowcount)

    def cancel(self, issue: IssueId, why: str, now: datetime) -> int:
        """End it: nobody else is served. An audience that is not all written is written first, so that everybody who
        was to get the issue is on record as not having got it."""
        with self._database.write() as connection:
            found = find_mailing(connection, issue)
            if not found:
                return 0
            write_all(connection, found.id, issue)
            values: dict[str, Any] = {"state": HandOff.CANCELLED, "due_at": None, "changed_at": now, "detail": why}
            values["fence"] = fence_of_claimed()
            open_rows = (delivery.c.mailing_id == found.id, delivery.c.state.in_(_TO_CANCEL), text(OPEN_ROWS))
            cancelled = connection.execute(update(delivery).where(*open_rows).values(**values)).rowcount
            closed = {"status": Status.CLOSED, "detail": why}
            connection.execute(update(mailing).where(mailing.c.id == found.id).values(**closed))
            return cancelled

    def retry(self, issue: IssueId, states: Sequence[HandOff], now: datetime, expires: datetime) -> int:
        """Have people in these states tried again at once."""
        with self._database.write() as connection:
            found = find_mailing(connection, issue)
            if not found:
                return 0
            values = {"state": HandOff.PLANNED, "due_at": now, "changed_at": now}
            chosen = (delivery.c.mailing_id == found.id, delivery.c.state.in_(states))
            changed = connection.execute(update(delivery).where(*chosen).values(**values)).rowcount
            if changed:
                renewed = {"expires_at": expires, "status": Status.SENDING, "detail": ""}
                connection.execute(update(mailing).where(mailing.c.id == found.id).values(**renewed))
            return changed

    def settle(self, issue: IssueId, rows: Mapping[RowId, HandOff], why: str, now: datetime) -> int:
        """Settle unknown rows as accepted, refused, or planned, which is to send them again. Whose message was taken
        although they had left or it was cancelled meanwhile is accepted too."""
        settled = 0
        with self._database.write() as connection:
            for row, state in rows.items():
                states = MAY_HAVE_ARRIVED if state is HandOff.ACCEPTED else (HandOff.UNKNOWN,)
                unknown = (delivery.c.id == row, delivery.c.issue == issue, delivery.c.state.in_(states))
                values: dict[str, Any] = {"state": state, "changed_at": now, "detail": why, "due_at": None}
                if state is HandOff.PLANNED:
                    values |= {"due_at": now, "resent": delivery.c.resent + 1}
                if connection.execute(update(delivery).where(*unknown).values(**values)).rowcount:
                    settled += 1
                    if state is not HandOff.PLANNED:
                        _note_settled(connection, row, state, why, now)
            found = find_mailing(connection, issue)
            if found and settled:
                hand_off.say_how_it_stands(sqlite(connection), found.id, found.status)
        return settled

    def resend_once(self, issue: IssueId, now: datetime) -> int:
        """Plan everybody again who is unknown for the first time. Answers how many."""
        first = (delivery.c.issue == issue, delivery.c.state == HandOff.UNKNOWN, delivery.c.resent == 0)
        values = {"state": HandOff.PLANNED, "due_at": now, "changed_at": now, "resent": 1}
        with self._database.write() as connection:
            return connection.execute(update(delivery).where(*first).values(**values)).rowcount

    def note_fates(self, rows: Mapping[RowId, Fate], now: datetime) -> int:
        """Keep what became of messages after the hand-off."""
        changed = 0
        with self._database.write() as connection:
            for row, fate in rows.items():
                of_it = (delivery.c.id == row, delivery.c.fate != fate)
                values = {"fate": fate, "changed_at": now}
                changed += connection.execute(update(delivery).where(*of_it).values(**values)).rowcount
        return changed

    def deliveries(
        self,
        issue: IssueId | None,
        states: Sequence[HandOff] = (),
        domain: str = "",
        person: SubscriberId | None = None,
    ) -> Iterator[Delivery]:
        """Rows of an issue or of all, newest issue first, by address."""
        query = _rows()
        if issue:
            query = query.where(delivery.c.issue == issue)
        if states:
            query = query.where(delivery.c.state.in_(states))
        if domain:
            query = query.where(_at(domain))
        if person is not None:
            query = query.where(delivery.c.subscriber_id == person)
        with self._database.read() as connection:
            for row in connection.execution_options(yield_per=_PAGE).execute(query):
                yield _delivery(row)

    def attempts(self, row: RowId) -> Sequence[Attempt]:
        """Every attempt of a row, oldest first."""
        query = select(attempt).where(attempt.c.delivery_id == row).order_by(attempt.c.number)
        with self._database.read() as connection:
            return [
                Attempt(
                    one.number, one.started_at, one.ended_at, one.transport, one.connection, one.outcome, one.code,
                    one.enhanced or "", one.reply,
                )
                for one in connection.execute(query)
            ]  # fmt: skip


def _note_settled(connection: Connection, row: RowId, state: HandOff, why: str, now: datetime) -> None:
    """What was found out of an attempt stands among the attempts, like an answer that came late."""
    number = func.coalesce(func.max(attempt.c.number), 0) + 1
    last = connection.execute(select(number).where(attempt.c.delivery_id == row)).scalar_one()
    values = {"delivery_id": row, "number": last, "ended_at": now, "transport": "", "outcome": state, "reply": why}
    connection.execute(insert(attempt).values(**values))
    connection.execute(update(delivery).where(delivery.c.id == row, delivery.c.attempts < last).values(attempts=last))


def _at(domain: str) -> Any:
    escaped = domain.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return person.c.canonical.like(f"%@{escaped}", escape="\\")


def _rows() -> Select[Any]:
    return (
        select(delivery, person.c.typed)
        .select_from(delivery.outerjoin(person, person.c.subscriber_id == delivery.c.subscriber_id))
        .order_by(delivery.c.issue.desc(), person.c.canonical, delivery.c.id)
    )


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        row=RowId(row.id),
        issue=IssueId(row.issue),
        subscriber=SubscriberId(row.subscriber_id),
        address=row.typed or "",
        state=HandOff(row.state),
        fate=Fate(row.fate),
        attempts=row.attempts,
        due=row.due_at,
        changed=row.changed_at,
        detail=row.detail,
        artefact_hash=row.artefact_hash,
        recipient=_recipient(row),
        digest=row.message_digest,
    )


def _recipient(row: Row[Any]) -> Recipient | None:
    """The reader with the values of the last attempt."""
    if row.slots is None:
        return None
    values = json.loads(row.slots)
    if "to" not in values:  # written by an older version
        return None
    address = EmailAddress(values["to"], values["to"].lower())
    topics, everything = tuple(values["topics"]), bool(values["all"])
    return Recipient(SubscriberId(row.subscriber_id), address, values["name"], topics, everything, values["generation"])
