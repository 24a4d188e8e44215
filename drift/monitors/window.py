"""Windows: half-open intervals of instants, and the calendar that lays them out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from drift.errors import InputError

_PERIOD: Final = re.compile(r"([1-9]\d*)\s*([mhdw])")
_DURATION: Final = re.compile(r"(\d+)\s*([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST: Final = timedelta(days=3660)
_MONDAY: Final = date(1970, 1, 5).toordinal()  # weeks start on Mondays, days are counted from one


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """The half-open interval [start, end) of UTC instants.

    Raises
    ------
    InputError
        Where an end is without time zone, or the interval is empty.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise InputError(f"windows are made of instants with a time zone; got {self.start} to {self.end}")
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))
        if not self.start < self.end:
            raise InputError(f"a window starts before it ends; got {self.start} to {self.end}")

    def __str__(self) -> str:
        return f"{format_instant(self.start)} to {format_instant(self.end)}"


def format_instant(moment: datetime) -> str:
    """ISO 8601 in UTC, without what is zero: ``2011-03-06T00:00Z``."""
    moment = moment.astimezone(UTC)
    precise = "seconds" if moment.second else "minutes"
    text = moment.isoformat(timespec="microseconds" if moment.microsecond else precise)
    return text.replace("+00:00", "Z")


def parse_duration(text: str) -> timedelta:
    """A length of time: ``90s``, ``15m``, ``2h``, ``1d``, ``4w``; a day here is 24 hours.

    Raises
    ------
    InputError
        Where the text is none of these.
    """
    if not (match := _DURATION.fullmatch(text.strip())):
        raise InputError(f"a length of time is a number and s, m, h, d or w, such as 2h; got {text!r}")
    return _length(int(match[1]), match[2])


def format_duration(length: timedelta) -> str:
    """A length of time as `parse_duration` reads it, in the longest unit that it is a whole number of: ``6h``."""
    units = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1)))
    whole = (f"{length // size}{unit}" for unit, size in units if not length % size)
    return next(whole, f"{length // timedelta(seconds=1)}s")


def _length(count: int, unit: str) -> timedelta:
    try:
        length = timedelta(**{_UNITS[unit]: count})
    except OverflowError:
        length = timedelta.max
    if length > _LONGEST:
        raise InputError(f"a length of time is at most {_LONGEST.days} days; got {count}{unit}")
    return length


@dataclass(frozen=True, slots=True)
class Period:
    """The length of a monitor's windows: minutes or hours of the clock, days or weeks of the calendar.

    Days and weeks begin at local midnight (weeks on Mondays) and so last 23 or 25 hours where the clocks
    change; minutes and hours are laid out in UTC, counted from 1970-01-01T00:00Z.

    Examples
    --------
    >>> Period.parse("1d").window_at(datetime(2011, 3, 13, 12, tzinfo=UTC), ZoneInfo("America/New_York"))
    Window(start=datetime.datetime(2011, 3, 13, 5, 0, tzinfo=datetime.timezone.utc),
           end=datetime.datetime(2011, 3, 14, 4, 0, tzinfo=datetime.timezone.utc))
    """

    count: int
    unit: str

    def __post_init__(self) -> None:
        if self.unit not in {"m", "h", "d", "w"} or self.count < 1:
            raise InputError(f"a window is a number and m, h, d or w, such as 1h, 1d, 1w; got {self}")
        _length(self.count, self.unit)

    @property
    def length(self) -> timedelta:
        """Of a window, where the clocks do not change."""
        return _length(self.count, self.unit)

    @classmethod
    def parse(cls, text: str) -> "Period":
        """``15m``, ``1h``, ``1d``, ``1w``.

        Raises
        ------
        InputError
            Where the text is none of these.
        """
        if not (match := _PERIOD.fullmatch(text.strip())):
            raise InputError(f"a window is a number and m, h, d or w, such as 1h, 1d, 1w; got {text!r}")
        return cls(int(match[1]), match[2])

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"

    def window_at(self, moment: datetime, timezone: ZoneInfo) -> Window:
        """The window that holds an instant.

        Raises
        ------
        InputError
            Where the instant is without time zone.
        """
        if moment.tzinfo is None:
            raise InputError(f"windows are made of instants with a time zone; got {moment}")
        if self.unit in "mh":
            length = timedelta(**{_UNITS[self.unit]: self.count})
            epoch = datetime(1970, 1, 1, tzinfo=UTC)
            start = epoch + (moment.astimezone(UTC) - epoch) // length * length
            return Window(start, start + length)
        days = self.count * (7 if self.unit == "w" else 1)
        today = moment.astimezone(timezone).date().toordinal()
        first = _MONDAY + (today - _MONDAY) // days * days
        start, end = _midnight(first, timezone), _midnight(first + days, timezone)
        if moment >= end:  # clocks went back over midnight: the end of this day came again after the next began
            start, end = end, _midnight(first + 2 * days, timezone)
        return Window(start, end)

    def windows(self, since: datetime, until: datetime, timezone: ZoneInfo) -> Iterator[Window]:
        """All windows that begin at or after the window of `since` and end by `until`, oldest first."""
        window = self.window_at(since, timezone)
        while window.end <= until:
            yield window
            window = self.window_at(window.end, timezone)


def _midnight(ordinal: int, timezone: ZoneInfo) -> datetime:
    """The first instant of a local day; where midnight itself is skipped, the instant clocks jump."""
    local = datetime.combine(date.fromordinal(ordinal), time.min, timezone)
    first, other = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    if first <= other:  # once or, the first of them, twice
        return first
    # Skipped: the clocks jump between the two (PEP 495), at a whole second.
    before, after = other, first
    while (gap := (after - before) // timedelta(seconds=1)) > 1:
        middle = before + timedelta(seconds=gap // 2)
        reached = middle.astimezone(timezone).date().toordinal() >= ordinal
        before, after = (before, middle) if reached else (middle, after)
    return after


def due_at(window: Window, delay: timedelta, schedule: str | None, timezone: ZoneInfo) -> datetime:
    """When a window is to be checked: once closed and the delay is over, at the next tick of the schedule.

    Parameters
    ----------
    window : Window
        What to check.
    delay : timedelta
        How long late rows are waited for.
    schedule : str or None
        A cron line in the monitor's time zone; None checks as soon as the window is ready.
    timezone : ZoneInfo
        The monitor's.
    """
    ready = window.end + delay
    if schedule is None:
        return ready
    # cronsim looks strictly after its start: just before lets a tick at `ready` itself count.
    ticks = CronSim(schedule, (ready - timedelta(microseconds=1)).astimezone(timezone))
    # In the hour that clocks repeat, cronsim may look back to its first pass.
    return next(utc for tick in ticks if (utc := tick.astimezone(UTC)) >= ready)


def check_schedule(schedule: str) -> str:
    """The cron line, if it is one that ever comes round.

    Raises
    ------
    InputError
        Where it is not five fields that cron understands, or names a moment that never comes.
    """
    if len(schedule.split()) == 6:
        raise InputError(f"a cron line has five fields, without seconds; got six: {schedule!r}")
    try:
        next(CronSim(schedule, datetime(2020, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise InputError(
            f"not a cron line: {schedule!r} ({error}); expected minute hour day month weekday, such as '15 2 * * *'"
        ) from error
    except StopIteration:
        raise InputError(f"the cron line {schedule!r} names a moment that never comes") from None
    return schedule
