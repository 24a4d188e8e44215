"""Windows: calendars of several time zones, and when a window is due."""

import itertools
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.errors import InputError
from drift.monitors.window import (
    Period,
    Window,
    check_schedule,
    due_at,
    format_duration,
    format_instant,
    parse_duration,
)

DAY, WEEK, HOUR = Period(1, "d"), Period(1, "w"), Period(1, "h")
NEW_YORK = ZoneInfo("America/New_York")
ZONES = [
    "UTC",
    "America/New_York",
    "America/Sao_Paulo",  # midnight skipped in spring, until 2018
    "America/St_Johns",  # midnight twice in autumn, until 2011
    "America/Toronto",  # midnight inside a gap in 1919
    "America/Havana",
    "Asia/Kolkata",
    "Asia/Gaza",
    "Australia/Lord_Howe",  # clocks change by half an hour
    "Europe/Berlin",
    "Pacific/Apia",  # no 2011-12-30
    "Pacific/Kwajalein",  # no 1993-08-21
]
every_zone = pytest.mark.parametrize("zone", [ZoneInfo(name) for name in ZONES], ids=ZONES)
instants = st.datetimes(datetime(1915, 1, 1), datetime(2037, 12, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
periods = st.builds(Period, st.integers(1, 9), st.sampled_from("mhdw"))


def utc(*fields: int) -> datetime:
    return datetime(*fields, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("zone", "noon", "start", "hours"),
    [
        ("America/New_York", utc(2011, 3, 13, 12), utc(2011, 3, 13, 5), 23),
        ("America/New_York", utc(2011, 11, 6, 12), utc(2011, 11, 6, 4), 25),
        ("Australia/Lord_Howe", utc(2011, 10, 2, 3), utc(2011, 10, 1, 13, 30), 23.5),
        ("Australia/Lord_Howe", utc(2011, 4, 3, 3), utc(2011, 4, 2, 13), 24.5),
        ("America/Sao_Paulo", utc(2018, 11, 4, 12), utc(2018, 11, 4, 3), 23),
        ("America/St_Johns", utc(2010, 11, 7, 12), utc(2010, 11, 7, 2, 30), 25),
        ("America/Toronto", utc(1919, 3, 31, 12), utc(1919, 3, 31, 4, 30), 23.5),
        ("Pacific/Apia", utc(2011, 12, 30, 9), utc(2011, 12, 29, 10), 24),
        ("Pacific/Apia", utc(2011, 12, 30, 10), utc(2011, 12, 30, 10), 24),
        ("Asia/Kolkata", utc(2011, 3, 13, 12), utc(2011, 3, 12, 18, 30), 24),
    ],
)
def test_days_begin_at_local_midnight(zone: str, noon: datetime, start: datetime, hours: float) -> None:
    assert DAY.window_at(noon, ZoneInfo(zone)) == Window(start, start + timedelta(hours=hours))


def test_skipped_day_in_apia_has_no_window() -> None:
    apia = ZoneInfo("Pacific/Apia")
    days = [w.start.astimezone(apia).date() for w in DAY.windows(utc(2011, 12, 29), utc(2012, 1, 2), apia)]
    assert days == [date(2011, 12, 28), date(2011, 12, 29), date(2011, 12, 31), date(2012, 1, 1)]


def test_hour_before_a_repeated_midnight_is_in_one_window() -> None:
    st_johns = ZoneInfo("America/St_Johns")
    again = utc(2010, 11, 7, 2, 45)  # 23:15 on the 6th, for the second time: the 7th had lasted a minute
    assert again.astimezone(st_johns).day == 6
    assert DAY.window_at(again, st_johns).start == utc(2010, 11, 7, 2, 30)


@every_zone
@settings(max_examples=120, deadline=None)
@given(moment=instants, period=periods)
def test_every_instant_is_in_its_window(zone: ZoneInfo, moment: datetime, period: Period) -> None:
    window = period.window_at(moment, zone)
    assert window.start <= moment < window.end
    assert period.window_at(window.start, zone) == window
    assert period.window_at(window.end - timedelta(microseconds=1), zone) == window


@every_zone
@settings(max_examples=60, deadline=None)
@given(moment=instants, period=periods)
def test_windows_tile_time_without_gap_or_overlap(zone: ZoneInfo, moment: datetime, period: Period) -> None:
    span = period.window_at(moment, zone).end - period.window_at(moment, zone).start
    windows = list(period.windows(moment, moment + 5 * span, zone))
    assert windows[0] == period.window_at(moment, zone)
    assert len(windows) >= 3
    assert all(one.end == following.start for one, following in itertools.pairwise(windows))
    assert windows[-1].end <= moment + 5 * span


@every_zone
def test_every_day_of_years_with_unusual_clock_changes(zone: ZoneInfo) -> None:
    for year in (1919, 1993, 2010, 2011, 2018):
        windows = list(DAY.windows(utc(year, 1, 1), utc(year + 1, 1, 3), zone))
        for window in windows:
            # The first instant of its date: a microsecond earlier the date was an earlier one.
            last = window.start - timedelta(microseconds=1)
            assert window.start.astimezone(zone).date() > last.astimezone(zone).date()
            assert timedelta(hours=22) < window.end - window.start < timedelta(hours=26)
        assert len(windows) in {365, 366, 367}


@every_zone
@settings(max_examples=60, deadline=None)
@given(moment=instants)
def test_weeks_start_on_mondays(zone: ZoneInfo, moment: datetime) -> None:
    assert WEEK.window_at(moment, zone).start.astimezone(zone).weekday() == 0


def test_hours_are_counted_in_utc_despite_clock_changes() -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    assert HOUR.window_at(utc(2011, 3, 13, 6, 59), kolkata) == Window(utc(2011, 3, 13, 6), utc(2011, 3, 13, 7))
    hours = list(HOUR.windows(utc(2011, 11, 6, 4), utc(2011, 11, 7, 5), NEW_YORK))
    assert len(hours) == 25
    assert Period(90, "m").window_at(utc(1970, 1, 1, 1, 30), NEW_YORK).start == utc(1970, 1, 1, 1, 30)
    assert HOUR.window_at(utc(1969, 12, 31, 23, 30), NEW_YORK).start == utc(1969, 12, 31, 23)


def test_only_closed_windows_are_listed() -> None:
    assert list(DAY.windows(utc(2020, 1, 1), utc(2020, 1, 1, 23, 59), ZoneInfo("UTC"))) == []
    assert len(list(DAY.windows(utc(2020, 1, 1), utc(2020, 1, 2), ZoneInfo("UTC")))) == 1


def test_windows_are_stored_and_written_in_utc() -> None:
    window = Window(datetime(2011, 3, 13, tzinfo=NEW_YORK), datetime(2011, 3, 14, tzinfo=NEW_YORK))
    assert window.start.tzinfo is UTC
    assert str(window) == "2011-03-13T05:00Z to 2011-03-14T04:00Z"
    assert format_instant(utc(2011, 3, 6, 1, 2, 3)) == "2011-03-06T01:02:03Z"
    assert format_instant(datetime(2011, 3, 6, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=1)))) == (
        "2011-03-06T00:02:03.000004Z"
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: Window(datetime(2020, 1, 1), utc(2020, 1, 2)),  # noqa: DTZ001 - no time zone
        lambda: Window(utc(2020, 1, 1), utc(2020, 1, 1)),
        lambda: DAY.window_at(datetime(2020, 1, 1), NEW_YORK),  # noqa: DTZ001 - no time zone
    ],
)
def test_invalid_windows_are_refused(make: Callable[[], Window]) -> None:
    with pytest.raises(InputError, match="got 2020-01-01") as error:
        make()
    assert error.value.code == "invalid-value"


@pytest.mark.parametrize(
    ("text", "length"),
    [("90s", 90), ("15m", 900), (" 2 h ", 7200), ("1d", 86_400), ("4w", 4 * 7 * 86_400), ("0s", 0)],
)
def test_parsed_durations(text: str, length: int) -> None:
    assert parse_duration(text) == timedelta(seconds=length)


@pytest.mark.parametrize("text", ["", "2", "h", "-2h", "1.5h", "2 hours", "1h30m", "2y"])
def test_invalid_durations_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=f"got '{text}'") as error:
        parse_duration(text)
    assert error.value.code == "invalid-value"


@pytest.mark.parametrize("text", ["", "0d", "90s", "1month", "1.5d", "-1d"])
def test_invalid_periods_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=f"got '{text}'") as error:
        Period.parse(text)
    assert error.value.code == "invalid-value"


@pytest.mark.parametrize("text", ["9999999999999h", "99999999d", "3661d"])
@pytest.mark.parametrize("parse", [parse_duration, Period.parse])
def test_durations_beyond_all_calendars_are_refused(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(InputError, match=f"3660 days; got {text}") as error:
        parse(text)
    assert error.value.code == "invalid-value"


@pytest.mark.parametrize(("count", "unit"), [(0, "d"), (1, "y"), (-1, "h"), (1, "s")])
def test_constructed_periods_are_checked(count: int, unit: str) -> None:
    with pytest.raises(InputError, match=f"got {count}{unit}") as error:
        Period(count, unit)
    assert error.value.code == "invalid-value"


def test_periods_read_what_they_write() -> None:
    for text in ("15m", "1h", "1d", "2w"):
        assert str(Period.parse(text)) == text


def closed(end: datetime) -> Window:
    return Window(end - timedelta(hours=1), end)


def test_due_after_the_end_and_the_delay() -> None:
    window = closed(utc(2020, 1, 2))
    assert due_at(window, timedelta(0), None, NEW_YORK) == utc(2020, 1, 2)
    assert due_at(window, timedelta(hours=2), None, NEW_YORK) == utc(2020, 1, 2, 2)


@pytest.mark.parametrize(
    ("ready", "schedule", "due"),
    [
        (utc(2011, 3, 12, 5), "15 2 * * *", utc(2011, 3, 12, 7, 15)),
        (utc(2011, 3, 12, 7, 15), "15 2 * * *", utc(2011, 3, 12, 7, 15)),  # a tick at that instant counts
        (utc(2011, 3, 12, 7, 15, 0, 1), "15 2 * * *", utc(2011, 3, 13, 7)),  # one a microsecond earlier does not
        (utc(2011, 3, 13, 5), "15 2 * * *", utc(2011, 3, 13, 7)),  # 02:15 is skipped: due as the clocks jump
        (utc(2011, 3, 14, 4), "15 2 * * *", utc(2011, 3, 14, 6, 15)),
        (utc(2011, 11, 6, 4), "30 1 * * *", utc(2011, 11, 6, 5, 30)),  # 01:30 repeats: due once, at the first
        (utc(2011, 11, 6, 5, 45), "30 1 * * *", utc(2011, 11, 7, 6, 30)),
        (utc(2011, 11, 6, 6, 15), "30 1 * * *", utc(2011, 11, 7, 6, 30)),  # in the repeated hour: not in the past
        (utc(2011, 11, 6, 6, 15), "0 * * * *", utc(2011, 11, 6, 7)),
        (utc(2011, 11, 5, 0), "0 9 * * MON", utc(2011, 11, 7, 14)),
        (utc(2011, 3, 1), "0 0 29 2 *", utc(2012, 2, 29, 5)),
    ],
)
def test_due_at_the_next_tick_of_the_schedule(ready: datetime, schedule: str, due: datetime) -> None:
    assert due_at(closed(ready), timedelta(0), schedule, NEW_YORK) == due
    assert due_at(closed(ready - timedelta(hours=2)), timedelta(hours=2), schedule, NEW_YORK) == due


@every_zone
@settings(max_examples=40, deadline=None)
@given(
    ready=instants.filter(lambda t: t.year > 1972),
    schedule=st.sampled_from(["0 * * * *", "*/20 * * * *", "30 1 * * *"]),
)
def test_due_between_ready_and_the_next_scheduled_time(zone: ZoneInfo, ready: datetime, schedule: str) -> None:
    due = due_at(closed(ready), timedelta(0), schedule, zone)
    longest = timedelta(hours=50) if schedule.startswith("30 1") else timedelta(hours=2)
    assert timedelta(0) <= due - ready <= longest
    assert due.tzinfo is UTC


@pytest.mark.parametrize("line", ["15 2 * * *", "*/5 * * * *", "0 0 29 2 *", "0 9 * * MON-FRI", "0 0 L * *"])
def test_valid_cron_lines(line: str) -> None:
    assert check_schedule(line) == line


@pytest.mark.parametrize(
    "line", ["0 0 30 2 *", "0 0 31 4 *", "", "* * * *", "* * * * * *", "61 * * * *", "0 25 * * *", "@daily", "soon"]
)
def test_invalid_cron_lines_are_refused(line: str) -> None:
    with pytest.raises(InputError) as error:
        check_schedule(line)
    assert error.value.code == "invalid-value"
    assert repr(line) in str(error.value)


@pytest.mark.parametrize("text", ["45s", "90s", "15m", "6h", "1d", "28d", "400d"])
def test_durations_read_back_as_written(text: str) -> None:
    assert format_duration(parse_duration(text)) == text
