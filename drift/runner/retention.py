"""Retention: drop the histograms and scores of old windows, a few at a time."""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from drift.monitors.spec import Monitor
from drift.monitors.window import format_duration
from drift.store import Store

PRUNE_LIMIT: Final = 200
"""Windows pruned by one call of `prune_monitors`: short enough for a tick; a year of many monitors takes days."""

PRUNE_BATCH: Final = 10
"""Windows in one transaction: no other writer waits for more."""

log = logging.getLogger(__name__)


def prune_monitors(store: Store, monitors: Iterable[Monitor], now: datetime, limit: int = PRUNE_LIMIT) -> int:
    """Drop the histograms and scores of windows older than the `keep` of their monitor; return the number of windows.

    Monitors without `keep` keep everything. One call prunes at most `limit` windows, oldest first in each monitor;
    later calls take the rest.

    Raises
    ------
    StoreError
        If the store fails. Windows pruned before that stay pruned.
    """
    remaining = limit
    for monitor in monitors:
        if monitor.keep is None or remaining <= 0:
            continue
        before, pruned = now - monitor.keep, 0
        while remaining > 0 and (batch := store.windows.prune(monitor.name, before, min(remaining, PRUNE_BATCH))):
            pruned, remaining = pruned + batch, remaining - batch
        if pruned:
            log.info(
                "%s: dropped the histograms and scores of %d windows that began more than %s ago",
                monitor.name,
                pruned,
                format_duration(monitor.keep),
                extra={"fields": {"monitor": monitor.name, "windows": pruned}},
            )
    return limit - remaining
