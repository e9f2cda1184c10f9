"""The right to send a mailing, and the work on its rows that goes with it.

One sender a mailing. It counts up a beat in the database as long as it lives; whoever else wants to send asks
whether the owner still runs, or where that cannot be asked, watches the beat by its own clock that never goes
back. A sender that was overtaken finds another fence in the mailing and changes nothing more.

Its work goes in turns. A turn is one durable transaction: results of the turn before are kept, rows of an audience
that is still being written are added, the next rows are claimed. Between turns, the flight recorder knows more than
the database. Turns are of one thread. `begin` and `answered` may come from another, and so may `changed`, `news` and
`troubles`, which look over a connection of their own: to read waits for nobody, where a turn may wait for whoever
writes.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from sqlite3 import Connection as Driver
from typing import Any

from sqlalchemy import Connection, Insert, select, update

from digest_mailer.adapters.store import hand_off
from digest_mailer.adapters.store.audience import extend, unwritten, writing
from digest_mailer.adapters.store.database import Database, explained, incarnation, sqlite
from digest_mailer.adapters.store.flight_recorder import FlightRecorder, Mark, read
from digest_mailer.adapters.store.tables import TROUBLED_ROWS, instant
from digest_mailer.adapters.store.tables import mailing as mailings
from digest_mailer.core.errors import Locked
from digest_mailer.core.identity import IssueId, RowId
from digest_mailer.core.mailing import Claim, Mailing, News, Result, Status, Turn

SILENCE = 15.0  # seconds without a beat, after which a sender on another machine is taken for dead
_LOOK = 0.5  # seconds between two looks at the beat
_FIRST_PAGE = 500  # people whose rows are written in one turn
_LARGEST_PAGE = 1000  # a larger one would keep the sender waiting
_OTHER = "another process is sending this issue"
_SEE = "wait for it, or see: digest-mailer status"


_Holder = tuple[str | None, int]  # owner and beat


class SenderLease:
    """The port `Lease` on SQLite. Made by `LedgerStore.lease`."""

    def __init__(self, database: Database, connection: Connection, mailing: Mailing, slots: int) -> None:
        self.mailing = mailing
        self._database = database
        self._connection = connection
        with explained(database.path):
            life = incarnation(connection)
            connection.rollback()
        path = recorder_path(database.path, mailing.id)
        self._recorder = FlightRecorder(path, life, mailing.id, mailing.fence, slots)
        self._watcher = database.watcher()
        self._watching = threading.Lock()  # one thread at a time, or the driver reads memory that is gone
        self._version = -1
        self._standing: tuple[Any, ...] = ("", 0, 0)
        self._frozen = False
        self._rows: dict[int, Insert] = {}  # the statement that writes them, by wave
        self._page = _FIRST_PAGE
        self._closed = False

    def turn(self, results: Sequence[Result], limit: int, now: datetime) -> Turn:
        """Keep results, and claim up to `limit` rows that are due. Durable when it returns. Raises Locked when another
        sender has taken over."""
        with self._transaction() as driver:
            self._beat(driver)
            if results:
                hand_off.record(driver, results, self.mailing.fence, self.mailing.transport, now)
            claims = self._claim(driver, limit, now)
            (sequence,) = driver.execute(_SEQUENCE).fetchone()
        self._recorder.land(result.row for result in results)
        self._recorder.board(claim.row for claim in claims)
        return Turn(tuple(claims), sequence)

    def begin(self, row: RowId) -> None:
        """The row's message may be on the wire from here on."""
        self._recorder.mark(row, Mark.STARTED)

    def answered(self, row: RowId, *, accepted: bool) -> None:
        """The server has answered."""
        self._recorder.mark(row, Mark.ACCEPTED if accepted else Mark.RETURNED)

    @property
    def sequence(self) -> int:
        """See `ports.Lease`."""
        return int(self._standing[2])

    def changed(self) -> bool:
        """Whether the list or the mailing's standing was changed since the last time this was asked."""
        with self._watching, explained(self._database.path):
            (version,) = self._watcher.execute("PRAGMA data_version").fetchone()
            if version == self._version:
                return False
            self._version, before = version, self._standing
            self._standing = self._watcher.execute(_STANDING, (self.mailing.id,)).fetchone()
        return self._standing != before

    def news(self, rows: Sequence[RowId]) -> News:
        """What others have done to the mailing; `rows` are in hand, and of none has any content left."""
        with self._watching, explained(self._database.path):
            status, fence, _ = self._watcher.execute(_STANDING, (self.mailing.id,)).fetchone()
            dropped = hand_off.no_longer_claimed(self._watcher, rows, self.mailing.fence)
        return News(frozenset(dropped), Status(status), fence != self.mailing.fence)

    def troubles(self) -> Mapping[str, int]:
        """How many messages are delayed or came back, by domain; who was erased has none any more."""
        with self._watching, explained(self._database.path):
            return dict(self._watcher.execute(_TROUBLES, (self.mailing.id,)).fetchall())

    def let_go(self, rows: Sequence[RowId]) -> None:
        """These rows were dropped, and will have no result. Durable when it returns."""
        with self._transaction() as driver:
            hand_off.let_go(driver, rows, self.mailing.fence)
        self._recorder.land(rows)

    def release(
        self, status: Status, detail: str, unanswered: Sequence[RowId], results: Sequence[Result], now: datetime
    ) -> None:
        """End the work: keep the last results, name who was left without an answer, plan the others again, and say
        where the mailing stands. Whoever has taken over meanwhile is left alone."""
        marks = dict.fromkeys(unanswered, Mark.STARTED)
        with self._transaction() as driver:
            try:
                self._beat(driver)
            except Locked:
                return
            if results:
                hand_off.record(driver, results, self.mailing.fence, self.mailing.transport, now)
            hand_off.settle(driver, self.mailing.id, self.mailing.fence, marks, self.mailing.transport, now)
            driver.execute(_RELEASE, (detail, self.mailing.id))
            hand_off.say_how_it_stands(driver, self.mailing.id, status)

    def close(self) -> None:
        """Let go of everything; what was not released is for the next sender to settle. A look that is still going
        on, because whoever wanted it was cancelled, ends first."""
        if not self._closed:
            self._closed = True
            self._recorder.close()
            with self._watching:
                self._watcher.close()
            self._connection.close()

    def _claim(self, driver: Driver, limit: int, now: datetime) -> Sequence[Claim]:
        """Rows to send; an audience that is not yet written is, as far as needed and a little ahead."""
        claims: list[Claim] = []
        while True:
            if now > self.mailing.expires:
                hand_off.expire(driver, self.mailing.id, now)
            if wanted := limit - len(claims):
                claims += hand_off.claim(driver, self.mailing.id, self.mailing.fence, wanted, now)
            if len(claims) == limit or self._frozen:
                return claims
            self._extend()

    def _extend(self) -> None:
        """Write the next part of the audience: a small one first, so that the first message leaves soon."""
        limit, self._page = self._page, min(2 * self._page, _LARGEST_PAGE)
        if (found := unwritten(self._connection, self.mailing.id)) is None:
            self._frozen = True
            return
        if found.id not in self._rows:
            self._rows[found.id] = writing(found, self.mailing.issue)
        extend(self._connection, found, self._rows[found.id], limit)

    def _beat(self, driver: Driver) -> None:
        """Say that this sender lives, and hear until when. Raises Locked when another one does instead."""
        row = driver.execute(_BEAT, (self.mailing.id, self.mailing.fence)).fetchone()
        if not row:
            raise Locked("another process has taken over this mailing", _SEE)
        if row[0]:
            self.mailing = replace(self.mailing, expires=instant(row[0]))

    @contextmanager
    def _transaction(self) -> Iterator[Driver]:
        with explained(self._database.path), self._connection.begin():
            yield sqlite(self._connection)


def take(
    database: Database,
    issue: IssueId,
    transport: str,
    owner: str,
    runs: Callable[[str], bool | None],
    slots: int,
    now: datetime,
) -> SenderLease:
    """Become the sender; see `LedgerStore.lease`."""

    def look() -> _Holder:
        with database.read() as connection:
            return _holder(connection, issue)

    seen = wait_for_silence(look, runs, time.sleep)
    connection = database.connect()
    try:
        with explained(database.path), connection.begin():
            mailing = _take_over(connection, database.path, seen, issue, transport, owner, now)
        return SenderLease(database, connection, mailing, slots)
    except BaseException:
        connection.close()
        raise


def wait_for_silence(
    look: Callable[[], _Holder], runs: Callable[[str], bool | None], rest: Callable[[float], None]
) -> _Holder:
    """Return when nobody sends the mailing, with the last that was seen. `look` answers its owner and beat; `runs`
    whether an owner still does, None where that cannot be asked. Raises Locked when somebody does."""
    until, seen = time.monotonic() + SILENCE, look()
    while True:
        now = look()
        alive = runs(now[0]) if now[0] else False
        if alive or now != seen:
            raise Locked(_OTHER, _SEE)
        if alive is False or time.monotonic() > until:
            return now
        rest(_LOOK)


def clear_up(database: Database, issue: IssueId, runs: Callable[[str], bool | None], now: datetime) -> None:
    """Settle what a sender left that is known to be dead, without sending on: for who wants to know how it stands."""
    with database.write() as connection:
        owner, _ = _holder(connection, issue)
        before = find_mailing(connection, issue)
        if not before or not owner or runs(owner) is not False:
            return
        _settle(connection, database.path, before, now)
        values = {"fence": before.fence + 1, "beat": mailings.c.beat + 1, "lease_owner": None}
        connection.execute(update(mailings).where(mailings.c.id == before.id).values(**values))
        hand_off.say_how_it_stands(sqlite(connection), before.id, before.status)


def _settle(connection: Connection, path: Path, before: Mailing, now: datetime) -> None:
    marks = read(recorder_path(path, before.id), incarnation(connection), before.id, before.fence)
    hand_off.settle(sqlite(connection), before.id, before.fence, marks, before.transport, now)


def find_mailing(connection: Connection, issue: IssueId) -> Mailing | None:
    """The mailing of an issue."""
    row = connection.execute(select(mailings).where(mailings.c.issue == issue)).first()
    if not row:
        return None
    status, expires = Status(row.status), row.expires_at or row.started_at + _OLD_AGE
    return Mailing(row.id, issue, status, row.started_at, row.transport, row.fence, expires, row.detail)


def recorder_path(database: Path, mailing: int) -> Path:
    """The flight recorder of a mailing, beside its database."""
    return database.with_name(f"flight-{mailing}.rec")


def _take_over(
    connection: Connection, path: Path, seen: _Holder, issue: IssueId, transport: str, owner: str, now: datetime
) -> Mailing:
    """Raise the fence, after settling what the sender before left."""
    if _holder(connection, issue) != seen:
        raise Locked(_OTHER, _SEE)
    before = find_mailing(connection, issue)
    if not before:
        raise KeyError(issue)
    _settle(connection, path, before, now)
    values = {"fence": before.fence + 1, "beat": mailings.c.beat + 1, "lease_owner": owner}
    values |= {"status": Status.SENDING, "detail": "", "transport": transport}
    connection.execute(update(mailings).where(mailings.c.id == before.id).values(**values))
    return replace(before, fence=before.fence + 1, status=Status.SENDING, detail="", transport=transport)


def _holder(connection: Connection, issue: IssueId) -> _Holder:
    found = select(mailings.c.lease_owner, mailings.c.beat).where(mailings.c.issue == issue)
    row = connection.execute(found).first()
    return (row.lease_owner, row.beat) if row else (None, 0)


_OLD_AGE = timedelta(hours=48)  # of a mailing that was begun before its end was kept
_BEAT = "UPDATE mailing SET beat = beat + 1 WHERE id = ? AND fence = ? RETURNING expires_at"
_SEQUENCE = "SELECT coalesce(max(value + 0), 0) FROM meta WHERE key = 'sequence'"
_STANDING = f"SELECT status, fence, ({_SEQUENCE}) FROM mailing WHERE id = ?"  # noqa: S608 - no value of a user
_TROUBLES = f"""
SELECT substr(p.canonical, instr(p.canonical, '@') + 1), count(*)
FROM delivery JOIN person p USING (subscriber_id) WHERE mailing_id = ? AND {TROUBLED_ROWS} GROUP BY 1
"""  # noqa: S608 - no value of a user
_RELEASE = "UPDATE mailing SET lease_owner = NULL, detail = CASE WHEN ?1 = '' THEN detail ELSE ?1 END WHERE id = ?2"
