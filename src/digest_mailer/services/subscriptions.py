"""How people come, and how they leave.

Leaving is one step for the reader and survives everything: it is in the journal outside the database before
the database is changed, and both are durable before anybody is told.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime

from digest_mailer.core.address import AddressError, EmailAddress, address_hash, parse_address
from digest_mailer.core.audience import MAX_NAME, MAX_VALUE, Consent, Ground, ImportMark, Profile, State, Subscriber
from digest_mailer.core.audit import READER, Record
from digest_mailer.core.errors import ChangedMeanwhileError, InterlockError, NothingMatched, UsageError
from digest_mailer.core.identity import is_control
from digest_mailer.core.move import Move
from digest_mailer.core.token import Scope, Token, TokenKeys, read, verify
from digest_mailer.ports import Changes, Clock, Departures, Subscribers, Suppressions, Trail


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a person's history."""

    at: datetime
    what: str  # the move, or `import`
    actor: str
    before: str = ""  # states; empty where none changed
    after: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """Single people: who they are by link or by address, and everything that is done for one of them."""

    people: Subscribers
    changes: Changes
    trail: Trail
    suppressions: Suppressions
    departures: Departures
    tokens: TokenKeys
    address_key: bytes
    clock: Clock
    today: Callable[[], date]  # the day where the publication is

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

    def leave(self, person: Subscriber, reason: str, token: Token | None = None, actor: str = READER) -> bool:
        """Unsubscribe; False when the person had left already. Durable when it returns."""
        now = self.clock.now()
        if person.state not in (State.UNSUBSCRIBED, State.ERASED):
            said = reason if actor == READER else "admin"  # words about somebody have no place in a journal
            self.departures.note(person.id, self._hash(person), said, now)
        return self.people.leave(person.id, reason, now, token.issue if token else None, actor)

    def add(self, profile: Profile, given: Consent, actor: str) -> Subscriber:
        """A new person, with a consent they gave elsewhere. Raises UsageError when they are there, InterlockError when
        the address is on the suppression list: only its owner can come back, by confirming."""
        check_profile(profile)
        self._check_free(profile.address)
        identifier = self.changes.add(profile, given, Move.ADD, actor, self.clock.now())
        person = self.people.get(identifier) if identifier is not None else None
        if person is None:
            raise UsageError(f"somebody subscribes as {profile.address}", "see: digest-mailer subscribers show EMAIL")
        return person

    def edit(
        self, person: Subscriber, profile: Profile, actor: str, reason: str, only_if: Profile | None = None
    ) -> bool:
        """Give a person these values; False when they have them. Raises UsageError for what cannot stand in a mail and
        for somebody else's address, InterlockError for a suppressed one, ChangedMeanwhileError when their present
        values are not `only_if`."""
        check_profile(profile)
        if profile.address.canonical != person.address.canonical:
            self._check_free(profile.address)
        try:
            return self.changes.edit(person.id, profile, actor, reason, self.clock.now(), only_if)
        except ValueError as problem:
            raise UsageError(f"somebody else subscribes as {problem}", "unsubscribe one of the two") from problem

    def pause(self, person: Subscriber, until: date, actor: str, reason: str) -> None:
        """No mail before this day. Raises UsageError for a day that is not to come, or who gets no mail anyway."""
        if until <= self.today():
            raise UsageError(f"{until} is not a day to come", "name a later one")
        self._move(person, Move.PAUSE, actor, reason, until)

    def resume(self, person: Subscriber, actor: str, reason: str) -> None:
        """End a pause. Raises UsageError when there is none."""
        self._move(person, Move.RESUME, actor, reason)

    def reinstate(self, person: Subscriber, actor: str, reason: str) -> State:
        """Undo what a server reported: who bounced gets mail again, who was said to complain has merely left. Answers
        the new state. Raises UsageError for another state: who left returns only by themselves."""
        state = self.changes.reinstate(person.id, actor, reason, self.clock.now())
        if state is None:
            raise UsageError(f"{person.address} is {person.state}: there is nothing to undo", _WHO_LEFT)
        return state

    def erase(self, person: Subscriber, actor: str) -> int:
        """Forget a person; answers the number of the entry in the trail, as a receipt. Durable when it returns."""
        now = self.clock.now()
        self.departures.note(person.id, self._hash(person), "erased", now)
        self.changes.erase(person.id, actor, now)
        return next(self.trail.records(person.id, Move.ERASE)).number

    def history(self, person: Subscriber) -> list[Event]:
        """Everything on record of a person, oldest first."""
        told = [(one.number, _told(one)) for one in self.trail.records(person.id)]
        if imports := self.people.imports(person.id):
            numbers = {one.facts.get("import"): one.number for one in self.trail.records(action="import")}
            told += [(numbers.get(one.run, 0), _imported(one)) for one in imports]
        events = [event for _, event in sorted(told, key=lambda numbered: numbered[0])]
        if events and events[0].what == "import":  # that brought them, in the state that the next move found
            first = next((event.before for event in events[1:] if event.before), str(person.state))
            events[0] = replace(events[0], after=first)
        return events

    def _check_free(self, address: EmailAddress) -> None:
        """Raises InterlockError when the address is on the suppression list, with who can take it off."""
        if found := self.suppressions.get(address_hash(address, self.address_key)):
            what = f"{address} is on the suppression list since {found.since:%Y-%m-%d}: {found.reason}"
            owner = found.ground in (Ground.BOUNCE, Ground.ERASED)
            raise InterlockError(what, _OWNER if owner else _ADMIN)

    def _move(self, person: Subscriber, move: Move, actor: str, reason: str, until: date | None = None) -> None:
        if not self.changes.move(person.id, move, actor, reason, self.clock.now(), until):
            what = f"{person.address} is {person.state}: {move} is not possible"
            raise UsageError(what, _INSTEAD.get(person.state, _WHO_LEFT))

    def _hash(self, person: Subscriber) -> bytes:
        return address_hash(person.address, self.address_key)


def _told(record: Record) -> Event:
    facts, content = record.facts, record.content
    changed = ", ".join(facts.get("changed", ()))
    reason = content.get("reason") or changed or content.get("consent", "")
    return Event(record.at, record.action, record.actor, facts.get("from", ""), facts.get("to", ""), reason)


def _imported(mark: ImportMark) -> Event:
    return Event(mark.at, "import", "", mark.before, mark.state, mark.source)


def mark(profile: Profile) -> str:
    """Names the values that a page was made for."""
    said = (profile.address.typed, profile.name, profile.language, profile.topics, profile.all_topics)
    told = repr((said, sorted(profile.attributes.items())))
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def check_seen(profile: Profile, seen: str) -> None:
    """Raise ChangedMeanwhileError when a page was made for other values than these."""
    if seen != mark(profile):
        raise ChangedMeanwhileError("somebody changed it meanwhile", "look at it again")


def check_profile(profile: Profile) -> None:
    """Raise UsageError for values that cannot stand in a mail: what is pasted may hold signs that nobody sees."""
    names = [(name, name) for name in profile.attributes]
    for name, value in [("the name", profile.name), *names, *profile.attributes.items()]:
        _check_text(name, value, MAX_NAME if name == "the name" else MAX_VALUE)


def consent_by_hand(source: str, day: str, today: date) -> Consent:
    """A consent that somebody tells of: where it was given and on which day. Raises UsageError for what is none."""
    plain = " ".join(source.split())
    if not plain:
        raise UsageError("it is not said where they asked for the mail", "name the form or the event")
    _check_text("the source of the consent", plain, MAX_VALUE)
    try:
        given_on = date.fromisoformat(day)
    except ValueError as problem:
        raise UsageError(f'"{day[:_SHOWN]}" is not a day', "write it as 2023-07-01") from problem
    if given_on > today:
        raise UsageError(f"{given_on} is a day to come", "name the day on which they asked for the mail")
    if given_on < _FIRST:
        raise UsageError(f"{given_on} is before 1970", "name the day on which they asked for the mail")
    return Consent(plain, given_on)


def _check_text(name: str, value: str, longest: int) -> None:
    bad = next((char for char in value if is_control(char)), None)
    if bad is not None:
        raise UsageError(f"{name} holds the control character U+{ord(bad):04X}", "type it anew, without what is unseen")
    if len(value) > longest:
        raise UsageError(f"{name} is too long", "shorten it")


_FIRST = date(1970, 1, 1)  # before that nobody asked for mail
_SHOWN = 40  # characters of what is no day
_OWNER = "only the owner of the address can come back, by signing up on the page"
_ADMIN = "an admin put it there or somebody complained; see: digest-mailer suppressions"
_INSTEAD = {State.ACTIVE: "they get mail already", State.PENDING: "they have not confirmed yet"}
_WHO_LEFT = "who has left can come back only by signing up again"


def read_address(text: str) -> EmailAddress:
    """An address that somebody typed. Raises UsageError when it is none."""
    try:
        return parse_address(text)
    except AddressError as problem:
        raise UsageError(f'"{text}" is not an address: {problem}', "check the spelling") from problem
