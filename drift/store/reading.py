"""What is stored, as rows of the JSON contract: plain values, times as ISO 8601 in UTC."""

from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Literal

from sqlalchemy import Connection, Select, and_, case, func, select

from drift.errors import StoreError
from drift.store.tables import (
    alert,
    definition,
    method,
    monitor,
    profile,
    revision,
    score,
    watched_column,
    window,
)
from drift.window import format_instant

Revisions = Literal["newest", "all"]
Rows = list[dict[str, Any]]

_SCORE: Final = (
    *("monitor", "segment", "column", "window_start", "window_end", "revision", "metric", "score", "noise_floor"),
    *("p_value", "detectable", "threshold", "level", "reference_windows", "verdict", "message"),
)


def _narrowed(
    query: Select[Any], monitor_name: str | None, since: datetime | None, until: datetime | None
) -> Select[Any]:
    if monitor_name is not None:
        query = query.where(monitor.c.name == monitor_name)
    if since is not None:
        query = query.where(window.c.start_at >= since)
    return query if until is None else query.where(window.c.start_at < until)


def _when(moment: datetime | None) -> str | None:
    return None if moment is None else _told(moment)


@lru_cache(maxsize=100_000)
def _told(moment: datetime) -> str:
    """Where one window ends the next begins, in every row of every column: to spell it takes longer than to find it."""
    return format_instant(moment)


def scores(
    connection: Connection,
    *,
    monitor_name: str | None,
    column: str | None,
    since: datetime | None,
    until: datetime | None,
    segment: str | None,
    revisions: Revisions,
    most: int | None = None,
) -> Rows:
    """One row for each column of each window and segment, oldest window first; up to `most`."""
    query = (
        select(
            monitor.c.name,
            profile.c.segment,
            watched_column.c.name,
            window.c.start_at,
            window.c.end_at,
            revision.c.number,
            method.c.metric,
            *(score.c[n] for n in ("value", "noise_floor", "p_value", "detectable", "threshold_drift")),
            *(score.c[n] for n in ("level", "windows", "verdict", "message")),
        )
        .select_from(window)
        .join(monitor, monitor.c.id == window.c.monitor_id)
        .join(revision, revision.c.window_id == window.c.id)
        .join(profile, profile.c.revision_id == revision.c.id)
        .join(score, score.c.profile_id == profile.c.id)
        .join(watched_column, watched_column.c.id == score.c.column_id)
        .outerjoin(method, method.c.id == score.c.method_id)
        .order_by(window.c.start_at, window.c.id, revision.c.number, profile.c.segment, watched_column.c.name)
    )
    query = _narrowed(query, monitor_name, since, until)
    if revisions == "newest":
        query = query.where(revision.c.number == window.c.revision)
    if column is not None:
        # By its key as well: SQLite would look through all columns of each window for the one of that name.
        named = select(watched_column.c.id).where(watched_column.c.name == column)
        query = query.where(watched_column.c.name == column, score.c.column_id.in_(named))
    if segment is not None:
        query = query.where(profile.c.segment == segment)
    # A column's year is 8,760 rows: taken as the tuples they are.
    return [
        dict(zip(_SCORE, (*row[:3], _told(row[3]), _told(row[4]), *row[5:]), strict=True))
        for row in connection.execute(query.limit(most)).all()
    ]


def windows(
    connection: Connection,
    *,
    monitor_name: str | None,
    since: datetime | None,
    until: datetime | None,
    revisions: Revisions,
    most: int | None = None,
) -> Rows:
    """One row for each planned window (and, with `all`, each of its revisions), oldest first; up to `most`."""
    this = revision.c.window_id == window.c.id
    if revisions == "newest":
        this = and_(this, revision.c.number == window.c.revision)
    query = (
        select(
            monitor.c.name.label("monitor"),
            window.c.start_at,
            window.c.end_at,
            *(window.c[n] for n in ("status", "attempts", "due_at", "next_attempt_at", "last_error")),
            *(revision.c[n] for n in ("number", "verdict", "rows", "message", "columns", "drifted")),
        )
        .select_from(window)
        .join(monitor, monitor.c.id == window.c.monitor_id)
        .outerjoin(revision, this)
        .order_by(window.c.start_at, monitor.c.name, window.c.id, revision.c.number)
    )
    query = _narrowed(query, monitor_name, since, until).limit(most)
    return [_window(row) for row in connection.execute(query)]


def _window(row: Any) -> dict[str, Any]:
    return {
        "monitor": row.monitor,
        "window_start": _told(row.start_at),
        "window_end": _told(row.end_at),
        "revision": row.number,
        "status": row.status,
        "verdict": row.verdict,
        "rows": row.rows,
        "attempts": row.attempts,
        "due_at": _told(row.due_at),
        "next_attempt_at": _told(row.next_attempt_at) if row.status == "due" else None,
        "message": row.last_error or row.message or "",
        "columns": row.columns,
        "drifted": row.drifted,
    }


def alerts(connection: Connection, *, monitor_name: str | None, state: str | None) -> Rows:
    """One row for each alert, those that fire first."""
    rank = case({"firing": 0, "pending": 1, "resolved": 2}, value=alert.c.state, else_=3)
    query = (
        select(monitor.c.name.label("monitor"), alert)
        .join(monitor, monitor.c.id == alert.c.monitor_id)
        .order_by(rank, monitor.c.name, alert.c.column_name, alert.c.segment, alert.c.rule)
    )
    if monitor_name is not None:
        query = query.where(monitor.c.name == monitor_name)
    if state is not None:
        query = query.where(alert.c.state == state)
    return [
        {
            "monitor": row.monitor,
            "column": row.column_name,
            "segment": row.segment,
            "rule": row.rule,
            "state": row.state,
            "since": _when(row.since),
            "last_window": _when(row.last_window),
            "reason": row.reason,
            "fingerprint": row.fingerprint,
        }
        for row in connection.execute(query)
    ]


def alert_counts(connection: Connection) -> dict[str, int]:
    """Number of alerts by state."""
    rows = connection.execute(select(alert.c.state, func.count()).group_by(alert.c.state))
    return dict(rows.all())


def names(connection: Connection) -> list[str]:
    """Every monitor that the store knows."""
    return list(connection.execute(select(monitor.c.name).order_by(monitor.c.name)).scalars())


def document(connection: Connection, monitor_name: str) -> dict[str, Any]:
    """A monitor's newest definition.

    Raises
    ------
    StoreError
        Where no monitor is called so.
    """
    query = (
        select(definition.c.document)
        .join(monitor, monitor.c.id == definition.c.monitor_id)
        .where(monitor.c.name == monitor_name)
        .order_by(definition.c.used_at.desc(), definition.c.id.desc())
        .limit(1)
    )
    found: dict[str, Any] | None = connection.execute(query).scalar_one_or_none()
    if found is None:
        known = ", ".join(names(connection))
        told = f"it has: {known}" if known else "it is empty: `drift run` fills it"
        raise StoreError(f"the store has no monitor called {monitor_name!r}; {told}")
    return found
