"""Who may work on the pages: accounts of authors and admins, and for how long a sign-in is good.

A sign-in is a bearer secret, a *ticket*: a link that is good once, or a session that lasts a working day. Tickets are
kept as digests, so whoever reads the database cannot use one. A person at the machine itself, who may read the
database anyway, needs no account: their session is named after their user on the system.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from digest_mailer.core.address import EmailAddress
from digest_mailer.core.errors import UsageError
from digest_mailer.core.identity import Language

MIN_PASSWORD, MAX_PASSWORD = 12, 1_000  # characters; a sentence is fine (NIST SP 800-63B section 5.1.1)
SESSION_LIFE = timedelta(hours=12)
LINK_LIFE = timedelta(minutes=30)  # of a mailed link: mail may be slow
LOCAL_LINK_LIFE = timedelta(days=1)  # of the one that `serve` prints


class Role(StrEnum):
    """What somebody may do."""

    AUTHOR = "author"  # writes; sees topics, segments and numbers, but nobody's address
    ADMIN = "admin"  # everything


class TicketKind(StrEnum):
    """What a secret is good for."""

    LINK = "link"  # signs in, once
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who works on the publication. The number is never given to somebody else: the trail names it."""

    number: int
    address: EmailAddress
    role: Role
    language: Language | None = None  # of the pages; none until it was chosen
    has_password: bool = False

    @property
    def actor(self) -> str:
        """Their name in the audit trail."""
        return f"admin:{self.number}"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A secret that was handed out; `account` is none for who is at the machine, then `user` says who that is."""

    digest: bytes  # SHA-256 of the secret
    kind: TicketKind
    until: datetime
    account: int | None = None
    user: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in."""

    account: Account | None
    user: str  # of the system, where there is no account
    until: datetime

    @property
    def role(self) -> Role:
        """What they may do. Who is at the machine may do everything there."""
        return self.account.role if self.account else Role.ADMIN

    @property
    def actor(self) -> str:
        """Their name in the audit trail."""
        return self.account.actor if self.account else f"local:{self.user}" if self.user else "local"

    @property
    def who(self) -> str:
        """Their name on the pages."""
        return str(self.account.address) if self.account else self.user

    @property
    def is_admin(self) -> bool:
        """Whether they may see people and change things."""
        return self.role is Role.ADMIN

    def may(self, needed: Role) -> bool:
        """Whether they may do what needs this role."""
        return self.is_admin or needed is Role.AUTHOR


def check_password(text: str) -> None:
    """Raise UsageError for a password that is too easily guessed, or too long to be looked at."""
    if len(text) < MIN_PASSWORD:
        raise UsageError(f"a password has at least {MIN_PASSWORD} characters", "take a sentence that nobody else knows")
    if len(text) > MAX_PASSWORD:
        raise UsageError(f"a password has at most {MAX_PASSWORD} characters", "take a shorter one")
    if len(set(text)) <= 3:
        raise UsageError("this password is a few characters over and over", "take a sentence that nobody else knows")
