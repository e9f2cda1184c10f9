"""The ledger: who gets an issue, how far each hand-off has come, and every attempt. It remembers first.

A row is unique by issue and keyed hash of the address, over segments, waves, transports and imports: nobody
gets an issue twice. The audience of a wave is fixed in one small transaction and written in parts (`audience`).
Whoever sends holds a lease, and only then moves rows (`lease`).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, text, update

from digest_mailer.adapters.store.audience import assignment_to_json, count, keep_received
from digest_mailer.adapters.store.database import Database, incarnation, next_sequence, sequence
from digest_mailer.adapters.store.lease import SenderLease, clear_up, find_mailing, take
from digest_mailer.adapters.store.segments import segment_to_json
from digest_mailer.adapters.store.tables import OPEN_ROWS, delivery, mailing, person, wave
from digest_mailer.adapters.system import still_runs
from digest_mailer.core.delivery import Fate, HandOff
from digest_mailer.core.errors import InterlockError
from digest_mailer.core.identity import IssueId
from digest_mailer.core.mailing import Approval, Mailing, Progress, Status, WaveRequest
from digest_mailer.ports import Agree, anybody


class LedgerStore:
    """The port `Ledger` on the database. `runs` tells whether the owner of a lease still does, None where that
    cannot be asked."""

    def __init__(self, database: Database, runs: Callable[[str], bool | None] = still_runs) -> None:
        self._database = database
        self._runs = runs

    def mailing(self, issue: IssueId) -> Mailing | None:
        """The mailing of an issue."""
        with self._database.read() as connection:
            return find_mailing(connection, issue)

    def mailed(self) -> frozenset[IssueId]:
        """The issues that have a mailing."""
        with self._database.read() as connection:
            return frozenset(IssueId(issue) for issue in connection.scalars(select(mailing.c.issue)))

    def open_wave(self, approval: Approval, wanted: WaveRequest, agree: Agree = anybody) -> int:
        """Begin a wave: fix its audience as it is now, and count it. Makes the mailing when it is the first. All of it
        or nothing; nothing for nobody. The rows are written by whoever sends it. Answers the number of people."""
        with self._database.write() as connection:
            unchanged = wanted.sequence is not None and wanted.sequence == sequence(connection)
            unchanged = unchanged and not wanted.segment.issues  # what people receive does not change the list
            found = find_mailing(connection, approval.issue) or _new_mailing(connection, approval, wanted)
            wave_id = _new_wave(connection, found, approval, wanted)
            people = wanted.people if unchanged else _count(connection, wave_id, approval.issue)
            agree(people)
            if not people:
                connection.rollback()
                return 0
            connection.execute(update(wave).where(wave.c.id == wave_id).values(people=people))
            changed = {"status": Status.SENDING, "approval_id": approval.id, "transport": wanted.transport}
            changed |= {"expires_at": wanted.expires, "detail": ""}
            connection.execute(update(mailing).where(mailing.c.id == found.id).values(**changed))
            return people

    def lease(self, issue: IssueId, transport: str, owner: str, slots: int, now: datetime) -> SenderLease:
        """Become the sender of a mailing, with room for `slots` claimed rows, and settle what the one before left.

        Raises Locked when somebody else sends it, KeyError when there is no mailing. Close it at the end."""
        return take(self._database, issue, transport, owner, self._runs, slots, now)

    def clear_up(self, issue: IssueId, now: datetime) -> None:
        """Settle what a sender left that is dead for certain."""
        clear_up(self._database, issue, self._runs, now)

    def progress(self, issue: IssueId) -> Progress:
        """People by hand-off. Those of an audience whose rows are still to be written are planned."""
        query = select(delivery.c.state, func.count()).where(delivery.c.issue == issue).group_by(delivery.c.state)
        return self._progress(issue, query)

    def still_open(self, issue: IssueId) -> Progress:
        """The people of whom it is not settled whether they get it; quick, whatever the size of the mailing."""
        query = (
            select(delivery.c.state, func.count())
            .join(mailing, mailing.c.id == delivery.c.mailing_id)
            .where(mailing.c.issue == issue, text(f"delivery.{OPEN_ROWS}"))
            .group_by(delivery.c.state)
        )
        return self._progress(issue, query)

    def _progress(self, issue: IssueId, query: Select[Any]) -> Progress:
        with self._database.read() as connection:
            states = {HandOff(state): number for state, number in connection.execute(query)}
            unwritten = _unwritten(connection, issue)
        if unwritten:
            states[HandOff.PLANNED] = states.get(HandOff.PLANNED, 0) + unwritten
        return Progress(states)

    def fates(self, issue: IssueId) -> Mapping[Fate, int]:
        """People by what became of their message."""
        query = select(delivery.c.fate, func.count()).where(delivery.c.issue == issue).group_by(delivery.c.fate)
        with self._database.read() as connection:
            return {Fate(fate): number for fate, number in connection.execute(query)}

    def next_due(self, issue: IssueId) -> datetime | None:
        """When the next deferred row is due; None when there is none."""
        query = (
            select(func.min(delivery.c.due_at))
            .join(mailing, mailing.c.id == delivery.c.mailing_id)
            .where(mailing.c.issue == issue, delivery.c.state == HandOff.DEFERRED, text(f"delivery.{OPEN_ROWS}"))
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


def _new_mailing(connection: Connection, approval: Approval, wanted: WaveRequest) -> Mailing:
    values = {"issue": approval.issue, "status": Status.SENDING, "started_at": wanted.now}
    values |= {"transport": wanted.transport, "approval_id": approval.id, "incarnation": incarnation(connection)}
    connection.execute(insert(mailing).values(**values))
    made = find_mailing(connection, approval.issue)
    if not made:
        raise KeyError(approval.issue)
    return made


def _new_wave(connection: Connection, found: Mailing, approval: Approval, wanted: WaveRequest) -> int:
    earlier = connection.execute(select(func.count()).where(wave.c.mailing_id == found.id)).scalar_one()
    values = {"mailing_id": found.id, "number": earlier + 1, "approval_id": approval.id, "created_at": wanted.now}
    values |= {"segment": segment_to_json(wanted.segment), "assignment": assignment_to_json(wanted.assignment)}
    values |= {"audience_seq": next_sequence(connection), "people": 0, "cursor": -1, "frozen": False}
    added = connection.execute(insert(wave).values(**values))
    wave_id = int(added.inserted_primary_key[0]) if added.inserted_primary_key else 0
    keep_received(connection, wave_id, wanted.segment.issues)
    return wave_id


def _count(connection: Connection, wave_id: int, issue: IssueId) -> int:
    found = connection.execute(select(wave).where(wave.c.id == wave_id)).one()
    people, lacking = count(connection, found, issue)
    if lacking:
        raise InterlockError(f"{lacking} people need an edition that was not approved", "approve the issue again")
    return people


def _unwritten(connection: Connection, issue: IssueId) -> int:
    waves = select(func.max(wave.c.people - wave.c.written, 0)).join(mailing, mailing.c.id == wave.c.mailing_id)
    return sum(connection.scalars(waves.where(mailing.c.issue == issue, ~wave.c.frozen)))
