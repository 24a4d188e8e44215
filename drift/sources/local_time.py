"""Local times without a zone and the instants they stand for, by one rule for all engines.

A local time that occurs twice (clocks set back) means the earlier instant. A skipped local time (clocks set forward)
means the moment of the jump. So do Arrow's kernels (`drift.sources.frames.instants.as_instants`). Local times
therefore keep the order of their instants, and a window of instants is one range of local times.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_TICK: Final = timedelta(microseconds=1)


def instant_of(local: datetime, timezone: ZoneInfo) -> datetime:
    """Return the instant that a local time stands for.

    Parameters
    ----------
    local : datetime
        Without a time zone.
    timezone : ZoneInfo
        Zone of the local time.

    Returns
    -------
    datetime
        In UTC.
    """
    instant = local.replace(tzinfo=timezone).astimezone(UTC)
    if _local_time(instant, timezone) == local:
        return instant
    before = local.replace(tzinfo=timezone, fold=1).astimezone(UTC)
    offset = before.astimezone(timezone).utcoffset()
    return _first(before, instant, lambda moment: moment.astimezone(timezone).utcoffset() != offset)


def first_local_time(instant: datetime, timezone: ZoneInfo) -> datetime:
    """Return the first local time whose instant is not before `instant`.

    Parameters
    ----------
    instant : datetime
        With a time zone.
    timezone : ZoneInfo
        Zone of the local time.

    Returns
    -------
    datetime
        Without a time zone.
    """
    local = instant.astimezone(timezone)
    if local.fold:  # an hour shown for the second time: no local time means it, the next that means a later one follows
        shown_once = local.replace(fold=0).astimezone(UTC)
        setback = _first(shown_once, instant.astimezone(UTC), lambda moment: moment.astimezone(timezone).fold == 1)
        return _local_time(setback - _TICK, timezone) + _TICK
    # At a jump forward, the skipped local times mean the moment of the jump too.
    return min(local.replace(tzinfo=None, fold=0), _local_time(instant - _TICK, timezone) + _TICK)


def _local_time(instant: datetime, timezone: ZoneInfo) -> datetime:
    return instant.astimezone(timezone).replace(tzinfo=None, fold=0)


def _first(low: datetime, high: datetime, holds: Callable[[datetime], bool]) -> datetime:
    """Return the first microsecond after `low` from which a condition holds; it holds at `high`."""
    while high - low > _TICK:
        middle = low + (high - low) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
