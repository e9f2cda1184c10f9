"""Letting in who works on the publication: accounts, sign-in by a link or a password, sessions.

Nobody is told whether an address has an account: a wrong address takes as long as a wrong password, and the page says
the same. Tries are rationed by account and by network (`core.budget`); a link that is mailed costs its own.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from digest_mailer.core import budget
from digest_mailer.core.account import (
    LINK_LIFE,
    LOCAL_LINK_LIFE,
    SESSION_LIFE,
    Account,
    Role,
    Session,
    Ticket,
    TicketKind,
    check_password,
)
from digest_mailer.core.address import AddressError, EmailAddress, parse_address
from digest_mailer.core.audit import Note
from digest_mailer.core.errors import NothingMatched, UsageError
from digest_mailer.core.identity import Language
from digest_mailer.ports import Accounts, Budgets, Clock, Passwords, Trail
from digest_mailer.services.subscriptions import read_address

_PROGRAM = "program"


@dataclass(frozen=True, slots=True)
class Admission:
    """Accounts, and who is signed in."""

    accounts: Accounts
    passwords: Passwords
    budgets: Budgets
    trail: Trail
    secret: bytes  # for the keys of budgets
    clock: Clock
    new_secret: Callable[[], str]

    def add(self, address: str, role: Role, actor: str) -> Account:
        """A new account. Raises UsageError for no address, and when there is one."""
        parsed = read_address(address)
        number = self.accounts.add(parsed, role, actor, self.clock.now())
        if number is None:
            raise UsageError(f"{parsed} has an account already", "see: digest-mailer admins list")
        return Account(number, parsed, role)

    def by_address(self, address: str) -> Account:
        """The account of this address. Raises UsageError for no address, NothingMatched when there is none."""
        parsed = read_address(address)
        found = self.accounts.find(parsed)
        if found is None:
            raise NothingMatched(f"{parsed} has no account", "see: digest-mailer admins list")
        return found

    def set_role(self, account: Account, role: Role, actor: str) -> bool:
        """Let them do more, or less, from their next click on. False when that is their role."""
        return account.role is not role and self.accounts.set_role(account.number, role, actor, self.clock.now())

    def remove(self, account: Account, actor: str) -> None:
        """Take an account away; whoever is signed in with it is out. Raises NothingMatched when it is gone."""
        if not self.accounts.remove(account.number, actor, self.clock.now()):
            raise NothingMatched(f"{account.address} has no account any more", "see: digest-mailer admins list")

    def change_password(self, account: Account, present: str, password: str, network: str) -> None:
        """Somebody changes their own; who has one must know it, so that a browser left open gives nobody a way in for
        good. Raises UsageError for a wrong one, after too many, and for a new one that is easily guessed."""
        check_password(password)
        if account.has_password:
            if not self.may_try(str(account.address), network):
                raise UsageError("these were too many tries", "wait ten minutes")
            right, _ = self.passwords.check(self.accounts.password(account.number), present)
            if not right:
                raise UsageError("this is not the present password", "another admin can set you a new one")
        self.set_password(account, password, account.actor)

    def set_password(self, account: Account, password: str, actor: str) -> None:
        """Set or change it; all their sessions end. Raises UsageError for one that is easily guessed."""
        check_password(password)
        self.accounts.set_password(account.number, self.passwords.hashed(password), actor, self.clock.now())

    def set_language(self, account: Account, language: Language) -> None:
        """The language of their pages."""
        self.accounts.set_language(account.number, language)

    def new_link(self, account: Account, actor: str) -> str:
        """The secret of a link that signs them in once."""
        secret = self._issue(TicketKind.LINK, LINK_LIFE, account)
        self._note(actor, "admin-link", account)
        return secret

    def local_link(self, user: str) -> str:
        """The same for who is at the machine."""
        return self._issue(TicketKind.LINK, LOCAL_LINK_LIFE, None, user)

    def mailed_link(self, address: str, network: str) -> tuple[Account, str] | None:
        """Somebody wants a link to be mailed; None where none is due."""
        parsed = _address(address)
        if parsed is None or not self._spend(budget.sign_in_letter(parsed, network, self.secret)):
            return None
        account = self.accounts.find(parsed)
        return (account, self.new_link(account, _PROGRAM)) if account else None  # who asked, nobody knows

    def is_link(self, secret: str, *, at_the_machine: bool) -> bool:
        """Whether a link would sign somebody in."""
        ticket = self.accounts.ticket(_digest(secret), TicketKind.LINK, self.clock.now())
        return ticket is not None and (ticket.account is not None or at_the_machine)

    def redeem(self, secret: str, *, at_the_machine: bool) -> str | None:
        """Sign in by a link: the secret of the session; None for a link that is used, too old, or none. One of the
        machine is good there only."""
        if not self.is_link(secret, at_the_machine=at_the_machine):
            return None
        ticket = self.accounts.take(_digest(secret), TicketKind.LINK, self.clock.now())
        if ticket is None:  # another window was faster
            return None
        account = self.accounts.get(ticket.account) if ticket.account is not None else None
        return self._open(account, ticket.user, "link")

    def may_try(self, address: str, network: str) -> bool:
        """Whether one more password is looked at."""
        parsed = _address(address)
        return self._spend(budget.password(parsed.canonical if parsed else "", network, self.secret))

    def by_password(self, address: str, password: str) -> str | None:
        """Sign in by a password: the secret of the session; None for a wrong one."""
        parsed = _address(address)
        account = self.accounts.find(parsed) if parsed else None
        kept = self.accounts.password(account.number) if account else ""
        right, better = self.passwords.check(kept, password)
        if not right or account is None:
            return None
        if better:
            self.accounts.renew_password(account.number, better)
        return self._open(account, "", "password")

    def session(self, secret: str) -> Session | None:
        """Who is signed in with this secret."""
        ticket = self.accounts.ticket(_digest(secret), TicketKind.SESSION, self.clock.now()) if secret else None
        if ticket is None:
            return None
        account = self.accounts.get(ticket.account) if ticket.account is not None else None
        return Session(account, ticket.user, ticket.until) if account or ticket.account is None else None

    def sign_out(self, secret: str) -> None:
        """End a session."""
        self.accounts.take(_digest(secret), TicketKind.SESSION, self.clock.now())

    def sign_out_everywhere(self, account: Account) -> None:
        """End all sessions of an account, and its links."""
        self.accounts.drop_tickets(account.number)

    def _open(self, account: Account | None, user: str, how: str) -> str:
        secret = self._issue(TicketKind.SESSION, SESSION_LIFE, account, user)
        session = Session(account, user, self.clock.now() + SESSION_LIFE)
        self.trail.note(Note(session.actor, "sign-in", facts={"by": how}), self.clock.now())
        return secret

    def _issue(self, kind: TicketKind, life: timedelta, account: Account | None, user: str = "") -> str:
        secret, now = self.new_secret(), self.clock.now()
        number = account.number if account else None
        self.accounts.put(Ticket(_digest(secret), kind, now + life, number, user), now)
        return secret

    def _note(self, actor: str, action: str, account: Account) -> None:
        self.trail.note(Note(actor, action, facts={"admin": account.number}), self.clock.now())

    def _spend(self, expenses: tuple[budget.Expense, ...]) -> bool:
        return self.budgets.spend(expenses, self.clock.now())


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def _address(text: str) -> EmailAddress | None:
    try:
        return parse_address(text.strip())
    except AddressError:
        return None
