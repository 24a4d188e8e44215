"""Windows that are skipped or looked at again, and which claim wrote a revision.

A migration stands for ever: it imports nothing from drift, and names its constraints itself. The new columns may be
null; on SQLite the window table is copied, since there a check cannot be changed in place.
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
    # Looked up, since Alembic put the model's naming convention before the name that 0001 gave.
    (found,) = [
        one["name"] for one in sa.inspect(op.get_bind()).get_check_constraints("window") if "status" in one["sqltext"]
    ]
    if op.get_bind().dialect.name != "sqlite":
        # In words of our own: Alembic 1.18 drops constraints by something that SQLAlchemy 2.1 warns of.
        op.execute(f'ALTER TABLE "window" DROP CONSTRAINT "{found}"')
        op.execute(f'ALTER TABLE "window" ADD CONSTRAINT "{found}" CHECK ({status})')
        return
    with op.batch_alter_table("window", recreate="always") as batch:  # a copy leaves checks behind
        batch.create_check_constraint(op.f(found), status)
