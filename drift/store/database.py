"""What the parts of a store share: its transactions and its cache of axes."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import Connection, Engine

from drift.store import schema
from drift.store.dimension_keys import AxisCache
from drift.store.engine import describe_url, transaction


class StoreDatabase:
    """Transactions on a store. Safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.axes = AxisCache()

    def read(self) -> AbstractContextManager[Connection]:
        """Open a transaction that only reads."""
        return transaction(self.engine, writes=False)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that writes.

        Raises
        ------
        SchemaMismatch
            If another version of drift has upgraded the schema: its tables may mean something else.
        """
        with transaction(self.engine, writes=True) as connection:
            schema.require_unchanged(connection, describe_url(self.engine.url))
            yield connection
