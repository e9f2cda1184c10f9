"""What the shell needs from the world, as Protocols. Adapters fulfil them, services call them.

Store ports are synchronous and used from one thread at a time; the transport is asynchronous. Every port has
one contract suite in tests/integration, run on each of its implementations.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from digest_mailer.core.address import EmailAddress
from digest_mailer.core.audience import AudienceGroup, Candidate, ImportResult, Segment, State, Subscriber
from digest_mailer.core.delivery import HandOff, Outcome
from digest_mailer.core.edition import EditionKey
from digest_mailer.core.finding import Finding
from digest_mailer.core.identity import IssueId, Language, RowId, SubscriberId
from digest_mailer.core.issue_file import Vocabulary
from digest_mailer.core.link_answer import LinkAnswer
from digest_mailer.core.mailing import Approval, Claim, Mailing, Progress, Status
from digest_mailer.core.message import Message
from digest_mailer.core.topic import TopicWords


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The current instant, aware, in UTC."""


class IssueSource(Protocol):
    """The publication's files."""

    def ids(self) -> tuple[IssueId, ...]:
        """The months that have an issue, newest first."""

    def languages(self, issue: IssueId) -> tuple[Language, ...]:
        """The languages that an issue has a translation in."""

    def strays(self) -> tuple[str, ...]:
        """Paths of Markdown files that no issue takes."""

    def path(self, issue: IssueId, language: Language | None = None) -> str:
        """The path of an issue's file, or of its translation's, as shown to people."""

    def read(self, issue: IssueId, language: Language | None = None) -> bytes:
        """The bytes of an issue file or of a translation. Raises NothingMatched when there is none."""

    def rewrite(self, issue: IssueId, language: Language | None, text: str) -> None:
        """Replace an issue's file, or its translation's, in one step."""

    def write(self, path: Path, text: str) -> None:
        """Replace or make a file in one step."""

    def set_published(self, issue: IssueId, day: date) -> None:
        """Say in the file that the issue is published."""

    def vocabulary(self) -> Vocabulary:
        """Topics and research types."""

    def templates(self) -> Mapping[str, str]:
        """Every template by name."""


class Eye(Protocol):
    """Looks at finished mails as a reader's screen would show them."""

    def look(self, html: str) -> list[Finding]:
        """Everything wrong with a finished HTML on a screen."""


class Asker(Protocol):
    """Asks web addresses whether they answer."""

    def __call__(self, urls: Iterable[str]) -> dict[str, LinkAnswer]:
        """What each of them answered."""


class Subscribers(Protocol):
    """The people."""

    def get(self, subscriber_id: SubscriberId) -> Subscriber | None:
        """The person with this id."""

    def find(self, address: EmailAddress) -> Subscriber | None:
        """The person with this address, however it is spelled."""

    def listing(self, segment: Segment, states: Sequence[State] = ()) -> Iterator[Subscriber]:
        """The people of a segment by address, of all states or of some."""

    def count(self, segment: Segment) -> Mapping[State, int]:
        """How many people of a segment are in each state."""

    def count_reserved(self, segment: Segment) -> int:
        """How many active or paused people of a segment have an address at a reserved domain (RFC 2606)."""

    def groups(self, issue: IssueId, topics: TopicWords, segment: Segment) -> Sequence[AudienceGroup]:
        """The people of a segment, grouped by what decides what they get of an issue with these topics."""

    def leave(self, subscriber_id: SubscriberId, reason: str, now: datetime, issue: IssueId | None) -> bool:
        """Unsubscribe the person and drop what is still to be sent to them; False when they had left."""

    def history(self, subscriber_id: SubscriberId) -> Sequence[tuple[datetime, str, str, str]]:
        """The person's states: when, from, to, why."""


class Roster(Protocol):
    """Imports."""

    def load(
        self, candidates: Iterable[Candidate], now: datetime, source: str, digest: str, *, apply: bool
    ) -> ImportResult:
        """Import the candidates in one transaction, or with `apply` off find out what that would do."""


class Segments(Protocol):
    """Named segments."""

    def add(self, segment: Segment, now: datetime) -> bool:
        """Keep a segment; False when the name is taken."""

    def get(self, name: str) -> Segment | None:
        """The segment of this name."""

    def all(self) -> Sequence[Segment]:
        """All segments by name."""


class Approvals(Protocol):
    """Approved issues and their compiled editions."""

    def add(
        self,
        issue: IssueId,
        source_digest: str,
        editions: Mapping[EditionKey, bytes],
        approver: str,
        note: str,
        now: datetime,
    ) -> Approval:
        """Keep an approval with every compiled edition."""

    def latest(self, issue: IssueId) -> Approval | None:
        """The newest approval of an issue."""

    def artefact(self, edition: str) -> bytes:
        """The compiled edition of this hash; KeyError when it is not there."""


# The hash of the edition for a reader of these topics, all-topics flag and language; None for no mail.
Assign = Callable[[TopicWords, bool, Language], str | None]

# Is told how many people a wave has, and raises where it may not be made.
Agree = Callable[[int], None]


def anybody(_people: int) -> None:
    """An `Agree` to any number."""


class Ledger(Protocol):
    """Who gets an issue, and how far each hand-off has come. It remembers first."""

    def session(self) -> AbstractContextManager[None]:
        """Hold it while a run lasts: the many small steps become quicker. Changes nothing else."""

    def mailing(self, issue: IssueId) -> Mailing | None:
        """The mailing of an issue."""

    def freeze(
        self,
        approval: Approval,
        segment: Segment,
        topics: TopicWords,
        assign: Assign,
        transport: str,
        now: datetime,
        agree: Agree = anybody,
    ) -> int:
        """Write a row for everybody in the segment who gets the issue and has none yet; all of it or nothing.

        `agree` is told how many they are before anything is kept; what it raises leaves nothing behind."""

    def take_over(self, issue: IssueId, transport: str, owner: str, now: datetime) -> Mailing:
        """Become the sender of a mailing and settle what the one before left."""

    def release(self, found: Mailing, now: datetime) -> None:
        """End this sender's work and settle what it still had."""

    def set_status(self, mailing_id: int, fence: int, status: Status) -> None:
        """Say where the mailing stands; nothing when another sender has taken over."""

    def progress(self, issue: IssueId) -> Progress:
        """People by hand-off."""

    def next_due(self, issue: IssueId) -> datetime | None:
        """When the next deferred row is due."""

    def named(self, issue: IssueId, state: HandOff) -> Sequence[tuple[str, str]]:
        """Addresses of the people in a state, with the reason or reply."""

    def claim(self, found: Mailing, limit: int, now: datetime) -> Sequence[Claim]:
        """Take up to `limit` rows that are due, durably."""

    def still_claimed(self, row: RowId, fence: int) -> bool:
        """Whether the row is still this sender's to send."""

    def begin_attempt(self, row: RowId, fence: int, digest: bytes, transport: str, now: datetime) -> bool:
        """Note durably that the row's message may be on the wire from here on; False when it must not be, because
        the row is not this sender's to send any more."""

    def record(
        self,
        row: RowId,
        fence: int,
        outcome: Outcome,
        transport: str,
        state: HandOff,
        due: datetime | None,
        now: datetime,
    ) -> None:
        """Keep what an attempt ended in and where the row goes from there."""


class Departures(Protocol):
    """The journal of who left, outside the database."""

    def note(self, subscriber: SubscriberId, address_hash: bytes, reason: str, now: datetime) -> None:
        """Append one departure; on disk when it returns."""


class Probe(Protocol):
    """Asks an address of the archive whether it answers."""

    def __call__(self, url: str) -> str:
        """Empty when it answers with a page, else why not."""


class Transport(Protocol):
    """A way out for messages: SMTP, a provider, a directory, the sandbox."""

    @property
    def url(self) -> str:
        """How it is named in settings and the ledger, without secrets."""

    @property
    def live(self) -> bool:
        """Whether mail handed to it can reach people. Sandbox, outbox and loopback servers are not live."""

    def deliver(
        self,
        messages: AsyncIterator[tuple[RowId, Message]],
        on_attempt: Callable[[RowId], Awaitable[None]],
    ) -> AsyncGenerator[tuple[RowId, Outcome]]:
        """Try each message once and yield what each attempt ended in, in any order, one outcome a row.

        The adapter takes the next message only when it can work on it, awaits `on_attempt(row)` before the
        first octet of that message's content may leave, never retries, and never alters a message. When
        `messages` ends it finishes what is in flight, closes its connections and ends. Trouble of the way
        itself (no connection, failed log-in) is an outcome of scope TRANSPORT or ACCOUNT, never an exception.
        When the returned iterator is closed early (`aclose`), connections are dropped at once.
        """
