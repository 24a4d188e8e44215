"""Local times and instants agree with Arrow around the nights in which clocks are set."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from drift.sources.frames.instants import as_instants
from drift.sources.local_time import first_local_time, instant_of

TICK = timedelta(microseconds=1)
ZONES = ("America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC")
NIGHTS = (
    *("2017-10-14", "2018-02-17", "2018-11-03", "2011-03-12", "2011-11-05", "2011-04-02", "2011-10-01"),
    *("2011-03-26", "2011-10-29"),
)


def arrow_instants(local: list[datetime], zone: ZoneInfo) -> list[datetime]:
    column = pa.chunked_array([pa.array(local, pa.timestamp("us"))])
    return list(as_instants(column, "t", zone).to_pylist())


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("night", NIGHTS)
def test_local_times_agree_with_arrow(zone: str, night: str) -> None:
    timezone, start = ZoneInfo(zone), datetime.fromisoformat(night)
    local = [start + timedelta(minutes=10 * i) for i in range(2 * 144)]
    instants = arrow_instants(local, timezone)
    assert [instant_of(time, timezone) for time in local] == instants
    for edge in sorted({instant + timedelta(minutes=5 * i) for instant in instants for i in (-1, 0, 1)}):
        first = first_local_time(edge, timezone)
        assert [instant >= edge for instant in instants] == [time >= first for time in local], edge
        assert instant_of(first - TICK, timezone) < edge <= instant_of(first, timezone)


def test_a_skipped_day_means_the_moment_of_the_jump() -> None:
    """Samoa skipped 30 December 2011."""
    timezone, jump = ZoneInfo("Pacific/Apia"), datetime(2011, 12, 30, 10, tzinfo=UTC)
    local = [datetime(2011, 12, 30) + timedelta(hours=i) for i in range(25)]  # noqa: DTZ001
    assert arrow_instants(local, timezone) == [instant_of(time, timezone) for time in local] == [jump] * 25
    assert first_local_time(jump, timezone) == local[0]
