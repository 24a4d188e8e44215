"""One connection and one snapshot: every statement of a window sees the same rows and can write none."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from drift.errors import SourceError, database_message, describe_url

_SNAPSHOT_LEVELS: Final = ("REPEATABLE READ", "SNAPSHOT", "SERIALIZABLE")
_CONNECT_TIMEOUT: Final = 10
_STEPS: Final = 100_000  # instructions of SQLite's virtual machine between two checks of the clock


@dataclass(frozen=True, slots=True)
class Database:
    """The database of a source; `subject` is the table or query, for messages; `timeout` limits each statement."""

    engine: Engine
    subject: str
    timeout: timedelta | None

    @classmethod
    def at(cls, url: str, subject: str, timeout: timedelta | None) -> "Database":
        """Return the database at a URL.

        Raises
        ------
        SourceError
            If the URL is invalid, its driver is not installed, or a SQLite file does not exist.
        """
        parsed = _parse(url)
        file = parsed.database or ":memory:"
        named = parsed.get_backend_name() == "sqlite" and not file.startswith((":memory:", "file:"))
        if named and not Path(file).is_file():  # connecting would create an empty database
            path = f"{describe_url(parsed)}; check the path (relative to {Path.cwd()})"
            raise SourceError(f"no database {path}", code="source-not-found")
        try:
            return cls(_engine(parsed), subject, timeout)
        except (ModuleNotFoundError, NoSuchModuleError) as error:
            hint = " (pip install 'driftgauge[postgres]')" if parsed.get_backend_name() == "postgresql" else ""
            message = f"no driver for {parsed.drivername}: {error}; install one{hint}"
            raise SourceError(message, code="dependency-missing") from error

    @property
    def name(self) -> str:
        """Address, and table or query, without secrets."""
        return f"{describe_url(self.engine.url)}, {self.subject}"

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Open a read-only transaction.

        Raises
        ------
        SourceError
            For every error of the database and of the block; the message names the table or query.
        """
        started, connected = time.monotonic(), False
        try:
            with self.engine.connect() as connection:
                connected = True
                with self._transaction(connection):
                    yield connection
        except SourceError as error:
            raise SourceError(f"{self.name}: {error}", code=error.code) from error
        except SQLAlchemyError as error:
            message = f"{self.name}: {database_message(error, self.engine.url)}"
            if not connected or (isinstance(error, DBAPIError) and error.connection_invalidated):
                raise SourceError(message, code="database-unreachable") from error
            if self.timeout is not None and time.monotonic() - started >= self.timeout.total_seconds():
                remedy = f"a statement may take {self.timeout}; raise source.timeout, or index the timestamp"
                raise SourceError(f"{message} ({remedy})", code="query-timeout") from error
            raise SourceError(message, code="query-failed") from error

    @contextmanager
    def _transaction(self, connection: Connection) -> Iterator[None]:
        dialect = connection.dialect.name
        if dialect == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        elif dialect != "sqlite":
            driver = connection.connection.dbapi_connection
            supported = () if driver is None else connection.dialect.get_isolation_level_values(driver)
            if level := next((level for level in _SNAPSHOT_LEVELS if level in supported), None):
                connection.execution_options(isolation_level=level)
        with connection.begin():
            if self.timeout is not None and dialect == "postgresql":
                milliseconds = max(1, round(self.timeout.total_seconds() * 1000))
                connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")
            if self.timeout is not None and dialect == "sqlite":
                _interrupt_after(connection, self.timeout)
            yield


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Not chained: the text of the cause could contain the password.
        message = "source.url is no database URL; expected postgresql://user:password@host/database"
        raise SourceError(message, code="invalid-value") from None
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
        connection.exec_driver_sql("BEGIN")  # the driver begins nothing for a SELECT: each would see other rows

    return engine


def _interrupt_after(connection: Connection, timeout: timedelta) -> None:
    """Interrupt each statement of a SQLite connection after a time; SQLite has no such setting of its own."""
    driver_connection = connection.connection.dbapi_connection
    if driver_connection is None:
        return
    deadline = [0.0]

    @event.listens_for(connection, "before_cursor_execute")
    def start(*_: object) -> None:
        deadline[0] = time.monotonic() + timeout.total_seconds()

    start()
    driver_connection.set_progress_handler(lambda: time.monotonic() > deadline[0], _STEPS)
