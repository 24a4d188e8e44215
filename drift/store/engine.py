"""Connections to SQLite and PostgreSQL, and their errors without secrets."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError

from drift.errors import StoreError, database_message, describe_url
from drift.failpoints import reach
from drift.store.permissions import may_write, remedy
from drift.store.types import ValueRefused

__all__ = ["BUSY_TIMEOUT", "CommitUnknown", "describe_url", "make_engine", "parse_url", "sqlite_path", "transaction"]

BUSY_TIMEOUT: Final = 30.0
"""Seconds that a SQLite connection waits for another one's transaction."""

_CONNECT_TIMEOUT: Final = 10
# A server that disappears (unplugged cable, dead host) is noticed after a minute, not after the two hours that an idle
# TCP connection lasts. A frozen server still acknowledges: the service's watchdog covers that.
_KEEPALIVE: Final = {
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",  # milliseconds
}
_PERMISSION_MESSAGES: Final = ("readonly database", "unable to open database file")
_EXPECTED: Final = "expected sqlite:///drift.db or postgresql://user:password@host/database"


class CommitUnknown(StoreError):  # noqa: N818 - names the state
    """COMMIT was sent and no answer came: whether the transaction is written must be looked up."""

    default_code = "commit-unknown"


def parse_url(url: str) -> URL:
    """Return the URL of a store with its driver.

    Raises
    ------
    StoreError
        If it is not the URL of a SQLite file or a PostgreSQL database.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Not chained: the text of the cause could contain the password.
        raise StoreError(f"the store's address is not a database URL; {_EXPECTED}", code="invalid-value") from None
    if parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in {"sqlite", "sqlite+pysqlite"}:
        message = f"a store is SQLite or PostgreSQL (through psycopg); got {parsed.drivername}; {_EXPECTED}"
        raise StoreError(message, code="invalid-value")
    if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
        message = f"a SQLite store is a file named by its path; got {parsed.database!r}; {_EXPECTED}"
        raise StoreError(message, code="invalid-value")
    return parsed.set(drivername="sqlite+pysqlite")


def sqlite_path(url: URL) -> Path | None:
    """Return the file of a SQLite store; None for a server."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def make_engine(url: URL, *, foreign_keys: bool = True) -> Engine:
    """Return an engine whose transactions behave alike on both databases.

    `foreign_keys` is False only for migrations, which copy tables on SQLite.

    Raises
    ------
    StoreError
        If the driver for PostgreSQL is not installed.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, foreign_keys=foreign_keys)
    query = {"connect_timeout": str(_CONNECT_TIMEOUT), "application_name": "drift", **_KEEPALIVE, **url.query}
    try:
        return create_engine(url.set(query=query), pool_pre_ping=True)
    except ModuleNotFoundError as error:
        message = "PostgreSQL needs psycopg: pip install 'driftgauge[postgres]'"
        raise StoreError(message, code="dependency-missing") from error


def _sqlite_engine(url: URL, *, foreign_keys: bool) -> Engine:
    # isolation_level=None: the driver begins no transaction on any Python version, so that the hook below decides,
    # and DDL is part of a transaction like everything else.
    path = Path(url.database or "")
    read_only = os.path.exists(path) and not may_write(path)  # noqa: PTH110 - Path.exists raises without permission
    if read_only:
        engine = create_engine(url, creator=partial(_connect_read_only, path))
    else:
        engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT, "isolation_level": None})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        if not read_only:
            cursor.execute("PRAGMA journal_mode = WAL")  # readers and the writer do not wait for each other
        # Some builds default to NORMAL: a power failure would undo commits whose messages are sent already.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A reader that becomes a writer may find its snapshot outdated and fail at once: writers say so first.
        writes = connection.get_execution_options().get("drift_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _connect_read_only(path: Path) -> sqlite3.Connection:
    """Connect to a file that this process may not write.

    SQLite reads the log of another process. Without a log it could not create one, but then no process is
    writing, so the file alone is complete.
    """
    log = path.with_name(f"{path.name}-wal")
    immutable = "" if log.exists() else "&immutable=1"
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=ro{immutable}",
        uri=True,
        timeout=BUSY_TIMEOUT,
        isolation_level=None,
        check_same_thread=False,
    )


@contextmanager
def transaction(engine: Engine, *, writes: bool) -> Iterator[Connection]:
    """Run one transaction: committed at the end, rolled back after any exception.

    Raises
    ------
    CommitUnknown
        If COMMIT itself failed: the caller must look up whether the transaction is written.
    ValueRefused
        If the database refuses a value, as it will the next time.
    StoreError
        For every other error of the database, without statement, parameters and secrets; nothing is written.
    """
    bound = engine.execution_options(drift_writes=True) if writes else engine
    committing = False
    try:
        with bound.connect() as connection, connection.begin() as begun:
            yield connection
            committing = True
            if writes:
                reach("committing")
            begun.commit()
            if writes:
                reach("committed")
    except SQLAlchemyError as error:
        message = f"store {describe_url(engine.url)}: {_describe(error, engine.url)}"
        if committing and writes:
            raise CommitUnknown(f"{message} (in COMMIT)", code="commit-unknown") from error
        if isinstance(error, DataError | IntegrityError):
            raise ValueRefused(message, code="value-not-storable") from error
        raise _store_error(message, error) from error


def _describe(error: SQLAlchemyError, url: URL) -> str:
    """Return the database's message, with the remedy if a file may not be written or opened."""
    message, path = database_message(error, url), sqlite_path(url)
    if path is None or not any(part in message for part in _PERMISSION_MESSAGES) or may_write(path):
        return message
    return f"{message}; {remedy(path)}"


def is_lock_timeout(error: BaseException | None) -> bool:
    """Return whether a lock was not available in time: lock_not_available of PostgreSQL, SQLITE_BUSY of SQLite."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    return getattr(cause, "sqlstate", None) == "55P03" or getattr(cause, "sqlite_errorname", None) == "SQLITE_BUSY"


def _store_error(message: str, error: SQLAlchemyError) -> StoreError:
    cause = error.orig if isinstance(error, DBAPIError) else None
    if is_lock_timeout(error):
        return StoreError(message, code="store-locked")
    if getattr(cause, "sqlite_errorname", None) == "SQLITE_FULL" or getattr(cause, "sqlstate", None) == "53100":
        return StoreError(message, code="disk-full")
    if "readonly database" in message:
        return StoreError(message, code="store-read-only")
    return StoreError(message, code="store-unreachable")
