"""Windows: half-open intervals of instants, and the calendar that divides time into them."""

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
_MAX_LENGTH: Final = timedelta(days=3660)
_MONDAY: Final = date(1970, 1, 5).toordinal()  # weeks start on Mondays, days are counted from one


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """The half-open interval [start, end) of UTC instants.

    Raises
    ------
    InputError
        If an end has no time zone, or the interval is empty.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            message = f"a window needs instants with a time zone; got {self.start} to {self.end}"
            raise InputError(message, code="invalid-value")
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))
        if not self.start < self.end:
            message = f"a window must start before it ends; got {self.start} to {self.end}"
            raise InputError(message, code="invalid-value")

    def __str__(self) -> str:
        return f"{format_instant(self.start)} to {format_instant(self.end)}"


def format_instant(moment: datetime) -> str:
    """Return ISO 8601 in UTC without zero seconds: ``2011-03-06T00:00Z``."""
    moment = moment.astimezone(UTC)
    precise = "seconds" if moment.second else "minutes"
    text = moment.isoformat(timespec="microseconds" if moment.microsecond else precise)
    return text.replace("+00:00", "Z")


def parse_duration(text: str) -> timedelta:
    """Parse a duration: ``90s``, ``15m``, ``2h``, ``1d``, ``4w``; a day is 24 hours.

    Raises
    ------
    InputError
        If the text is not a duration.
    """
    if not (match := _DURATION.fullmatch(text.strip())):
        message = f"expected a duration, a number and s, m, h, d or w, such as 2h; got {text!r}"
        raise InputError(message, code="invalid-value")
    return _length(int(match[1]), match[2])


def format_duration(length: timedelta) -> str:
    """Return a duration as `parse_duration` reads it, in the largest unit that divides it: ``6h``."""
    units = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1)))
    whole = (f"{length // size}{unit}" for unit, size in units if not length % size)
    return next(whole, f"{length // timedelta(seconds=1)}s")


def _length(count: int, unit: str) -> timedelta:
    try:
        length = timedelta(**{_UNITS[unit]: count})
    except OverflowError:
        length = timedelta.max
    if length > _MAX_LENGTH:
        raise InputError(f"a duration must be at most {_MAX_LENGTH.days} days; got {count}{unit}", code="invalid-value")
    return length


@dataclass(frozen=True, slots=True)
class Period:
    """Length of the windows of a monitor: minutes or hours of the clock, days or weeks of the calendar.

    Days and weeks begin at local midnight (weeks on Mondays), so a day lasts 23 or 25 hours when clocks change.
    Minutes and hours are counted in UTC from 1970-01-01T00:00Z.

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
            message = f"expected a window length, a number and m, h, d or w, such as 1h, 1d, 1w; got {self}"
            raise InputError(message, code="invalid-value")
        _length(self.count, self.unit)

    @property
    def length(self) -> timedelta:
        """Length of a window without a clock change."""
        return _length(self.count, self.unit)

    @classmethod
    def parse(cls, text: str) -> "Period":
        """Parse a window length: ``15m``, ``1h``, ``1d``, ``1w``.

        Raises
        ------
        InputError
            If the text is not a window length.
        """
        if not (match := _PERIOD.fullmatch(text.strip())):
            message = f"expected a window length, a number and m, h, d or w, such as 1h, 1d, 1w; got {text!r}"
            raise InputError(message, code="invalid-value")
        return cls(int(match[1]), match[2])

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"

    def window_at(self, moment: datetime, timezone: ZoneInfo) -> Window:
        """Return the window that contains an instant.

        Raises
        ------
        InputError
            If the instant has no time zone.
        """
        if moment.tzinfo is None:
            raise InputError(f"a window needs instants with a time zone; got {moment}", code="invalid-value")
        if self.unit in "mh":
            length = timedelta(**{_UNITS[self.unit]: self.count})
            epoch = datetime(1970, 1, 1, tzinfo=UTC)
            start = epoch + (moment.astimezone(UTC) - epoch) // length * length
            return Window(start, start + length)
        days = self.count * (7 if self.unit == "w" else 1)
        today = moment.astimezone(timezone).date().toordinal()
        first = _MONDAY + (today - _MONDAY) // days * days
        start, end = _midnight(first, timezone), _midnight(first + days, timezone)
        if moment >= end:  # clocks went back over midnight: the end of this day repeats after the next day began
            start, end = end, _midnight(first + 2 * days, timezone)
        return Window(start, end)

    def windows(self, since: datetime, until: datetime, timezone: ZoneInfo) -> Iterator[Window]:
        """Yield the windows from the one of `since` on that end by `until`, oldest first."""
        window = self.window_at(since, timezone)
        while window.end <= until:
            yield window
            window = self.window_at(window.end, timezone)


def _midnight(ordinal: int, timezone: ZoneInfo) -> datetime:
    """Return the first instant of a local day; if midnight is skipped, the instant at which clocks jump."""
    local = datetime.combine(date.fromordinal(ordinal), time.min, timezone)
    first, other = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    if first <= other:  # midnight occurs once, or twice: then the first one
        return first
    # Midnight is skipped: clocks jump between the two (PEP 495), at a whole second.
    before, after = other, first
    while (gap := (after - before) // timedelta(seconds=1)) > 1:
        middle = before + timedelta(seconds=gap // 2)
        reached = middle.astimezone(timezone).date().toordinal() >= ordinal
        before, after = (before, middle) if reached else (middle, after)
    return after


def due_at(window: Window, delay: timedelta, schedule: str | None, timezone: ZoneInfo) -> datetime:
    """Return when a window is due: at the first scheduled time after its end and the delay for late rows.

    `schedule` is a cron line in `timezone`; if it is None, the window is due as soon as it is ready.
    """
    ready = window.end + delay
    if schedule is None:
        return ready
    # cronsim searches strictly after its start; a microsecond earlier includes a tick at `ready` itself.
    ticks = CronSim(schedule, (ready - timedelta(microseconds=1)).astimezone(timezone))
    # In the hour that clocks repeat, cronsim may return a time of the first pass.
    return next(utc for tick in ticks if (utc := tick.astimezone(UTC)) >= ready)


def check_schedule(schedule: str) -> str:
    """Return the cron line if it is valid.

    Raises
    ------
    InputError
        If it does not have five valid fields, or names a time that never occurs.
    """
    if len(schedule.split()) == 6:
        message = f"a cron line must have five fields, without seconds; got six: {schedule!r}"
        raise InputError(message, code="invalid-value")
    try:
        next(CronSim(schedule, datetime(2020, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise InputError(
            f"invalid cron line {schedule!r} ({error}); expected minute hour day month weekday, such as '15 2 * * *'",
            code="invalid-value",
        ) from error
    except StopIteration:
        message = f"the cron line {schedule!r} names a time that never occurs"
        raise InputError(message, code="invalid-value") from None
    return schedule
