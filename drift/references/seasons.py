"""The windows of a seasonal reference: the same hour of the week, earlier."""

from datetime import UTC, datetime, timedelta
from typing import Final

from drift.monitors.spec import MAX_SHORT_SEASON, WEEK, Monitor
from drift.monitors.window import Window

MAX_SEASONS: Final = 400
"""Newest windows, each with its own seasonal reference, that limits are learned from."""


def history_start(monitor: Monitor, start: datetime) -> datetime:
    """Return the start of the history that a window at `start` needs: for learning limits, and for their references."""
    learning = MAX_SEASONS * monitor.period.length
    return start - learning - monitor.reference_lookback - WEEK  # a week for shifts of the calendar


def season_starts(monitor: Monitor, window: Window) -> list[datetime]:
    """Return the starts of the reference windows: newest first up to `MAX_SHORT_SEASON`, oldest first beyond."""
    season, number = monitor.reference.seasonal or WEEK, monitor.reference.windows
    if season <= MAX_SHORT_SEASON:
        return [_earlier(monitor, window.start, season * j) for j in range(1, number + 1)]
    return [_earlier(monitor, window.start, season - WEEK * k) for k in range(-(number // 2), number - number // 2)]


def _earlier(monitor: Monitor, start: datetime, length: timedelta) -> datetime:
    """Go back days and weeks in the calendar of the monitor, minutes and hours in UTC, as its windows do."""
    if monitor.period.unit in {"m", "h"}:
        return start - length
    local = start.astimezone(monitor.timezone).replace(tzinfo=None) - length
    return local.replace(tzinfo=monitor.timezone).astimezone(UTC)
