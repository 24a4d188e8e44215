"""Which windows of a monitor exist, and when each is due. Pure: the state of source and store is passed in."""

from collections.abc import Iterator
from datetime import datetime

from drift.monitors.spec import Monitor
from drift.monitors.window import Window, due_at

Span = tuple[datetime, datetime]


def needs_span(monitor: Monitor, last_planned_end: datetime | None) -> bool:
    """Return whether the first window depends on the first and last instant of the data."""
    return last_planned_end is None and monitor.start is None and monitor.reference.window is None


def new_windows(
    monitor: Monitor, span: Span | None, last_planned_end: datetime | None, now: datetime
) -> list[tuple[Window, datetime]]:
    """Return the windows that closed after the last planned one, each with the instant it is due.

    Parameters
    ----------
    monitor : Monitor
        Gives window length, calendar, delay and schedule.
    span : tuple of datetime, or None
        First and last instant of the data; None if there are no rows, or if `needs_span` is False.
    last_planned_end : datetime or None
        End of the newest planned window; None before the first.
    now : datetime
        Only windows that have closed by then are returned.
    """
    start = last_planned_end or _first_start(monitor, span)
    return [] if start is None else list(windows_between(monitor, start, now))


def windows_between(monitor: Monitor, since: datetime, until: datetime) -> Iterator[tuple[Window, datetime]]:
    """Yield the monitor's windows that closed in [since, until], each with the instant it is due."""
    until = until if monitor.end is None else min(until, monitor.end)
    for window in monitor.period.windows(since, until, monitor.timezone):
        yield window, due_at(window, monitor.delay, monitor.schedule, monitor.timezone)


def _first_start(monitor: Monitor, span: Span | None) -> datetime | None:
    """Return the configured start, else the end of the reference, else the first instant of the data."""
    if monitor.start is not None:
        return monitor.start
    if (reference := monitor.reference_range(span)) is not None:
        # A window that overlaps the reference would be compared with itself, so the next one is the first.
        last = monitor.period.window_at(reference.end, monitor.timezone)
        return reference.end if last.start == reference.end else last.end
    return None if span is None else span[0]
