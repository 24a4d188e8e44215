"""Planning windows: they become due, due again for a backfill, or skipped."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, case, not_, null, select, update

from drift.monitors.window import Window
from drift.store.dimension_keys import insert_new
from drift.store.monitors import Definition
from drift.store.tables import window
from drift.store.work_items import BACKFILL, CHECK

DueWindows = Sequence[tuple[Window, datetime]]
"""Windows, each with the instant it is due."""


def insert_windows(
    connection: Connection, definition: Definition, windows: DueWindows, cause: str | None = None
) -> int:
    """Insert the windows that do not exist yet; return their number."""
    rows = [
        {
            "monitor_id": definition.monitor_id,
            "definition_id": definition.id,
            "start_at": interval.start,
            "end_at": interval.end,
            "kind": CHECK,
            "status": "due",
            "due_at": due_at,
            "next_attempt_at": due_at,
            "attempts": 0,
            "token": 0,
            "revision": 0,
            "cause": cause,
        }
        for interval, due_at in windows
    ]
    if not rows:
        return 0
    return len(connection.execute(insert_new(connection, window).returning(window.c.id), rows).all())


def make_due(connection: Connection, definition: Definition, interval: Window, due_at: datetime) -> int:
    """Make an existing window due unless a worker has claimed it; return how many are (0 or 1)."""
    planned = and_(window.c.status == "due", window.c.cause.is_distinct_from(BACKFILL))
    cause = case((and_(window.c.revision == 0, not_(planned)), BACKFILL), else_=null())
    return connection.execute(
        update(window)
        .where(window.c.monitor_id == definition.monitor_id, window.c.kind == CHECK)
        .where(window.c.start_at == interval.start, window.c.end_at == interval.end)
        .where(window.c.status.in_(["due", "done", "failed", "skipped"]))
        .values(status="due", due_at=due_at, next_attempt_at=due_at, attempts=0, last_error=None, cause=cause)
    ).rowcount


def overdue_windows(monitor_id: int, before: datetime) -> Select[tuple[int]]:
    """Select the windows that were due before an instant and never begun; not those of a backfill."""
    return select(window.c.id).where(*_is_overdue(monitor_id, before))


def skip_windows(connection: Connection, monitor_id: int, before: datetime, reason: str) -> int:
    """Set the windows of `overdue_windows` to `skipped`; return their number."""
    skipped = update(window).where(*_is_overdue(monitor_id, before))
    return connection.execute(skipped.values(status="skipped", last_error=reason)).rowcount


def _is_overdue(monitor_id: int, before: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        window.c.monitor_id == monitor_id,
        window.c.status == "due",
        window.c.due_at < before,
        window.c.attempts == 0,
        window.c.revision == 0,
        window.c.cause.is_distinct_from(BACKFILL),
    )
