"""The way into a store: what must hold before anything is read or written, and what every open one has."""

import os
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine

from drift.errors import StoreError
from drift.store import schema
from drift.store.clock import SharedClock
from drift.store.dimension_keys import AxisCache
from drift.store.engine import describe_url, make_engine, parse_url, sqlite_path, transaction
from drift.store.permissions import obstacle


class OpenStore:
    """A store that was opened: its connections, its schema, its clock. Safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._axes = AxisCache()
        self._clock = SharedClock(self._read)

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Self:
        """Open a store at the newest schema.

        Parameters
        ----------
        url : str
            ``sqlite:///drift.db`` (relative to the working directory) or ``postgresql://...``.
        create : bool
            Make a SQLite file that is not there (or holds nothing yet). A server's schema, and one that
            is older, is only ever made by `drift db upgrade`.

        Raises
        ------
        StoreError
            Where the store is unreachable, not there, not migrated, or newer than this program. The
            message holds no password.
        """
        return cls(open_engine(url, create=create))

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({describe_url(self._engine.url)})"

    def _read(self) -> AbstractContextManager[Connection]:
        return transaction(self._engine, writes=False)

    def require_schema(self) -> None:
        """Let pass a store that still has the schema it was opened with.

        Raises
        ------
        OtherSchema
            Where another drift has upgraded it since: every write is refused then.
        """
        with self._read() as connection:
            schema.require_unchanged(connection, describe_url(self._engine.url))

    def now(self) -> datetime:
        """The time that all who share this store agree on: the server's, or for SQLite this host's.

        Raises
        ------
        StoreError
            Where the server has to be asked and does not answer.
        """
        return self._clock() if self._engine.dialect.name == "postgresql" else datetime.now(UTC)


def open_engine(url: str, *, create: bool) -> Engine:
    """An engine for a store at the newest schema, as `OpenStore.open` tells it.

    Raises
    ------
    StoreError
        Where the store is unreachable, not there, not migrated, or newer than this program.
    """
    parsed = parse_url(url)
    shown = describe_url(parsed)
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
