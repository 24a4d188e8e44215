"""Entry point of Alembic. drift runs the migrations (`drift db upgrade`) and passes the connection.

The connection is within a transaction that has the migration lock, on SQLite as on PostgreSQL: if a migration fails,
nothing has changed.
"""

from alembic import context

from drift.store.migrate import is_own
from drift.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    include_object=is_own,
    transactional_ddl=True,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
