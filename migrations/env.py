"""Alembic's way in. drift runs its migrations itself (`drift db upgrade`) and hands over the connection.

The connection is within a transaction that holds the migration lock, on SQLite as on PostgreSQL: whatever
goes wrong, nothing has changed.
"""

from alembic import context

from drift.store.migrate import ours
from drift.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    include_object=ours,
    transactional_ddl=True,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
