"""How monitors and queues stand, in time that grows with their number, not with the number of windows stored."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Function, ScalarSelect, Select, and_, func, select, text
from sqlalchemy.dialects import postgresql, sqlite

from drift.monitors.verdict import Verdict
from drift.monitors.window import format_instant
from drift.store.tables import delivery, monitor, notification, revision, tally, window


@dataclass(frozen=True, slots=True)
class MonitorStatus:
    """How one monitor stands in the store.

    Parameters
    ----------
    monitor : str
        Its name.
    verdicts : Counter of str
        Checked windows by the verdict of their newest revision.
    last : dict or None
        The newest checked window: `window_start`, `window_end`, `revision`, `verdict`, `rows`, `columns`, `drifted`,
        `message`, as `Store.windows` gives them.
    checked_until : datetime or None
        The end of that window.
    checked_at : datetime or None
        When it was checked.
    waiting : int
        Windows that are planned and neither checked nor skipped, or are to be checked again.
    overdue : int
        Those of them that are due by now.
    oldest_due : datetime or None
        Since when the oldest of these is due.
    skipped : int
        Windows that were skipped.
    """

    monitor: str
    verdicts: Counter[str] = field(default_factory=Counter)
    last: dict[str, Any] | None = None
    checked_until: datetime | None = None
    checked_at: datetime | None = None
    waiting: int = 0
    overdue: int = 0
    oldest_due: datetime | None = None
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class ChannelQueue:
    """Deliveries that wait for one channel.

    Parameters
    ----------
    channel : str
        Its name.
    waiting : int
        How many.
    since : datetime
        When the oldest of them was made.
    """

    channel: str
    waiting: int
    since: datetime


def count(connection: Connection, monitor_id: int, before: Verdict | None, after: Verdict) -> None:
    """Count a window's new verdict in place of the one it had. The monitor's row is locked by the caller."""
    changes = {after: 1} if before is None else {before: -1, after: 1}
    if before is after:
        return
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    new = insert(tally)
    added = new.on_conflict_do_update(
        index_elements=[tally.c.monitor_id, tally.c.verdict],
        set_={"windows": tally.c.windows + new.excluded.windows},
    )
    rows = [{"monitor_id": monitor_id, "verdict": verdict.value, "windows": by} for verdict, by in changes.items()]
    connection.execute(added, rows)


def standings(connection: Connection, now: datetime) -> list[MonitorStatus]:
    """Every monitor that the store knows, by name."""
    verdicts: dict[int, Counter[str]] = {}
    for row in connection.execute(select(tally).where(tally.c.windows != 0)):
        verdicts.setdefault(row.monitor_id, Counter())[row.verdict] = row.windows
    return [
        MonitorStatus(
            monitor=row.name,
            verdicts=verdicts.get(row.monitor_id, Counter()),
            last=None if row.start_at is None else _last(row),
            checked_until=row.end_at,
            checked_at=row.counted_at,
            waiting=row.waiting,
            overdue=row.overdue,
            oldest_due=row.oldest_due,
            skipped=row.skipped,
        )
        for row in connection.execute(_monitors(now))
    ]


def _monitors(now: datetime) -> Select[Any]:
    """Each monitor with its newest checked window and its queue: some steps into indexes, past what waits.

    Subqueries of each monitor, not joins: SQLite would walk through all windows to join them to their monitors.
    """
    newest = (
        select(window.c.id)
        .where(window.c.monitor_id == monitor.c.id, window.c.revision > 0)
        .order_by(window.c.start_at.desc(), window.c.end_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    waits, due = window.c.status.in_(["due", "claimed"]), window.c.due_at <= now
    each = select(
        monitor.c.id,
        monitor.c.name,
        newest.label("window_id"),
        _theirs(func.count(), waits).label("waiting"),
        _theirs(func.count(), waits, due).label("overdue"),
        _theirs(func.min(window.c.due_at), waits, due).label("oldest_due"),
        _theirs(func.count(), window.c.status == "skipped").label("skipped"),
    ).subquery()
    return (
        select(
            each.c.id.label("monitor_id"),
            *(each.c[n] for n in ("name", "waiting", "overdue", "oldest_due", "skipped")),
            *(window.c[n] for n in ("start_at", "end_at", "last_error")),
            *(revision.c[n] for n in ("number", "verdict", "rows", "columns", "drifted", "message", "counted_at")),
        )
        .select_from(each)
        .outerjoin(window, window.c.id == each.c.window_id)
        .outerjoin(revision, and_(revision.c.window_id == window.c.id, revision.c.number == window.c.revision))
        .order_by(each.c.name)
    )


def _theirs(what: Function[Any], *which: ColumnElement[bool]) -> ScalarSelect[Any]:
    """Of the windows of the monitor asked about."""
    return select(what).select_from(window).where(window.c.monitor_id == monitor.c.id, *which).scalar_subquery()


def _last(row: Any) -> dict[str, Any]:
    return {
        "window_start": format_instant(row.start_at),
        "window_end": format_instant(row.end_at),
        "revision": row.number,
        "verdict": row.verdict,
        "rows": row.rows,
        "columns": row.columns,
        "drifted": row.drifted,
        "message": row.last_error or row.message or "",
    }


def lines(connection: Connection) -> list[ChannelQueue]:
    """Deliveries that wait, by channel."""
    query = (
        select(delivery.c.channel, func.count(), func.min(notification.c.created_at))
        .join(notification, notification.c.id == delivery.c.notification_id)
        .where(delivery.c.status == "pending")
        .group_by(delivery.c.channel)
        .order_by(delivery.c.channel)
    )
    return [ChannelQueue(*row) for row in connection.execute(query)]


def size(connection: Connection) -> int:
    """Bytes of the whole database, free pages included; of SQLite, without its write-ahead log."""
    if connection.dialect.name == "postgresql":
        asked = "SELECT pg_database_size(current_database())"
    else:
        asked = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    found: int = connection.execute(text(asked)).scalar_one()
    return found
