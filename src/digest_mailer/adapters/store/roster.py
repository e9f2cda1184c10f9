"""Imports: candidates against who is there already, in one transaction.

A dry run is the same transaction, rolled back. An import may add people and narrow what they get; it never
brings back who has left or is suppressed, and doing it twice changes nothing the second time.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from digest_mailer.adapters.store.database import Database, next_sequence
from digest_mailer.adapters.store.people import drop_open_rows
from digest_mailer.adapters.store.tables import consent, import_run, person, subscriber, suppression, transition
from digest_mailer.core.address import address_hash
from digest_mailer.core.audience import Candidate, ImportResult, State, eligible, has_left, more_restricted
from digest_mailer.core.identity import SubscriberId

_BATCH = 500


class RosterStore:
    """The import side of the port `Subscribers`."""

    def __init__(self, database: Database, address_key: bytes, new_id: Callable[[], SubscriberId]) -> None:
        self._database = database
        self._key = address_key
        self._new_id = new_id

    def load(
        self, candidates: Iterable[Candidate], now: datetime, source: str, digest: str, *, apply: bool
    ) -> ImportResult:
        """Import the candidates, or with `apply` off find out what that would do."""
        with self._database.write() as connection:
            merge = _Merge(connection, now, self._key, self._new_id)
            merge.begin(source, digest)
            rows = iter(candidates)
            while batch := list(islice(rows, _BATCH)):
                merge.take(batch)
            result = merge.finish()
            if not apply:
                connection.rollback()
            return result


class _Merge:
    """One import under way. Rows are written in batches, by kind."""

    def __init__(self, connection: Connection, now: datetime, key: bytes, new_id: Callable[[], SubscriberId]) -> None:
        self.connection = connection
        self.now = now
        self.key = key
        self.new_id = new_id
        self.sequence = next_sequence(connection)
        self.run = 0
        self.counts = {"created": 0, "changed": 0, "unchanged": 0, "kept_out": 0}

    def begin(self, source: str, digest: str) -> None:
        values = {"at": self.now, "source": source, "digest": digest}
        zeros = {"created": 0, "changed": 0, "kept_out": 0, "rejected": 0}
        found = self.connection.execute(insert(import_run).values(**values, **zeros))
        self.run = found.inserted_primary_key[0] if found.inserted_primary_key else 0

    def finish(self) -> ImportResult:
        counts = {name: self.counts[name] for name in ("created", "changed", "kept_out")}
        self.connection.execute(update(import_run).where(import_run.c.id == self.run).values(**counts))
        return ImportResult(**self.counts)

    def take(self, batch: Sequence[Candidate]) -> None:
        hashes = {address_hash(candidate.address, self.key): candidate for candidate in batch}
        known = self._known(hashes)
        suppressed = self._suppressed(hashes)
        new: list[tuple[bytes, Candidate]] = []
        for digest, candidate in hashes.items():
            row = known.get(digest)
            if digest in suppressed or (row is not None and has_left(State(row.state))):
                self.counts["kept_out"] += 1
            elif row is None:
                new.append((digest, candidate))
            else:
                self._change(row, candidate)
        self._create(new)

    def _known(self, hashes: Iterable[bytes]) -> dict[bytes, Row[Any]]:
        query = select(subscriber, person).join(person).where(person.c.address_hash.in_(list(hashes)))
        return {row.address_hash: row for row in self.connection.execute(query)}

    def _suppressed(self, hashes: Iterable[bytes]) -> set[bytes]:
        query = select(suppression.c.address_hash).where(suppression.c.address_hash.in_(list(hashes)))
        return set(self.connection.execute(query).scalars())

    def _create(self, new: Sequence[tuple[bytes, Candidate]]) -> None:
        if not new:
            return
        ids = [self.new_id() for _ in new]
        people = list(zip(ids, new, strict=True))
        self.connection.execute(insert(subscriber), [self._subscriber(i, c) for i, (_, c) in people])
        self.connection.execute(insert(person), [_person(i, digest, c) for i, (digest, c) in people])
        self.connection.execute(insert(consent), [self._consent(i, c) for i, (_, c) in people])
        self.connection.execute(
            insert(transition), [self._transition(i, None, c.state, "imported") for i, (_, c) in people]
        )
        self.counts["created"] += len(new)

    def _change(self, row: Row[Any], candidate: Candidate) -> None:
        """Update a person who is there: what the file says of them, their state only towards less mail."""
        state = more_restricted(State(row.state), candidate.state)
        values: dict[str, Any] = _topic_values(candidate) | {"state": state, "language": candidate.language}
        if state is State.PAUSED and state is candidate.state:
            values["paused_until"] = _longer_pause(row, candidate)
        elif state is not State.PAUSED:
            values["paused_until"] = None
        own = {"typed": candidate.address.typed, "name": candidate.name, "attributes": _attributes(candidate)}
        changed = any(getattr(row, name) != value for name, value in (values | own).items())
        consented = self._add_consent(SubscriberId(row.id), candidate)
        if not changed and not consented:
            self.counts["unchanged"] += 1
            return
        self.counts["changed"] += 1
        times = {"changed_at": self.now, "changed_seq": self.sequence}
        self.connection.execute(update(subscriber).where(subscriber.c.id == row.id).values(**values, **times))
        self.connection.execute(update(person).where(person.c.subscriber_id == row.id).values(**own))
        if state != row.state:
            moved = self._transition(SubscriberId(row.id), row.state, state, "imported")
            self.connection.execute(insert(transition).values(**moved))
        why_not = eligible(state, values.get("paused_until"), suppressed=False, today=self.now.date())
        if why_not and state is candidate.state:
            drop_open_rows(self.connection, SubscriberId(row.id), why_not, self.now)

    def _add_consent(self, subscriber_id: SubscriberId, candidate: Candidate) -> bool:
        """Keep the file's consent beside the earlier ones; False when it is there already."""
        given = candidate.consent
        same = select(consent.c.id).where(
            consent.c.subscriber_id == bindparam("id"),
            consent.c.source == bindparam("source"),
            consent.c.given_on == bindparam("day"),
        )
        found = self.connection.execute(same, {"id": subscriber_id, "source": given.source, "day": given.given_on})
        if found.first():
            return False
        self.connection.execute(insert(consent).values(**self._consent(subscriber_id, candidate)))
        return True

    def _subscriber(self, subscriber_id: SubscriberId, candidate: Candidate) -> dict[str, Any]:
        return _topic_values(candidate) | {
            "id": subscriber_id,
            "state": candidate.state,
            "paused_until": candidate.paused_until,
            "language": candidate.language,
            "created_at": self.now,
            "changed_at": self.now,
            "changed_seq": self.sequence,
        }

    def _consent(self, subscriber_id: SubscriberId, candidate: Candidate) -> dict[str, Any]:
        return {
            "subscriber_id": subscriber_id,
            "source": candidate.consent.source,
            "given_on": candidate.consent.given_on,
            "import_id": self.run,
            "recorded_at": self.now,
        }

    def _transition(self, subscriber_id: SubscriberId, before: str | None, after: State, reason: str) -> dict[str, Any]:
        return {
            "subscriber_id": subscriber_id,
            "at": self.now,
            "from_state": before,
            "to_state": after,
            "reason": reason,
        }


def _longer_pause(row: Row[Any], candidate: Candidate) -> date | None:
    """The later end of two pauses; one without an end is the longest."""
    ends = [candidate.paused_until, row.paused_until] if row.state == State.PAUSED else [candidate.paused_until]
    known = [end for end in ends if end]
    return max(known) if len(known) == len(ends) else None


def _topic_values(candidate: Candidate) -> dict[str, Any]:
    words = {f"topics_{n}": word for n, word in enumerate(candidate.topics)}
    return {**words, "all_topics": candidate.all_topics}


def _person(subscriber_id: SubscriberId, digest: bytes, candidate: Candidate) -> dict[str, Any]:
    return {
        "subscriber_id": subscriber_id,
        "address_hash": digest,
        "canonical": candidate.address.canonical,
        "typed": candidate.address.typed,
        "name": candidate.name,
        "attributes": _attributes(candidate),
    }


def _attributes(candidate: Candidate) -> str:
    return json.dumps(dict(candidate.attributes), ensure_ascii=False, sort_keys=True)
