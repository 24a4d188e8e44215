"""Which schema a database has, found without loading Alembic (0.25 s)."""

from typing import Final

from sqlalchemy import Connection, text

from drift.errors import StoreError

REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
"""All migrations this drift knows, oldest first; a test holds it against the scripts."""

REMEDY: Final = "run `drift db upgrade`"


class SchemaMismatch(StoreError):  # noqa: N818 - reads as what it is
    """The store does not have the schema that this drift knows."""


def current(connection: Connection) -> str | None:
    """The schema's revision; None before the first migration."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def is_blank(connection: Connection) -> bool:
    """Whether a SQLite database holds nothing at all yet."""
    return not connection.execute(text("SELECT name FROM sqlite_master LIMIT 1")).all()


def refuse_newer(found: str | None, store: str) -> None:
    """Let pass what this drift knows.

    Raises
    ------
    OtherSchema
        Where the schema was made by a newer drift.
    """
    if found is not None and found not in REVISIONS:
        raise SchemaMismatch(
            f"store {store} has schema {found}, newer than this drift knows ({REVISIONS[-1]}); "
            "install the newer drift (pip install --upgrade driftgauge) and start it in place of this one: "
            "`drift db upgrade` of this one cannot help"
        )


def require_newest(connection: Connection, store: str) -> None:
    """Let pass the newest schema only.

    Raises
    ------
    OtherSchema
        Where the schema is older (naming the remedy), newer, or not there.
    """
    found = current(connection)
    refuse_newer(found, store)
    if found is None:
        raise SchemaMismatch(f"{store} holds no drift store yet; {REMEDY} to make one there")
    if found != REVISIONS[-1]:
        raise SchemaMismatch(f"store {store} has schema {found}, this drift needs {REVISIONS[-1]}; {REMEDY}")


def require_unchanged(connection: Connection, store: str) -> None:
    """As `require_newest` of a store that was opened before; one small statement where all is well.

    Raises
    ------
    OtherSchema
        Where another drift has upgraded it since.
    """
    if connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none() != REVISIONS[-1]:
        require_newest(connection, store)
