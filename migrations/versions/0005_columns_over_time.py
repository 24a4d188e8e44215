"""An index for a column's year of scores, on PostgreSQL.

Scores are stored by window, so the rows of a column's year are scattered. PostgreSQL found them by walking through the
whole primary key; SQLite stores rows in that key, and gains nothing.
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
