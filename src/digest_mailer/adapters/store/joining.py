"""Signing up: what somebody asked for is kept until the owner of the address confirms it, and changes nothing before.

A new person is kept as pending. Of one who left, or whose mail came back, the wish is kept beside the record: nobody
else can change by a form what they had chosen. Whoever gets mail already is left as they are.
"""

import json
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from digest_mailer.adapters.store import audit
from digest_mailer.adapters.store.changes import (
    ChangeStore,
    add_consent,
    forget_person,
    move_person,
    person_row,
    profile_of,
    subscriber_values,
    update_subscriber,
)
from digest_mailer.adapters.store.database import Database
from digest_mailer.adapters.store.suppressions import lift
from digest_mailer.adapters.store.tables import consent, consented, person, subscriber
from digest_mailer.core.audience import Consent, Ground, Profile, State
from digest_mailer.core.audit import Note
from digest_mailer.core.identity import Language, SubscriberId
from digest_mailer.core.move import Move, after
from digest_mailer.core.token import LIFE, Scope
from digest_mailer.core.topic import ordinals_of, words_of

_PROGRAM = "program"
_AT_ONCE = 20  # people forgotten with each sign-up
_LIFTED = (Ground.BOUNCE, Ground.ERASED)  # by the owner of the address


class JoiningStore:
    """The port `Joiners` on the database."""

    def __init__(self, database: Database, changes: ChangeStore) -> None:
        self._database = database
        self._changes = changes

    def ask(self, profile: Profile, given: Consent, actor: str, now: datetime) -> SubscriberId:
        """Keep what somebody asks for; answers whose address it is."""
        with self._database.write() as connection:
            _forget_unanswered(connection, now)
            found = select(person.c.subscriber_id).where(person.c.canonical == profile.address.canonical)
            known = connection.execute(found).scalar()
            if known is None:
                return self._changes.add_inside(connection, profile, given, Move.SIGN_UP, actor, now)
            identifier = SubscriberId(known)
            row = person_row(connection, identifier)
            if row is not None and after(State(row.state), Move.CONFIRM):
                wish = _written(profile, given)
                if wish != row.wish:
                    connection.execute(update(person).where(person.c.subscriber_id == identifier).values(wish=wish))
                    audit.append(connection, Note(actor, Move.SIGN_UP, identifier, {"state": row.state}), now)
            return identifier

    def confirm(self, identifier: SubscriberId, actor: str, now: datetime) -> bool:
        """The owner of the address says yes: what they asked for holds, and what a bounce or an erasure left on the
        suppression list is lifted. False when there is nothing to confirm."""
        with self._database.write() as connection:
            row = person_row(connection, identifier)
            if row is None or (row.state != State.PENDING and row.wish is None):
                return False
            if after(State(row.state), Move.CONFIRM) is None:
                return False
            if row.wish is not None:
                _fulfil(connection, row, now)
            _mark(connection, identifier, now)
            move_person(connection, identifier, Move.CONFIRM, actor, "", now)
            lift(connection, row.address_hash, _LIFTED)
            return True


def _fulfil(connection: Connection, row: Row[Any], now: datetime) -> None:
    """Give the person what they wished for last, with its consent."""
    profile, given = _read(row)
    update_subscriber(connection, row.id, **subscriber_values(profile, connection, now), own_choice=True)
    own = update(person).where(person.c.subscriber_id == row.id)
    connection.execute(own.values(wish=None, name=profile.name or row.name))
    if row.state == State.PENDING:  # nobody confirmed what the first form said
        _forget_unconfirmed(connection, SubscriberId(row.id))
    add_consent(connection, SubscriberId(row.id), given, now)


def _mark(connection: Connection, identifier: SubscriberId, now: datetime) -> None:
    """The consent that is confirmed is the one of the page; that of a list that came since is another."""
    given = select(func.max(consent.c.id)).join(consented).where(consented.c.subscriber_id == identifier)
    own = connection.execute(given.where(consent.c.import_id.is_(None))).scalar()
    newest = own if own is not None else connection.execute(given).scalar()
    mine = (consented.c.subscriber_id == identifier, consented.c.consent_id == newest)
    connection.execute(update(consented).where(*mine).values(confirmed_at=now))


def _forget_unanswered(connection: Connection, now: datetime) -> None:
    """What nobody confirmed while the link was good was perhaps a stranger's doing: it is not kept."""
    until = now - timedelta(days=LIFE[Scope.CONFIRM] + 1)
    listed = (
        select(consented.c.subscriber_id)
        .join(consent)
        .where(
            consented.c.subscriber_id == subscriber.c.id,
            (consent.c.import_id.is_not(None)) | consented.c.confirmed_at.is_not(None),
        )
    )
    strangers = select(subscriber.c.id).where(
        subscriber.c.state == State.PENDING, subscriber.c.created_at < until, ~listed.exists()
    )
    for identifier in connection.scalars(strangers.limit(_AT_ONCE)).all():
        move_person(connection, SubscriberId(identifier), Move.ERASE, _PROGRAM, "", now)
        forget_person(connection, SubscriberId(identifier))
    old = person.c.wish.op("->>")("day") < str(until.date())
    connection.execute(update(person).where(person.c.wish.is_not(None), old).values(wish=None))


def _forget_unconfirmed(connection: Connection, identifier: SubscriberId) -> None:
    mine = (consented.c.subscriber_id == identifier, consented.c.confirmed_at.is_(None))
    own = select(consent.c.id).join(consented).where(*mine, consent.c.import_id.is_(None))
    numbers = connection.scalars(own).all()
    connection.execute(delete(consented).where(*mine, consented.c.consent_id.in_(numbers)))
    connection.execute(delete(consent).where(consent.c.id.in_(numbers)))


def _written(profile: Profile, given: Consent) -> str:
    wish: dict[str, Any] = {"name": profile.name, "language": profile.language, "topics": ordinals_of(profile.topics)}
    wish |= {"all": profile.all_topics, "source": given.source, "day": str(given.given_on)}
    wish |= {"wording": given.wording, "version": given.version, "place": given.place}
    return json.dumps(wish, ensure_ascii=False, sort_keys=True)


def _read(row: Row[Any]) -> tuple[Profile, Consent]:
    wish = json.loads(row.wish)
    given = Consent(wish["source"], date.fromisoformat(wish["day"]), wish["wording"], wish["version"], wish["place"])
    values = (wish["name"], Language(wish["language"]), words_of(wish["topics"]), wish["all"])
    old = profile_of(row)
    return Profile(old.address, *values, old.attributes), given
