"""One connection, one snapshot: every statement of a window sees the same rows, and can write none."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from drift.errors import SourceError, database_message, describe_url

_SNAPSHOTS: Final = ("REPEATABLE READ", "SNAPSHOT", "SERIALIZABLE")
_CONNECT_TIMEOUT: Final = 10
_STEPS: Final = 100_000  # of SQLite's machine, between two looks at the clock


@dataclass(frozen=True, slots=True)
class Database:
    """Where a source's rows are.

    Parameters
    ----------
    engine : Engine
        Keeps no connection.
    what : str
        The table or query, for messages.
    timeout : timedelta or None
        How long a statement may take.
    """

    engine: Engine
    what: str
    timeout: timedelta | None

    @classmethod
    def at(cls, url: str, what: str, timeout: timedelta | None) -> "Database":
        """By its address.

        Raises
        ------
        SourceError
            Where the address is none, the driver is not installed, or a SQLite file is not there.
        """
        parsed = _parse(url)
        file = parsed.database or ":memory:"
        named = parsed.get_backend_name() == "sqlite" and not file.startswith((":memory:", "file:"))
        if named and not Path(file).is_file():  # connecting would make an empty database
            raise SourceError(f"no database {describe_url(parsed)}; check the path (relative: from {Path.cwd()})")
        try:
            return cls(_engine(parsed), what, timeout)
        except (ModuleNotFoundError, NoSuchModuleError) as error:
            hint = " (pip install 'driftgauge[postgres]')" if parsed.get_backend_name() == "postgresql" else ""
            raise SourceError(f"no driver for {parsed.drivername}: {error}; install one{hint}") from error

    @property
    def name(self) -> str:
        """Address and table or query, without secrets."""
        return f"{describe_url(self.engine.url)}, {self.what}"

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A transaction that reads.

        Raises
        ------
        SourceError
            For every error of the database; names the table or query.
        """
        started = time.monotonic()
        try:
            with self.engine.connect() as connection, self._reading(connection):
                yield connection
        except SourceError as error:
            raise SourceError(f"{self.name}: {error}") from error
        except SQLAlchemyError as error:
            told = database_message(error, self.engine.url)
            if self.timeout is not None and time.monotonic() - started >= self.timeout.total_seconds():
                told += f" (a statement may take {self.timeout}; raise source.timeout, or index the timestamp)"
            raise SourceError(f"{self.name}: {told}") from error

    @contextmanager
    def _reading(self, connection: Connection) -> Iterator[None]:
        dialect = connection.dialect.name
        if dialect == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        elif dialect != "sqlite":
            held = connection.connection.dbapi_connection
            known = () if held is None else connection.dialect.get_isolation_level_values(held)
            if level := next((level for level in _SNAPSHOTS if level in known), None):
                connection.execution_options(isolation_level=level)
        with connection.begin():
            if self.timeout is not None and dialect == "postgresql":
                milliseconds = max(1, round(self.timeout.total_seconds() * 1000))
                connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")
            if self.timeout is not None and dialect == "sqlite":
                _limit(connection, self.timeout)
            yield


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Not chained: the text of the cause could hold the password.
        raise SourceError("source.url is no database URL; expected postgresql://user:password@host/database") from None
    postgres = parsed.drivername in {"postgres", "postgresql"}
    return parsed.set(drivername="postgresql+psycopg") if postgres else parsed


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        if url.get_driver_name() == "psycopg":
            url = url.set(query={"connect_timeout": str(_CONNECT_TIMEOUT), "application_name": "drift", **url.query})
        return create_engine(url, poolclass=NullPool)
    if url.get_backend_name() != "sqlite":
        return create_engine(url, poolclass=NullPool)
    engine = create_engine(url, poolclass=NullPool, connect_args={"isolation_level": None})

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")  # the driver would begin nothing for a SELECT: each would see other rows

    return engine


def _limit(connection: Connection, timeout: timedelta) -> None:
    """SQLite has no clock of its own: look at ours; the connection is closed afterwards, and the limit with it."""
    held = connection.connection.dbapi_connection
    if held is None:
        return
    deadline = [0.0]

    @event.listens_for(connection, "before_cursor_execute")
    def start(*_: object) -> None:
        deadline[0] = time.monotonic() + timeout.total_seconds()

    start()
    held.set_progress_handler(lambda: time.monotonic() > deadline[0], _STEPS)
