"""Which windows there are, and when each is to be checked. The truth is in the store; this only lays them out."""

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from drift.failpoints import reach
from drift.monitors.spec import Monitor
from drift.monitors.window import Window, due_at, format_duration
from drift.sources import Source
from drift.store import Definition, Store

log = logging.getLogger(__name__)


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
    span = None if monitor.reference.window is not None else source.span()
    if (stretch := monitor.stretch(span)) is not None:
        # A window that the reference reaches into would be held against itself: the next one is the first.
        around = monitor.period.window_at(stretch.end, monitor.timezone)
        return stretch.end if around.start == stretch.end else around.end
    return None if span is None else span[0]


def plan(store: Store, monitor: Monitor, source: Source, now: datetime) -> Definition:
    """Plan what has closed since the last window planned; nothing is planned twice, and only `catch_up` skips any."""
    definition = store.define(monitor.name, monitor.document, now)
    reach("planning")
    planned_until = store.last_planned_end(definition.monitor_id)
    store.plan(definition, new_windows(monitor, source, planned_until, now), now)
    reach("planned")
    if monitor.catch_up is not None:
        most = format_duration(monitor.catch_up)
        told = f"skipped: it was due for longer than catch_up: {most} allows; `drift backfill` checks it"
        skipped = store.skip(definition.monitor_id, now - monitor.catch_up, told)
        if skipped:
            log.warning("%s: %d windows are skipped, due for longer than catch_up allows", monitor.name, skipped)
    return definition


def plan_rechecks(store: Store, monitor: Monitor, source: Source, definition: Definition, now: datetime) -> int:
    """Make windows of the `lookback` due once more, where the source is not what it was when they were counted.

    Of a source that counts them cheaply, a window's rows tell; else what its provenance says of all rows. None are
    looked at before the last looks are through: where they take long, the last ones would never have their turn.

    Returns
    -------
    int
        How many.

    Raises
    ------
    SourceError
        Where it cannot be seen what the source is.
    """
    if not monitor.lookback or store.is_looking(definition.monitor_id):
        return 0
    ended = store.ended_since(definition.monitor_id, now - monitor.lookback)
    if not ended:
        return 0
    numbers = source.row_counts([one.window for one in ended])
    looks: list[Mapping[str, Any]]
    if numbers is not None:
        before: list[Mapping[str, Any]] = [{"rows": one.rows} for one in ended]
        looks = [{"rows": number} for number in numbers]
    else:
        before = [one.source for one in ended]
        looks = [source.provenance()] * len(ended)
    changed: dict[int, str] = {}
    for one, then, by_now in zip(ended, before, looks, strict=True):
        if (seen := store.fingerprint(by_now)) != (one.seen or store.fingerprint(then)):
            changed[one.id] = seen
    return store.look_again(changed, now) if changed else 0


def backfill(store: Store, monitor: Monitor, source: Source, since: datetime, until: datetime, now: datetime) -> int:
    """Make all windows of a past stretch due (again); `run_monitor` then checks them. Returns how many.

    A reference that was given up is read again: whoever asks by hand has seen to it, or wants to see.
    """
    # First what is behind: planning goes on from the newest window, and would never come back for those before it.
    definition = plan(store, monitor, source, now)
    store.forget_readings(definition.monitor_id, now)
    wanted = [(window, now) for window, _ in windows_between(monitor, since, min(until, now))]
    return store.plan_again(definition, wanted, now)
