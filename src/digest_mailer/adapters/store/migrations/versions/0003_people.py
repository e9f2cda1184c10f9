"""What managing people needs: consents that many share, the audit trail, the day of joining, suppressions in order.

Revision ID: 0003
Revises: 0002
"""

import hashlib
import json
import secrets

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ACTIONS = {"active": "import", "pending": "import", "paused": "pause", "unsubscribed": "unsubscribe"}


def upgrade() -> None:
    """Change the tables and carry over what is in them."""
    _joined()
    _audience()
    _received()
    _consents()
    _audit()
    op.add_column("subscriber", sa.Column("own_choice", sa.Boolean(), nullable=False, server_default="0"))
    op.create_table(
        "former",
        sa.Column("address_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscriber.id"], name=op.f("fk_former_subscriber_id")),
        sa.PrimaryKeyConstraint("address_hash", name=op.f("pk_former")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_former_subscriber_id", "former", ["subscriber_id"])
    kind = sa.Column("kind", sa.String(length=16), nullable=False, server_default="manual")
    op.add_column("suppression", kind)
    op.add_column("person", sa.Column("wish", sa.Text(), nullable=True))
    op.create_table(
        "budget",
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("until", sa.String(27), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_budget")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_budget_until", "budget", ["until"])
    op.add_column("suppression", sa.Column("changed_seq", sa.BigInteger(), nullable=False, server_default="0"))


def _joined() -> None:
    """The day of the first consent, and where there is none, of the first record."""
    op.add_column("subscriber", sa.Column("joined_on", sa.Date(), nullable=False, server_default="1970-01-01"))
    op.execute(
        "UPDATE subscriber SET joined_on = coalesce("
        "(SELECT min(given_on) FROM consent c WHERE c.subscriber_id = subscriber.id), substr(created_at, 1, 10))"
    )


def _audience() -> None:
    """What segments are counted from."""
    op.drop_index("ix_subscriber_audience", "subscriber")
    conditions = ["state", "all_topics", "topics_0", "language", "joined_on", "topics_1", "topics_2", "topics_3"]
    op.create_index("ix_subscriber_audience", "subscriber", conditions)
    active = sa.text("+state = 'active' AND NOT all_topics")
    op.create_index(
        "ix_subscriber_active", "subscriber", ["topics_0", "language", "state", "all_topics"], sqlite_where=active
    )


def _received() -> None:
    """What a wave knows of other issues, as of its moment."""
    op.add_column("wave", sa.Column("last_delivery", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "received_later",
        sa.Column("wave_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("delivery_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["wave_id"], ["wave.id"], name=op.f("fk_received_later_wave_id")),
        sa.PrimaryKeyConstraint("wave_id", "delivery_id", name=op.f("pk_received_later")),
        sqlite_with_rowid=False,
    )


def _consents() -> None:
    """One record for all who gave it in the same import, and who they are."""
    op.rename_table("consent", "consent_2")
    op.drop_index("ix_consent_subscriber_id", "consent_2")
    op.create_table(
        "consent",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("given_on", sa.Date(), nullable=False),
        sa.Column("wording", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.String(length=40), server_default="", nullable=False),
        sa.Column("place", sa.Text(), server_default="", nullable=False),
        sa.Column("import_id", sa.Integer(), nullable=True),
        sa.Column("recorded_at", sa.String(27), nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["import_run.id"], name=op.f("fk_consent_import_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    op.create_table(
        "consented",
        sa.Column("subscriber_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("consent_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("confirmed_at", sa.String(27), nullable=True),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscriber.id"], name=op.f("fk_consented_subscriber_id")),
        sa.ForeignKeyConstraint(["consent_id"], ["consent.id"], name=op.f("fk_consented_consent_id")),
        sa.PrimaryKeyConstraint("subscriber_id", "consent_id", name=op.f("pk_consented")),
        sqlite_with_rowid=False,
    )
    alike = "source, given_on, coalesce(import_id, -id)"
    op.execute(
        "INSERT INTO consent (id, source, given_on, import_id, recorded_at)"  # noqa: S608 - no value of a user
        f" SELECT min(id), source, given_on, import_id, min(recorded_at) FROM consent_2 GROUP BY {alike}"
    )
    op.execute(
        "INSERT OR IGNORE INTO consented (subscriber_id, consent_id)"  # noqa: S608 - no value of a user
        " SELECT c.subscriber_id, k.id FROM consent_2 c JOIN"
        f" (SELECT min(id) AS id, source, given_on, coalesce(import_id, -id) AS run FROM consent_2 GROUP BY {alike}) k"
        " ON k.source = c.source AND k.given_on = c.given_on AND k.run = coalesce(c.import_id, -c.id)"
    )
    op.drop_table("consent_2")
    op.create_table(
        "import_move",
        sa.Column("subscriber_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("import_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("from_state", sa.String(length=16), nullable=False),
        sa.Column("to_state", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscriber.id"], name=op.f("fk_import_move_subscriber_id")),
        sa.ForeignKeyConstraint(["import_id"], ["import_run.id"], name=op.f("fk_import_move_import_id")),
        sa.PrimaryKeyConstraint("subscriber_id", "import_id", name=op.f("pk_import_move")),
        sqlite_with_rowid=False,
    )


def _audit() -> None:
    """The states of people so far become the first entries."""
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=True),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=True),
        sa.Column("chain", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_subscriber_id", "audit", ["subscriber_id"])
    op.create_table(
        "audit_private",
        sa.Column("audit_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=16), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["audit_id"], ["audit.id"], name=op.f("fk_audit_private_audit_id")),
        sa.PrimaryKeyConstraint("audit_id", name=op.f("pk_audit_private")),
    )
    op.create_index("ix_audit_private_subscriber_id", "audit_private", ["subscriber_id"])
    _carry_over()
    op.drop_table("transition")


def _carry_over() -> None:
    """As `core.audit` makes entries; written out here, because a step never changes and that may."""
    connection, chain = op.get_bind(), bytes(32)
    moves = connection.execute(sa.text("SELECT * FROM transition ORDER BY id")).mappings().all()
    for number, move in enumerate(moves, 1):
        facts = json.dumps({"from": move["from_state"] or "", "to": move["to_state"]}, sort_keys=True)
        content, salt = json.dumps({"reason": move["reason"]}, ensure_ascii=False), secrets.token_bytes(16)
        digest = hashlib.sha256(salt + content.encode()).digest()
        action = _ACTIONS.get(move["to_state"], "change")
        fields = [number, move["at"], "", action, move["subscriber_id"], facts, digest.hex()]
        chain = hashlib.sha256(chain + json.dumps(fields, ensure_ascii=False).encode()).digest()
        connection.execute(
            sa.text("INSERT INTO audit VALUES (:id, :at, '', :action, :who, :facts, :digest, :chain)"),
            {"id": number, "at": move["at"], "action": action, "who": move["subscriber_id"], "facts": facts,
             "digest": digest, "chain": chain},
        )  # fmt: skip
        connection.execute(
            sa.text("INSERT INTO audit_private VALUES (:id, :who, :salt, :content)"),
            {"id": number, "who": move["subscriber_id"], "salt": salt, "content": content},
        )
