"""What repeats is kept once: column names, axes and methods become small integer keys."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Insert, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from drift.histogram import Axis, axis_from_dict
from drift.stats.scoring import Method
from drift.store.tables import axis, method, watched_column
from drift.store.types import dump

_CHUNK: Final = 500  # values in one IN (...)
_MOST: Final = 20_000  # axes remembered by one process

T = TypeVar("T")


class AxisCache:
    """Axes by their digest, both ways. Holds values only, never keys: nothing here can be rolled back.

    Windows are counted on the axis objects of their baseline, so a digest is computed once, not each time.
    """

    def __init__(self) -> None:
        self._digests: dict[int, tuple[Axis, str]] = {}  # by id(), which the axis held here keeps valid
        self._axes: dict[str, Axis] = {}

    def digest(self, value: Axis) -> str:
        """SHA-256 of the axis as canonical JSON."""
        if (known := self._digests.get(id(value))) is not None:
            return known[1]
        digest = sha256(value.to_dict())
        self._remember(value, digest)
        return digest

    def axis(self, digest: str, document: Mapping[str, Any]) -> Axis:
        """The axis of a document, the same object each time."""
        if (known := self._axes.get(digest)) is not None:
            return known
        value = axis_from_dict(document)
        self._axes[digest] = value
        self._remember(value, digest)
        return value

    def _remember(self, value: Axis, digest: str) -> None:
        if len(self._digests) >= _MOST:
            self._digests.clear()
            self._axes.clear()
        self._digests[id(value)] = (value, digest)


def sha256(document: Any) -> str:
    """Digest of a document as canonical JSON: keys sorted, no spaces, ASCII."""
    return hashlib.sha256(dump(document, sort_keys=True).encode()).hexdigest()


def insert_new(connection: Connection, table: Table) -> Insert:
    """INSERT ... ON CONFLICT DO NOTHING: who comes second finds the first one's row."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def column_ids(connection: Connection, monitor_id: int, names: Iterable[str]) -> dict[str, int]:
    """Keys of column names, new ones made."""
    wanted = dict.fromkeys(names)
    query = select(watched_column.c.name, watched_column.c.id).where(watched_column.c.monitor_id == monitor_id)
    known: dict[str, int] = dict(connection.execute(query).all())
    if new := [name for name in wanted if name not in known]:
        rows = [{"monitor_id": monitor_id, "name": name} for name in new]
        connection.execute(insert_new(connection, watched_column), rows)
        known = dict(connection.execute(query).all())
    return {name: known[name] for name in wanted}


def axis_ids(connection: Connection, book: AxisCache, axes: Iterable[Axis]) -> dict[str, int]:
    """Keys of axes by digest, new ones made."""
    wanted = {book.digest(value): value for value in axes}
    known = _axes_by_digest(connection, list(wanted))
    if new := sorted(set(wanted) - set(known)):  # sorted: two processes wait for each other in one order only
        rows = [{"digest": digest, "document": wanted[digest].to_dict()} for digest in new]
        connection.execute(insert_new(connection, axis), rows)
        known |= _axes_by_digest(connection, new)
    return known


def _axes_by_digest(connection: Connection, digests: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in _chunks(digests):
        query = select(axis.c.digest, axis.c.id).where(axis.c.digest.in_(some))
        found |= dict(connection.execute(query).all())
    return found


def _chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


MethodKey = tuple[str, float, str]


def method_key(value: Method) -> MethodKey:
    """A method as the store keeps it."""
    return value.metric, value.log_base, str(value.pseudo)


def method_ids(connection: Connection, methods: Iterable[Method]) -> dict[MethodKey, int]:
    """Keys of methods, new ones made."""
    wanted = {method_key(value) for value in methods}
    known = _methods(connection)
    if new := sorted(wanted - set(known)):
        names = ("metric", "base", "smoothing")
        rows = [dict(zip(names, key, strict=True)) for key in new]
        connection.execute(insert_new(connection, method), rows)
        known = _methods(connection)
    return {key: known[key] for key in wanted}


def _methods(connection: Connection) -> dict[MethodKey, int]:
    rows = connection.execute(select(method.c.metric, method.c.base, method.c.smoothing, method.c.id))
    return {(row.metric, row.base, row.smoothing): row.id for row in rows}


def axes_by_id(connection: Connection, book: AxisCache, ids: Iterable[int]) -> dict[int, Axis]:
    """Axes by key."""
    found: dict[int, Axis] = {}
    for some in _chunks(sorted(set(ids))):
        rows = connection.execute(select(axis).where(axis.c.id.in_(some)))
        found |= {row.id: book.axis(row.digest, row.document) for row in rows}
    return found
