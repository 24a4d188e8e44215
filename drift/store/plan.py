"""Which windows there are: planned, asked for by hand, left out."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, case, func, not_, null, select, update

from drift.monitors.window import Window
from drift.store.definitions import Definition
from drift.store.dimension_keys import insert_new
from drift.store.tables import window

Planned = Sequence[tuple[Window, datetime]]
CHECK = "check"
BACKFILL = "backfill"  # asked for by hand and never checked before: never skipped, and no news where it is of the past


def plan(connection: Connection, definition: Definition, windows: Planned, kind: str, cause: str | None = None) -> int:
    """Insert the windows that are not there yet; gives their number."""
    rows = [
        {
            "monitor_id": definition.monitor_id,
            "definition_id": definition.id,
            "start_at": interval.start,
            "end_at": interval.end,
            "kind": kind,
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


def plan_again(connection: Connection, definition: Definition, windows: Planned) -> int:
    """Insert the missing ones and make all others due that no worker has in hand; gives the number of both.

    Those that wait for a second look or a retry are among them: they are asked for now, and with whatever rules hold.
    """
    again = 0
    of_its_own = and_(window.c.status == "due", window.c.cause.is_distinct_from(BACKFILL))
    cause = case((and_(window.c.revision == 0, not_(of_its_own)), BACKFILL), else_=null())
    for interval, due_at in windows:
        again += connection.execute(
            update(window)
            .where(
                window.c.monitor_id == definition.monitor_id,
                window.c.start_at == interval.start,
                window.c.end_at == interval.end,
                window.c.kind == CHECK,
                window.c.status.in_(["due", "done", "failed", "skipped"]),
            )
            .values(status="due", due_at=due_at, next_attempt_at=due_at, attempts=0, last_error=None, cause=cause)
        ).rowcount
    return again + plan(connection, definition, windows, CHECK, BACKFILL)


def overdue(monitor_id: int, before: datetime) -> tuple[ColumnElement[bool], ...]:
    """Which windows were due before an instant and nobody ever began, nor asked for."""
    return (
        window.c.monitor_id == monitor_id,
        window.c.status == "due",
        window.c.due_at < before,
        window.c.attempts == 0,
        window.c.revision == 0,
        window.c.cause.is_distinct_from(BACKFILL),
    )


def has_overdue(connection: Connection, monitor_id: int, before: datetime) -> bool:
    """Whether there is any window to skip."""
    return connection.execute(select(window.c.id).where(*overdue(monitor_id, before)).limit(1)).first() is not None


def skip(connection: Connection, monitor_id: int, before: datetime, reason: str) -> int:
    """Leave out windows that were due before an instant; gives their number."""
    left = update(window).where(*overdue(monitor_id, before)).values(status="skipped", last_error=reason)
    return connection.execute(left).rowcount


def last_planned_end(connection: Connection, monitor_id: int) -> datetime | None:
    """The end of the newest window that any definition of the monitor planned."""
    newest = select(func.max(window.c.end_at)).where(window.c.monitor_id == monitor_id)
    found: datetime | None = connection.execute(newest).scalar_one()
    return found


def counts(connection: Connection) -> dict[str, int]:
    """Number of windows by status."""
    rows = connection.execute(select(window.c.status, func.count()).group_by(window.c.status))
    return dict(rows.all())
