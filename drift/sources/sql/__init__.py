"""Databases: any that SQLAlchemy reaches. Rows are counted there; nothing but counts comes back.

All statements of a window run in one read-only snapshot: REPEATABLE READ on PostgreSQL (and on MySQL), a read
transaction on SQLite. Where a database keeps none, differing row counts make the window an error. A `timeout`
limits each statement on PostgreSQL and SQLite; elsewhere set it in the URL's options. Categories are grouped as the
database compares texts: a column whose collation ignores case has fewer names than the same rows in a file.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func

from drift.errors import SourceError, describe_url
from drift.histogram import Axis, Profile
from drift.monitors.spec import Columns, SqlSource
from drift.monitors.window import Window
from drift.sources.sql.connection import Database
from drift.sources.sql.counting import count_rows, count_windows
from drift.sources.sql.fit_axes import learn_axes
from drift.sources.sql.segments import Segment, folded, frequent_segment, known_segment, split
from drift.sources.sql.table_query import TableQuery, open_table_query
from drift.sources.sql.types import SqlType


@dataclass(frozen=True, slots=True)
class Sql:
    """A source of a database's rows; see `drift.sources.Source`.

    Parameters
    ----------
    spec : SqlSource
        Where, and which rows.
    timestamp : str or None
        The column that places rows in windows; None where all rows are one window.
    timezone : ZoneInfo
        Of times without one.
    """

    spec: SqlSource
    timestamp: str | None
    timezone: ZoneInfo

    def columns(self) -> list[str]:
        """Names of the columns, the timestamp's excepted."""
        with self._open() as relation:
            return [name for name in relation.names if name != self.timestamp]

    def span(self) -> tuple[datetime, datetime] | None:
        """First and last instant; None where no row has one."""
        with self._open() as relation:
            return relation.span()

    def learn(
        self, names: Sequence[str], columns: Columns, window: Window | None, segments: Sequence[str] = ()
    ) -> dict[str, Profile]:
        """Choose axes from the rows of a window, and count them; by segment, "" is all rows."""
        with self._open() as relation:
            rows = relation.within(window)
            types = _types(relation, rows, names, segments)
            number = relation.connection.execute(rows.with_only_columns(func.count())).scalar_one()
            axes, lost = learn_axes(relation, rows, window, names, columns, types, number)
            by = [frequent_segment(relation, rows, name, types[name]) for name in segments]
            found = _count(relation, rows, axes, by, types)
        return {key: Profile(dict(part), part.rows, {**lost, **part.uncounted}) for key, part in found.items()}

    def count(
        self, axes: Mapping[str, Axis], window: Window | None, segments: Sequence[str], known: Collection[str]
    ) -> dict[str, Profile]:
        """Count the rows of a window on axes chosen before, by the segments known to the reference."""
        with self._open() as relation:
            return _count_within(relation, window, axes, segments, known)

    def count_each(
        self, axes: Mapping[str, Axis], windows: Sequence[Window], segments: Sequence[str], known: Collection[str]
    ) -> list[dict[str, Profile]]:
        """Count each of several windows, one after the other, all of them in one snapshot."""
        with self._open() as relation:
            return [_count_within(relation, window, axes, segments, known) for window in windows]

    def row_counts(self, windows: Sequence[Window]) -> list[int] | None:
        """How many rows each of several windows holds: one statement, for which an index on the timestamp will do."""
        if self.timestamp is None:
            return None
        with self._open() as relation:
            return count_windows(relation, windows)

    def provenance(self) -> dict[str, Any]:
        """Which rows, and how far they reach by now."""
        with self._open() as relation:
            span = relation.span()
            place = describe_url(relation.connection.engine.url)
        text = self.spec.query or self.spec.table or ""
        return {
            "database": place,
            "rows": str(self.spec),
            "digest": hashlib.sha256(text.encode()).hexdigest()[:32],
            "last": None if span is None else span[1].isoformat(),
        }

    @contextmanager
    def _open(self) -> Iterator[TableQuery]:
        what = "query" if self.spec.query is not None else f"table {self.spec.table}"
        with Database.at(self.spec.url, what, self.spec.timeout).snapshot() as connection:
            yield open_table_query(connection, self.spec, self.timestamp, self.timezone)


def _types(
    relation: TableQuery, rows: Select[Any], names: Sequence[str], segments: Sequence[str]
) -> dict[str, SqlType]:
    for name in segments:
        if name not in relation.names:
            raise SourceError(f"segment column {name!r}: is not in the data")
    there = [name for name in dict.fromkeys([*names, *segments]) if name in relation.names]
    return relation.types(rows, there)


def _count_within(
    relation: TableQuery,
    window: Window | None,
    axes: Mapping[str, Axis],
    segments: Sequence[str],
    known: Collection[str],
) -> dict[str, Profile]:
    rows = relation.within(window)
    types = _types(relation, rows, list(axes), segments)
    by = [known_segment(name, types[name], known) for name in segments]
    return _count(relation, rows, axes, by, types, known)


def _count(
    relation: TableQuery,
    rows: Select[Any],
    axes: Mapping[str, Axis],
    by: Sequence[Segment],
    types: Mapping[str, SqlType],
    known: Collection[str] = (),
) -> dict[str, Profile]:
    there = [name for name in axes if name in types]
    counted, labels = folded(relation, rows, there, by, types)
    found, lost = count_rows(relation.connection, counted, labels, types, axes)
    return split(found, by, axes, lost, known)


__all__ = ["Sql"]
