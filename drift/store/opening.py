"""The way into a store: what must hold before anything is read or written."""

import os

from sqlalchemy import Connection, Engine

from drift.errors import StoreError
from drift.store import schema
from drift.store.engine import describe, make_engine, parse_url, sqlite_path, transaction
from drift.store.permissions import obstacle


def open_engine(url: str, *, create: bool) -> Engine:
    """An engine for a store at the newest schema, as `Reader.open` tells it.

    Raises
    ------
    StoreError
        Where the store is unreachable, not there, not migrated, or newer than this program.
    """
    parsed = parse_url(url)
    shown = describe(parsed)
    path = sqlite_path(parsed)
    if path is not None and not os.path.exists(path):  # noqa: PTH110 - Path.exists raises where it may not look
        if not create:
            raise StoreError(f"{shown}: there is no such store; `drift run` or `drift db upgrade` makes it")
        if amiss := obstacle(path):
            raise StoreError(f"{shown}: {amiss}")
    engine = make_engine(parsed)
    try:
        with transaction(engine, writes=False) as connection:
            blank = path is not None and schema.is_blank(connection)
            if not (blank and create):
                _require_drift(connection, shown, blank=blank)
        if blank:
            from drift.store.migrate import upgrade  # noqa: PLC0415 - loads Alembic, 0.25 s

            upgrade(url)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _require_drift(connection: Connection, shown: str, *, blank: bool) -> None:
    if connection.dialect.name == "sqlite" and not blank and schema.current(connection) is None:
        raise StoreError(f"{shown} is a SQLite database, but not a drift store; name another file")
    schema.require_newest(connection, shown)
