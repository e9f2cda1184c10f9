"""Every table of the database, and why it is there.

Personal values (address, name, attributes, slot values, words about somebody) stand only in `person`, `consent`,
`audit_private` and `delivery.slots`, which an erasure empties; everything else knows people by their random id or
by the keyed hash of their canonical address. A change here needs a migration; a test compares the two.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect


class Instant(TypeDecorator[datetime]):
    """An aware time as text in UTC of fixed width, so that texts sort like times in every database."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Write."""
        del dialect
        return None if value is None else stamp(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Read."""
        del dialect
        return None if value is None else instant(value)


def stamp(time: datetime) -> str:
    """An aware time as it stands in the database: `2023-07-01T09:00:00.000000Z`."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def instant(written: str) -> datetime:
    """A time out of the database."""
    return datetime.strptime(written, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite's INTEGER has 64 bits, and only a key of exactly that name is the row's own number: one search, not two.
_LARGE_KEY = BigInteger().with_variant(Integer, "sqlite")

# One row a fact about the database itself: `incarnation` (a restored copy gets another, so that a sender can
# tell that it is no longer on the database it claimed from) and `sequence` (counts changes of the audience).
meta = Table(
    "meta",
    metadata,
    Column("key", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)

# Active people who follow topics by name. A query must say it in these words to use the index of them; the plus keeps
# SQLite from using the index of all states instead.
ACTIVE_BY_TOPIC = "+state = 'active' AND NOT all_topics"

subscriber = Table(
    "subscriber",
    metadata,
    Column("id", _LARGE_KEY, primary_key=True, autoincrement=False),  # random, 63 bits
    Column("state", String(16), nullable=False),
    Column("paused_until", Date),
    Column("language", String(16), nullable=False),
    Column("all_topics", Boolean, nullable=False),
    Column("topics_0", BigInteger, nullable=False, server_default="0"),
    Column("topics_1", BigInteger, nullable=False, server_default="0"),
    Column("topics_2", BigInteger, nullable=False, server_default="0"),
    Column("topics_3", BigInteger, nullable=False, server_default="0"),
    Column("generation", Integer, nullable=False, server_default="0"),  # of tokens
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("changed_seq", BigInteger, nullable=False),
    Column("joined_on", Date, nullable=False, server_default="1970-01-01"),
    Column("own_choice", Boolean, nullable=False, server_default="0"),  # what they follow they chose themselves
    # everything that segments ask of people but attributes and issues: counting needs no row
    Index(
        "ix_subscriber_audience",
        *("state", "all_topics", "topics_0", "language", "joined_on", "topics_1", "topics_2", "topics_3"),
    ),
    # most people, without a look at their state: halves the time of a count
    Index(
        "ix_subscriber_active",
        *("topics_0", "language", "state", "all_topics"),
        sqlite_where=text(ACTIVE_BY_TOPIC),
        postgresql_where=text("state = 'active' AND NOT all_topics"),
    ),
)

person = Table(
    "person",
    metadata,
    Column("subscriber_id", _LARGE_KEY, ForeignKey("subscriber.id"), primary_key=True, autoincrement=False),
    Column("address_hash", LargeBinary(16), nullable=False, unique=True),
    Column("canonical", Text, nullable=False, unique=True),
    Column("typed", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("attributes", Text, nullable=False, server_default="{}"),  # JSON object of texts
    Column("wish", Text),  # JSON: what the person asked for in signing up again, until they confirm
)

# Addresses that somebody had before, so that an old list brings nobody in twice.
former = Table(
    "former",
    metadata,
    Column("address_hash", LargeBinary(16), primary_key=True),
    Column("subscriber_id", BigInteger, ForeignKey("subscriber.id"), nullable=False, index=True),
    sqlite_with_rowid=False,
)

import_run = Table(
    "import_run",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("source", Text, nullable=False),  # name of the file
    Column("digest", String(64), nullable=False),  # SHA-256 of the file
    Column("created", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("kept_out", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
)

# What was agreed to, when and where. An import is one record for all of its rows that state the same.
consent = Table(
    "consent",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", Text, nullable=False),  # the form, the event
    Column("given_on", Date, nullable=False),
    Column("wording", Text, nullable=False, server_default=""),  # what the person read
    Column("version", String(40), nullable=False, server_default=""),  # of the wording
    Column("place", Text, nullable=False, server_default=""),  # where from: the page and the network
    Column("import_id", Integer, ForeignKey("import_run.id")),
    Column("recorded_at", Instant, nullable=False),
)

consented = Table(
    "consented",
    metadata,
    Column("subscriber_id", BigInteger, ForeignKey("subscriber.id"), primary_key=True, autoincrement=False),
    Column("consent_id", Integer, ForeignKey("consent.id"), primary_key=True, autoincrement=False),
    Column("confirmed_at", Instant),  # by the owner of the address
    sqlite_with_rowid=False,
)

# People whose state an import moved; who came with it has its consent. The trail has one entry for all of them.
import_move = Table(
    "import_move",
    metadata,
    Column("subscriber_id", BigInteger, ForeignKey("subscriber.id"), primary_key=True, autoincrement=False),
    Column("import_id", Integer, ForeignKey("import_run.id"), primary_key=True, autoincrement=False),
    Column("from_state", String(16), nullable=False),
    Column("to_state", String(16), nullable=False),
    sqlite_with_rowid=False,
)

# Append only, each entry chained to the one before it: see core.audit. Personal words stand in `audit_private`,
# which an erasure empties; the chain holds their salted digest and stays whole.
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(40), nullable=False),
    Column("subscriber_id", BigInteger, index=True),
    Column("facts", Text, nullable=False),  # JSON
    Column("digest", LargeBinary(32)),
    Column("chain", LargeBinary(32), nullable=False),
    Index("ix_audit_action", "action"),
)

audit_private = Table(
    "audit_private",
    metadata,
    Column("audit_id", Integer, ForeignKey("audit.id"), primary_key=True, autoincrement=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("salt", LargeBinary(16), nullable=False),
    Column("content", Text, nullable=False),  # JSON
)

suppression = Table(
    "suppression",
    metadata,
    Column("address_hash", LargeBinary(16), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("kind", String(16), nullable=False, server_default="manual"),
    Column("changed_seq", BigInteger, nullable=False, server_default="0"),
    Index("ix_suppression_since", "since", "address_hash"),
)

segment = Table(
    "segment",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("definition", Text, nullable=False),  # JSON
    Column("created_at", Instant, nullable=False),
)

# How often something was done for a key, until when that counts.
budget = Table(
    "budget",
    metadata,
    Column("kind", String(40), primary_key=True),
    Column("key", LargeBinary(16), primary_key=True),
    Column("until", Instant, nullable=False, index=True),
    Column("used", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# Rows that may still be moved. A query must say it in these words to use the index of them.
OPEN_ROWS = "state IN ('planned', 'claimed', 'deferred', 'unknown')"
_OPEN = text(OPEN_ROWS)

# Messages of which something bad was heard: few, and only they are in an index.
TROUBLED_ROWS = "fate IN ('delayed', 'bounced', 'rejected', 'complained')"
_TROUBLED = text(TROUBLED_ROWS)

# Compiled editions, content-addressed: what was approved is what is sent.
artefact = Table(
    "artefact",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("format", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
)

approval = Table(
    "approval",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("issue", String(7), nullable=False, index=True),
    Column("source_digest", String(64), nullable=False),
    Column("approved_at", Instant, nullable=False),
    Column("approver", Text, nullable=False),
    Column("note", Text, nullable=False),
)

approved_edition = Table(
    "approved_edition",
    metadata,
    Column("approval_id", Integer, ForeignKey("approval.id"), primary_key=True),
    Column("key", String(80), primary_key=True),
    Column("language", String(16), nullable=False),
    Column("positions", Text, nullable=False),  # JSON list
    Column("selection", BigInteger, nullable=False, server_default="0"),  # the positions as bits, 1 for the first
    Column("hash", String(64), ForeignKey("artefact.hash"), nullable=False),
    Index("ix_approved_edition_selection", "approval_id", "selection", "language"),
)

# One an issue, all languages and waves. `fence` rises with every sender that takes over; a row is only moved
# by the sender whose fence it carries. `beat` is counted up by the sender as long as it lives.
mailing = Table(
    "mailing",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("issue", String(7), nullable=False, unique=True),
    Column("status", String(16), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("transport", Text, nullable=False),
    Column("approval_id", Integer, ForeignKey("approval.id"), nullable=False),
    Column("incarnation", String(32), nullable=False),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("lease_owner", Text),  # empty when nobody sends
    Column("expires_at", Instant),  # nobody is tried after this
    Column("beat", Integer, nullable=False, server_default="0"),
    Column("detail", Text, nullable=False, server_default=""),  # why it is paused or held
)

wave = Table(
    "wave",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("mailing_id", Integer, ForeignKey("mailing.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("segment", Text, nullable=False),  # JSON definition
    Column("audience_seq", BigInteger, nullable=False),
    Column("approval_id", Integer, ForeignKey("approval.id"), nullable=False),
    Column("assignment", Text, nullable=False, server_default="{}"),  # JSON: what decides which edition a reader gets
    Column("people", Integer, nullable=False),  # as counted when it was made; the rows are written after
    Column("cursor", BigInteger, nullable=False, server_default="0"),  # the subscriber up to whom rows are written
    Column("written", Integer, nullable=False, server_default="0"),  # how many rows are
    Column("frozen", Boolean, nullable=False, server_default="1"),  # all rows are written
    Column("created_at", Instant, nullable=False),
    Column("last_delivery", BigInteger, nullable=False, server_default="0"),  # the newest row when it was made
    UniqueConstraint("mailing_id", "number"),
    Index("ix_wave_open", "frozen", sqlite_where=text("NOT frozen"), postgresql_where=text("NOT frozen")),
)

# People as they were when a wave was made, if they were changed before their row was written. Triggers write it,
# so that no way to change a person can forget; it is emptied when the wave is frozen.
audience_before = Table(
    "audience_before",
    metadata,
    Column("wave_id", Integer, ForeignKey("wave.id"), primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),  # of the subscriber
    Column("state", String(16), nullable=False),
    Column("paused_until", Date),
    Column("language", String(16), nullable=False),
    Column("all_topics", Boolean, nullable=False),
    Column("topics_0", BigInteger, nullable=False),
    Column("topics_1", BigInteger, nullable=False),
    Column("topics_2", BigInteger, nullable=False),
    Column("topics_3", BigInteger, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("changed_seq", BigInteger, nullable=False),
    Column("address_hash", LargeBinary(16)),
    Column("typed", Text),
    Column("name", Text),
    Column("attributes", Text),
)

# Rows of the issues that a wave's segment asks for which were not accepted when the wave was made: whatever comes of
# them, its people are who they were. Emptied when the wave is frozen.
received_later = Table(
    "received_later",
    metadata,
    Column("wave_id", Integer, ForeignKey("wave.id"), primary_key=True, autoincrement=False),
    Column("delivery_id", Integer, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# Addresses that were on the suppression list when a wave was made and were taken off it since. A trigger writes it.
lifted_later = Table(
    "lifted_later",
    metadata,
    Column("wave_id", Integer, ForeignKey("wave.id"), primary_key=True, autoincrement=False),
    Column("address_hash", LargeBinary(16), primary_key=True),
    sqlite_with_rowid=False,
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("mailing_id", Integer, ForeignKey("mailing.id"), nullable=False),
    Column("wave_id", Integer, ForeignKey("wave.id"), nullable=False),
    Column("issue", String(7), nullable=False),
    Column("address_hash", LargeBinary(16), nullable=False),
    Column("subscriber_id", BigInteger, nullable=False, index=True),
    Column("artefact_hash", String(64), ForeignKey("artefact.hash"), nullable=False),
    Column("slots", Text),  # JSON: the reader's values as they are sent; emptied by an erasure
    Column("state", String(16), nullable=False),
    Column("fate", String(16), nullable=False, server_default="none"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("resent", Integer, nullable=False, server_default="0"),  # how often it was sent again although unknown
    Column("due_at", Instant),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("changed_at", Instant, nullable=False),
    Column("message_digest", LargeBinary(32)),  # of the last attempt; see `Message.digest`
    Column("detail", Text, nullable=False, server_default=""),  # last reply, or why nothing was sent
    UniqueConstraint("issue", "address_hash"),
    # only rows that are still to be moved: a mailing of a million ends with an empty index
    Index("ix_delivery_open", "mailing_id", "state", "due_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("ix_delivery_troubled", "mailing_id", sqlite_where=_TROUBLED, postgresql_where=_TROUBLED),
)

# Append only, one row an attempt, by person and number.
attempt = Table(
    "attempt",
    metadata,
    Column("delivery_id", Integer, ForeignKey("delivery.id"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("started_at", Instant),  # when the first octet of content might leave; empty when none did
    Column("ended_at", Instant, nullable=False),
    Column("transport", Text, nullable=False),
    Column("connection", Text, nullable=False, server_default=""),
    Column("outcome", String(16), nullable=False),
    Column("scope", String(16)),
    Column("code", Integer),
    Column("enhanced", String(16)),
    Column("reply", Text, nullable=False),
    sqlite_with_rowid=False,
)

# Who works on the publication. A row stays when somebody is removed, because the audit trail names its number.
account = Table(
    "account",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("canonical", Text, nullable=False, unique=True),
    Column("typed", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("language", String(16)),  # of the pages
    Column("password", Text),  # an Argon2 hash
    Column("created_at", Instant, nullable=False),
    Column("removed_at", Instant),
)

# Secrets that somebody signs in with, or is signed in with, by their digest; see core/account.py.
ticket = Table(
    "ticket",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),  # SHA-256 of the secret
    Column("kind", String(16), nullable=False),
    Column("account_id", Integer, ForeignKey("account.id"), index=True),  # empty for who is at the machine
    Column("user", Text, nullable=False, server_default=""),  # of the system, then
    Column("until", Instant, nullable=False, index=True),
    sqlite_with_rowid=False,
)
