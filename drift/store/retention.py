"""Old windows are thinned out: histograms and scores go; verdicts, messages, alerts and events stay.

How far that has come stands with the monitor (`thinned_until`), so that a look which finds nothing to do costs one
step into an index. A window that is checked once more after it was thinned out sets the mark back.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Select, bindparam, delete, func, select, update

from drift.store.tables import histogram, monitor, profile, revision, score, window
from drift.store.types import Instant

_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_LEAST: Final = timedelta(microseconds=1)


def old(connection: Connection, name: str, before: datetime) -> bool:
    """Whether there is anything to thin out: asked in a reading transaction, so that nobody waits for the answer."""
    return connection.execute(_next(name, before, 1)).first() is not None


def thin(connection: Connection, name: str, before: datetime, most: int) -> int:
    """Drop histograms and scores of the oldest windows that start before `before`; gives the number of windows."""
    # The lock that writing an outcome takes: neither sees half of the other's work.
    lock = select(monitor.c.id).where(monitor.c.name == name).with_for_update(key_share=True)
    monitor_id = connection.execute(lock).scalar_one_or_none()
    starts = connection.execute(_next(name, before, most)).scalars().all()
    if monitor_id is None or not starts:
        return 0
    # By their start, so that none of those that start together is left behind.
    theirs = (window.c.monitor_id == monitor_id, window.c.start_at >= starts[0], window.c.start_at <= starts[-1])
    profiles = (
        select(profile.c.id)
        .join(revision, revision.c.id == profile.c.revision_id)
        .join(window, window.c.id == revision.c.window_id)
        .where(*theirs)
    )
    for table, key in ((score, score.c.profile_id), (histogram, histogram.c.profile_id), (profile, profile.c.id)):
        connection.execute(delete(table).where(key.in_(profiles)))
    connection.execute(update(monitor).where(monitor.c.id == monitor_id).values(thinned_until=starts[-1]))
    return len(starts)


def _next(name: str, before: datetime, most: int) -> Select[tuple[datetime]]:
    """Starts of the oldest windows that are not thinned out."""
    this = select(monitor.c.id).where(monitor.c.name == name).scalar_subquery()
    mark = select(monitor.c.thinned_until).where(monitor.c.name == name).scalar_subquery()
    # One range of the index on (monitor_id, start_at): an OR for a mark that is null would walk all of it.
    beyond = window.c.start_at > func.coalesce(mark, bindparam("never", _NEVER, type_=Instant))
    query = select(window.c.start_at).where(window.c.monitor_id == this, beyond, window.c.start_at < before)
    return query.order_by(window.c.start_at).limit(most)


def reopen(connection: Connection, monitor_id: int, start: datetime) -> None:
    """A window that starts then was written: it is not thinned out, or no longer."""
    connection.execute(
        update(monitor)
        .where(monitor.c.id == monitor_id, monitor.c.thinned_until >= start)
        .values(thinned_until=start - _LEAST)
    )
