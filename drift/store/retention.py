"""Old windows are thinned out: histograms and scores go; verdicts, messages, alerts and events stay.

How far that has come stands with the monitor (`thinned_until`), so that a look which finds nothing to do costs one
step into an index. A window that is checked once more after it was thinned out sets the mark back.
"""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, Select, bindparam, delete, func, select, update

from drift.monitor import Monitor
from drift.store.tables import histogram, monitor, profile, revision, score, window
from drift.store.types import Instant

if TYPE_CHECKING:
    from drift.store.store import Store

MOST: Final = 200
"""Windows that one call of `thin_out` takes: a tick is not held up, and a year of many monitors is through in days."""

AT_ONCE: Final = 10
"""Windows in one transaction: no other writer waits for more."""

_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_LEAST: Final = timedelta(microseconds=1)

log = logging.getLogger(__name__)


def thin_out(store: "Store", monitors: Iterable[Monitor], now: datetime, most: int = MOST) -> int:
    """Drop what monitors with a `keep` need not keep any longer.

    Parameters
    ----------
    store : Store
        Where it is kept.
    monitors : iterable of Monitor
        One without `keep` keeps everything.
    now : datetime
        The time, with a time zone.
    most : int
        Windows of all monitors together, the oldest of each first; what is left over is for the next call.

    Returns
    -------
    int
        How many windows were thinned out.

    Raises
    ------
    StoreError
        Where the store fails; what was dropped before that stays dropped.
    """
    left = most
    for one in monitors:
        if one.keep is None or left <= 0:
            continue
        before, gone = now - one.keep, 0
        while left > 0 and (some := store.thin(one.name, before, min(left, AT_ONCE))):
            gone, left = gone + some, left - some
        if gone:
            told = "%s: histograms and scores of %d windows that began longer than %s ago are dropped"
            log.info(told, one.name, gone, one.keep, extra={"fields": {"monitor": one.name, "windows": gone}})
    return most - left


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
