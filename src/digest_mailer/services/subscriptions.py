"""How people come, and how they leave.

Leaving is one step for the reader and survives everything: it is in the journal outside the database before
the database is changed, and both are durable before anybody is told.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from digest_mailer.core.address import AddressError, EmailAddress, address_hash, parse_address
from digest_mailer.core.audience import Candidate, ImportResult, Reject, State, Subscriber
from digest_mailer.core.errors import NothingMatched, UsageError
from digest_mailer.core.token import Scope, Token, TokenKeys, read, verify
from digest_mailer.ports import Clock, Departures, Roster, Subscribers


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or would do."""

    result: ImportResult
    rejects: Sequence[Reject]
    applied: bool


@dataclass(frozen=True, slots=True)
class Importer:
    """Takes candidates in."""

    roster: Roster
    clock: Clock

    def run(
        self,
        rows: Callable[[], Iterable[Candidate | Reject]],
        source: str,
        data_digest: Callable[[], str],
        *,
        apply: bool,
        keep_rejects: bool,
    ) -> Imported:
        """Compare the rows with who is there; write only with `apply`, and with rejects only when they are kept.

        `rows` is called once for a look and once more to write, so that nothing is half-done.
        """
        looked = _Sorted(rows())
        now = self.clock.now()
        result = self.roster.load(looked, now, source, data_digest(), apply=False)
        if not apply or (looked.rejects and not keep_rejects):
            return Imported(result, looked.rejects, applied=False)
        result = self.roster.load(_Sorted(rows()), now, source, data_digest(), apply=True)
        return Imported(result, looked.rejects, applied=True)


@dataclass
class _Sorted:
    """The candidates of a stream; what is rejected on the way is kept."""

    rows: Iterable[Candidate | Reject]
    rejects: list[Reject] = field(default_factory=list)

    def __iter__(self) -> Iterator[Candidate]:
        for row in self.rows:
            if isinstance(row, Reject):
                self.rejects.append(row)
            else:
                yield row


def file_digest(data: bytes) -> str:
    """SHA-256 of an imported file, for the record of the import."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """Single people: who they are by link or by address, and their leaving."""

    people: Subscribers
    departures: Departures
    tokens: TokenKeys
    address_key: bytes
    clock: Clock

    def by_token(self, text: str, scope: Scope) -> tuple[Token, Subscriber] | None:
        """The person a link was made for; None for a forged, foreign, revoked or mistyped one."""
        found = read(text)
        if not found:
            return None
        person = self.people.get(found[0].subscriber)
        if not person:
            return None
        token = verify(text, scope, person.generation, self.tokens)
        return (token, person) if token else None

    def by_address(self, text: str) -> Subscriber:
        """The person with this address. Raises NothingMatched when there is none, UsageError for no address."""
        address = read_address(text)
        found = self.people.find(address)
        if not found:
            raise NothingMatched(f"nobody subscribes as {address}", "see: digest-mailer subscribers list")
        return found

    def leave(self, person: Subscriber, reason: str, token: Token | None = None) -> bool:
        """Unsubscribe; False when the person had left already. Durable when it returns."""
        now = self.clock.now()
        if person.state not in (State.UNSUBSCRIBED, State.ERASED):
            self.departures.note(person.id, address_hash(person.address, self.address_key), reason, now)
        return self.people.leave(person.id, reason, now, token.issue if token else None)


def read_address(text: str) -> EmailAddress:
    """An address that somebody typed. Raises UsageError when it is none."""
    try:
        return parse_address(text)
    except AddressError as problem:
        raise UsageError(f'"{text}" is not an address: {problem}', "check the spelling") from problem
