"""Databases: any that SQLAlchemy reaches. Rows are counted in the database; only counts and samples leave it.

All statements of a window run in one read-only snapshot: REPEATABLE READ on PostgreSQL (and on MySQL), a read
transaction on SQLite. If a database offers none, differing row counts make the window an error. A `timeout` limits each
statement on PostgreSQL and SQLite; elsewhere set it in the URL's options. Categories are grouped as the database
compares texts: a column whose collation ignores case has fewer names than the same rows in a file.
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
from drift.sources.sql.counting import count_groups, count_window_rows
from drift.sources.sql.fit_axes import choose_axes
from drift.sources.sql.segments import (
    SegmentColumn,
    fold_segments,
    frequent_segments,
    known_segments,
    profiles_by_segment,
)
from drift.sources.sql.table_query import TableQuery, open_table_query
from drift.sources.sql.types import SqlType


@dataclass(frozen=True, slots=True)
class Sql:
    """Rows of a database as a source; see `drift.sources.Source`.

    `timestamp` is the column that assigns rows to windows, None if all rows are one window; times without a zone are in
    `timezone`.
    """

    spec: SqlSource
    timestamp: str | None
    timezone: ZoneInfo

    def columns(self) -> list[str]:
        """Return the column names except the timestamp's."""
        with self._open() as query:
            return [name for name in query.names if name != self.timestamp]

    def span(self) -> tuple[datetime, datetime] | None:
        """Return the first and last instant; None if no row has one."""
        with self._open() as query:
            return query.span()

    def learn(
        self, names: Sequence[str], columns: Columns, window: Window | None, segments: Sequence[str] = ()
    ) -> dict[str, Profile]:
        """Choose axes from the rows of a window and count them, by segment; the key "" holds all rows."""
        with self._open() as query:
            rows = query.rows_in(window)
            types = _column_types(query, rows, names, segments)
            n_rows = query.connection.execute(rows.with_only_columns(func.count())).scalar_one()
            axes, uncounted = choose_axes(query, rows, window, names, columns, types, n_rows)
            by = [frequent_segments(query, rows, name, types[name]) for name in segments]
            profiles = _count(query, rows, axes, by, types)
        return {
            key: Profile(dict(profile), profile.rows, {**uncounted, **profile.uncounted})
            for key, profile in profiles.items()
        }

    def count(
        self, axes: Mapping[str, Axis], window: Window | None, segments: Sequence[str], known: Collection[str]
    ) -> dict[str, Profile]:
        """Count the rows of a window on given axes, by the segments known to the reference."""
        with self._open() as query:
            return _count_window(query, window, axes, segments, known)

    def count_each(
        self, axes: Mapping[str, Axis], windows: Sequence[Window], segments: Sequence[str], known: Collection[str]
    ) -> list[dict[str, Profile]]:
        """Count several windows one after the other, all in one snapshot."""
        with self._open() as query:
            return [_count_window(query, window, axes, segments, known) for window in windows]

    def row_counts(self, windows: Sequence[Window]) -> list[int] | None:
        """Return the number of rows in each window by one statement, which an index on the timestamp can answer."""
        if self.timestamp is None:
            return None
        with self._open() as query:
            return count_window_rows(query, windows)

    def provenance(self) -> dict[str, Any]:
        """Return the table or query, and the last instant at present."""
        with self._open() as query:
            span, database = query.span(), describe_url(query.connection.engine.url)
        text = self.spec.query or self.spec.table or ""
        return {
            "database": database,
            "rows": str(self.spec),
            "digest": hashlib.sha256(text.encode()).hexdigest()[:32],
            "last": None if span is None else span[1].isoformat(),
        }

    @contextmanager
    def _open(self) -> Iterator[TableQuery]:
        subject = "query" if self.spec.query is not None else f"table {self.spec.table}"
        with Database.at(self.spec.url, subject, self.spec.timeout).snapshot() as connection:
            yield open_table_query(connection, self.spec, self.timestamp, self.timezone)


def _column_types(
    query: TableQuery, rows: Select[Any], names: Sequence[str], segments: Sequence[str]
) -> dict[str, SqlType]:
    for name in segments:
        if name not in query.names:
            raise SourceError(f"segment column {name!r} is not in the data", code="column-missing")
    present = [name for name in dict.fromkeys([*names, *segments]) if name in query.names]
    return query.column_types(rows, present)


def _count_window(
    query: TableQuery, window: Window | None, axes: Mapping[str, Axis], segments: Sequence[str], known: Collection[str]
) -> dict[str, Profile]:
    rows = query.rows_in(window)
    types = _column_types(query, rows, list(axes), segments)
    by = [known_segments(name, types[name], known) for name in segments]
    return _count(query, rows, axes, by, types, known)


def _count(
    query: TableQuery,
    rows: Select[Any],
    axes: Mapping[str, Axis],
    by: Sequence[SegmentColumn],
    types: Mapping[str, SqlType],
    known: Collection[str] = (),
) -> dict[str, Profile]:
    present = [name for name in axes if name in types]
    folded, labels = fold_segments(query, rows, present, by, types)
    groups, uncounted = count_groups(query.connection, folded, labels, types, axes)
    return profiles_by_segment(groups, by, axes, uncounted, known)


__all__ = ["Sql"]
