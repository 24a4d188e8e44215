"""Rows of the JSON contract and of pages: plain values, instants as ISO 8601 in UTC."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, literal, select, text, type_coerce

from drift.errors import StoreError
from drift.monitors.window import Window, format_instant
from drift.store.database import StoreDatabase
from drift.store.dimension_keys import chunks, column_names
from drift.store.tables import (
    alert,
    delivery,
    method,
    monitor,
    profile_table,
    revision,
    score_table,
    watched_column,
    window,
)
from drift.store.types import IsoInstant, SafeText

RevisionFilter = Literal["newest", "all"]
JsonRows = list[dict[str, Any]]


class ResultLimitExceeded(StoreError):  # noqa: N818 - names the event
    """A query has more rows than may be returned at once."""

    default_code = "result-limit"


class WindowSummary(NamedTuple):
    """A checked window by its newest revision; `columns` counts those of all segments."""

    window: Window
    verdict: str
    message: str
    columns: int


class Trend(NamedTuple):
    """Score of a column in one window; fields as in `StoreQueries.scores`."""

    window: Window
    score: float | None
    noise_floor: float | None
    p_value: float | None
    detectable: float | None
    threshold: float | None
    level: float | None
    verdict: str


Trends = dict[tuple[str, str], list[Trend]]
"""By segment and column, oldest window first."""


class StoreQueries:
    """Scores, windows and alerts as rows."""

    def __init__(self, database: StoreDatabase) -> None:
        self._database = database

    def scores(
        self,
        monitor: str | None = None,
        column: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        segment: str | None = None,
        revisions: RevisionFilter = "newest",
        limit: int | None = None,
    ) -> JsonRows:
        """Return rows of `drift scores --json`, oldest window first; windows that start in [since, until).

        Raises
        ------
        ResultLimitExceeded
            If there are more than `limit` rows.
        """
        with self._database.read() as connection:
            monitors = _monitor_names(connection, monitor)
            methods = dict(connection.execute(select(method.c.id, method.c.metric)).all())
            # By keys, not by names: a planner that cannot know that nearly all windows are of this monitor expects a
            # few, and looks for each of a year's 8,760 in three tables.
            query = _scores(column, revisions)
            if monitor is not None:
                query = query.where(window.c.monitor_id.in_(monitors))
            if column is not None:
                query = query.where(score_table.c.column_id.in_(_column_keys(connection, column)))
            if segment is not None:
                query = query.where(profile_table.c.segment == segment)
            rows = _fetch(connection, _between(query, since, until), limit)
        return [_score_row(monitors, methods, *row) for row in rows]

    def windows(
        self,
        monitor: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        revisions: RevisionFilter = "newest",
        limit: int | None = None,
    ) -> JsonRows:
        """Return rows of `drift windows --json`, checked or not, oldest first; windows that start in [since, until).

        Raises
        ------
        ResultLimitExceeded
            If there are more than `limit` rows.
        """
        query = _between(_windows(monitor, revisions), since, until)
        with self._database.read() as connection:
            return [_window_row(*row) for row in _fetch(connection, query, limit)]

    def newest_windows(
        self, name: str, limit: int, since: datetime | None = None, until: datetime | None = None
    ) -> list[WindowSummary]:
        """Return a monitor's newest checked windows that start in [since, until), up to `limit`, oldest first."""
        query = (
            select(window.c.start_at, window.c.end_at, revision.c.verdict, revision.c.message, revision.c.columns)
            .join(monitor, monitor.c.id == window.c.monitor_id)
            .join(revision, (revision.c.window_id == window.c.id) & (revision.c.number == window.c.revision))
            .where(monitor.c.name == name)
            .order_by(window.c.start_at.desc(), window.c.end_at.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            rows = connection.execute(_between(query, since, until)).all()
        return [WindowSummary(Window(start, end), *values) for start, end, *values in reversed(rows)]

    def trends(self, name: str, windows: Sequence[Window]) -> Trends:
        """Return the scores of each column and segment in some of a monitor's windows, by their newest revisions.

        Names and windows are looked up once, not once a row: a page of a wide monitor has 20,000 rows.
        """
        wanted = set(windows)
        profiles = (
            select(profile_table.c.id, profile_table.c.segment, window.c.start_at, window.c.end_at)
            .join(revision, revision.c.id == profile_table.c.revision_id)
            .join(window, (window.c.id == revision.c.window_id) & (window.c.revision == revision.c.number))
            .join(monitor, monitor.c.id == window.c.monitor_id)
            .where(monitor.c.name == name, window.c.start_at.in_({w.start for w in wanted}))
        )
        values = ("value", "noise_floor", "p_value", "detectable", "threshold_drift", "level", "verdict")
        query = select(score_table.c.profile_id, score_table.c.column_id, *(score_table.c[value] for value in values))
        by_column: Trends = {}
        with self._database.read() as connection:
            positions = {
                key: (segment, interval)
                for key, segment, *ends in connection.execute(profiles)
                if (interval := Window(*ends)) in wanted
            }
            names = column_names(connection, name)
            for part in chunks(list(positions)):
                for key, column_id, *row in connection.execute(query.where(score_table.c.profile_id.in_(part))).all():
                    segment, interval = positions[key]
                    by_column.setdefault((segment, names[column_id]), []).append(Trend(interval, *row))
        for trend in by_column.values():
            trend.sort(key=attrgetter("window.start"))
        return by_column

    def alerts(self, monitor: str | None = None, state: str | None = None) -> JsonRows:
        """Return rows of `drift alerts list --json`, firing alerts first."""
        with self._database.read() as connection:
            return [_alert_row(row) for row in connection.execute(_alerts(monitor, state))]

    def counts_by_status(self) -> dict[str, dict[str, int]]:
        """Return the numbers of windows and deliveries by status and of alerts by state."""
        columns = {"windows": window.c.status, "deliveries": delivery.c.status, "alerts": alert.c.state}
        with self._database.read() as connection:
            return {
                name: dict(connection.execute(select(column, func.count()).group_by(column)).all())
                for name, column in columns.items()
            }

    def size(self) -> int:
        """Return the size of the database in bytes, free pages included; of SQLite, without its write-ahead log."""
        query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        with self._database.read() as connection:
            if connection.dialect.name == "postgresql":
                query = "SELECT pg_database_size(current_database())"
            size: int = connection.execute(text(query)).scalar_one()
        return size


def _fetch(connection: Connection, query: Select[Any], limit: int | None) -> Sequence[Any]:
    """Return the rows, which are counted before any is sorted."""
    if limit is not None:
        some = query.order_by(None).limit(limit + 1).subquery()
        if connection.execute(select(func.count()).select_from(some)).scalar_one() > limit:
            raise ResultLimitExceeded(f"more than {limit} rows", code="result-limit")
    return connection.execute(query).all()


def _between(query: Select[Any], since: datetime | None, until: datetime | None) -> Select[Any]:
    if since is not None:
        query = query.where(window.c.start_at >= since)
    return query if until is None else query.where(window.c.start_at < until)


def _iso_instants(*names: str) -> Iterator[ColumnElement[Any]]:
    return (type_coerce(window.c[name], IsoInstant).label(name) for name in names)


def _format(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)


def _monitor_names(connection: Connection, name: str | None) -> dict[int, str]:
    """Return the names of all monitors by their keys, or only of one."""
    query = select(monitor.c.id, monitor.c.name)
    return dict(connection.execute(query if name is None else query.where(monitor.c.name == name)).all())


def _column_keys(connection: Connection, name: str) -> Sequence[int]:
    return connection.execute(select(watched_column.c.id).where(watched_column.c.name == name)).scalars().all()


def _scores(column: str | None, revisions: RevisionFilter) -> Select[Any]:
    query: Select[Any] = (
        select(
            window.c.monitor_id,
            profile_table.c.segment,
            watched_column.c.name if column is None else literal(column, SafeText),
            *_iso_instants("start_at", "end_at"),
            revision.c.number,
            score_table.c.method_id,
            *(score_table.c[n] for n in ("value", "noise_floor", "p_value", "detectable", "threshold_drift")),
            *(score_table.c[n] for n in ("level", "windows", "verdict", "message", "code")),
        )
        .select_from(window)
        .join(revision, revision.c.window_id == window.c.id)
        .join(profile_table, profile_table.c.revision_id == revision.c.id)
        .join(score_table, score_table.c.profile_id == profile_table.c.id)
        .order_by(window.c.start_at, window.c.id, revision.c.number, profile_table.c.segment)
    )
    if column is None:
        query = query.join(watched_column, watched_column.c.id == score_table.c.column_id)
        query = query.order_by(watched_column.c.name)
    return query.where(revision.c.number == window.c.revision) if revisions == "newest" else query


def _score_row(
    monitors: dict[int, str],
    methods: dict[int, str],
    monitor_id: int,
    segment: str,
    column: str,
    start: str,
    end: str,
    number: int,
    method_id: int | None,
    *values: Any,
) -> dict[str, Any]:
    """Return one row. Written out: a column's year has 8,760 of them, and this is the fastest way to a dict."""
    value, noise_floor, p_value, detectable, threshold, level, windows, verdict, message, code = values
    return {
        "monitor": monitors[monitor_id],
        "segment": segment,
        "column": column,
        "window_start": start,
        "window_end": end,
        "revision": number,
        "metric": None if method_id is None else methods[method_id],
        "score": value,
        "noise_floor": noise_floor,
        "p_value": p_value,
        "detectable": detectable,
        "threshold": threshold,
        "level": level,
        "reference_windows": windows,
        "verdict": verdict,
        "message": message,
        "code": code,
    }


def _windows(name: str | None, revisions: RevisionFilter) -> Select[Any]:
    """Select each planned window (and, with `all`, each of its revisions), oldest first."""
    joined = revision.c.window_id == window.c.id
    if revisions == "newest":
        joined = and_(joined, revision.c.number == window.c.revision)
    query = (
        select(
            monitor.c.name,
            *_iso_instants("start_at", "end_at", "due_at", "next_attempt_at"),
            *(window.c[n] for n in ("status", "attempts", "last_error")),
            *(revision.c[n] for n in ("number", "verdict", "rows", "message", "columns", "drifted", "code")),
        )
        .select_from(window)
        .join(monitor, monitor.c.id == window.c.monitor_id)
        .outerjoin(revision, joined)
        .order_by(window.c.start_at, monitor.c.name, window.c.id, revision.c.number)
    )
    return query if name is None else query.where(monitor.c.name == name)


def _window_row(
    monitor: str,
    start: str,
    end: str,
    due_at: str,
    next_attempt_at: str,
    status: str,
    attempts: int,
    last_error: str | None,
    *values: Any,
) -> dict[str, Any]:
    number, verdict, rows, message, columns, drifted, code = values
    return {
        "monitor": monitor,
        "window_start": start,
        "window_end": end,
        "revision": number,
        "status": status,
        "verdict": verdict,
        "rows": rows,
        "attempts": attempts,
        "due_at": due_at,
        "next_attempt_at": next_attempt_at if status == "due" else None,
        "message": last_error or message or "",
        "columns": columns,
        "drifted": drifted,
        "code": None if last_error else code,  # of the message shown
    }


def _alerts(name: str | None, state: str | None) -> Select[Any]:
    rank = case({"firing": 0, "pending": 1, "resolved": 2}, value=alert.c.state, else_=3)
    query = (
        select(monitor.c.name.label("monitor"), alert)
        .join(monitor, monitor.c.id == alert.c.monitor_id)
        .order_by(rank, monitor.c.name, alert.c.column_name, alert.c.segment, alert.c.rule)
    )
    if name is not None:
        query = query.where(monitor.c.name == name)
    return query if state is None else query.where(alert.c.state == state)


def _alert_row(row: Any) -> dict[str, Any]:
    return {
        "monitor": row.monitor,
        "column": row.column_name,
        "segment": row.segment,
        "rule": row.rule,
        "state": row.state,
        "since": _format(row.since),
        "last_window": _format(row.last_window),
        "reason": row.reason,
        "fingerprint": row.fingerprint,
    }
