"""What the admins' pages need: accounts, the tickets that they are signed in with, and lists in order; and suppressions
that are lifted while a wave is written.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _accounts()
    _lifted()
    op.create_index("ix_suppression_since", "suppression", ["since", "address_hash"])
    op.create_index("ix_audit_action", "audit", ["action"])


def _accounts() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("canonical", sa.Text(), nullable=False),
        sa.Column("typed", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=True),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("removed_at", sa.String(27), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("canonical", name=op.f("uq_account_canonical")),
    )
    op.create_table(
        "ticket",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("user", sa.Text(), server_default="", nullable=False),
        sa.Column("until", sa.String(27), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_ticket_account_id")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_ticket")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_ticket_until", "ticket", ["until"])
    op.create_index("ix_ticket_account_id", "ticket", ["account_id"])


def _lifted() -> None:
    """A wave that is being written goes on as of its moment, also when an address is taken off the list meanwhile."""
    op.create_table(
        "lifted_later",
        sa.Column("wave_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("address_hash", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(["wave_id"], ["wave.id"], name=op.f("fk_lifted_later_wave_id")),
        sa.PrimaryKeyConstraint("wave_id", "address_hash", name=op.f("pk_lifted_later")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "CREATE TRIGGER keep_suppression_before_delete BEFORE DELETE ON suppression"
        " WHEN EXISTS (SELECT 1 FROM wave WHERE NOT frozen) BEGIN"
        " INSERT OR IGNORE INTO lifted_later (wave_id, address_hash) SELECT w.id, OLD.address_hash FROM wave w"
        " WHERE NOT w.frozen AND w.audience_seq >= OLD.changed_seq; END"
    )
