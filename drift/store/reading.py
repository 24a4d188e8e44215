"""What is stored, as rows of the JSON contract: plain values, times as ISO 8601 in UTC."""

from datetime import datetime
from typing import Any, Literal

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


def _narrowed(
    query: Select[Any], monitor_name: str | None, since: datetime | None, until: datetime | None
) -> Select[Any]:
    if monitor_name is not None:
        query = query.where(monitor.c.name == monitor_name)
    if since is not None:
        query = query.where(window.c.start_at >= since)
    return query if until is None else query.where(window.c.start_at < until)


def _when(moment: datetime | None) -> str | None:
    return None if moment is None else format_instant(moment)


def scores(
    connection: Connection,
    *,
    monitor_name: str | None,
    column: str | None,
    since: datetime | None,
    until: datetime | None,
    segment: str | None,
    revisions: Revisions,
) -> Rows:
    """One row for each column of each window and segment, oldest window first."""
    query = (
        select(
            monitor.c.name.label("monitor"),
            profile.c.segment,
            watched_column.c.name.label("column"),
            window.c.start_at,
            window.c.end_at,
            revision.c.number,
            method.c.metric,
            *(score.c[n] for n in ("value", "noise_floor", "p_value", "detectable", "threshold_drift")),
            *(score.c[n] for n in ("windows", "level", "verdict", "message")),
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
        query = query.where(watched_column.c.name == column)
    if segment is not None:
        query = query.where(profile.c.segment == segment)
    return [_score(row) for row in connection.execute(query)]


def _score(row: Any) -> dict[str, Any]:
    return {
        "monitor": row.monitor,
        "segment": row.segment,
        "column": row.column,
        "window_start": format_instant(row.start_at),
        "window_end": format_instant(row.end_at),
        "revision": row.number,
        "metric": row.metric,
        "score": row.value,
        "noise_floor": row.noise_floor,
        "p_value": row.p_value,
        "detectable": row.detectable,
        "threshold": row.threshold_drift,
        "level": row.level,
        "reference_windows": row.windows,
        "verdict": row.verdict,
        "message": row.message,
    }


def windows(
    connection: Connection,
    *,
    monitor_name: str | None,
    since: datetime | None,
    until: datetime | None,
    revisions: Revisions,
) -> Rows:
    """One row for each planned window (and, with `all`, each of its revisions), oldest first."""
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
    return [_window(row) for row in connection.execute(_narrowed(query, monitor_name, since, until))]


def _window(row: Any) -> dict[str, Any]:
    return {
        "monitor": row.monitor,
        "window_start": format_instant(row.start_at),
        "window_end": format_instant(row.end_at),
        "revision": row.number,
        "status": row.status,
        "verdict": row.verdict,
        "rows": row.rows,
        "attempts": row.attempts,
        "due_at": format_instant(row.due_at),
        "next_attempt_at": format_instant(row.next_attempt_at) if row.status == "due" else None,
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
