"""The composition root: settings in, an `App` out. The only module that knows services and adapters.

An `App` is one publication on this machine. Two can live in one process: nothing here is global. What a
command does not need is not opened: the database, the keys and the transports come to life on first use.
"""

import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property, partial
from pathlib import Path
from secrets import token_hex, token_urlsafe
from typing import TYPE_CHECKING, Any, BinaryIO
from zoneinfo import ZoneInfo

from digest_mailer import config, resources
from digest_mailer.adapters import archive_probe
from digest_mailer.adapters.departures import DepartureJournal
from digest_mailer.adapters.file_stamps import read_stamp
from digest_mailer.adapters.issue_files import IssueFiles
from digest_mailer.adapters.keys import KEYS_LOST, KeyFiles
from digest_mailer.adapters.store.approvals import ApprovalStore
from digest_mailer.adapters.store.audit import AuditStore
from digest_mailer.adapters.store.budgets import BudgetStore
from digest_mailer.adapters.store.changes import ChangeStore
from digest_mailer.adapters.store.database import Database
from digest_mailer.adapters.store.joining import JoiningStore
from digest_mailer.adapters.store.ledger import LedgerStore
from digest_mailer.adapters.store.oversight import OversightStore
from digest_mailer.adapters.store.people import PeopleStore
from digest_mailer.adapters.store.roster import RosterStore
from digest_mailer.adapters.store.segments import SegmentStore
from digest_mailer.adapters.store.suppressions import SuppressionStore
from digest_mailer.adapters.subscriber_csv import Reading, SubscriberFile
from digest_mailer.adapters.subscriber_row import FIELDS, REJECT_COLUMNS
from digest_mailer.adapters.system import SystemClock, new_subscriber_id, new_subscriber_ids, sending_lock, this_process
from digest_mailer.adapters.transports.outbox import OutboxTransport
from digest_mailer.adapters.transports.smtp import SmtpTransport
from digest_mailer.adapters.transports.smtp_settings import parse_smtp_url
from digest_mailer.core.audit import Note
from digest_mailer.core.delivery import HandOff, RetryPolicy
from digest_mailer.core.dkim import signing_domain
from digest_mailer.core.errors import ConfigError
from digest_mailer.core.feedback import FeedbackEvent
from digest_mailer.core.identity import ENGLISH, FRENCH, IssueId
from digest_mailer.core.intake import Column
from digest_mailer.core.publication import Publication
from digest_mailer.core.rehearsal import Faults
from digest_mailer.core.segment import EVERYBODY
from digest_mailer.ports import Clock, Signer, Transport
from digest_mailer.services.express import Express
from digest_mailer.services.importing import Importer, Said
from digest_mailer.services.interlocks import Interlocks
from digest_mailer.services.launch import Launcher
from digest_mailer.services.library import Library, Readings
from digest_mailer.services.oversight import Overseer
from digest_mailer.services.send import Canary, Run
from digest_mailer.services.standing import Standing
from digest_mailer.services.subscriptions import Subscriptions
from digest_mailer.services.watching import Watch

if TYPE_CHECKING:  # what renders takes 150 ms to load, what signs 50, and most commands do neither
    from digest_mailer.adapters.browser import Browser
    from digest_mailer.adapters.captures import Imported
    from digest_mailer.adapters.dkim_keys import DkimKeyFiles
    from digest_mailer.adapters.fetching import Fetcher
    from digest_mailer.adapters.link_probe import LinkProbe
    from digest_mailer.adapters.store.following import FollowingStore
    from digest_mailer.adapters.transports.sandbox import SandboxServer
    from digest_mailer.services.admission import Admission
    from digest_mailer.services.approve import Approver
    from digest_mailer.services.choosing import Choosing
    from digest_mailer.services.compose import Composer
    from digest_mailer.services.drafting import Drafter
    from digest_mailer.services.fixing import Fixer
    from digest_mailer.services.joining import Joining
    from digest_mailer.services.letters import Letters
    from digest_mailer.services.linting import Linter
    from digest_mailer.services.proofs import Proofs
    from digest_mailer.services.readers import ReaderCounts
    from digest_mailer.services.suppressing import Suppressing
    from digest_mailer.services.topics import Topics
    from digest_mailer.services.trial import Trial
    from digest_mailer.services.uploads import Uploads
    from digest_mailer.services.why import Explainer

__all__ = [
    "FIELDS",
    "REJECT_COLUMNS",
    "App",
    "Reading",
    "SubscriberFile",
    "build_app",
    "new_publication",
    "read_captures",
]


@dataclass
class App:
    """One publication, put together."""

    root: Path
    settings: config.Settings
    environment: Mapping[str, str] = field(repr=False)  # secrets may stand in it
    clock: Clock
    reread: Callable[[], config.Settings] = field(repr=False)  # the settings as their file has them now
    config_file: Path

    @property
    def state(self) -> Path:
        """The directory of the database, the keys and the sandbox."""
        return self.root / config.STATE_NAME

    @cached_property
    def publication(self) -> Publication:
        """Who publishes."""
        return config.publication(self.settings)

    @cached_property
    def files(self) -> IssueFiles:
        """The publication's files, its own templates before the packaged ones."""
        own = self.root / "templates"
        return IssueFiles(
            self.root, (own, resources.templates_root()) if own.is_dir() else (resources.templates_root(),)
        )

    @property
    def library(self) -> Library:
        """The issues, as they are on disk now. What has not changed since the last look is not parsed again."""
        return Library(self.files, self._readings)

    @cached_property
    def _readings(self) -> Readings:
        return Readings()

    @cached_property
    def database(self) -> Database:
        """The database, made when there is none. Raises ConfigError for one of another version."""
        database = Database(self.state / "digest.db")
        database.require_current()
        return database

    def upgrade_database(self) -> tuple[str | None, str]:
        """Bring the database to this version's step; answers the steps before and after."""
        return Database(self.state / "digest.db").upgrade()

    @cached_property
    def people(self) -> PeopleStore:
        """Subscribers."""
        return PeopleStore(self.database)

    @cached_property
    def segments(self) -> SegmentStore:
        """Named segments."""
        return SegmentStore(self.database)

    @cached_property
    def approvals(self) -> ApprovalStore:
        """Approved issues."""
        return ApprovalStore(self.database)

    @cached_property
    def ledger(self) -> LedgerStore:
        """Who gets what."""
        return LedgerStore(self.database)

    @cached_property
    def oversight(self) -> OversightStore:
        """What an admin does to a mailing, and asks of it."""
        return OversightStore(self.database)

    @cached_property
    def secrets(self) -> KeyFiles:
        """The keys, made on first use. Raises ConfigError when they were lost: hashes by a new key would let
        people be mailed twice, and let in who left."""
        files = KeyFiles(self.state / "keys")
        if missing := files.missing():
            if self.people.count(EVERYBODY):
                raise ConfigError(f"the key {missing[0]} is not there, but people are", KEYS_LOST)
            files.make()
        return files

    @cached_property
    def dkim_keys(self) -> "DkimKeyFiles":
        """The keys that sign mail."""
        from digest_mailer.adapters.dkim_keys import DkimKeyFiles

        return DkimKeyFiles(self.state / "keys" / "dkim")

    @property
    def dkim_domain(self) -> str:
        """The domain that signs. Raises ConfigError when the configured one does not fit the sender."""
        return signing_domain(self.settings.dkim.domain, self.publication.sender.address.domain)

    @property
    def next_selector(self) -> str:
        """The name of a pair of DKIM keys made today."""
        return f"dm{self.clock.now():%Y%m}"

    def signer(self) -> Signer | None:
        """Signs messages; None when the server does. Raises ConfigError when there is no key to do it with."""
        if not self.settings.dkim.sign:
            return None
        from digest_mailer.adapters.dkim import DkimSigner

        return DkimSigner(self.dkim_domain, self.dkim_keys.keys(self.dkim_keys.ring().signing))

    @property
    def importer(self) -> Importer:
        """Takes subscribers in."""
        roster = RosterStore(self.database, self.secrets.address, new_subscriber_ids)
        return Importer(roster, self.clock, self.publication.languages[0])

    def people_file(self, data: BinaryIO, source: str, said: Said) -> SubscriberFile:
        """A list of people in a file, to be read as somebody says. Raises ContentError when it cannot be used."""
        return SubscriberFile(data, self.library.vocabulary.catalogue, self._reading(source, said))

    def people_columns(self, data: BinaryIO, source: str, said: Said) -> tuple[Column, ...]:
        """What each column of such a file is taken for, also where others keep the file from being used."""
        from digest_mailer.adapters.subscriber_columns import read_columns

        return read_columns(data, self.library.vocabulary.catalogue, self._reading(source, said))

    def _reading(self, source: str, said: Said) -> Reading:
        languages = tuple(dict.fromkeys((*self.publication.languages, ENGLISH, FRENCH)))
        return Reading(self.today, languages, said.columns, said.consent, said.topics, said.encoding, source)

    @cached_property
    def uploads(self) -> "Uploads":
        """Lists that were uploaded."""
        from digest_mailer.adapters.upload_folder import UploadFolder
        from digest_mailer.services.uploads import Uploads

        return Uploads(UploadFolder(self.state / "uploads"), self.clock)

    @property
    def subscriptions(self) -> Subscriptions:
        """How people leave."""
        journal = DepartureJournal(self.state / "departures.jsonl")
        changes = ChangeStore(self.database, self.secrets.address, new_subscriber_id)
        keys, address = self.secrets.keys.tokens, self.secrets.address
        stores = (self.people, changes, self.trail, self.suppressions, journal)
        return Subscriptions(*stores, keys, address, self.clock, lambda: self.today)

    @property
    def today(self) -> date:
        """The day it is where the publication is."""
        return self.clock.now().astimezone(ZoneInfo(self.publication.timezone)).date()

    @property
    def choosing(self) -> "Choosing":
        """What readers choose themselves, of the topics as the file has them now."""
        from digest_mailer.services.choosing import Choosing

        catalogue = self.files.vocabulary().catalogue
        return Choosing(self.subscriptions, catalogue, self.publication.languages, lambda: self.today)

    @property
    def joining(self) -> "Joining":
        """How people come."""
        from digest_mailer.services.joining import Joining

        key = self.secrets.address
        joiners = JoiningStore(self.database, ChangeStore(self.database, key, new_subscriber_id))
        return Joining(self.people, joiners, self.suppressions, BudgetStore(self.database), key, self.clock)

    @cached_property
    def admission(self) -> "Admission":
        """Lets in who works here."""
        from digest_mailer.adapters.passwords import Argon2Passwords
        from digest_mailer.adapters.store.accounts import AccountStore
        from digest_mailer.services.admission import Admission

        accounts, budgets = AccountStore(self.database), BudgetStore(self.database)
        secret, clock = self.secrets.address, self.clock
        return Admission(accounts, Argon2Passwords(), budgets, self.trail, secret, clock, lambda: token_urlsafe(32))

    def letters(self, library: Library) -> "Letters":
        """Writes letters to single people."""
        from digest_mailer.services.letters import Letters

        tokens = self.secrets.keys.tokens
        return Letters(self.publication, library.templates, tokens, self.clock, lambda: token_hex(16))

    @property
    def suppressing(self) -> "Suppressing":
        """What admins do with the suppression list."""
        from digest_mailer.services.suppressing import Suppressing

        return Suppressing(self.suppressions, self.secrets.address, self.clock)

    def note_export(self, actor: str, what: str, rows: int) -> None:
        """Write into the audit trail that a list was taken out."""
        self.trail.note(Note(actor, "export", facts={"what": what, "rows": rows}), self.clock.now())

    @cached_property
    def trail(self) -> AuditStore:
        """Who did what."""
        return AuditStore(self.database)

    @cached_property
    def suppressions(self) -> SuppressionStore:
        """Addresses that get no mail."""
        return SuppressionStore(self.database)

    @property
    def following(self) -> "FollowingStore | None":
        """Who follows which topic; None where there is no database yet, and none is made."""
        from digest_mailer.adapters.store.following import FollowingStore

        return FollowingStore(self.database) if (self.state / "digest.db").exists() else None

    def topics(self, library: Library) -> "Topics":
        """Changes the catalogue of topics."""
        from digest_mailer.adapters.topic_file import TopicFile
        from digest_mailer.services.topics import Topics

        following = self.following
        trail = self.trail if following else None
        file = TopicFile(self.root, self.state / "topics.lock")
        return Topics(library, file, following, self.standing, self.clock, trail)

    def composer(self, library: Library) -> "Composer":
        """Makes editions."""
        from digest_mailer.services.compose import Composer

        return Composer(library, self.publication)

    @cached_property
    def proofs(self) -> "Proofs":
        """Editions as the files are now, for the preview."""
        from digest_mailer.services.compose import Composer
        from digest_mailer.services.proofs import Proofs

        def compose(before: Composer | None) -> Composer:
            library = (before.library if before else self.library).afresh()
            return Composer(library, config.publication(self.reread()))

        return Proofs(compose, self._stamp)

    @cached_property
    def readers(self) -> "ReaderCounts":
        """How many readers the editions of an issue have."""
        from digest_mailer.services.readers import ReaderCounts

        return ReaderCounts(self.people, self.ledger, lambda: self.today)

    @cached_property
    def watch(self) -> Watch:
        """Tells when the publication's files change."""
        return Watch(self._stamp)

    def _stamp(self) -> str:
        own = self.root / "templates"
        return read_stamp([self.config_file, self.files.folder, own, resources.templates_root()])

    def approver(self, library: Library) -> "Approver":
        """Keeps approvals."""
        from digest_mailer.services.approve import Approver

        composer, linter, standing = self.composer(library), self.linter(library), self.standing(library)
        return Approver(composer, linter, standing, self.approvals, self.people, self.clock)

    def standing(self, library: Library) -> Standing:
        """Compares issues with their approvals."""
        return Standing(library, self.publication, self.approvals)

    def fixer(self, library: Library) -> "Fixer":
        """Changes in issue files what is safe to change."""
        from digest_mailer.services.fixing import Fixer

        return Fixer(library)

    def browser(self) -> "Browser":
        """Chromium, to look at mails with, as a context. Raises ConfigError on entry when it is not installed."""
        from digest_mailer.adapters.browser import Browser

        return Browser()

    def link_probe(self) -> "LinkProbe":
        """Asks addresses whether they answer, and remembers their answers for a while."""
        from digest_mailer.adapters.link_probe import LinkProbe

        return LinkProbe(self.state / "links.json", self.clock)

    @property
    def fetcher(self) -> "Fetcher":
        """Fetches documents from the public web."""
        from digest_mailer.adapters.fetching import Fetcher

        return Fetcher()

    @property
    def resolver(self) -> str:
        """The address that answers for DOIs."""
        from digest_mailer.adapters.references import RESOLVER

        return RESOLVER

    def drafter(self, library: Library, csl: Sequence[Path] = (), *, online: bool = False) -> "Drafter":
        """Begins issues, with references out of files of CSL-JSON and, when online, from the DOI resolver."""
        from digest_mailer.adapters.feed_copies import FeedCopies
        from digest_mailer.adapters.feed_words import words_of
        from digest_mailer.adapters.feeds import Feeds
        from digest_mailer.adapters.references import References
        from digest_mailer.services.drafting import Drafter

        zone, fetcher = ZoneInfo(self.publication.timezone), self.fetcher
        feeds = Feeds(fetcher, FeedCopies(self.state), zone, self.clock)
        references = References(csl, fetcher if online else None, self.resolver)
        return Drafter(library, feeds, words_of, references, zone, self.today)

    def linter(self, library: Library) -> "Linter":
        """Says what is wrong with an issue and its editions. It makes no database where none is."""
        from digest_mailer.services.linting import Linter

        people = self.people if (self.state / "digest.db").exists() else None
        return Linter(self.composer(library), people)

    def interlocks(self, library: Library) -> Interlocks:
        """The checks of a send."""
        return Interlocks(self.standing(library), self.approvals, self.people, self.publication, archive_probe.probe)

    def launcher(self, library: Library) -> Launcher:
        """Starts sends."""
        locks = self.interlocks(library)
        max_age = self.settings.delivery.max_age
        return Launcher(library, self.people, self.ledger, locks, self.publication, self.clock, max_age)

    def overseer(self) -> Overseer:
        """Stops mailings, and settles who is unknown."""
        delivery = self.settings.delivery
        again = delivery.unknown == "resend-once"
        return Overseer(self.ledger, self.oversight, self.secrets.keys, self.clock, delivery.max_age, again)

    def explainer(self) -> "Explainer":
        """Tells what somebody got, and why."""
        from digest_mailer.services.why import Explainer

        catalogue = self.library.vocabulary.catalogue
        keys, signer = self.secrets.keys, self.signer()
        return Explainer(
            self.people,
            self.ledger,
            self.oversight,
            self.approvals,
            keys,
            signer,
            lambda: self.today,
            catalogue,
        )

    def read_evidence(self, path: Path) -> Iterator[FeedbackEvent]:
        """What files prove of messages that were taken."""
        from digest_mailer.adapters.evidence import read_evidence

        return read_evidence(path)

    def lock(self, issue: IssueId) -> AbstractContextManager[None]:
        """The lock of sending an issue, as a context."""
        return sending_lock(self.state / f"send-{issue}.lock")

    @property
    def maildir(self) -> Path:
        """Where the sandbox keeps mail."""
        return self.state / "sandbox"

    def sandbox_server(self, port: int, faults: Faults | None = None) -> "SandboxServer":
        """A standing SMTP server on loopback that keeps what it gets, and for a rehearsal has faults."""
        from digest_mailer.adapters.transports.sandbox import Mischief, SandboxServer

        return SandboxServer(self.maildir, port=port, mischief=Mischief(faults or Faults()))

    def transport(self, url: str | None = None) -> Transport:
        """The way out: the named one, or the configured. Raises ConfigError for a URL that is none."""
        base = Path.cwd() if url else self.root  # a path counts from where it was written
        url = url or self.settings.delivery.transport
        scheme, colon, rest = url.partition(":")
        if scheme == "sandbox" and (not rest or rest.startswith("?")):
            from digest_mailer.adapters.transports.sandbox import SandboxTransport, parse_sandbox

            faults = parse_sandbox(rest, new_seed())
            return SandboxTransport(self.maildir, self.settings.delivery.connections, faults)
        if scheme == "outbox" and rest:
            return OutboxTransport((base / rest).resolve())
        if scheme == "smtp":
            return self._smtp(url)
        named = f"{scheme}:…" if colon and scheme.isalnum() else "the transport"  # a password may stand in the rest
        raise ConfigError(f"{named} is no way out", "use sandbox:, outbox:DIR or smtp://user@host:port")

    def run(self, transport: Transport, on_progress: Callable[[HandOff], None], canaries: int = 0) -> Run:
        """A run of a mailing, first to so many canaries."""
        jitter, keys = random.Random().random, self.secrets.keys  # noqa: S311 - no secret
        run = Run(self.ledger, self.approvals, transport, keys, self.clock, RetryPolicy(), jitter, on_progress)
        run.owner, run.window, run.signer = this_process(), self.settings.delivery.window, self.signer()
        run.pacer = config.pacer(self.settings)
        run.canary = Canary(canaries, self.settings.delivery.canary_wait) if canaries else None
        return run

    def express(self, transport: Transport) -> Express:
        """The lane of mail that somebody waits for."""
        return Express(transport, self.clock, self.signer())

    def trial(self, library: Library) -> "Trial":
        """Makes test mail."""
        from digest_mailer.services.trial import Trial

        return Trial(self.composer(library), self.people, self.clock, new_subscriber_id)

    def _smtp(self, url: str) -> Transport:
        delivery = self.settings.delivery
        ca_file = self.root / delivery.ca_file if delivery.ca_file else None
        settings = parse_smtp_url(url, default_connections=delivery.connections, ca_file=ca_file)
        if settings.username:
            password = config.find_password(
                self.settings, self.environment, self.root, settings.username, settings.host
            )
            if not password:
                raise ConfigError(
                    f"there is no password for {settings.host}",
                    "name a file with [delivery] password_file, or set DIGEST_DELIVERY__PASSWORD",
                )
            settings = replace(settings, password=password)
        return SmtpTransport(settings)


def read_captures(files: Sequence[tuple[str, bytes]]) -> "Imported":
    """See `adapters.captures.read_captures`."""
    from digest_mailer.adapters.captures import read_captures as read

    return read(files)


def new_seed() -> int:
    """For a rehearsal that names none."""
    return random.randrange(1_000_000)  # noqa: S311 - no secret


def new_publication(directory: Path, base_url: str = "") -> list[str]:
    """Make the files of a publication from the sample; answers their paths. Raises UsageError when it cannot."""
    from digest_mailer.adapters.project_files import make_project

    return make_project(resources.data_root(), directory, base_url)


def build_app(
    directory: Path,
    config_file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    clock: Clock | None = None,
) -> App:
    """The publication in a directory. Raises ConfigError when its settings are missing or wrong."""
    path = config_file or directory / config.CONFIG_NAME
    environment = dict(os.environ)
    reread = partial(config.load_settings, path, overrides or {}, environment)
    return App(path.parent.resolve(), reread(), environment, clock or SystemClock(), reread, path.resolve())
