"""Keeping what has to be kept, and no more: old windows lose their histograms and scores, a few at a time."""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from drift.monitors.spec import Monitor
from drift.store import Store

PRUNE_LIMIT: Final = 200
"""Windows one call of `prune_monitors` takes: a tick is not held up; a year of many monitors is through in days."""

PRUNE_BATCH: Final = 10
"""Windows in one transaction: no other writer waits for more."""

log = logging.getLogger(__name__)


def prune_monitors(store: Store, monitors: Iterable[Monitor], now: datetime, most: int = PRUNE_LIMIT) -> int:
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
        while left > 0 and (some := store.thin(one.name, before, min(left, PRUNE_BATCH))):
            gone, left = gone + some, left - some
        if gone:
            told = "%s: histograms and scores of %d windows that began longer than %s ago are dropped"
            log.info(told, one.name, gone, one.keep, extra={"fields": {"monitor": one.name, "windows": gone}})
    return most - left
