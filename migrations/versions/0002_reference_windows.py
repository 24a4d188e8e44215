"""Windows of a reference, how a revision was judged, and the level of each score.

A migration is frozen: it imports nothing from drift, and names its constraints itself. The new columns may be
null, so neither database rewrites a table.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "reference_window",
        sa.Column("baseline_id", _ID, autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("start_at", _INSTANT, nullable=False),
        sa.Column("end_at", _INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["baseline_id"], ["baseline.id"], name="fk_reference_window_baseline_id"),
        sa.PrimaryKeyConstraint("baseline_id", "number", name="pk_reference_window"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reference_history",
        sa.Column("baseline_id", _ID, autoincrement=False, nullable=False),
        sa.Column("column_id", _ID, autoincrement=False, nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("axis_id", _ID, nullable=False),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["axis_id"], ["axis.id"], name="fk_reference_history_axis_id"),
        sa.ForeignKeyConstraint(["baseline_id"], ["baseline.id"], name="fk_reference_history_baseline_id"),
        sa.ForeignKeyConstraint(["column_id"], ["watched_column.id"], name="fk_reference_history_column_id"),
        sa.PrimaryKeyConstraint("baseline_id", "column_id", "segment", name="pk_reference_history"),
        sqlite_with_rowid=False,
    )
    op.add_column("revision", sa.Column("judged", sa.Text(), nullable=True))
    op.add_column("score", sa.Column("windows", sa.BigInteger(), nullable=True))
    op.add_column("score", sa.Column("level", sa.Double(), nullable=True))
    op.add_column("score", sa.Column("held", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("score", "held")
    op.drop_column("score", "level")
    op.drop_column("score", "windows")
    op.drop_column("revision", "judged")
    op.drop_table("reference_history")
    op.drop_table("reference_window")
