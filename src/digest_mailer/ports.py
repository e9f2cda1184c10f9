"""What the shell needs from the world, as Protocols. Adapters fulfil them, services call them.

Store ports are synchronous and used from one thread at a time; the transport is asynchronous. Every port has
one contract suite in tests/integration, run on each of its implementations.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from digest_mailer.core.account import Account, Role, Ticket, TicketKind
from digest_mailer.core.address import EmailAddress
from digest_mailer.core.audience import (
    AudienceGroup,
    Consent,
    Ground,
    ImportMark,
    ImportResult,
    Profile,
    Reject,
    State,
    Subscriber,
    SuppressedAddress,
    Suppression,
)
from digest_mailer.core.audit import READER, Checked, Entry, Note, Record, TrailSearch
from digest_mailer.core.budget import Expense
from digest_mailer.core.citation import Doi
from digest_mailer.core.csl import Item
from digest_mailer.core.delivery import Fate, HandOff, Outcome
from digest_mailer.core.edition import EditionKey
from digest_mailer.core.feed import Feed
from digest_mailer.core.finding import Finding
from digest_mailer.core.identity import IssueId, Language, RowId, SubscriberId
from digest_mailer.core.intake import Batch, Origin
from digest_mailer.core.issue_file import Vocabulary
from digest_mailer.core.link_answer import LinkAnswer
from digest_mailer.core.mailing import (
    Approval,
    Attempt,
    Delivery,
    Mailing,
    News,
    Progress,
    Result,
    Status,
    Turn,
    WaveRequest,
)
from digest_mailer.core.message import Message
from digest_mailer.core.move import Move
from digest_mailer.core.people_search import PAGE, PeoplePage, Search
from digest_mailer.core.segment import Segment
from digest_mailer.core.topic import Followers, Merged, Topic, TopicWords


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The current instant, aware, in UTC."""


class FeedSource(Protocol):
    """Feeds of files and of the web."""

    def read(self, source: str) -> Feed:
        """The feed of an address or a file. Raises a DigestError when it is none, or does not come."""


class ReferenceSource(Protocol):
    """References by their DOIs."""

    def find(self, doi: Doi) -> Item | None:
        """The reference of a DOI; None when nobody may be asked. Raises NothingMatched when there is none."""


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


class TopicEditor(Protocol):
    """Writes the catalogue of topics."""

    def turn(self) -> AbstractContextManager[None]:
        """Nobody else changes it meanwhile. Raises Locked when somebody else does not end. A turn within a turn is the
        same one."""

    def put(self, topic: Topic) -> None:
        """Write a topic in the place of the one with its key, or behind all others. Raises ContentError when the file
        is not written in a way that this can change."""


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

    def addresses(self, subscriber_ids: Collection[SubscriberId]) -> Mapping[SubscriberId, str]:
        """The addresses of those of these people who are known, as they were typed."""

    def listing(self, segment: Segment, states: Sequence[State] = ()) -> Iterator[Subscriber]:
        """The people of a segment by address, of all states or of some."""

    def page(self, search: Search, behind: str = "", before: str = "", size: int = PAGE) -> PeoplePage:
        """People who are found, by address: the first ones behind this canonical address, or the last ones before
        one. Whether there are more is sure on the side to which the list was read on."""

    def found(self, search: Search) -> Iterator[Subscriber]:
        """Everybody who is found, by address."""

    def count(self, segment: Segment) -> Mapping[State, int]:
        """How many people of a segment are in each state."""

    def count_reserved(self, segment: Segment) -> int:
        """How many active or paused people of a segment have an address at a reserved domain (RFC 2606)."""

    def sequence(self) -> int:
        """How often the list was changed."""

    def groups(self, issue: IssueId, topics: TopicWords, segment: Segment) -> Sequence[AudienceGroup]:
        """The people of a segment, grouped by what decides what they get of an issue with these topics."""

    def leave(
        self, subscriber_id: SubscriberId, reason: str, now: datetime, issue: IssueId | None, actor: str = READER
    ) -> bool:
        """Unsubscribe the person and drop what is still to be sent to them; False when they had left."""

    def suppression(self, subscriber_id: SubscriberId) -> tuple[str, datetime] | None:
        """Why and since when the person's address is on the suppression list; None when it is not."""

    def consents(self, subscriber_id: SubscriberId) -> Sequence[Consent]:
        """Every consent of the person, newest first."""

    def imports(self, subscriber_id: SubscriberId) -> Sequence[ImportMark]:
        """The imports that brought or moved the person, oldest first."""


class Changes(Protocol):
    """What is done for one person. Each is one transaction, with its entry in the trail."""

    def add(self, profile: Profile, given: Consent, move: Move, actor: str, now: datetime) -> SubscriberId | None:
        """A new person; None when somebody with this address is there."""

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

    def move(
        self, identifier: SubscriberId, move: Move, actor: str, reason: str, now: datetime, until: date | None = None
    ) -> bool:
        """Move a person's state; False when nobody is there, or the move leads nowhere. `until` ends a pause."""

    def reinstate(self, identifier: SubscriberId, actor: str, reason: str, now: datetime) -> State | None:
        """Undo a bounce or a complaint, on the suppression list too; answers the new state, None when there is
        nothing to undo."""

    def erase(self, identifier: SubscriberId, actor: str, now: datetime) -> bool:
        """Forget a person, all but the keyed hash of the address. False when nobody is there."""


class Joiners(Protocol):
    """People who sign up."""

    def ask(self, profile: Profile, given: Consent, actor: str, now: datetime) -> SubscriberId:
        """Keep what somebody asks for, as pending or as a wish; who gets mail already is left as they are. Answers
        whose address it is."""

    def confirm(self, identifier: SubscriberId, actor: str, now: datetime) -> bool:
        """The owner of the address says yes. False when there is nothing to confirm."""


class Budgets(Protocol):
    """What strangers may have done, within limits."""

    def spend(self, expenses: Sequence[Expense], now: datetime) -> bool:
        """Spend one of each, or nothing when one of them is used up; whether it was spent."""


class Accounts(Protocol):
    """Who works on the publication, and with what they are signed in."""

    def add(self, address: EmailAddress, role: Role, actor: str, now: datetime) -> int | None:
        """A new account; None when the address has one."""

    def remove(self, number: int, actor: str, now: datetime) -> bool:
        """End an account, its password and its tickets; False when it is gone."""

    def set_role(self, number: int, role: Role, actor: str, now: datetime) -> bool:
        """Give an account another role; False when it is gone."""

    def set_password(self, number: int, password: str, actor: str, now: datetime) -> bool:
        """Keep the hash of a password, and end all tickets; False when the account is gone."""

    def renew_password(self, number: int, password: str) -> None:
        """The same password, hashed at a higher cost."""

    def set_language(self, number: int, language: Language) -> None:
        """The language of their pages."""

    def find(self, address: EmailAddress) -> Account | None:
        """The account of this address, however it is spelled."""

    def get(self, number: int) -> Account | None:
        """The account of this number."""

    def all(self) -> Sequence[Account]:
        """All accounts by address."""

    def names(self) -> Mapping[str, str]:
        """Whom the trail's actors mean, those of removed accounts too."""

    def password(self, number: int) -> str:
        """The hash of the password; empty when there is none."""

    def put(self, one: Ticket, now: datetime) -> None:
        """Keep a ticket; those whose time is over go."""

    def ticket(self, digest: bytes, kind: TicketKind, now: datetime) -> Ticket | None:
        """The ticket of this digest, while it is good."""

    def take(self, digest: bytes, kind: TicketKind, now: datetime) -> Ticket | None:
        """The same, and it is used up."""

    def drop_tickets(self, number: int) -> None:
        """End all tickets of an account."""


class Passwords(Protocol):
    """How passwords are kept."""

    def hashed(self, password: str) -> str:
        """What is kept of a password."""

    def check(self, kept: str, password: str) -> tuple[bool, str]:
        """Whether the password is right, and what to keep from now on when that is not what is kept. What was kept is
        empty where there is no password: that takes the same time."""


class Suppressions(Protocol):
    """Addresses that get no mail, by their keyed hash."""

    def get(self, digest: bytes) -> Suppression | None:
        """The entry of this hash."""

    def all(self) -> Iterator[tuple[Suppression, str]]:
        """Every entry, oldest first, with the address where its person is still known."""

    def page(
        self, ground: Ground | None, behind: tuple[datetime, bytes] | None, limit: int
    ) -> Sequence[SuppressedAddress]:
        """So many entries of a ground or of all, newest first, behind the one with this time and hash."""

    def count(self) -> Mapping[Ground, int]:
        """How many entries there are, by ground."""

    def known(self, digests: Iterable[bytes]) -> int:
        """How many of these are on the list."""

    def add(self, entries: Iterable[Suppression], actor: str, now: datetime) -> int:
        """Put addresses on the list; answers how many were not on it."""

    def remove(self, digest: bytes, actor: str, reason: str, now: datetime) -> bool:
        """Take an address off the list; False when it was not on it."""


class UploadedFiles(Protocol):
    """Files that were uploaded, until they are no longer needed."""

    def keep(self, data: BinaryIO) -> tuple[str, int]:
        """Write a file; answers its new name and its size. Raises ConfigError when it cannot be written."""

    def open(self, name: str) -> BinaryIO:
        """The file of this name. Raises NothingMatched when it is gone."""

    def remove(self, name: str) -> None:
        """Delete it, if it is there."""

    def tidy(self, before: datetime, but: Collection[str]) -> None:
        """Delete files from before this time, but for these."""


class Trail(Protocol):
    """The audit trail."""

    def note(self, note: Note, now: datetime) -> None:
        """Write an entry about something that changes nothing here, like an export."""

    def records(self, person: SubscriberId | None = None, action: str = "", limit: int = 0) -> Iterator[Record]:
        """Entries, newest first: all, those of a person, of an action; `limit` 0 for all."""

    def page(self, wanted: TrailSearch, before: int, limit: int) -> Sequence[Record]:
        """The newest so many entries that are wanted, of those with a lower number than `before`; 0 for all."""

    def actions(self) -> Sequence[str]:
        """Every action that there is an entry of, by name."""

    def links(self) -> Iterator[Entry]:
        """The chain as it stands, oldest first."""

    def verify(self) -> Checked:
        """Check the whole chain."""


class Staging(Protocol):
    """An import under way: rows are collected beside the list, compared with it, and merged into it at once."""

    def take(self, batch: Batch) -> None:
        """Collect the rows of a batch."""

    def seal(self) -> Sequence[Reject]:
        """All rows are there; answers those whose address stands in an earlier one, in order."""

    def look(self) -> ImportResult:
        """What merging them would do."""

    def merge(self, origin: Origin, now: datetime) -> ImportResult:
        """Merge them into the list, in one transaction, and write into the audit trail that it was done."""


class Roster(Protocol):
    """Imports."""

    def staging(self) -> AbstractContextManager[Staging]:
        """A new import; what it collected goes with the end of the context."""


class Segments(Protocol):
    """Named segments."""

    def add(self, segment: Segment, actor: str, now: datetime) -> bool:
        """Keep a segment; False when the name is taken."""

    def edit(self, segment: Segment, actor: str, now: datetime, only_if: Segment | None = None) -> bool:
        """Give a name another meaning; False when there is none of the name. Raises ChangedMeanwhileError when it does
        not mean `only_if`."""

    def remove(self, name: str, actor: str, now: datetime, only_if: Segment | None = None) -> bool:
        """Forget a name; False when there is none of the name. Raises ChangedMeanwhileError when it does not mean
        `only_if`."""

    def get(self, name: str) -> Segment | None:
        """The segment of this name."""

    def all(self) -> Sequence[Segment]:
        """All segments by name."""

    def received(self, person: SubscriberId, issues: Sequence[IssueId]) -> frozenset[IssueId]:
        """Which of these issues somebody got."""


class Following(Protocol):
    """Who follows which topic, counted."""

    def by_topic(self, ordinals: Iterable[int]) -> tuple[Mapping[int, int], int]:
        """How many people who get mail, or will when their pause ends, follow each of these topics by name; and how
        many follow all topics, who are counted in none of the others."""

    def of(self, ordinal: int, second: int | None = None) -> Followers:
        """Who follows a topic by name, and of these a second one too."""

    def highest(self) -> int:
        """The highest ordinal that anybody follows; -1 when there is none."""

    def segments(self, ordinal: int) -> tuple[str, ...]:
        """The names of the kept segments that ask for a topic."""

    def merge(self, old: Topic, into: Topic, actor: str, now: datetime) -> Merged:
        """Let everybody who follows the old topic follow the other instead, and every segment that asks for it ask
        for the other: one transaction. A second time it changes nobody."""


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


# Is told how many people a wave has, and raises where it may not be made.
Agree = Callable[[int], None]


def anybody(_people: int) -> None:
    """An `Agree` to any number."""


class Ledger(Protocol):
    """Who gets an issue, and how far each hand-off has come. It remembers first."""

    def mailing(self, issue: IssueId) -> Mailing | None:
        """The mailing of an issue."""

    def mailed(self) -> frozenset[IssueId]:
        """The issues that have a mailing."""

    def open_wave(self, approval: Approval, wanted: WaveRequest, agree: Agree = anybody) -> int:
        """Fix who gets the issue now and has no row yet; all of it or nothing. Answers how many.

        `agree` is told how many they are before anything is kept; what it raises leaves nothing behind. Their rows
        are written while the wave is sent, and come out the same whatever happens to the list meanwhile."""

    def lease(self, issue: IssueId, transport: str, owner: str, slots: int, now: datetime) -> "Lease":
        """Become the sender of a mailing and settle what the one before left. At most `slots` rows can be claimed and
        without a durable result at a time. Raises Locked when another process sends it."""

    def clear_up(self, issue: IssueId, now: datetime) -> None:
        """Settle what a sender left that is dead for certain, without sending on."""

    def progress(self, issue: IssueId) -> Progress:
        """People by hand-off."""

    def still_open(self, issue: IssueId) -> Progress:
        """The same of those people only of whom it is not settled whether they get it; quick."""

    def fates(self, issue: IssueId) -> Mapping[Fate, int]:
        """People by what became of their message."""

    def next_due(self, issue: IssueId) -> datetime | None:
        """When the next deferred row is due."""

    def named(self, issue: IssueId, state: HandOff) -> Sequence[tuple[str, str]]:
        """Addresses of the people in a state, with the reason or reply."""


class Oversight(Protocol):
    """What an admin does to a mailing and asks of it, while it is sent or not."""

    def pause(self, issue: IssueId, why: str) -> bool:
        """Have it stop; False when there is nothing left to stop. Whoever sends it notices at once."""

    def cancel(self, issue: IssueId, why: str, now: datetime) -> int:
        """End it: nobody else is served. Answers how many that are. What is on the wire is told of truly."""

    def retry(self, issue: IssueId, states: Sequence[HandOff], now: datetime, expires: datetime) -> int:
        """Have people in these states (deferred, refused, expired) tried again at once. Answers how many."""

    def settle(self, issue: IssueId, rows: Mapping[RowId, HandOff], why: str, now: datetime) -> int:
        """Settle unknown rows as accepted, refused, or planned, which is to send them again. Answers how many."""

    def resend_once(self, issue: IssueId, now: datetime) -> int:
        """Plan everybody again who is unknown for the first time. Answers how many."""

    def note_fates(self, rows: Mapping[RowId, Fate], now: datetime) -> int:
        """Keep what became of messages after the hand-off. Answers how many rows that changed."""

    def deliveries(
        self,
        issue: IssueId | None,
        states: Sequence[HandOff] = (),
        domain: str = "",
        person: SubscriberId | None = None,
    ) -> Iterator[Delivery]:
        """Rows of an issue or of all, newest issue first, by address: in these states, at this domain, of a person."""

    def attempts(self, row: RowId) -> Sequence[Attempt]:
        """Every attempt of a row, oldest first."""


class Lease(Protocol):
    """The right to send a mailing. Of one thread at a time, but for `begin` and `answered`, which take no time, and
    `changed`, `news` and `troubles`, which another one may ask."""

    @property
    def mailing(self) -> Mailing:
        """The mailing, with this sender's fence."""

    def turn(self, results: Sequence[Result], limit: int, now: datetime) -> Turn:
        """Keep results and take up to `limit` rows that are due, durably. Raises Locked when another sender has taken
        over."""

    def begin(self, row: RowId) -> None:
        """Note that the row's message may be on the wire from here on; survives the end of the process."""

    def answered(self, row: RowId, *, accepted: bool) -> None:
        """Note that the server has answered; survives the end of the process."""

    @property
    def sequence(self) -> int:
        """How often the list had changed at the last `changed`."""

    def changed(self) -> bool:
        """Whether the list or the mailing's standing has changed since this was last asked; quick."""

    def news(self, rows: Sequence[RowId]) -> News:
        """What others have done to the mailing. `rows` are in hand, and nothing of them has left."""

    def troubles(self) -> Mapping[str, int]:
        """How many messages of the mailing are delayed or came back, by domain."""

    def let_go(self, rows: Sequence[RowId]) -> None:
        """These rows will have no result: others have moved them."""

    def release(
        self, status: Status, detail: str, unanswered: Sequence[RowId], results: Sequence[Result], now: datetime
    ) -> None:
        """End the work: keep the last results, call who has no answer unknown, plan the others again."""

    def close(self) -> None:
        """Let go of everything. What was not released is the next sender's to settle."""


class Signer(Protocol):
    """Signs finished messages. Threads may share it, and it reads and writes nothing."""

    def sign(self, message: Message, at: datetime) -> Message:
        """The same message with its signatures in front. The same arguments give the same octets."""


class Departures(Protocol):
    """The journal of who left, outside the database."""

    def note(self, subscriber: SubscriberId, address_hash: bytes, reason: str, now: datetime) -> None:
        """Append one departure; on disk when it returns."""


class Probe(Protocol):
    """Asks an address of the archive whether it answers."""

    def __call__(self, url: str) -> str:
        """Empty when it answers with a page, else why not."""


class Work(Protocol):
    """What a run gives a transport to do. Every call is of the loop's thread, and none but `more` waits: a
    message may cost less than a turn of the loop."""

    def take(self) -> tuple[RowId, Message] | None:
        """The next message, addressed; None when there is none at this moment. A transport takes one only when it
        can work on it, and settles every one that it took."""

    async def more(self) -> bool:
        """Wait until `take` may have something again; False when nothing will follow."""

    def begin(self, row: RowId, connection: str = "") -> bool:
        """To be called right before the first octet of the message's content may leave: from here on a lost answer
        is `Unknown`. False when it must not leave, because its person has left meanwhile or the run was told to
        drop it; then nothing more is to be said of the row."""

    def settle(self, row: RowId, outcome: Outcome, connection: str = "") -> None:
        """What the attempt ended in. `connection` names the connection for the ledger: `2 to mx.example.org:25`."""


class Transport(Protocol):
    """A way out for messages: SMTP, a provider, a directory, the sandbox."""

    @property
    def url(self) -> str:
        """How it is named in settings and the ledger, without secrets."""

    @property
    def live(self) -> bool:
        """Whether mail handed to it can reach people. Sandbox, outbox and loopback servers are not live."""

    @property
    def connections(self) -> int:
        """How many messages may be begun and unanswered at a time: after a sudden end, as many may be unknown."""

    async def deliver(self, work: Work) -> None:
        """Try each message of the work once and settle it, until nothing follows.

        The adapter never retries and never alters a message. When the work ends it finishes what is in flight,
        closes its connections and returns. Trouble of the way itself (no connection, failed log-in) is an outcome
        of scope TRANSPORT or ACCOUNT, never an exception; an exception out of the work comes out of here. When
        the call is cancelled, connections are dropped at once and what was not settled stays so.
        """
