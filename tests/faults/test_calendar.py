"""Every change of clocks in ten zones, 2024 to 2030: each row lies in exactly one window of any length."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from drift.monitors.window import Period

ZONES = (
    "America/New_York",
    "America/Sao_Paulo",  # a zone without changes
    "America/Santiago",  # at midnight
    "America/St_Johns",
    "Africa/Cairo",  # at midnight
    "Africa/Casablanca",  # around Ramadan, negative
    "Asia/Beirut",  # at midnight
    "Australia/Lord_Howe",  # by half an hour
    "Europe/Berlin",
    "Pacific/Chatham",  # at 2:45
)
QUARTER = timedelta(minutes=15)
FROM, UNTIL = datetime(2024, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)


def changes(zone: ZoneInfo) -> list[datetime]:
    """Return the quarters of an hour in which the offset from UTC changes."""
    quarters = [FROM + n * QUARTER for n in range((UNTIL - FROM) // QUARTER)]
    days = quarters[::96]
    instants = []
    for before, after in pairwise(days):
        if before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            inner = [before + n * QUARTER for n in range(97)]
            instants += [
                b for a, b in pairwise(inner) if a.astimezone(zone).utcoffset() != b.astimezone(zone).utcoffset()
            ]
    return instants


@pytest.mark.parametrize("name", ZONES)
def test_rows_lie_in_one_window_at_changes_of_clocks(name: str) -> None:
    zone = ZoneInfo(name)
    moments = changes(zone)
    assert bool(moments) == (name != "America/Sao_Paulo")
    for change in moments or [datetime(2024, 10, 20, 3, tzinfo=UTC)]:
        rows = [change - timedelta(days=1, hours=12) + n * QUARTER for n in range(4 * 72)]
        for text in ("15m", "1h", "6h", "1d", "1w"):
            windows = list(Period.parse(text).windows(rows[0], rows[-1] + timedelta(days=8), zone))
            assert windows[0].start <= rows[0]
            assert all(window.end == following.start for window, following in pairwise(windows)), "no gap, no overlap"
            starts = [window.start for window in windows]
            for row in rows:
                window = windows[bisect_right(starts, row) - 1]
                assert window.start <= row < window.end
                assert window == Period.parse(text).window_at(row, zone)


@pytest.mark.parametrize("name", ZONES)
def test_days_are_calendar_days_at_changes_of_clocks(name: str) -> None:
    zone = ZoneInfo(name)
    for change in changes(zone):
        by_window: dict[datetime, set[object]] = {}
        for row in (change - timedelta(days=2) + n * QUARTER for n in range(4 * 96)):
            window = Period.parse("1d").window_at(row, zone)
            by_window.setdefault(window.start, set()).add(row.astimezone(zone).date())
        dates = [dates for _, dates in sorted(by_window.items())]
        assert all(len(days) == 1 for days in dates)
        assert len(set.union(*dates)) == len(dates)
