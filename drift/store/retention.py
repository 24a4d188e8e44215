"""Retention: histograms and scores of old windows are deleted; verdicts, messages, alerts and events stay.

The monitor keeps how far pruning has come (`thinned_until`), so that a call with nothing to do costs one step into an
index. A window that is checked again after pruning moves that mark back.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Select, bindparam, delete, func, select, update

from drift.store.tables import histogram, monitor, profile_table, revision, score_table, window
from drift.store.types import Instant

_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_RESOLUTION: Final = timedelta(microseconds=1)


def has_prunable(connection: Connection, name: str, before: datetime) -> bool:
    """Return whether the monitor has any window to prune."""
    return connection.execute(_prunable_starts(name, before, 1)).first() is not None


def prune(connection: Connection, name: str, before: datetime, limit: int) -> int:
    """Delete histograms and scores of the oldest windows that start before an instant; return their number."""
    # The lock that writing an outcome takes: neither sees half of the other's work.
    lock = select(monitor.c.id).where(monitor.c.name == name).with_for_update(key_share=True)
    monitor_id = connection.execute(lock).scalar_one_or_none()
    starts = connection.execute(_prunable_starts(name, before, limit)).scalars().all()
    if monitor_id is None or not starts:
        return 0
    # A range of starts, so that of windows with the same start none is left.
    pruned = (window.c.monitor_id == monitor_id, window.c.start_at >= starts[0], window.c.start_at <= starts[-1])
    profiles = (
        select(profile_table.c.id)
        .join(revision, revision.c.id == profile_table.c.revision_id)
        .join(window, window.c.id == revision.c.window_id)
        .where(*pruned)
    )
    for table in (score_table, histogram):
        connection.execute(delete(table).where(table.c.profile_id.in_(profiles)))
    connection.execute(delete(profile_table).where(profile_table.c.id.in_(profiles)))
    connection.execute(update(monitor).where(monitor.c.id == monitor_id).values(thinned_until=starts[-1]))
    return len(starts)


def _prunable_starts(name: str, before: datetime, limit: int) -> Select[tuple[datetime]]:
    monitor_id = select(monitor.c.id).where(monitor.c.name == name).scalar_subquery()
    mark = select(monitor.c.thinned_until).where(monitor.c.name == name).scalar_subquery()
    # One range of the index on (monitor_id, start_at): an OR for a null mark would walk all of it.
    beyond = window.c.start_at > func.coalesce(mark, bindparam("never", _NEVER, type_=Instant))
    query = select(window.c.start_at).where(window.c.monitor_id == monitor_id, beyond, window.c.start_at < before)
    return query.order_by(window.c.start_at).limit(limit)


def reopen(connection: Connection, monitor_id: int, start: datetime) -> None:
    """Move the mark before a window that was written."""
    connection.execute(
        update(monitor)
        .where(monitor.c.id == monitor_id, monitor.c.thinned_until >= start)
        .values(thinned_until=start - _RESOLUTION)
    )
