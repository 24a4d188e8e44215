"""A column's year of scores by an index of its own, on PostgreSQL.

Scores lie by window, as they are written, so a column's year is one row here and one there. PostgreSQL found them by
walking through the whole primary key; SQLite keeps the rows in that key, and gains nothing.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_NAME = "ix_score_column_id_profile_id"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(op.f(_NAME), "score", ["column_id", "profile_id"])


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index(op.f(_NAME), table_name="score")
