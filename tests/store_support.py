"""A small store in a file of its own: people by number, one approved edition, a mailing to all of them.

The database is migrated once and copied, so that making one takes milliseconds.
"""

import atexit
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from core_support import JULY, address_of, edition_of
from digest_mailer.adapters.store.approvals import ApprovalStore
from digest_mailer.adapters.store.audience import write_all
from digest_mailer.adapters.store.audit import AuditStore
from digest_mailer.adapters.store.changes import ChangeStore
from digest_mailer.adapters.store.database import Database
from digest_mailer.adapters.store.lease import SenderLease
from digest_mailer.adapters.store.ledger import LedgerStore
from digest_mailer.adapters.store.people import PeopleStore
from digest_mailer.adapters.store.roster import RosterStore
from digest_mailer.adapters.store.segments import SegmentStore
from digest_mailer.adapters.store.suppressions import SuppressionStore
from digest_mailer.adapters.system import new_subscriber_id, new_subscriber_ids
from digest_mailer.core.address import address_hash
from digest_mailer.core.audience import Candidate, Consent, ImportResult, Subscriber
from digest_mailer.core.edition import Assignment, EditionKey, edition_hash, encode_edition
from digest_mailer.core.identity import ENGLISH, IssueId
from digest_mailer.core.intake import Batch, Origin, row_of
from digest_mailer.core.mailing import Approval, Status, WaveRequest
from digest_mailer.core.publication import NoMatch
from digest_mailer.core.segment import EVERYBODY, Segment
from digest_mailer.core.topic import MAX_TOPICS, words_of
from digest_mailer.ports import Agree, Roster, anybody

NOW = datetime(2024, 1, 31, 12, tzinfo=UTC)
KEY = b"the key of address hashes, tests"
BOOTH = Consent("conference booth", date(2022, 5, 20))
ALL_WORDS = words_of(range(MAX_TOPICS))
BODY = encode_edition(edition_of())
HASH = edition_hash(BODY)
WAY = "smtp://127.0.0.1:25?tls=none"


@dataclass
class Store:
    """Every store on one database."""

    database: Database

    def __post_init__(self) -> None:
        self.people = PeopleStore(self.database)
        self.changes = ChangeStore(self.database, KEY, new_subscriber_id)
        self.suppressions = SuppressionStore(self.database)
        self.trail = AuditStore(self.database)
        self.roster = RosterStore(self.database, KEY, new_subscriber_ids)
        self.segments = SegmentStore(self.database)
        self.approvals = ApprovalStore(self.database)
        self.ledger = LedgerStore(self.database, lambda _owner: False)  # no sender of another test lives

    def load(self, *candidates: Candidate, apply: bool = True, now: datetime = NOW) -> ImportResult:
        """Import them."""
        return take_in(self.roster, candidates, now, apply=apply)

    def person(self, address: str) -> Subscriber:
        """The person with this address."""
        found = self.people.find(address_of(address))
        assert found is not None
        return found

    def suppress(self, address: str) -> None:
        """Put an address on the suppression list."""
        digest = address_hash(address_of(address), KEY)
        self.sql(
            "INSERT INTO suppression VALUES (?, 'complaint', '2024-01-01T00:00:00.000000Z', 'complaint', 0)", digest
        )

    def receive(self, address: str, issue: IssueId, state: str = "accepted") -> None:
        """Give somebody a row of an issue, as a mailing of its own would."""
        columns = "mailing_id, wave_id, issue, address_hash, subscriber_id, artefact_hash, state, changed_at"
        own = "SELECT 0, 0, ?, address_hash, subscriber_id, '', ?, '' FROM person WHERE canonical = ?"
        self.sql(f"INSERT INTO delivery ({columns}) {own}", issue, state, address)

    def approve(self, issue: IssueId = JULY) -> Approval:
        """Approve the one edition there is."""
        return self.approvals.add(issue, "source", {EditionKey(ENGLISH, (1, 2)): BODY}, "tests", "", NOW)

    def request(self, segment: Segment = EVERYBODY, now: datetime = NOW, **changes: Any) -> WaveRequest:
        """A wave to everybody in the segment who follows anything: both articles are about every topic."""
        assignment = Assignment((ALL_WORDS, ALL_WORDS), (ENGLISH,), NoMatch.SKIP)
        return replace(WaveRequest(segment, assignment, WAY, now, now + timedelta(hours=48)), **changes)

    def freeze(
        self, issue: IssueId = JULY, segment: Segment = EVERYBODY, now: datetime = NOW, *, agree: Agree = anybody
    ) -> int:
        """A wave of the issue with all its rows."""
        approval = self.approvals.latest(issue) or self.approve(issue)
        people = self.ledger.open_wave(approval, self.request(segment, now), agree)
        if people:
            with closing(self.lease(issue)) as lease:
                with self.database.write() as connection:
                    write_all(connection, lease.mailing.id, issue)
                lease.release(Status.SENDING, "", (), (), now)
        return people

    def lease(self, issue: IssueId = JULY, owner: str = "tests", now: datetime = NOW, slots: int = 5000) -> SenderLease:
        """Become the sender."""
        return self.ledger.lease(issue, WAY, owner, slots, now)

    def begin(self, people: int, issue: IssueId = JULY) -> SenderLease:
        """A mailing to so many new people, with its first sender."""
        self.load(*(candidate(f"reader{number}@example.org") for number in range(people)))
        assert self.freeze(issue) == people
        return self.lease(issue, "first")

    def states(self, issue: IssueId = JULY) -> dict[str, str]:
        """The hand-off of everybody in a mailing, by address."""
        found = self.sql(
            "SELECT p.canonical, d.state FROM delivery d LEFT JOIN person p USING (subscriber_id) WHERE issue = ?",
            issue,
        )
        return dict(found)

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Any statement, on a connection of its own."""
        with closing(sqlite3.connect(self.database.path)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def dump(self) -> list[str]:
        """Everything in the database."""
        with closing(sqlite3.connect(self.database.path)) as connection:
            return [*connection.iterdump()]


def make_store(folder: Path) -> Store:
    """A new store."""
    folder.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=folder)) / "digest.db"
    shutil.copy(_pattern(), path)
    return Store(Database(path))


@cache
def _pattern() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="digest-mailer-store-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Database(folder / "digest.db").upgrade()
    return folder / "digest.db"


def take_in(
    roster: Roster, candidates: Iterable[Candidate], now: datetime = NOW, *, apply: bool = True
) -> ImportResult:
    """Import people, or only look."""
    rows = [row_of(replace(one, row=number)) for number, one in enumerate(candidates, 2)]
    with roster.staging() as staging:
        staging.take(Batch(rows))
        assert not staging.seal(), "nobody stands among them twice"
        return staging.merge(Origin("people.csv", "digest", "tests"), now) if apply else staging.look()


def candidate(address: str, topics: Iterable[int] = (), **changes: Any) -> Candidate:
    """A row of an import: a reader of everything unless it says which topics."""
    chosen = tuple(topics)
    parts: dict[str, Any] = {
        "row": 2,
        "address": address_of(address),
        "consent": BOOTH,
        "topics": words_of(chosen),
        "all_topics": not chosen,
    }
    return Candidate(**parts | changes)
