"""The line of windows that wait to be checked, and those of it that workers have in hand."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Row, and_, case, func, or_, select

from drift.monitors.verdict import Verdict
from drift.monitors.window import Window
from drift.store import lease_expiry
from drift.store.recheck import LATE
from drift.store.tables import revision, window


@dataclass(frozen=True, slots=True)
class PlannedWindow:
    """A window that waits to be checked.

    Parameters
    ----------
    id : int
        Its key.
    window : Window
        The interval.
    kind : str
        What is to be done with it: `check`.
    due_at : datetime
        When it became due.
    attempts : int
        How often it was begun.
    late : bool
        It was checked before, and waits for a second look.
    lost : int
        How many of its attempts came to no end: the lease ran out, or the worker was found dead.
    """

    id: int
    window: Window
    kind: str
    due_at: datetime
    attempts: int
    late: bool = False
    lost: int = 0


@dataclass(frozen=True, slots=True)
class LeasedWindow:
    """A window that a worker is checking.

    Parameters
    ----------
    window_id, token : int
        Its key, and the fencing token of the claim.
    window : Window
        The interval.
    owner : str
        The worker, as it called itself.
    until : datetime
        When its lease ends.
    """

    window_id: int
    window: Window
    token: int
    owner: str
    until: datetime


def due(connection: Connection, monitor_id: int, now: datetime, limit: int | None) -> list[PlannedWindow]:
    """Windows to check, oldest first, up to the first that another worker holds: alerts are decided in order.

    Second looks come last: they would keep what was never checked from being checked, where each takes long.
    """
    holding = select(func.min(_start())).where(*_held(monitor_id, now)).scalar_subquery()
    query = (
        select(window)
        .where(window.c.monitor_id == monitor_id, window.c.status.in_(["due", "claimed"]), ready(now))
        .where(or_(holding.is_(None), window.c.start_at < holding))
        .order_by(case((window.c.cause == LATE, 1), else_=0), _start(), window.c.end_at, window.c.id)
        .limit(limit)
    )
    return [
        PlannedWindow(
            id=row.id,
            window=Window(row.start_at, row.end_at),
            kind=row.kind,
            due_at=row.due_at,
            attempts=row.attempts,
            late=row.cause == LATE,
            lost=_lost(connection, row),
        )
        for row in connection.execute(query).all()
    ]


def ready(now: datetime) -> ColumnElement[bool]:
    """Due, or claimed by a worker whose lease ran out."""
    return or_(
        and_(window.c.status == "due", window.c.next_attempt_at <= now),
        and_(window.c.status == "claimed", lease_expiry.over(window.c.lease_until, now)),
    )


def _start() -> ColumnElement[datetime]:
    """A window's start, not to be had from an index: SQLite would walk a year in order for the few that wait."""
    return func.coalesce(window.c.start_at, window.c.end_at)


def held(connection: Connection, monitor_id: int, now: datetime) -> list[LeasedWindow]:
    """Windows that workers hold, oldest first."""
    query = select(window).where(*_held(monitor_id, now)).order_by(_start())
    return [
        LeasedWindow(row.id, Window(row.start_at, row.end_at), row.token, row.lease_owner or "", row.lease_until)
        for row in connection.execute(query)
    ]


def _held(monitor_id: int, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        window.c.monitor_id == monitor_id,
        window.c.status == "claimed",
        lease_expiry.running(window.c.lease_until, now),
    )


def _lost(connection: Connection, row: Row[tuple[object, ...]]) -> int:
    """How many of the attempts on a window that is due came to no end."""
    return row.attempts - failures(connection, row, row.attempts) if row.attempts else 0


def failures(connection: Connection, row: Row[tuple[object, ...]], begun: int) -> int:
    """How many of so many attempts on a window gave an error: those that were written since it became due as it is.

    A second look has none: its first end is its last.
    """
    if row.cause == LATE or not begun:
        return 0
    errors = select(func.count()).where(
        revision.c.window_id == row.id,
        revision.c.verdict == Verdict.ERROR.value,
        revision.c.counted_at >= row.due_at,
    )
    return min(int(connection.execute(errors).scalar_one()), begun)
