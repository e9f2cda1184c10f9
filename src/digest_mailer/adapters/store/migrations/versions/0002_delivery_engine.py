"""What the delivery engine needs: audiences written in parts, attempts without an index, the sender's beat.

Revision ID: 0002
Revises: 0001
"""

import json

import sqlalchemy as sa
from alembic import op

from digest_mailer.core.topic import words_of

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_PERSON = "address_hash", "typed", "name", "attributes"
_SUBSCRIBER = (
    "id", "state", "paused_until", "language", "all_topics", "topics_0", "topics_1", "topics_2", "topics_3",
    "generation", "changed_seq",
)  # fmt: skip


def upgrade() -> None:
    """Change the tables and carry over what is in them."""
    _people()
    _mailings()
    _waves()
    _editions()
    _deliveries()
    _attempts()
    _audience_before()


def _people() -> None:
    """Their ids become the rows' own numbers."""
    op.drop_index("ix_subscriber_audience", "subscriber")
    columns = ("state", "paused_until", "language", "all_topics", *(f"topics_{number}" for number in range(4)))
    _rebuild(
        "subscriber",
        ("id", *columns, "generation", "created_at", "changed_at", "changed_seq"),
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("paused_until", sa.Date(), nullable=True),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("all_topics", sa.Boolean(), nullable=False),
        *(sa.Column(f"topics_{number}", sa.BigInteger(), server_default="0", nullable=False) for number in range(4)),
        sa.Column("generation", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("changed_at", sa.String(27), nullable=False),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriber")),
    )
    op.create_index("ix_subscriber_audience", "subscriber", ["state", "topics_0", "all_topics", "language", "id"])
    _rebuild(
        "person",
        ("subscriber_id", "address_hash", "canonical", "typed", "name", "attributes"),
        sa.Column("subscriber_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("address_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("canonical", sa.Text(), nullable=False),
        sa.Column("typed", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("attributes", sa.Text(), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscriber.id"], name=op.f("fk_person_subscriber_id")),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_person")),
        sa.UniqueConstraint("address_hash", name=op.f("uq_person_address_hash")),
        sa.UniqueConstraint("canonical", name=op.f("uq_person_canonical")),
    )


def _rebuild(table: str, columns: tuple[str, ...], *parts: sa.schema.SchemaItem) -> None:
    """Make the table anew from these parts, with its rows."""
    op.create_table(f"{table}_2", *parts)
    names = ", ".join(columns)
    op.execute(f"INSERT INTO {table}_2 ({names}) SELECT {names} FROM {table}")  # noqa: S608
    op.drop_table(table)
    op.rename_table(f"{table}_2", table)


def _mailings() -> None:
    op.drop_column("mailing", "lease_until")
    op.add_column("mailing", sa.Column("expires_at", sa.String(27), nullable=True))
    op.add_column("mailing", sa.Column("beat", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("mailing", sa.Column("detail", sa.Text(), nullable=False, server_default=""))


def _waves() -> None:
    op.add_column("wave", sa.Column("assignment", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("wave", sa.Column("cursor", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("wave", sa.Column("written", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("wave", sa.Column("frozen", sa.Boolean(), nullable=False, server_default="1"))
    op.create_index("ix_wave_open", "wave", ["frozen"], sqlite_where=sa.text("NOT frozen"))


def _editions() -> None:
    """Which articles an edition shows, as a number too."""
    op.add_column("approved_edition", sa.Column("selection", sa.BigInteger(), nullable=False, server_default="0"))
    connection = op.get_bind()
    for (positions,) in connection.execute(sa.text("SELECT DISTINCT positions FROM approved_edition")).all():
        selection = sum(1 << (position - 1) for position in json.loads(positions))
        statement = sa.text("UPDATE approved_edition SET selection = :selection WHERE positions = :positions")
        connection.execute(statement, {"selection": selection, "positions": positions})
    op.create_index("ix_approved_edition_selection", "approved_edition", ["approval_id", "selection", "language"])


def _deliveries() -> None:
    """An attempt that had begun is unknown now; the reader's values are kept as they will be sent."""
    connection = op.get_bind()
    connection.execute(sa.text("UPDATE delivery SET state = 'unknown' WHERE state = 'attempting'"))
    still_open = sa.text(
        "SELECT d.id, d.slots, p.name, p.typed, s.generation FROM delivery d"
        " JOIN person p USING (subscriber_id) JOIN subscriber s ON s.id = d.subscriber_id"
        " WHERE d.slots IS NOT NULL AND d.state IN ('planned', 'claimed', 'deferred', 'unknown')"
    )
    for row in connection.execute(still_open).all():
        slots = json.loads(row.slots)
        values = {"topics": words_of(slots["topics"]), "all": int(slots["all"]), "name": row.name}
        values |= {"to": row.typed, "generation": row.generation}
        statement = sa.text("UPDATE delivery SET slots = :slots WHERE id = :id")
        connection.execute(statement, {"id": row.id, "slots": json.dumps(values, ensure_ascii=False)})
    op.add_column("delivery", sa.Column("resent", sa.Integer(), nullable=False, server_default="0"))
    op.drop_index("ix_delivery_work", "delivery")
    op.create_index(
        "ix_delivery_open",
        "delivery",
        ["mailing_id", "state", "due_at"],
        sqlite_where=sa.text("state IN ('planned', 'claimed', 'deferred', 'unknown')"),
    )
    troubled = sa.text("fate IN ('delayed', 'bounced', 'rejected', 'complained')")
    op.create_index("ix_delivery_troubled", "delivery", ["mailing_id"], sqlite_where=troubled)


def _attempts() -> None:
    op.rename_table("attempt", "attempt_1")
    op.drop_index("ix_attempt_delivery_id", "attempt_1")
    op.create_table(
        "attempt",
        sa.Column("delivery_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("started_at", sa.String(27), nullable=True),
        sa.Column("ended_at", sa.String(27), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), server_default="", nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=True),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("enhanced", sa.String(length=16), nullable=True),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_attempt_delivery_id")),
        sa.PrimaryKeyConstraint("delivery_id", "number", name=op.f("pk_attempt")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO attempt"
        " (delivery_id, number, started_at, ended_at, transport, outcome, scope, code, enhanced, reply)"
        " SELECT delivery_id, number, started_at, coalesce(ended_at, started_at), transport,"
        " coalesce(outcome, 'unknown'), scope, code, enhanced, coalesce(reply, '') FROM attempt_1"
    )
    op.drop_table("attempt_1")


def _audience_before() -> None:
    op.create_table(
        "audience_before",
        sa.Column("wave_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("paused_until", sa.Date(), nullable=True),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("all_topics", sa.Boolean(), nullable=False),
        *(sa.Column(f"topics_{number}", sa.BigInteger(), nullable=False) for number in range(4)),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.Column("address_hash", sa.LargeBinary(length=16), nullable=True),
        sa.Column("typed", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("attributes", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["wave_id"], ["wave.id"], name=op.f("fk_audience_before_wave_id")),
        sa.PrimaryKeyConstraint("wave_id", "id", name=op.f("pk_audience_before")),
    )
    for change in ("UPDATE", "DELETE"):
        _keep_before("subscriber", change, "OLD.id", [f"OLD.{name}" for name in _SUBSCRIBER], "p.", _OF_SUBSCRIBER)
        _keep_before("person", change, "OLD.subscriber_id", [f"s.{name}" for name in _SUBSCRIBER], "OLD.", _OF_PERSON)


# What a trigger joins with the row that is about to change.
_OF_SUBSCRIBER = "LEFT JOIN person p ON p.subscriber_id = OLD.id"
_OF_PERSON = "JOIN subscriber s ON s.id = OLD.subscriber_id"


def _keep_before(table: str, change: str, identifier: str, values: list[str], person: str, join: str) -> None:
    """Before the row changes, keep it for every wave that has not come to it yet."""
    columns = ", ".join(("wave_id", *_SUBSCRIBER, *_PERSON))
    selected = ", ".join(("w.id", *values, *(person + name for name in _PERSON)))
    op.execute(
        f"CREATE TRIGGER keep_{table}_before_{change.lower()} BEFORE {change} ON {table}"  # noqa: S608
        " WHEN EXISTS (SELECT 1 FROM wave WHERE NOT frozen) BEGIN"
        f" INSERT OR IGNORE INTO audience_before ({columns}) SELECT {selected} FROM wave w {join}"
        f" WHERE NOT w.frozen AND w.cursor < {identifier}; END"
    )
