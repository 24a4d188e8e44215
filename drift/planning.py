"""Which windows there are, and when each is to be checked. The truth is in the store; this only lays them out."""

from collections.abc import Iterator
from datetime import datetime

from drift.monitor import Monitor
from drift.sources import Source
from drift.store import Store
from drift.window import Window, due_at


def new_windows(
    monitor: Monitor, source: Source, last_planned_end: datetime | None, now: datetime
) -> list[tuple[Window, datetime]]:
    """The windows that have closed since the last one planned, each with the moment it is to be checked."""
    since = last_planned_end or _first(monitor, source)
    return [] if since is None else list(windows_between(monitor, since, now))


def windows_between(monitor: Monitor, since: datetime, until: datetime) -> Iterator[tuple[Window, datetime]]:
    """The monitor's windows that closed in a stretch of time, each with the moment it is to be checked."""
    until = until if monitor.end is None else min(until, monitor.end)
    for window in monitor.period.windows(since, until, monitor.timezone):
        yield window, due_at(window, monitor.delay, monitor.schedule, monitor.timezone)


def _first(monitor: Monitor, source: Source) -> datetime | None:
    """Where watching begins: as configured, else after the reference, else with the data."""
    if monitor.start is not None:
        return monitor.start
    if monitor.reference.window is not None:
        return monitor.reference.window.end
    span = source.span()
    return None if span is None else span[0]


def backfill(store: Store, monitor: Monitor, since: datetime, until: datetime, now: datetime) -> int:
    """Make all windows of a past stretch due (again); `run_monitor` then checks them. Returns how many."""
    definition = store.define(monitor.name, monitor.document, now)
    wanted = [(window, now) for window, _ in windows_between(monitor, since, min(until, now))]
    return store.plan_again(definition, wanted, now)
