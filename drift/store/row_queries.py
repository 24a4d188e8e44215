"""What is stored, as rows of the JSON contract: plain values, times as ISO 8601 in UTC."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, case, func, literal, select, type_coerce

from drift.errors import StoreError
from drift.monitors.verdict import Verdict
from drift.monitors.window import Window, format_instant
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
from drift.store.types import IsoInstant, SafeText

Revisions = Literal["newest", "all"]
JsonRows = list[dict[str, Any]]


class ResultLimitExceeded(StoreError):  # noqa: N818 - reads as what happened
    """More rows were asked for than may be given at once."""


def _rows(connection: Connection, query: Select[Any], most: int | None) -> Sequence[Any]:
    """The rows; `ResultLimitExceeded` where there are more than `most`, counted before any is sorted."""
    if most is not None:
        some = query.order_by(None)
        counted = select(func.count()).select_from(some.limit(most + 1).subquery())
        if connection.execute(counted).scalar_one() > most:
            raise ResultLimitExceeded(f"more than {most} rows")
    return connection.execute(query).all()


def _between(query: Select[Any], since: datetime | None, until: datetime | None) -> Select[Any]:
    if since is not None:
        query = query.where(window.c.start_at >= since)
    return query if until is None else query.where(window.c.start_at < until)


def _spelled(*names: str) -> Iterator[ColumnElement[Any]]:
    """Instants of a window, in words."""
    return (type_coerce(window.c[name], IsoInstant).label(name) for name in names)


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
    most: int | None = None,
) -> JsonRows:
    """One row for each column of each window and segment, oldest window first; `ResultLimitExceeded` beyond `most`."""
    monitors = _keys(connection, monitor, monitor_name)
    columns = {} if column is None else _keys(connection, watched_column, column)
    methods = dict(connection.execute(select(method.c.id, method.c.metric)).all())
    query: Select[Any] = (
        select(
            window.c.monitor_id,
            profile.c.segment,
            watched_column.c.name if column is None else literal(column, SafeText),
            *_spelled("start_at", "end_at"),
            revision.c.number,
            score.c.method_id,
            *(score.c[n] for n in ("value", "noise_floor", "p_value", "detectable", "threshold_drift")),
            *(score.c[n] for n in ("level", "windows", "verdict", "message", "code")),
        )
        .select_from(window)
        .join(revision, revision.c.window_id == window.c.id)
        .join(profile, profile.c.revision_id == revision.c.id)
        .join(score, score.c.profile_id == profile.c.id)
        .order_by(window.c.start_at, window.c.id, revision.c.number, profile.c.segment)
    )
    # By keys, not by names: a planner that cannot know that nearly all windows are of this monitor expects a few,
    # and looks for each of a year's 8,760 in three tables.
    if monitor_name is not None:
        query = query.where(window.c.monitor_id.in_(monitors))
    if column is None:
        query = query.join(watched_column, watched_column.c.id == score.c.column_id).order_by(watched_column.c.name)
    else:
        query = query.where(score.c.column_id.in_(columns))
    query = _between(query, since, until)
    if revisions == "newest":
        query = query.where(revision.c.number == window.c.revision)
    if segment is not None:
        query = query.where(profile.c.segment == segment)
    return [_score(monitors, methods, *row) for row in _rows(connection, query, most)]


def _score(
    monitors: dict[int, str],
    methods: dict[int, str],
    monitor_id: int,
    segment: str,
    column: str,
    start: str,
    end: str,
    number: int,
    method_id: int | None,
    *told: Any,
) -> dict[str, Any]:
    """One row. Written out: a column's year is 8,760 of them, and this is the quickest way to a dict."""
    value, noise_floor, p_value, detectable, threshold, level, windows, verdict, message, code = told
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


def _keys(connection: Connection, table: Table, name: str | None) -> dict[int, str]:
    """Names by their keys, of all or of those called so."""
    query = select(table.c.id, table.c.name)
    return dict(connection.execute(query if name is None else query.where(table.c.name == name)).all())


def windows(
    connection: Connection,
    *,
    monitor_name: str | None,
    since: datetime | None,
    until: datetime | None,
    revisions: Revisions,
    most: int | None = None,
) -> JsonRows:
    """One row for each planned window (and, with `all`, each of its revisions), oldest first."""
    this = revision.c.window_id == window.c.id
    if revisions == "newest":
        this = and_(this, revision.c.number == window.c.revision)
    query = (
        select(
            monitor.c.name,
            *_spelled("start_at", "end_at", "due_at", "next_attempt_at"),
            *(window.c[n] for n in ("status", "attempts", "last_error")),
            *(revision.c[n] for n in ("number", "verdict", "rows", "message", "columns", "drifted", "code")),
        )
        .select_from(window)
        .join(monitor, monitor.c.id == window.c.monitor_id)
        .outerjoin(revision, this)
        .order_by(window.c.start_at, monitor.c.name, window.c.id, revision.c.number)
    )
    if monitor_name is not None:
        query = query.where(monitor.c.name == monitor_name)
    return [_window(*row) for row in _rows(connection, _between(query, since, until), most)]


def _window(
    monitor: str,
    start: str,
    end: str,
    due_at: str,
    next_attempt_at: str,
    status: str,
    attempts: int,
    last_error: str | None,
    *told: Any,
) -> dict[str, Any]:
    number, verdict, rows, message, columns, drifted, code = told
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
        "code": None if last_error else code,  # a code belongs to the message shown
    }


def retries(connection: Connection, monitor_name: str, now: datetime) -> list[tuple[Window, datetime]]:
    """Windows that could not be checked and wait for their next attempt, oldest first, each with its instant."""
    query = (
        select(window.c.start_at, window.c.end_at, window.c.next_attempt_at)
        .join(monitor, monitor.c.id == window.c.monitor_id)
        .join(revision, and_(revision.c.window_id == window.c.id, revision.c.number == window.c.revision))
        .where(monitor.c.name == monitor_name, window.c.status == "due", window.c.next_attempt_at > now)
        .where(revision.c.verdict == Verdict.ERROR.value)
        .order_by(window.c.start_at)
    )
    return [(Window(row.start_at, row.end_at), row.next_attempt_at) for row in connection.execute(query)]


def alerts(connection: Connection, *, monitor_name: str | None, state: str | None) -> JsonRows:
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
