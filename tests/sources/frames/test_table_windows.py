"""Rows of windows: adjacent windows hold each row with a timestamp exactly once."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.errors import SourceError
from drift.monitors.spec import Columns
from drift.monitors.window import Period, Window
from drift.sources.frames.table import Table

NEW_YORK = ZoneInfo("America/New_York")
UTC_ZONE = ZoneInfo("UTC")


def table(times: Any, type_: pa.DataType | None = None) -> Table:
    array = pa.array(times, type_)
    return Table.from_arrow(pa.table({"t": array, "x": list(range(len(array)))}))


def rows_in(window: Window, rows: Table, zone: ZoneInfo = UTC_ZONE) -> list[int]:
    column = rows.within(window, "t", zone).columns["x"]
    assert isinstance(column, pa.ChunkedArray)
    return list(column.to_pylist())


def day(zone: ZoneInfo, year: int, month: int, of_month: int) -> Window:
    return Period.parse("1d").window_at(datetime(year, month, of_month, 12, tzinfo=zone), zone)


TYPES = [pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC", "Asia/Kolkata")]


@pytest.mark.parametrize("type_", [*TYPES, pa.date32(), pa.date64()], ids=str)
@settings(max_examples=12, deadline=None)
@given(
    times=st.lists(
        st.one_of(st.none(), st.datetimes(datetime(2011, 3, 11), datetime(2011, 3, 16))),  # noqa: DTZ001 - wall clock
        min_size=1,
    ),
    length=st.sampled_from(["1h", "7h", "1d", "1w"]),
    zone=st.sampled_from(["America/New_York", "UTC", "Australia/Lord_Howe"]),
)
def test_adjacent_windows_hold_each_row_once(
    type_: pa.DataType, times: list[datetime | None], length: str, zone: str
) -> None:
    timezone = ZoneInfo(zone)
    cut = [time and time.replace(microsecond=0) for time in times]
    dates = pa.types.is_date(type_)
    rows = table([time and (time.date() if dates else time) for time in cut], type_)
    span = rows.span("t", timezone)
    if span is None:
        assert all(time is None for time in times)
        return
    first, last = span
    period = Period.parse(length)
    until = period.window_at(last, timezone).end
    windows = list(period.windows(first, until, timezone))
    parts = [rows_in(window, rows, timezone) for window in windows]
    placed = sorted(row for part in parts for row in part)
    assert placed == [row for row, time in enumerate(times) if time is not None]


def test_a_window_includes_its_start_but_not_its_end() -> None:
    start = datetime(2011, 3, 13, tzinfo=UTC)
    step = timedelta(microseconds=1)
    rows = table([start - step, start, start + timedelta(hours=1) - step, start + timedelta(hours=1)])
    assert rows_in(Window(start, start + timedelta(hours=1)), rows) == [1, 2]


def test_the_nanosecond_before_a_window_is_outside() -> None:
    start = datetime(1969, 7, 20, 20, 17, tzinfo=UTC)
    ticks = int((start - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1000
    rows = table([ticks - 1, ticks, ticks + 1], pa.timestamp("ns", "UTC"))
    assert rows_in(Window(start, start + timedelta(hours=1)), rows) == [1, 2]


def test_a_window_may_exceed_the_range_of_nanoseconds() -> None:
    rows = table([0, 2**62], pa.timestamp("ns", "UTC"))
    assert rows_in(Window(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)), rows) == [0, 1]


def test_rows_without_a_timestamp_are_in_no_window() -> None:
    rows = table([None, datetime(2011, 3, 13, 12, tzinfo=UTC), None])
    assert rows_in(day(UTC_ZONE, 2011, 3, 13), rows) == [1]
    assert table([None, None]).span("t", UTC_ZONE) is None
    assert rows_in(day(UTC_ZONE, 2011, 3, 13), table([None, None])) == []


def test_times_without_a_zone_are_the_monitors_wall_clock() -> None:
    rows = table(["2011-07-01T00:00:00", "2011-06-30T23:59:59", "2011-07-01T23:59:59"])
    assert rows_in(day(NEW_YORK, 2011, 7, 1), rows, NEW_YORK) == [0, 2]
    assert rows.span("t", NEW_YORK) == (
        datetime(2011, 6, 30, 23, 59, 59, tzinfo=NEW_YORK).astimezone(UTC),
        datetime(2011, 7, 1, 23, 59, 59, tzinfo=NEW_YORK).astimezone(UTC),
    )


@pytest.mark.parametrize(
    ("local", "instant"),
    [
        # 13 March 2011: clocks went from 02:00 EST (07:00Z) to 03:00 EDT; times between them do not exist.
        ("2011-03-13T01:59:59", datetime(2011, 3, 13, 6, 59, 59, tzinfo=UTC)),
        ("2011-03-13T02:30:00", datetime(2011, 3, 13, 7, tzinfo=UTC)),
        ("2011-03-13T03:00:00", datetime(2011, 3, 13, 7, tzinfo=UTC)),
        # 6 November 2011: 01:30 occurred as EDT (05:30Z) and again as EST (06:30Z).
        ("2011-11-06T01:30:00", datetime(2011, 11, 6, 5, 30, tzinfo=UTC)),
        ("2011-11-06T02:00:00", datetime(2011, 11, 6, 7, tzinfo=UTC)),
    ],
)
def test_times_at_a_change_of_clocks(local: str, instant: datetime) -> None:
    assert table([local]).span("t", NEW_YORK) == (instant, instant)


def test_dates_are_midnights_of_the_monitors_zone() -> None:
    rows = table([date(2011, 3, 12), date(2011, 3, 13), date(2011, 3, 14)])
    assert rows_in(day(NEW_YORK, 2011, 3, 13), rows, NEW_YORK) == [1]


@pytest.mark.parametrize(
    "text",
    [
        "2011-03-13T05:00:00Z",
        "2011-03-13 05:00:00Z",
        "2011-03-13T05:00Z",
        "2011-03-13T00:00:00-05:00",
        "2011-03-13T05:00:00.000Z",
        "2011-03-13T05:00:00.000000000Z",
        "2011-03-13",
        "2011-03-13T00:00:00",
    ],
)
@pytest.mark.parametrize("type_", [pa.string(), pa.large_string(), pa.string_view(), None], ids=str)
def test_text_in_iso_8601(text: str, type_: pa.DataType | None) -> None:
    array = pa.array([text, None], type_) if type_ is not None else pa.array([text, None]).dictionary_encode()
    midnight = datetime(2011, 3, 13, tzinfo=NEW_YORK).astimezone(UTC)
    assert table(array).span("t", NEW_YORK) == (midnight, midnight)


@pytest.mark.parametrize("times", [["yesterday"], ["13.03.2011"], ["2011-03-13", "2011-03-13T00:00:00Z"], [""]])
def test_other_text_is_refused_with_an_example(times: list[str]) -> None:
    with pytest.raises(SourceError, match=f"'t' .* {times[0]!r};") as error:
        table(times).span("t", UTC_ZONE)
    assert error.value.code == "timestamp-invalid"


@pytest.mark.parametrize("times", [[1], [1.5], [True], [timedelta(1)]])
def test_values_that_are_not_times_are_refused_with_their_type(times: list[Any]) -> None:
    rows = table(times)
    with pytest.raises(SourceError, match=re.escape(f"'t' holds {pa.array(times).type} values")) as error:
        rows.span("t", UTC_ZONE)
    assert error.value.code == "timestamp-invalid"


def test_instants_beyond_the_calendar_are_refused() -> None:
    for ticks, unit in ((2**62, "s"), (2**62, "us")):
        with pytest.raises(SourceError, match="'t'") as error:
            table([ticks], pa.timestamp(unit, "UTC")).span("t", UTC_ZONE)
        assert error.value.code == "timestamp-invalid"


def test_windows_add_up_to_all_rows() -> None:
    start = datetime(2011, 3, 1, tzinfo=UTC)
    rows = table([start + timedelta(hours=7 * i) for i in range(100)])
    whole = rows.learn(["x"], Columns())
    windows = Period.parse("1d").windows(start, start + timedelta(days=30), UTC_ZONE)
    parts = [rows.within(window, "t", UTC_ZONE).count(whole.axes) for window in windows]
    assert sum(parts[1:], parts[0]) == whole
