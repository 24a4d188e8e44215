"""Skipped and re-checked windows, and the claim that wrote a revision.

A migration is frozen: it imports nothing from drift, and names its constraints itself. The new columns may be
null; SQLite copies the window table, because it cannot change a check in place.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BEFORE = "status IN ('due', 'claimed', 'done', 'failed')"
_AFTER = "status IN ('due', 'claimed', 'done', 'failed', 'skipped')"


def upgrade() -> None:
    op.add_column("revision", sa.Column("token", sa.BigInteger(), nullable=True))
    op.add_column("window", sa.Column("cause", sa.Text(), nullable=True))
    op.add_column("window", sa.Column("seen", sa.Text(), nullable=True))
    _check(_AFTER)


def downgrade() -> None:
    op.execute("UPDATE \"window\" SET status = 'failed' WHERE status = 'skipped'")
    _check(_BEFORE)
    op.drop_column("window", "seen")
    op.drop_column("window", "cause")
    op.drop_column("revision", "token")


def _check(status: str) -> None:
    # Looked up, because Alembic put the model's naming convention before the name that 0001 gave.
    (name,) = [
        check["name"]
        for check in sa.inspect(op.get_bind()).get_check_constraints("window")
        if "status" in check["sqltext"]
    ]
    if op.get_bind().dialect.name != "sqlite":
        # Plain SQL: Alembic 1.18 drops constraints in a way that SQLAlchemy 2.1 deprecates.
        op.execute(f'ALTER TABLE "window" DROP CONSTRAINT "{name}"')
        op.execute(f'ALTER TABLE "window" ADD CONSTRAINT "{name}" CHECK ({status})')
        return
    with op.batch_alter_table("window", recreate="always") as batch:  # a copy has no checks
        batch.create_check_constraint(op.f(name), status)
