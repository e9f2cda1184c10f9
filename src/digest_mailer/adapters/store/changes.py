"""What changes a person, each in one transaction with its entry in the audit trail.

A state moves by `core.move` only. Whoever may get no more mail has their open rows of the ledger dropped in the same
transaction, so that a running send notices; every change counts the audience's sequence up.
"""

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from digest_mailer.adapters.store import audit
from digest_mailer.adapters.store.database import Database, next_sequence
from digest_mailer.adapters.store.open_rows import drop_open_rows
from digest_mailer.adapters.store.suppressions import blank_reason, lift, suppress
from digest_mailer.adapters.store.tables import (
    audience_before,
    consent,
    consented,
    delivery,
    former,
    person,
    subscriber,
)
from digest_mailer.core.address import EmailAddress, address_hash
from digest_mailer.core.audience import Consent, Ground, Profile, State, Suppression, eligible
from digest_mailer.core.audit import READER, Note
from digest_mailer.core.errors import ChangedMeanwhileError
from digest_mailer.core.identity import SubscriberId
from digest_mailer.core.move import Move, after
from digest_mailer.core.topic import ordinals_of

ERASURE = "erased at the person's wish"  # why an address is suppressed


class ChangeStore:
    """The port `Changes` on the database."""

    def __init__(self, database: Database, address_key: bytes, new_id: Callable[[], SubscriberId]) -> None:
        self._database = database
        self._key = address_key
        self._new_id = new_id

    def add(self, profile: Profile, given: Consent, move: Move, actor: str, now: datetime) -> SubscriberId | None:
        """A new person; None when somebody with this address is there."""
        with self._database.write() as connection:
            if connection.execute(select(person).where(person.c.canonical == profile.address.canonical)).first():
                return None
            return self.add_inside(connection, profile, given, move, actor, now)

    def add_inside(
        self, connection: Connection, profile: Profile, given: Consent, move: Move, actor: str, now: datetime
    ) -> SubscriberId:
        """A new person, inside a transaction that knows that nobody has the address."""
        state, identifier = after(None, move), self._new_id()
        if state is None:
            raise ValueError(f"nobody begins with {move}")
        values = {"id": identifier, "state": state, "created_at": now, "joined_on": given.given_on}
        values["own_choice"] = actor == READER
        connection.execute(insert(subscriber).values(**values, **subscriber_values(profile, connection, now)))
        own = {"subscriber_id": identifier, "address_hash": address_hash(profile.address, self._key)}
        connection.execute(insert(person).values(**own, **_person(profile)))
        add_consent(connection, identifier, given, now)
        facts = {"from": "", "to": state}
        content = {"address": profile.address.typed, "consent": given.source}
        audit.append(connection, Note(actor, move, identifier, facts, content), now)
        return identifier

    def edit(
        self,
        identifier: SubscriberId,
        profile: Profile,
        actor: str,
        reason: str,
        now: datetime,
        only_if: Profile | None = None,
    ) -> bool:
        """Give a person these values; False when they have them already, or are not there. Raises ValueError when
        somebody else has the address, ChangedMeanwhileError when their values are not `only_if`."""
        with self._database.write() as connection:
            row = person_row(connection, identifier)
            if row is None:
                return False
            if only_if is not None and profile_of(row) != only_if:
                raise ChangedMeanwhileError("somebody changed it at the same time", "look at it again")
            digest = address_hash(profile.address, self._key)
            other = select(person.c.subscriber_id).where(person.c.address_hash == digest)
            if connection.execute(other).scalar() not in (None, identifier):
                raise ValueError(profile.address.typed)
            changed = changes(profile_of(row), profile)
            if not changed:
                return False
            values = subscriber_values(profile, connection, now)
            if profile.address.canonical != row.canonical:
                values["generation"] = row.generation + 1  # links in the old mailbox do nothing but leave
                _keep_former(connection, identifier, row.address_hash)
            if actor == READER:
                values["own_choice"] = True
            update_subscriber(connection, identifier, **values)
            mine = update(person).where(person.c.subscriber_id == identifier)
            connection.execute(mine.values(address_hash=digest, **_person(profile)))
            note = Note(actor, "edit", identifier, {"changed": sorted(changed)}, {**changed, "reason": reason})
            audit.append(connection, note, now)
            return True

    def move(
        self, identifier: SubscriberId, move: Move, actor: str, reason: str, now: datetime, until: date | None = None
    ) -> bool:
        """Move a person's state; False when nobody is there, or the move leads nowhere. `until` ends a pause."""
        with self._database.write() as connection:
            return move_person(connection, identifier, move, actor, reason, now, until)

    def reinstate(self, identifier: SubscriberId, actor: str, reason: str, now: datetime) -> State | None:
        """Undo what a server reported, on the list of suppressed addresses too; answers the new state, None when there
        is nothing to undo."""
        with self._database.write() as connection:
            row = person_row(connection, identifier)
            complained = row is not None and row.state == State.COMPLAINED
            move, ground = (Move.LIFT, Ground.COMPLAINT) if complained else (Move.REINSTATE, Ground.BOUNCE)
            if row is None or not move_person(connection, identifier, move, actor, reason, now):
                return None
            lift(connection, row.address_hash, (ground,))
            return after(State(row.state), move)

    def erase(self, identifier: SubscriberId, actor: str, now: datetime) -> bool:
        """Forget a person: their values, words about them, what was sent to them. What stays is their number in the
        ledger and the trail, and the keyed hash of the address on the suppression list, so that no import brings
        them back. False when nobody is there."""
        with self._database.write() as connection:
            row = person_row(connection, identifier)
            if row is None or not move_person(connection, identifier, Move.ERASE, actor, "", now):
                return False
            for digest in (row.address_hash, *_former(connection, identifier)):
                suppress(connection, Suppression(digest, Ground.ERASED, ERASURE, now), now)
                blank_reason(connection, digest, ERASURE)
            forget_person(connection, identifier)
            return True


def move_person(
    connection: Connection,
    identifier: SubscriberId,
    move: Move,
    actor: str,
    reason: str,
    now: datetime,
    until: date | None = None,
) -> bool:
    """Move a state inside a transaction; False when nobody is there, or the move leads nowhere."""
    found = connection.execute(select(subscriber.c.state).where(subscriber.c.id == identifier)).scalar()
    state = after(State(found), move) if found else None
    if state is None:
        return False
    pause = until if state is State.PAUSED else None
    values = {"state": state, "paused_until": pause, "changed_at": now, "changed_seq": next_sequence(connection)}
    update_subscriber(connection, identifier, **values)
    facts = {"from": found, "to": state} | ({"until": str(pause)} if pause else {})
    audit.append(connection, Note(actor, move, identifier, facts, {"reason": reason} if reason else {}), now)
    if why_not := eligible(state, pause, suppressed=False, today=now.date()):
        drop_open_rows(connection, identifier, why_not, now)
    return True


def add_consent(connection: Connection, identifier: SubscriberId, given: Consent, now: datetime) -> None:
    """Keep a consent of one person beside the earlier ones."""
    values = {"source": given.source, "given_on": given.given_on, "wording": given.wording, "version": given.version}
    made = connection.execute(insert(consent).values(**values, place=given.place, recorded_at=now))
    number = made.inserted_primary_key[0] if made.inserted_primary_key else 0
    row = {"subscriber_id": identifier, "consent_id": number, "confirmed_at": given.confirmed_at}
    connection.execute(insert(consented).values(**row))


def update_subscriber(connection: Connection, identifier: SubscriberId, **values: Any) -> None:
    """Write these columns of one person."""
    connection.execute(update(subscriber).where(subscriber.c.id == identifier).values(**values))


def changes(before: Profile, wanted: Profile) -> dict[str, list[Any]]:
    """What differs, as pairs of before and after."""
    pairs = zip(_shown(before).items(), _shown(wanted).values(), strict=True)
    return {name: [old, new] for (name, old), new in pairs if old != new}


def profile_of(row: Row[Any]) -> Profile:
    """What can be edited of a person, from a row of subscriber and person."""
    return Profile(
        address=EmailAddress(row.typed, row.canonical),
        name=row.name,
        language=row.language,
        topics=(row.topics_0, row.topics_1, row.topics_2, row.topics_3),
        all_topics=bool(row.all_topics),
        attributes=json.loads(row.attributes),
    )


def _shown(profile: Profile) -> dict[str, Any]:
    topics: Any = "all" if profile.all_topics else list(ordinals_of(profile.topics))
    values = {"address": profile.address.typed, "name": profile.name, "language": profile.language}
    return values | {"topics": topics, "attributes": dict(profile.attributes)}


def person_row(connection: Connection, identifier: SubscriberId) -> Row[Any] | None:
    """The row of a person, of both tables."""
    return connection.execute(select(subscriber, person).join(person).where(subscriber.c.id == identifier)).first()


def subscriber_values(profile: Profile, connection: Connection, now: datetime) -> dict[str, Any]:
    """What of a profile stands in the table of subscribers, as changed now."""
    words = {f"topics_{number}": word for number, word in enumerate(profile.topics)}
    times = {"changed_at": now, "changed_seq": next_sequence(connection)}
    return {**words, "all_topics": profile.all_topics, "language": profile.language, **times}


def _person(profile: Profile) -> dict[str, Any]:
    attributes = json.dumps(dict(profile.attributes), ensure_ascii=False, sort_keys=True)
    own = {"canonical": profile.address.canonical, "typed": profile.address.typed}
    return {**own, "name": profile.name, "attributes": attributes}


def forget_person(connection: Connection, identifier: SubscriberId) -> None:
    """Delete every value of a person, and all words about them."""
    connection.execute(delete(person).where(person.c.subscriber_id == identifier))
    connection.execute(delete(former).where(former.c.subscriber_id == identifier))
    _forget_consents(connection, identifier)
    _forget_before(connection, identifier)
    connection.execute(update(delivery).where(delivery.c.subscriber_id == identifier).values(slots=None))
    nothing: dict[str, Any] = {f"topics_{number}": 0 for number in range(4)} | {"all_topics": False}
    update_subscriber(connection, identifier, **nothing)
    audit.forget(connection, identifier)


def _keep_former(connection: Connection, identifier: SubscriberId, digest: bytes) -> None:
    """An address that somebody had: an import of an old list must not take them in a second time."""
    connection.execute(delete(former).where(former.c.address_hash == digest))
    connection.execute(insert(former).values(address_hash=digest, subscriber_id=identifier))


def _former(connection: Connection, identifier: SubscriberId) -> Sequence[bytes]:
    return connection.scalars(select(former.c.address_hash).where(former.c.subscriber_id == identifier)).all()


def _forget_before(connection: Connection, identifier: SubscriberId) -> None:
    """What a wave that is still being written kept of them: it goes on without."""
    nothing = dict.fromkeys(("address_hash", "typed", "name", "attributes"))
    connection.execute(update(audience_before).where(audience_before.c.id == identifier).values(**nothing))


def _forget_consents(connection: Connection, identifier: SubscriberId) -> None:
    """Who gave which, and what only this person gave."""
    mine = select(consented.c.consent_id).where(consented.c.subscriber_id == identifier)
    own = connection.scalars(select(consent.c.id).where(consent.c.id.in_(mine), consent.c.import_id.is_(None))).all()
    connection.execute(delete(consented).where(consented.c.subscriber_id == identifier))
    connection.execute(delete(consent).where(consent.c.id.in_(own)))
