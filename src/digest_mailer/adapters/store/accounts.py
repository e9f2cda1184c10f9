"""Accounts of who works on the publication, and the tickets that they are signed in with.

A removed account keeps its row, without password, because the audit trail names its number.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from digest_mailer.adapters.store import audit
from digest_mailer.adapters.store.database import Database
from digest_mailer.adapters.store.tables import account, ticket
from digest_mailer.core.account import Account, Role, Ticket, TicketKind
from digest_mailer.core.address import EmailAddress
from digest_mailer.core.audit import Note
from digest_mailer.core.identity import Language


class AccountStore:
    """The port `Accounts` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, address: EmailAddress, role: Role, actor: str, now: datetime) -> int | None:
        """A new account, or one that was removed again; None when the address has one."""
        with self._database.write() as connection:
            found = connection.execute(select(account).where(account.c.canonical == address.canonical)).first()
            if found and found.removed_at is None:
                return None
            values = {"typed": address.typed, "role": role, "removed_at": None}
            if found:
                number = int(found.id)
                connection.execute(update(account).where(account.c.id == number).values(**values))
            else:
                made = connection.execute(insert(account).values(canonical=address.canonical, created_at=now, **values))
                number = int(made.lastrowid)
            _note(connection, actor, "admin-add", number, now, role=str(role))
            return number

    def remove(self, number: int, actor: str, now: datetime) -> bool:
        """End an account, its password and its tickets; False when it is gone."""
        with self._database.write() as connection:
            gone = {"removed_at": now, "password": None}
            if not _change(connection, number, gone):
                return False
            connection.execute(delete(ticket).where(ticket.c.account_id == number))
            _note(connection, actor, "admin-remove", number, now)
            return True

    def set_role(self, number: int, role: Role, actor: str, now: datetime) -> bool:
        """Give an account another role; False when it is gone."""
        with self._database.write() as connection:
            if not _change(connection, number, {"role": role}):
                return False
            _note(connection, actor, "admin-role", number, now, role=str(role))
            return True

    def set_password(self, number: int, password: str, actor: str, now: datetime) -> bool:
        """Keep the hash of a password, and end all tickets; False when the account is gone."""
        with self._database.write() as connection:
            if not _change(connection, number, {"password": password}):
                return False
            connection.execute(delete(ticket).where(ticket.c.account_id == number))
            _note(connection, actor, "admin-password", number, now)
            return True

    def renew_password(self, number: int, password: str) -> None:
        """The same password, hashed at a higher cost."""
        with self._database.write() as connection:
            _change(connection, number, {"password": password})

    def set_language(self, number: int, language: Language) -> None:
        """The language of their pages."""
        with self._database.write() as connection:
            _change(connection, number, {"language": language})

    def find(self, address: EmailAddress) -> Account | None:
        """The account of this address, however it is spelled."""
        return self._one(account.c.canonical == address.canonical)

    def get(self, number: int) -> Account | None:
        """The account of this number."""
        return self._one(account.c.id == number)

    def all(self) -> Sequence[Account]:
        """All accounts by address."""
        with self._database.read() as connection:
            query = select(account).where(account.c.removed_at.is_(None)).order_by(account.c.canonical)
            return [_account(row) for row in connection.execute(query)]

    def names(self) -> Mapping[str, str]:
        """Whom the trail's actors mean, those of removed accounts too."""
        with self._database.read() as connection:
            rows = connection.execute(select(account.c.id, account.c.typed))
            return {f"admin:{row.id}": row.typed for row in rows}

    def password(self, number: int) -> str:
        """The hash of the password; empty when there is none."""
        with self._database.read() as connection:
            query = select(account.c.password).where(account.c.id == number, account.c.removed_at.is_(None))
            return connection.execute(query).scalar() or ""

    def put(self, one: Ticket, now: datetime) -> None:
        """Keep a ticket; those whose time is over go."""
        values = {"digest": one.digest, "kind": one.kind, "until": one.until, "account_id": one.account}
        with self._database.write() as connection:
            connection.execute(delete(ticket).where(ticket.c.until <= now))
            connection.execute(insert(ticket).values(**values, user=one.user))

    def ticket(self, digest: bytes, kind: TicketKind, now: datetime) -> Ticket | None:
        """The ticket of this digest, while it is good."""
        with self._database.read() as connection:
            row = connection.execute(select(ticket).where(*_this(digest, kind, now))).first()
            return _ticket(row) if row else None

    def take(self, digest: bytes, kind: TicketKind, now: datetime) -> Ticket | None:
        """The same, and it is used up."""
        with self._database.write() as connection:
            row = connection.execute(select(ticket).where(*_this(digest, kind, now))).first()
            connection.execute(delete(ticket).where(ticket.c.digest == digest, ticket.c.kind == kind))
            return _ticket(row) if row else None

    def drop_tickets(self, number: int) -> None:
        """End all tickets of an account."""
        with self._database.write() as connection:
            connection.execute(delete(ticket).where(ticket.c.account_id == number))

    def _one(self, condition: Any) -> Account | None:
        with self._database.read() as connection:
            row = connection.execute(select(account).where(condition, account.c.removed_at.is_(None))).first()
            return _account(row) if row else None


def _change(connection: Connection, number: int, values: Mapping[str, Any]) -> bool:
    there = (account.c.id == number, account.c.removed_at.is_(None))
    return connection.execute(update(account).where(*there).values(**values)).rowcount == 1


def _note(connection: Connection, actor: str, action: str, number: int, now: datetime, **facts: str) -> None:
    audit.append(connection, Note(actor, action, facts={"admin": number, **facts}), now)


def _this(digest: bytes, kind: TicketKind, now: datetime) -> tuple[Any, ...]:
    return ticket.c.digest == digest, ticket.c.kind == kind, ticket.c.until > now


def _account(row: Row[Any]) -> Account:
    language = Language(row.language) if row.language else None
    address = EmailAddress(row.typed, row.canonical)
    return Account(row.id, address, Role(row.role), language, row.password is not None)


def _ticket(row: Row[Any]) -> Ticket:
    return Ticket(row.digest, TicketKind(row.kind), row.until, row.account_id, row.user)
