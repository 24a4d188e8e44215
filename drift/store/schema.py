"""The schema of a database, without loading Alembic (0.25 s)."""

from typing import Final

from sqlalchemy import Connection, text

from drift.errors import StoreError

REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
"""All migrations that this version knows, oldest first; a test compares it with the scripts."""

REMEDY: Final = "run `drift db upgrade`"


class SchemaMismatch(StoreError):  # noqa: N818 - names the state
    """The store does not have the schema of this version of drift."""

    default_code = "store-not-migrated"


def current_revision(connection: Connection) -> str | None:
    """Return the revision of the schema; None before the first migration."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def is_blank(connection: Connection) -> bool:
    """Return whether a SQLite database is still empty."""
    return not connection.execute(text("SELECT name FROM sqlite_master LIMIT 1")).all()


def require_drift_store(revision: str | None, store: str) -> None:
    """Check that a SQLite database with tables has a drift schema.

    Raises
    ------
    StoreError
        If it has none.
    """
    if revision is None:
        message = f"{store} is a SQLite database, but not a drift store; name another file"
        raise StoreError(message, code="not-a-drift-store")


def refuse_newer(revision: str | None, store: str) -> None:
    """Check that this version knows the schema.

    Raises
    ------
    SchemaMismatch
        If a newer version of drift made it.
    """
    if revision is not None and revision not in REVISIONS:
        raise SchemaMismatch(
            f"store {store} has schema {revision}, newer than this drift knows ({REVISIONS[-1]}); "
            "install the newer drift (pip install --upgrade driftgauge) and restart; "
            "`drift db upgrade` of this version cannot help",
            code="store-newer",
        )


def require_newest(connection: Connection, store: str) -> None:
    """Check that the schema is the newest.

    Raises
    ------
    SchemaMismatch
        If the schema is missing, older, or newer than this version knows.
    """
    revision = current_revision(connection)
    refuse_newer(revision, store)
    if revision is None:
        raise SchemaMismatch(f"{store} contains no drift store yet; {REMEDY} to create it", code="store-not-migrated")
    if revision != REVISIONS[-1]:
        message = f"store {store} has schema {revision}, this drift needs {REVISIONS[-1]}; {REMEDY}"
        raise SchemaMismatch(message, code="store-not-migrated")


def require_unchanged(connection: Connection, store: str) -> None:
    """Check that an open store still has the newest schema, by one small statement.

    Raises
    ------
    SchemaMismatch
        If another version of drift has upgraded it.
    """
    if connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none() != REVISIONS[-1]:
        require_newest(connection, store)
