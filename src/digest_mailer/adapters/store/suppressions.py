"""The suppression list: addresses that get no mail whatever anybody's state says, known by their keyed hash only.

It outlives the people: an erasure leaves the hash here, so that no import brings the person back.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, delete, exists, func, insert, select, tuple_, update

from digest_mailer.adapters.store import audit
from digest_mailer.adapters.store.database import Database, next_sequence
from digest_mailer.adapters.store.open_rows import drop_open_rows
from digest_mailer.adapters.store.tables import delivery, person, suppression
from digest_mailer.core.audience import Ground, SuppressedAddress, Suppression
from digest_mailer.core.audit import Note
from digest_mailer.core.identity import SubscriberId

_PART = 500  # entries at a time
T = TypeVar("T")


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

    def page(
        self, ground: Ground | None, behind: tuple[datetime, bytes] | None, limit: int
    ) -> Sequence[SuppressedAddress]:
        """So many entries of a ground or of all, newest first, behind the one with this time and hash."""
        owner = person.c.address_hash == suppression.c.address_hash
        query = select(suppression, person.c.typed, person.c.subscriber_id).outerjoin(person, owner)
        query = query.order_by(suppression.c.since.desc(), suppression.c.address_hash.desc()).limit(limit)
        if ground:
            query = query.where(suppression.c.kind == ground)
        if behind:
            query = query.where(tuple_(suppression.c.since, suppression.c.address_hash) < behind)
        with self._database.read() as connection:
            return [
                SuppressedAddress(_suppression(row), row.typed or "", row.subscriber_id)
                for row in connection.execute(query)
            ]

    def count(self) -> Mapping[Ground, int]:
        """How many entries there are, by ground."""
        query = select(suppression.c.kind, func.count()).group_by(suppression.c.kind)
        with self._database.read() as connection:
            return {Ground(kind): number for kind, number in connection.execute(query)}

    def known(self, digests: Iterable[bytes]) -> int:
        """How many of these are on the list."""
        with self._database.read() as connection:
            return sum(len(_kinds(connection, part)) for part in _batched(digests, _PART))

    def add(self, entries: Iterable[Suppression], actor: str, now: datetime) -> int:
        """Put addresses on the list; answers how many were not on it. Nothing more is sent to them."""
        with self._database.write() as connection:
            added = sum(_suppress(connection, part, now) for part in _batched(entries, _PART))
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
    return bool(_suppress(connection, (entry,), now))


def _suppress(connection: Connection, entries: Sequence[Suppression], now: datetime) -> int:
    """The same with some hundred at once; answers how many were not on the list. Of several for one address the
    first complaint counts, else the first."""
    wanted: dict[bytes, Suppression] = {}
    for one in entries:
        first = wanted.setdefault(one.digest, one)
        if one.ground is Ground.COMPLAINT and first.ground is not Ground.COMPLAINT:
            wanted[one.digest] = one
    known = _kinds(connection, wanted)
    for digest, kind in known.items():
        if wanted[digest].ground is Ground.COMPLAINT and kind is not Ground.COMPLAINT:
            changed = update(suppression).where(suppression.c.address_hash == digest)
            connection.execute(changed.values(**_values(wanted[digest])))
    new = [one for digest, one in wanted.items() if digest not in known]
    if new:
        number = next_sequence(connection)
        rows = [{"address_hash": one.digest, "changed_seq": number, **_values(one)} for one in new]
        connection.execute(insert(suppression), rows)
        mailed = exists().where(delivery.c.subscriber_id == person.c.subscriber_id)
        owners = select(person.c.subscriber_id).where(person.c.address_hash.in_([one.digest for one in new]), mailed)
        for owner in connection.scalars(owners).all():
            drop_open_rows(connection, SubscriberId(owner), "suppressed", now)
    return len(new)


def _kinds(connection: Connection, digests: Iterable[bytes]) -> Mapping[bytes, Ground]:
    """Which of these are on the list, and why."""
    query = select(suppression.c.address_hash, suppression.c.kind)
    found = connection.execute(query.where(suppression.c.address_hash.in_(list(digests))))
    return {digest: Ground(kind) for digest, kind in found}


def _values(entry: Suppression) -> dict[str, Any]:
    return {"kind": entry.ground, "reason": entry.reason, "since": entry.since}


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


def _batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of so many."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def _suppression(row: Row[Any]) -> Suppression:
    return Suppression(row.address_hash, Ground(row.kind), row.reason, row.since)


def _owner(connection: Connection, digest: bytes) -> SubscriberId | None:
    found = connection.execute(select(person.c.subscriber_id).where(person.c.address_hash == digest)).scalar()
    return SubscriberId(found) if found is not None else None
