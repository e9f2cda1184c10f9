"""The audit trail on the database. `append` is called in the transaction of what it tells of: both or neither."""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, select
from sqlalchemy.sql.elements import ColumnElement

from digest_mailer.adapters.store.database import Database
from digest_mailer.adapters.store.tables import audit, audit_private, import_run, stamp, subscriber
from digest_mailer.core.audience import State
from digest_mailer.core.audit import (
    START,
    Checked,
    Entry,
    Note,
    Record,
    TrailSearch,
    check,
    content_digest,
    link,
    written,
)
from digest_mailer.core.identity import SubscriberId

_SALT = 16  # octets


def append(connection: Connection, note: Note, now: datetime) -> None:
    """Write one entry behind the last."""
    last = connection.execute(select(audit.c.id, audit.c.chain).order_by(audit.c.id.desc()).limit(1)).first()
    number, before = (last.id + 1, last.chain) if last else (1, START)
    salt, content = secrets.token_bytes(_SALT), written(note.content)
    digest = content_digest(salt, content) if note.content else None
    entry = Entry(number, stamp(now), note.actor, note.action, note.subscriber, written(note.facts), digest)
    values = {"id": number, "at": now, "actor": note.actor, "action": note.action}
    values |= {"subscriber_id": note.subscriber, "facts": entry.facts, "digest": digest, "chain": link(before, entry)}
    connection.execute(insert(audit).values(**values))
    if note.content:
        whose = {"audit_id": number, "subscriber_id": note.subscriber}
        connection.execute(insert(audit_private).values(**whose, salt=salt, content=content))


def forget(connection: Connection, person: SubscriberId) -> None:
    """Delete what is personal in the entries about somebody."""
    connection.execute(delete(audit_private).where(audit_private.c.subscriber_id == person))


class AuditStore:
    """The port `Trail` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, note: Note, now: datetime) -> None:
        """Write an entry about something that changes nothing here, like an export."""
        with self._database.write() as connection:
            append(connection, note, now)

    def records(self, person: SubscriberId | None = None, action: str = "", limit: int = 0) -> Iterator[Record]:
        """Entries, newest first: all, those of a person, of an action; `limit` 0 for all."""
        query = _records().order_by(audit.c.id.desc())
        if person is not None:
            query = query.where(audit.c.subscriber_id == person)
        if action:
            query = query.where(audit.c.action == action)
        if limit:
            query = query.limit(limit)
        with self._database.read() as connection:
            files = _files(connection)
            for row in connection.execution_options(yield_per=1000).execute(query):
                yield _record(row, files)

    def page(self, wanted: TrailSearch, before: int, limit: int) -> Sequence[Record]:
        """The newest so many entries that are wanted, of those with a lower number than `before`; 0 for all."""
        query = _records().where(*_terms(wanted)).order_by(audit.c.id.desc()).limit(limit)
        if before:
            query = query.where(audit.c.id < before)
        with self._database.read() as connection:
            files = _files(connection)
            return [_record(row, files) for row in connection.execute(query)]

    def actions(self) -> Sequence[str]:
        """Every action that there is an entry of, by name. From one to the next in the index of them: the entries
        between them are not read."""
        least = func.min(audit.c.action)
        first = select(least.label("action")).cte("each", recursive=True)
        following = select(least).where(audit.c.action > first.c.action).scalar_subquery()
        each = first.union_all(select(following).where(first.c.action.is_not(None)))
        with self._database.read() as connection:
            return [name for name in connection.scalars(select(each.c.action)) if name is not None]

    def links(self) -> Iterator[Entry]:
        """The chain as it stands, oldest first: to be kept elsewhere."""
        with self._database.read() as connection:
            yield from _links(connection)

    def verify(self) -> Checked:
        """Check the whole chain."""
        kept = select(audit_private.c.audit_id, audit_private.c.salt, audit_private.c.content)
        erased = select(audit.c.id).join(subscriber, subscriber.c.id == audit.c.subscriber_id)
        with self._database.read() as connection:
            contents = connection.execute(kept.order_by(audit_private.c.audit_id))
            gone = connection.scalars(erased.where(subscriber.c.state == State.ERASED))
            return check(_links(connection), (tuple(row) for row in contents), frozenset(gone))


def _links(connection: Connection) -> Iterator[Entry]:
    for row in connection.execution_options(yield_per=1000).execute(select(audit).order_by(audit.c.id)):
        at = stamp(row.at)
        yield Entry(row.id, at, row.actor, row.action, row.subscriber_id, row.facts, row.digest, row.chain)


def _records() -> Select[Any]:
    return select(audit, audit_private.c.content).outerjoin(audit_private, audit_private.c.audit_id == audit.c.id)


def _terms(wanted: TrailSearch) -> Iterator[ColumnElement[bool]]:
    if wanted.person is not None:
        yield audit.c.subscriber_id == wanted.person
    if wanted.action:
        yield audit.c.action == wanted.action
    if wanted.since:
        yield audit.c.at >= wanted.since
    if wanted.until:
        yield audit.c.at < wanted.until


def _files(connection: Connection) -> Mapping[int, str]:
    """What the file of each import was called. It is beside the chain, because the name may be a person's."""
    rows = connection.execute(select(import_run.c.id, import_run.c.source))
    return {row.id: row.source for row in rows}


def _record(row: Row[Any], files: Mapping[int, str]) -> Record:
    content, facts = json.loads(row.content) if row.content is not None else {}, json.loads(row.facts)
    if row.action == "import" and facts.get("import") in files:
        facts = {"file": files[facts["import"]], **facts}
    person = SubscriberId(row.subscriber_id) if row.subscriber_id is not None else None
    erased = row.digest is not None and row.content is None
    return Record(row.id, row.at, row.actor, row.action, person, facts, content, erased)
