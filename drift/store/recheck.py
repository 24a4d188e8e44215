"""Second looks at windows that were checked: whose source may look otherwise by now, and which wait for theirs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update

from drift.monitors.window import Window
from drift.store.tables import monitor, revision, window

LATE = "late"  # the cause of a window that waits for its second look
ABANDONED = "given_up"  # stands in a revision's source: nothing was read of the window, and no second look is taken


@dataclass(frozen=True, slots=True)
class CheckedWindow:
    """A window that was checked.

    Parameters
    ----------
    id : int
        Its key.
    window : Window
        The interval.
    seen : str or None
        Digest of what its source looked like when a second look was taken last; None where none was since it was
        counted.
    source : mapping
        What its source looked like when it was counted (`Source.provenance`).
    rows : int
        Rows that were counted.
    """

    id: int
    window: Window
    seen: str | None
    source: Mapping[str, Any]
    rows: int


def ended_since(connection: Connection, monitor_id: int, since: datetime) -> list[CheckedWindow]:
    """Checked windows that ended after an instant, oldest first, with what their source looked like.

    None that was given up, nor any that was thinned out: there is nothing to hold a second look against.
    """
    kept = or_(monitor.c.thinned_until.is_(None), window.c.start_at > monitor.c.thinned_until)
    query = (
        select(window.c.id, window.c.start_at, window.c.end_at, window.c.seen, revision.c.source, revision.c.rows)
        .join(revision, (revision.c.window_id == window.c.id) & (revision.c.number == window.c.revision))
        .join(monitor, monitor.c.id == window.c.monitor_id)
        .where(window.c.monitor_id == monitor_id, window.c.status == "done", window.c.end_at > since, kept)
        .order_by(window.c.start_at)
    )
    return [
        CheckedWindow(row.id, Window(row.start_at, row.end_at), row.seen, row.source, row.rows)
        for row in connection.execute(query)
        if ABANDONED not in row.source
    ]


def look_again(connection: Connection, seen: Mapping[int, str], now: datetime) -> int:
    """Make checked windows due once more, each for a source that looks like this by now."""
    again = 0
    for key, looks in seen.items():
        change = update(window).where(window.c.id == key, window.c.status == "done")
        change = change.values(status="due", next_attempt_at=now, attempts=0, cause=LATE, seen=looks)
        again += connection.execute(change).rowcount
    return again


def is_looking(connection: Connection, monitor_id: int) -> bool:
    """Whether any window waits for its second look."""
    waits = window.c.monitor_id == monitor_id, window.c.status.in_(["due", "claimed"]), window.c.cause == LATE
    return connection.execute(select(window.c.id).where(*waits).limit(1)).first() is not None
