"""The suppression list: addresses that get no mail whatever anybody's state says, known by their keyed hash only.

It outlives the people: an erasure leaves the hash here, so that no import brings the person back.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from digest_mailer.adapters.store import audit
from digest_mailer.adapters.store.database import Database, next_sequence
from digest_mailer.adapters.store.open_rows import drop_open_rows
from digest_mailer.adapters.store.tables import person, suppression
from digest_mailer.core.audience import Ground, Suppression
from digest_mailer.core.audit import Note
from digest_mailer.core.identity import SubscriberId


class SuppressionStore:
    """The port `Suppressions` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, digest: bytes) -> Suppression | None:
        """The entry of this hash."""
        with self._database.read() as connection:
            row = connection.execute(select(suppression).where(suppression.c.address_hash == digest)).first()
            return _suppression(row) if row else None

    def all(self) -> Iterator[tuple[Suppression, str]]:
        """Every entry, oldest first, with the address where its person is still known."""
        query = select(suppression, person.c.typed).outerjoin(
            person, person.c.address_hash == suppression.c.address_hash
        )
        query = query.order_by(suppression.c.since, suppression.c.address_hash)
        with self._database.read() as connection:
            for row in connection.execution_options(yield_per=1000).execute(query):
                yield _suppression(row), row.typed or ""

    def add(self, entries: Iterable[Suppression], actor: str, now: datetime) -> int:
        """Put addresses on the list; answers how many were not on it. Nothing more is sent to them."""
        with self._database.write() as connection:
            added = sum(suppress(connection, one, now) for one in entries)
            if added:
                audit.append(connection, Note(actor, "suppress", facts={"addresses": added}), now)
            return added

    def remove(self, digest: bytes, actor: str, reason: str, now: datetime) -> bool:
        """Take an address off the list; False when it was not on it. What somebody left stays left."""
        with self._database.write() as connection:
            if not lift(connection, digest):
                return False
            owner = _owner(connection, digest)
            content = {"reason": reason} if owner is not None else {}  # of a stranger's address nothing is kept
            audit.append(connection, Note(actor, "unsuppress", owner, {"addresses": 1}, content), now)
            return True


def suppress(connection: Connection, entry: Suppression, now: datetime) -> bool:
    """Put an address on the list inside a transaction; False when it is on it. A complaint weighs more than what the
    list says of it otherwise."""
    found = connection.execute(select(suppression.c.kind).where(suppression.c.address_hash == entry.digest)).scalar()
    if found is not None and (entry.ground is not Ground.COMPLAINT or found == Ground.COMPLAINT):
        return False
    values = {"kind": entry.ground, "reason": entry.reason, "since": entry.since}
    if found is not None:
        connection.execute(update(suppression).where(suppression.c.address_hash == entry.digest).values(**values))
        return False
    values["changed_seq"] = next_sequence(connection)
    connection.execute(insert(suppression).values(address_hash=entry.digest, **values))
    if (owner := _owner(connection, entry.digest)) is not None:
        drop_open_rows(connection, owner, "suppressed", now)
    return True


def blank_reason(connection: Connection, digest: bytes, reason: str) -> None:
    """Put this in the place of what was typed about an address."""
    connection.execute(update(suppression).where(suppression.c.address_hash == digest).values(reason=reason))


def lift(connection: Connection, digest: bytes, grounds: Collection[Ground] = tuple(Ground)) -> bool:
    """Take an address off the list inside a transaction, if it is on it for one of these grounds; whether it was."""
    listed = delete(suppression).where(suppression.c.address_hash == digest, suppression.c.kind.in_(grounds))
    lifted = bool(connection.execute(listed).rowcount)
    if lifted:
        next_sequence(connection)
    return lifted


def _suppression(row: Row[Any]) -> Suppression:
    return Suppression(row.address_hash, Ground(row.kind), row.reason, row.since)


def _owner(connection: Connection, digest: bytes) -> SubscriberId | None:
    found = connection.execute(select(person.c.subscriber_id).where(person.c.address_hash == digest)).scalar()
    return SubscriberId(found) if found is not None else None
