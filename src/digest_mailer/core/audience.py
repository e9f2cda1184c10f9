"""Who is entitled to mail right now, and why not if not.

A subscriber's state moves only by named reasons; `eligible` is the one place that decides whether a person
may get mail, asked when the audience is frozen and again at the moment of each attempt.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType

from digest_mailer.core.address import EmailAddress
from digest_mailer.core.identity import ENGLISH, Language, SubscriberId
from digest_mailer.core.topic import NO_TOPICS, TopicWords

MAX_NAME = 200
MAX_VALUE = 1_000  # characters of an attribute or of a consent source
NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


class State(StrEnum):
    """Where a subscriber stands."""

    PENDING = "pending"  # has not confirmed yet
    ACTIVE = "active"  # gets mail
    PAUSED = "paused"  # gets none until a date
    UNSUBSCRIBED = "unsubscribed"  # left
    BOUNCED = "bounced"  # the mailbox is gone
    COMPLAINED = "complained"  # reported a mail as spam
    ERASED = "erased"  # asked to be forgotten


class Exclusion(StrEnum):
    """Why a person gets no mail."""

    PENDING = "not confirmed"
    PAUSED = "paused"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    ERASED = "erased"
    SUPPRESSED = "suppressed"  # the address is on the suppression list
    NO_TOPIC = "no matching topic"
    FOLLOWS_NOTHING = "follows no topic"  # having dropped one's last topic never means everything


_EXCLUDED_BY_STATE: Mapping[State, Exclusion] = {
    State.PENDING: Exclusion.PENDING,
    State.UNSUBSCRIBED: Exclusion.UNSUBSCRIBED,
    State.BOUNCED: Exclusion.BOUNCED,
    State.COMPLAINED: Exclusion.COMPLAINED,
    State.ERASED: Exclusion.ERASED,
}

# An import may move a person to the right, never to the left: it cannot bring back who has left, nor confirm for
# somebody else; a pause ends by itself, so it stands before pending.
_RESTRICTION = (
    State.ACTIVE, State.PAUSED, State.PENDING, State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED, State.ERASED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Consent:
    """Evidence that a person asked for mail: where and when, and what they read (GDPR Art. 7(1), CASL s. 13)."""

    source: str  # the form, the event
    given_on: date
    wording: str = ""
    version: str = ""  # of the wording
    place: str = ""  # where from: the page and the network
    confirmed_at: datetime | None = None  # by the owner of the address


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One person. `topics` counts only while `all_topics` is off; no topics and no flag means no mail."""

    id: SubscriberId
    address: EmailAddress
    state: State = State.ACTIVE
    name: str = ""
    language: Language = ENGLISH
    topics: TopicWords = NO_TOPICS
    all_topics: bool = False
    paused_until: date | None = None
    attributes: Mapping[str, str] = field(default_factory=lambda: NO_ATTRIBUTES)
    consent: Consent | None = None  # the newest
    generation: int = 0  # of tokens
    joined_on: date | None = None

    @property
    def profile(self) -> "Profile":
        """What can be edited of it."""
        own = (self.address, self.name, self.language, self.topics, self.all_topics, self.attributes)
        return Profile(*own)


@dataclass(frozen=True, slots=True)
class Profile:
    """What a person, or an admin for them, can edit."""

    address: EmailAddress
    name: str = ""
    language: Language = ENGLISH
    topics: TopicWords = NO_TOPICS
    all_topics: bool = False
    attributes: Mapping[str, str] = field(default_factory=lambda: NO_ATTRIBUTES)


class Ground(StrEnum):
    """Why an address is suppressed; it decides who can lift it."""

    BOUNCE = "bounce"  # the owner, by confirming, or an admin who reinstates
    COMPLAINT = "complaint"  # an admin
    ERASED = "erased"  # the owner, by signing up anew
    MANUAL = "manual"  # an admin


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address that gets no mail, as the list knows it."""

    digest: bytes  # keyed hash of the canonical address
    ground: Ground
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class SuppressedAddress:
    """An entry of the suppression list with what is still known of whose it is."""

    entry: Suppression
    address: str = ""
    subscriber: SubscriberId | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A valid row of an import, before it is compared with who is already there."""

    row: int  # number of the row in its file, the header being row 1
    address: EmailAddress
    consent: Consent
    state: State = State.ACTIVE
    name: str = ""
    language: Language | None = ENGLISH  # none when the file does not say
    topics: TopicWords = NO_TOPICS
    all_topics: bool = False
    paused_until: date | None = None
    attributes: Mapping[str, str] = field(default_factory=lambda: NO_ATTRIBUTES)
    joined_on: date | None = None  # the day of the consent when it is not said


@dataclass(frozen=True, slots=True)
class Reject:
    """A row of an import that cannot be used, and why."""

    row: int
    email: str  # as it stands in the file
    reason: str


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import does, or would do: numbers of rows."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    kept_out: int = 0  # people who left, bounced, complained or are suppressed: untouched


@dataclass(frozen=True, slots=True)
class ImportMark:
    """An import that brought a person, or moved their state."""

    run: int
    at: datetime
    source: str  # name of the file
    before: str = ""  # states; empty when it only brought them
    state: str = ""


@dataclass(frozen=True, slots=True)
class AudienceGroup:
    """People of a segment who are alike in everything that decides what they get."""

    state: State
    paused_until: date | None
    suppressed: bool
    already: bool  # the ledger has them
    follows: bool  # any topic at all, of this issue or not
    topics: TopicWords  # those of the issue
    all_topics: bool
    language: Language
    people: int


def eligible(state: State, paused_until: date | None, *, suppressed: bool, today: date) -> Exclusion | None:
    """Why this person may not get mail today; None when they may.

    A pause ends by itself on its date; the suppression list stands above every state.
    """
    if suppressed:
        return Exclusion.SUPPRESSED
    if state is State.PAUSED:
        return Exclusion.PAUSED if paused_until is None or today < paused_until else None
    return _EXCLUDED_BY_STATE.get(state)


def has_left(state: State) -> bool:
    """Whether the person is out for good, so that an import must not touch them."""
    return state in (State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED, State.ERASED)


def more_restricted(now: State, wanted: State) -> State:
    """The state after an import that wants another: only ever a step away from getting mail."""
    return max(now, wanted, key=_RESTRICTION.index)
