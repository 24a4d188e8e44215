"""Counts of windows by verdict, indexes for the queries of every tick, and how far retention has come.

A migration is frozen: it imports nothing from drift, and names its constraints itself. The tally is filled from
the stored windows; nothing else changes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "tally",
        sa.Column("monitor_id", _ID, autoincrement=False, nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("windows", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["monitor_id"], ["monitor.id"], name="fk_tally_monitor_id"),
        sa.PrimaryKeyConstraint("monitor_id", "verdict", name="pk_tally"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO tally (monitor_id, verdict, windows) "
        'SELECT w.monitor_id, r.verdict, count(*) FROM "window" w '
        "JOIN revision r ON r.window_id = w.id AND r.number = w.revision GROUP BY w.monitor_id, r.verdict"
    )
    op.add_column("monitor", sa.Column("thinned_until", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_alert_state", "alert", ["state"])
    op.create_index("ix_window_monitor_id_end_at", "window", ["monitor_id", "end_at"])


def downgrade() -> None:
    op.drop_index("ix_window_monitor_id_end_at", "window")
    op.drop_index("ix_alert_state", "alert")
    op.drop_column("monitor", "thinned_until")
    op.drop_table("tally")
