"""Opening a store: checks before the first read or write."""

import os

from sqlalchemy import Connection, Engine

from drift.errors import StoreError
from drift.store import schema
from drift.store.engine import describe_url, make_engine, parse_url, sqlite_path, transaction
from drift.store.permissions import obstacle


def open_engine(url: str, *, create: bool) -> Engine:
    """Return an engine for a store that has the newest schema; see `Store.open`.

    Raises
    ------
    StoreError
        If the store is unreachable, missing, not migrated, or newer than this program.
    """
    parsed = parse_url(url)
    shown = describe_url(parsed)
    path = sqlite_path(parsed)
    if path is not None and not os.path.exists(path):  # noqa: PTH110 - Path.exists raises without permission
        if not create:
            message = f"{shown}: the store does not exist; create it with `drift run` or `drift db upgrade`"
            raise StoreError(message, code="store-not-found")
        if problem := obstacle(path):
            code = "store-read-only" if os.path.isdir(path.parent) else "store-not-found"  # noqa: PTH112 - as above
            raise StoreError(f"{shown}: {problem}", code=code)
    engine = make_engine(parsed)
    try:
        with transaction(engine, writes=False) as connection:
            blank = path is not None and schema.is_blank(connection)
            if not (blank and create):
                _require_drift_store(connection, shown, blank=blank)
        if blank:
            from drift.store.migrate import upgrade  # noqa: PLC0415 - loads Alembic, 0.25 s

            upgrade(url)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _require_drift_store(connection: Connection, shown: str, *, blank: bool) -> None:
    if connection.dialect.name == "sqlite" and not blank:
        schema.require_drift_store(schema.current_revision(connection), shown)
    schema.require_newest(connection, shown)
