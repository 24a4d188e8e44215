"""Planning: new windows, re-checks and backfills become rows of the store."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from drift.failpoints import reach
from drift.monitors.schedule import needs_span, new_windows, windows_between
from drift.monitors.spec import Monitor
from drift.monitors.window import Window, format_duration
from drift.sources import Source
from drift.store import Definition, Store
from drift.store.work_items import source_digest

log = logging.getLogger(__name__)


def closed_windows(
    monitor: Monitor, source: Source, last_planned_end: datetime | None, now: datetime
) -> list[tuple[Window, datetime]]:
    """Return the windows that closed after the last planned one, each with the instant it is due."""
    span = source.span() if needs_span(monitor, last_planned_end) else None
    return new_windows(monitor, span, last_planned_end, now)


def plan_windows(store: Store, monitor: Monitor, source: Source, now: datetime) -> Definition:
    """Plan the windows that closed after the last planned one, and skip those older than `catch_up` allows."""
    definition = store.monitors.define(monitor.name, monitor.document, now)
    reach("planning")
    last_planned_end = store.windows.last_planned_end(definition.monitor_id)
    store.windows.plan(definition, closed_windows(monitor, source, last_planned_end, now))
    reach("planned")
    if monitor.catch_up is not None:
        limit = format_duration(monitor.catch_up)
        reason = f"skipped: overdue for longer than `catch_up: {limit}` allows; run `drift backfill` to check it"
        skipped = store.windows.skip_overdue(definition.monitor_id, now - monitor.catch_up, reason)
        if skipped:
            log.warning(
                "%s: skipped %d windows that were overdue for longer than `catch_up: %s` allows; "
                "run `drift backfill` to check them",
                monitor.name,
                skipped,
                limit,
                extra={"code": "windows-skipped", "fields": {"monitor": monitor.name, "windows": skipped}},
            )
    return definition


def plan_rechecks(store: Store, monitor: Monitor, source: Source, definition: Definition, now: datetime) -> int:
    """Make windows of the `lookback` due again if their source changed after they were counted; return their number.

    A source that counts rows cheaply is compared by the rows of each window, any other by its provenance. No re-checks
    are planned while earlier ones are pending: if each takes long, the last ones would never be reached.

    Raises
    ------
    SourceError
        If the state of the source cannot be read.
    """
    if not monitor.lookback or store.windows.has_rechecks(definition.monitor_id):
        return 0
    checked = store.windows.checked_since(definition.monitor_id, now - monitor.lookback)
    if not checked:
        return 0
    rows = source.row_counts([one.window for one in checked])
    current: list[Mapping[str, Any]]
    if rows is not None:
        counted: list[Mapping[str, Any]] = [{"rows": one.rows} for one in checked]
        current = [{"rows": number} for number in rows]
    else:
        counted = [one.source for one in checked]
        current = [source.provenance()] * len(checked)
    changed: dict[int, str] = {}
    for one, before, after in zip(checked, counted, current, strict=True):
        if (digest := source_digest(after)) != (one.rechecked_digest or source_digest(before)):
            changed[one.id] = digest
    return store.windows.recheck(changed, now) if changed else 0


def plan_backfill(
    store: Store, monitor: Monitor, source: Source, since: datetime, until: datetime, now: datetime
) -> int:
    """Make all windows of a past range due again, and return their number; `run_monitor` then checks them.

    Crashed attempts to read the reference are forgotten: a backfill is a manual request to try again.
    """
    # Plan the backlog first: planning continues from the newest window and never returns to earlier ones.
    definition = plan_windows(store, monitor, source, now)
    store.references.forget_attempts(definition.monitor_id, now)
    windows = [(window, now) for window, _ in windows_between(monitor, since, min(until, now))]
    return store.windows.plan_backfill(definition, windows)
