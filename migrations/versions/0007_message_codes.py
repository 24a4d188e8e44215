"""The stable code of each stored message.

A migration is frozen: it imports nothing from drift, and names its constraints itself. The new columns may be null, so
neither database rewrites a table; rows written before have no code.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("revision", sa.Column("code", sa.Text(), nullable=True))
    op.add_column("score", sa.Column("code", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("score", "code")
    op.drop_column("revision", "code")
