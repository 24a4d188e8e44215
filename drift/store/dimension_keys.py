"""Repeated values are stored once: column names, axes and methods become small integer keys."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Insert, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from drift.histogram import Axis, axis_from_dict
from drift.stats.scoring import Method
from drift.store.tables import axis, method, monitor, watched_column
from drift.store.types import dump

IN_LIMIT: Final = 5_000
"""Values in one IN (...): SQLite takes 32,766, PostgreSQL 65,535."""

_MAX_AXES: Final = 20_000  # axes cached by one process

T = TypeVar("T")


class AxisCache:
    """Axes by their digest, both ways. Holds values only, never keys: a rollback cannot make it wrong.

    Windows are counted on the axis objects of their reference, so a digest is computed once, not for each window.
    """

    def __init__(self) -> None:
        self._digests: dict[int, tuple[Axis, str]] = {}  # by id(), valid because the axis is kept alive here
        self._axes: dict[str, Axis] = {}

    def digest(self, value: Axis) -> str:
        """Return the SHA-256 of the axis as canonical JSON."""
        if (known := self._digests.get(id(value))) is not None:
            return known[1]
        digest = sha256(value.to_dict())
        self._remember(value, digest)
        return digest

    def axis(self, digest: str, document: Mapping[str, Any]) -> Axis:
        """Return the axis of a document, the same object each time."""
        if (known := self._axes.get(digest)) is not None:
            return known
        value = axis_from_dict(document)
        self._axes[digest] = value
        self._remember(value, digest)
        return value

    def _remember(self, value: Axis, digest: str) -> None:
        if len(self._digests) >= _MAX_AXES:
            self._digests.clear()
            self._axes.clear()
        self._digests[id(value)] = (value, digest)


def sha256(document: Any) -> str:
    """Return the digest of a document as canonical JSON: keys sorted, no spaces, ASCII."""
    return hashlib.sha256(dump(document, sort_keys=True).encode()).hexdigest()


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield values in parts that one IN (...) takes."""
    for start in range(0, len(values), IN_LIMIT):
        yield values[start : start + IN_LIMIT]


def insert_new(connection: Connection, table: Table) -> Insert:
    """Return INSERT ... ON CONFLICT DO NOTHING: of two processes the second finds the row of the first."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def column_names(connection: Connection, name: str) -> dict[int, str]:
    """Return the names of a monitor's columns by their keys."""
    query = select(watched_column.c.id, watched_column.c.name)
    query = query.join(monitor, monitor.c.id == watched_column.c.monitor_id).where(monitor.c.name == name)
    return dict(connection.execute(query).all())


def column_ids(connection: Connection, monitor_id: int, names: Iterable[str]) -> dict[str, int]:
    """Return the keys of column names; insert new ones."""
    wanted = dict.fromkeys(names)
    query = select(watched_column.c.name, watched_column.c.id).where(watched_column.c.monitor_id == monitor_id)
    known: dict[str, int] = dict(connection.execute(query).all())
    if new := [name for name in wanted if name not in known]:
        rows = [{"monitor_id": monitor_id, "name": name} for name in new]
        connection.execute(insert_new(connection, watched_column), rows)
        known = dict(connection.execute(query).all())
    return {name: known[name] for name in wanted}


def axis_ids(connection: Connection, cache: AxisCache, axes: Iterable[Axis]) -> dict[str, int]:
    """Return the keys of axes by digest; insert new ones."""
    wanted = {cache.digest(value): value for value in axes}
    known = _axes_by_digest(connection, list(wanted))
    if new := sorted(set(wanted) - set(known)):  # sorted: two processes wait for each other in one order only
        rows = [{"digest": digest, "document": wanted[digest].to_dict()} for digest in new]
        connection.execute(insert_new(connection, axis), rows)
        known |= _axes_by_digest(connection, new)
    return known


def _axes_by_digest(connection: Connection, digests: Sequence[str]) -> dict[str, int]:
    ids: dict[str, int] = {}
    for part in chunks(digests):
        query = select(axis.c.digest, axis.c.id).where(axis.c.digest.in_(part))
        ids |= dict(connection.execute(query).all())
    return ids


def axes_by_id(connection: Connection, cache: AxisCache, ids: Iterable[int]) -> dict[int, Axis]:
    """Return axes by key."""
    axes: dict[int, Axis] = {}
    for part in chunks(sorted(set(ids))):
        rows = connection.execute(select(axis).where(axis.c.id.in_(part)))
        axes |= {row.id: cache.axis(row.digest, row.document) for row in rows}
    return axes


MethodKey = tuple[str, float, str]


def method_key(value: Method) -> MethodKey:
    """Return a method as the store keeps it."""
    return value.metric, value.log_base, str(value.pseudo)


def method_ids(connection: Connection, methods: Iterable[Method]) -> dict[MethodKey, int]:
    """Return the keys of methods; insert new ones."""
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
