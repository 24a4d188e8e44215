"""Attempts to read a reference that have not ended, so that a reference that crashes its readers is noticed.

A migration is frozen: it imports nothing from drift, and names its constraints itself. It adds a table; no other
changes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "reference_attempt",
        sa.Column("id", _ID, nullable=False),
        sa.Column("monitor_id", _ID, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("begun_at", _INSTANT, nullable=False),
        sa.Column("lease_until", _INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["monitor_id"], ["monitor.id"], name="fk_reference_attempt_monitor_id"),
        sa.PrimaryKeyConstraint("id", name="pk_reference_attempt"),
    )
    op.create_index(op.f("ix_reference_attempt_monitor_id"), "reference_attempt", ["monitor_id"])


def downgrade() -> None:
    op.drop_table("reference_attempt")
