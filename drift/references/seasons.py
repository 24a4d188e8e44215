"""When the windows are that one is held to by season: the same hour of the week, earlier."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from drift.monitors.spec import MAX_SHORT_SEASON, WEEK, Monitor
from drift.monitors.window import Window

MAX_SEASONS: Final = 400
"""Of windows with a reference each of their own, so many of the newest are learned from."""


def history_span(monitor: Monitor, start: datetime) -> datetime:
    """How far back a window that starts at `start` needs others: those learned from, and what they are held to."""
    return (
        start - MAX_SEASONS * monitor.period.length - monitor.reference_lookback - WEEK
    )  # a week for calendars that shift


@dataclass(frozen=True, slots=True)
class Seasons:
    """When the windows are that one is held to by season."""

    monitor: Monitor

    def starts(self, window: Window) -> list[datetime]:
        """When the windows begin that it is held to: newest first up to `MAX_SHORT_SEASON`, oldest first beyond."""
        reference = self.monitor.reference
        season, number = reference.seasonal or WEEK, reference.windows
        if season <= MAX_SHORT_SEASON:
            return [self._earlier(window.start, season * j) for j in range(1, number + 1)]
        return [self._earlier(window.start, season - WEEK * k) for k in range(-(number // 2), number - number // 2)]

    def _earlier(self, start: datetime, length: timedelta) -> datetime:
        """Days and weeks by the monitor's calendar, minutes and hours by the clock in UTC, as its windows are."""
        if self.monitor.period.unit in {"m", "h"}:
            return start - length
        local = start.astimezone(self.monitor.timezone).replace(tzinfo=None) - length
        return local.replace(tzinfo=self.monitor.timezone).astimezone(UTC)
