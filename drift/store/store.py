"""The store: one object for each kind of thing it keeps."""

from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from sqlalchemy import Engine

from drift.store import schema
from drift.store.clock import SharedClock
from drift.store.database import StoreDatabase
from drift.store.engine import describe_url
from drift.store.history import HistoryStore
from drift.store.monitors import MonitorStore
from drift.store.opening import open_engine
from drift.store.outbox import OutboxStore
from drift.store.queries import StoreQueries
from drift.store.references import ReferenceStore
from drift.store.windows import WindowStore


class Store:
    """A store in SQLite or PostgreSQL. Safe to share between threads.

    Every method of its parts is one transaction, and raises `StoreError` if the database fails or an instant has no
    time zone.

    Attributes
    ----------
    monitors : MonitorStore
        Monitors, their definitions, alert states and status.
    references : ReferenceStore
        Frozen references, and the attempts to read them.
    windows : WindowStore
        Windows from planned to done: planning, leases, outcomes, re-checks, retention.
    outbox : OutboxStore
        Deliveries.
    queries : StoreQueries
        Scores, windows and alerts as rows.
    history : HistoryStore
        Profiles and results of checked windows.
    """

    def __init__(self, engine: Engine) -> None:
        self.database = StoreDatabase(engine)
        self.monitors = MonitorStore(self.database)
        self.references = ReferenceStore(self.database)
        self.windows = WindowStore(self.database)
        self.outbox = OutboxStore(self.database)
        self.queries = StoreQueries(self.database)
        self.history = HistoryStore(self.database)
        self._clock = SharedClock(self.database.read)

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Self:
        """Open a store that has the newest schema.

        Parameters
        ----------
        url : str
            ``sqlite:///drift.db`` (relative to the working directory) or ``postgresql://...``.
        create : bool
            Create a SQLite file that is missing or empty. Every other schema is made by `drift db upgrade` only.

        Raises
        ------
        StoreError
            If the store is unreachable, missing, not migrated, or newer than this program. The message contains no
            password.
        """
        return cls(open_engine(url, create=create))

    def close(self) -> None:
        """Close all connections."""
        self.database.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({describe_url(self.database.engine.url)})"

    def require_schema(self) -> None:
        """Check that the schema is the one the store was opened with.

        Raises
        ------
        SchemaMismatch
            If another version of drift has upgraded it.
        """
        with self.database.read() as connection:
            schema.require_unchanged(connection, describe_url(self.database.engine.url))

    def now(self) -> datetime:
        """Return the time that all users of this store share: the server's, or this host's for SQLite.

        Raises
        ------
        StoreError
            If the server must be asked and does not answer.
        """
        return self._clock() if self.database.engine.dialect.name == "postgresql" else datetime.now(UTC)
