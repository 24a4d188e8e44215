"""Windows on wall clocks: which local times, written without a zone, lie in a window of instants."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_TICK = timedelta(microseconds=1)


def wall_clock(moment: datetime, timezone: ZoneInfo) -> datetime:
    """The first local time whose instant is not before a moment.

    Where clocks are set back the earlier of two instants is meant, where they are set forward the moment of
    the jump (as in `drift.sources.frames.instants.as_instants`): so local times keep the order of their instants, and a
    window of instants is one stretch of local times.

    Parameters
    ----------
    moment : datetime
        With a time zone.
    timezone : ZoneInfo
        Of the local times.

    Returns
    -------
    datetime
        Without a time zone.
    """
    local = moment.astimezone(timezone)
    if local.fold:  # the second time around: no local time means it; the next one that does follows the hour
        start = _setback(moment, timezone)
        return _plain(start - _TICK, timezone) + _TICK
    before = _plain(moment - _TICK, timezone)
    # At a jump forward, the skipped local times mean the moment of the jump too.
    return min(local.replace(tzinfo=None, fold=0), before + _TICK)


def _plain(moment: datetime, timezone: ZoneInfo) -> datetime:
    return moment.astimezone(timezone).replace(tzinfo=None, fold=0)


def _setback(moment: datetime, timezone: ZoneInfo) -> datetime:
    """The moment at which clocks were set back, before one that they show for the second time."""
    local = moment.astimezone(timezone)
    before, after = local.replace(fold=0).astimezone(UTC), moment.astimezone(UTC)
    while after - before > _TICK:
        middle = before + (after - before) // 2
        if middle.astimezone(timezone).fold:
            after = middle
        else:
            before = middle
    return after
