"""Connections to SQLite and PostgreSQL, and their errors in words that hold no secret."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, IntegrityError, SQLAlchemyError

from drift.errors import StoreError, database_message, describe_url
from drift.failpoints import reach
from drift.store.permissions import may_write, remedy
from drift.store.types import ValueRefused

__all__ = ["BUSY_TIMEOUT", "CommitUnknown", "describe_url", "make_engine", "parse_url", "sqlite_path", "transaction"]

BUSY_TIMEOUT: Final = 30.0
"""Seconds that a SQLite connection waits for another one's transaction."""

_CONNECT_TIMEOUT: Final = 10
# A server that is gone without a word (pulled cable, dead host) is given up after a minute, not after the two hours
# that an idle TCP connection lasts. One that is frozen still acknowledges: that is what the service's watchdog is for.
_ALIVE: Final = {
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",  # milliseconds
}
_NOT_ALLOWED: Final = ("readonly database", "unable to open database file")
_EXPECTED: Final = "expected sqlite:///drift.db or postgresql://user:password@host/database"


class CommitUnknown(StoreError):  # noqa: N818 - reads as what happened
    """COMMIT was sent and no answer came: the transaction is written, or it is not. Its key tells."""


def parse_url(url: str) -> URL:
    """The address of a store, its driver filled in.

    Raises
    ------
    StoreError
        Where it is no URL of a SQLite file or a PostgreSQL database.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Not chained: the text of the cause could hold the password.
        raise StoreError(f"the store's address is no database URL; {_EXPECTED}") from None
    if parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in {"sqlite", "sqlite+pysqlite"}:
        raise StoreError(f"a store is SQLite or PostgreSQL (through psycopg); got {parsed.drivername}; {_EXPECTED}")
    if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
        raise StoreError(f"a SQLite store is a file named by its path; got {parsed.database!r}; {_EXPECTED}")
    return parsed.set(drivername="sqlite+pysqlite")


def sqlite_path(url: URL) -> Path | None:
    """The file of a SQLite store; None for a server."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def make_engine(url: URL, *, foreign_keys: bool = True) -> Engine:
    """An engine whose transactions are what they look like, on both databases.

    Parameters
    ----------
    url : sqlalchemy.URL
        From `parse_url`.
    foreign_keys : bool
        False only for migrations, which SQLite does by copying tables.

    Raises
    ------
    StoreError
        Where the driver for PostgreSQL is not installed.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, foreign_keys=foreign_keys)
    query = {"connect_timeout": str(_CONNECT_TIMEOUT), "application_name": "drift", **_ALIVE, **url.query}
    try:
        return create_engine(url.set(query=query), pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise StoreError("PostgreSQL needs psycopg: pip install 'driftgauge[postgres]'") from error


def _sqlite_engine(url: URL, *, foreign_keys: bool) -> Engine:
    # isolation_level=None: the driver begins nothing by itself, on every Python version, so that the hook
    # below decides and DDL is part of a transaction like everything else.
    path = Path(url.database or "")
    looks_only = os.path.exists(path) and not may_write(path)  # noqa: PTH110 - Path.exists raises where it may not look
    if looks_only:
        engine = create_engine(url, creator=partial(_look_at, path))
    else:
        engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT, "isolation_level": None})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        if not looks_only:
            cursor.execute("PRAGMA journal_mode = WAL")  # readers and the writer do not wait for each other
        # Some builds come with NORMAL: a loss of power would undo commits whose messages are sent already.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A reader that turns into a writer may find its snapshot outdated and fail at once: writers say so first.
        writes = connection.get_execution_options().get("drift_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _look_at(path: Path) -> sqlite3.Connection:
    """A connection that only reads, to a file that this process may not write.

    SQLite reads a log that others keep. Where there is none, it could not make one; nobody writes then, so that the
    file by itself tells all there is.
    """
    log = path.with_name(f"{path.name}-wal")
    alone = "" if log.exists() else "&immutable=1"
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=ro{alone}",
        uri=True,
        timeout=BUSY_TIMEOUT,
        isolation_level=None,
        check_same_thread=False,
    )


def _amiss(error: SQLAlchemyError, url: URL) -> str:
    """The database's words; with what to do, where a file may not be written or opened."""
    told, path = database_message(error, url), sqlite_path(url)
    if path is None or not any(words in told for words in _NOT_ALLOWED) or may_write(path):
        return told
    return f"{told}; {remedy(path)}"


@contextmanager
def transaction(engine: Engine, *, writes: bool) -> Iterator[Connection]:
    """One transaction: committed at the end, rolled back whatever is raised.

    Raises
    ------
    CommitUnknown
        Where COMMIT itself failed: whether it was written is for the caller to look up.
    ValueRefused
        Where the database does not take what was to be written, as it will not the next time.
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
        told = f"store {describe_url(engine.url)}: {_amiss(error, engine.url)}"
        if committing and writes:
            raise CommitUnknown(f"{told} (in COMMIT)") from error
        if isinstance(error, DataError | IntegrityError):
            raise ValueRefused(told) from error
        raise StoreError(told) from error
