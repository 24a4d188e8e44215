"""Windows counted by verdict as they are written, indexes for what every tick asks, how far old windows were thinned.

A migration stands for ever: it imports nothing from drift, and names its constraints itself. The tally is filled from
the windows there are; nothing else is touched.
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
