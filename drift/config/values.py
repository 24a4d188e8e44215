"""Validation and conversion of single values.

Each function takes a value from YAML and returns what the core takes, or raises InputError (a ValueError, which
pydantic collects with its place). Messages never repeat text that may be a secret.
"""

import math
import re
from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from drift.config.diagnostics import did_you_mean
from drift.errors import InputError
from drift.histogram.binning import METHODS
from drift.monitors.verdict import Verdict
from drift.monitors.window import Period, check_schedule, parse_duration
from drift.stats.divergence import DIVERGENCES
from drift.stats.false_alarm_budget import Budget
from drift.stats.scoring import Method
from drift.stats.smoothing import NAMED, Smoothing, pseudo_count

_WEEK: Final = timedelta(weeks=1)
_YEAR: Final = 52 * _WEEK  # 364 days: a year ago on the same day of the week
_ALARMS: Final = re.compile(r"(\d+(?:\.\d+)?)\s+per\s+(\S+)", re.ASCII)


def quote_value(value: object) -> str:
    """Return the sort of a value, without the value."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false (YAML reads yes, no, on and off as these)"
    sorts = ((int | float, "a number"), (date, "a date"), (str, "text"), (list, "a list"), (dict, "a mapping"))
    return next((name for sort, name in sorts if isinstance(value, sort)), type(value).__name__)


def text(value: object) -> str:
    """Return text that is not empty."""
    if not isinstance(value, str):
        quotes = "" if isinstance(value, list | dict) else "; put it in quotes if it is meant as text"
        raise InputError(f"expected text; got {quote_value(value)}{quotes}")
    if not value:
        raise InputError("expected text; got empty text: delete the key, or give it a value")
    return value


def name(value: str) -> str:
    """Return the name of a monitor or channel."""
    if not value or value.strip() != value or not value.isprintable() or len(value) > 100:
        message = "a name has 1 to 100 printable characters, without spaces around them; rename it"
        raise InputError(message, code="invalid-key")
    return value


def sequence(value: object) -> list[Any]:
    """Return a list."""
    if not isinstance(value, list):
        raise InputError(f"expected a list, such as [a, b]; got {quote_value(value)}")
    return value


def mapping(value: object) -> dict[str, Any]:
    """Return a mapping."""
    if not isinstance(value, dict):
        raise InputError(f"expected a mapping of keys to values; got {quote_value(value)}")
    return value


def finite_number(value: object) -> float:
    """Return a finite number; text such as ``1e-3`` (from the environment, say) is read as one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InputError(f"expected a number; got {quote_value(value)}")
    try:
        result = float(value)
    except (ValueError, OverflowError):
        result = math.nan
    if not math.isfinite(result):
        raise InputError("expected a finite number, such as 0.1")
    return result


def whole_number(value: object) -> int:
    """Return a whole number; one in text (from the environment, say) is read as one."""
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value, re.ASCII):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"expected a whole number; got {quote_value(value)}")
    return value


def one_of(value: object, known: Collection[str], kind: str, *, code: str = "invalid-value") -> str:
    """Return one of some names."""
    value = text(value)
    if value not in known:
        message = f"unknown {kind} {value!r}; use one of {', '.join(known)}{did_you_mean(value, known)}"
        raise InputError(message, code=code)
    return value


def window_length(value: object) -> Period:
    """Return the length of windows: ``1d``."""
    return Period.parse(text(value))


def duration(value: object) -> timedelta:
    """Return a length of time: ``2h``."""
    return parse_duration(text(value))


def season(value: object) -> timedelta:
    """Return the time between seasons: ``1w``; whole weeks, so that both windows have the same hour of the week."""
    written = text(value).strip()
    try:
        length = _YEAR if written == "1y" else parse_duration(written)
    except InputError:
        length = timedelta(0)
    if not length or length % _WEEK:
        raise InputError(
            "a season compares the same hour of the week: give whole weeks, or 1y (52 weeks), such as 1w, 28d, 1y; "
            f"got {written!r}"
        )
    return length


def schedule(value: object) -> str:
    """Return a cron expression."""
    return check_schedule(text(value))


def zone(value: object) -> ZoneInfo:
    """Return a time zone by its IANA name."""
    key = text(value)
    try:
        return ZoneInfo(key)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: "America" is a folder of the database
        near = did_you_mean(key, available_timezones())
        message = f"unknown time zone {key!r}; expected an IANA name such as Europe/Paris or UTC{near}"
        raise InputError(message) from None


def moment(value: object) -> datetime:
    """Return the first instant of a date, or a date and time; naive if it names no time zone."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time.min)
    if not isinstance(value, str):
        raise InputError(f"expected a date, such as 2011-04-01; got {quote_value(value)}")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        expected = "expected a date such as 2011-04-01, or a time such as 2011-04-01T06:00Z"
        raise InputError(f"not a date: {value!r}; {expected}") from None


def metric(value: object) -> str:
    """Return the name of a divergence."""
    return one_of(value, DIVERGENCES, "metric", code="unknown-metric")


def smoothing(value: object) -> Smoothing:
    """Return the name of a smoothing, or its pseudo-count."""
    named = (*NAMED, "perks")
    if isinstance(value, str) and value in named:
        return value
    try:
        alpha = finite_number(value)
    except ValueError:
        near = did_you_mean(value, named) if isinstance(value, str) else ""
        raise InputError(f"unknown smoothing; use one of {', '.join(named)}, or a number >= 0{near}") from None
    return pseudo_count(alpha, 2)


def log_base(value: object) -> float:
    """Return the base of a logarithm: a number above 1, or ``e``."""
    base = math.e if value == "e" else finite_number(value)
    Method(base=base)
    return base


def bin_method(value: object) -> str | tuple[int | float, ...]:
    """Return the name of a binning method, or the edges themselves."""
    if isinstance(value, list):
        for edge in value:
            if isinstance(edge, bool) or not isinstance(edge, int | float):
                raise InputError(f"edges are numbers, such as [0, 10, 20]; got {quote_value(edge)} among them")
        if not value:
            raise InputError("expected at least one edge, such as [0, 10, 20]; got an empty list")
        return tuple(value)
    return one_of(value, [m for m in METHODS if m != "edges"], "binning method")


def bad_verdict(value: object) -> Verdict:
    """Return a verdict that can alert."""
    return Verdict(one_of(value, [v.value for v in Verdict if v is not Verdict.OK], "verdict that can alert"))


def false_alarms(value: object) -> Budget:
    """Return a budget: ``1 per 90d``."""
    written = text(value)
    match = _ALARMS.fullmatch(written.strip())
    if not match or float(match[1]) <= 0:
        raise InputError(f"expected a number above 0 and a length of time, such as 1 per 90d; got {written!r}")
    length = parse_duration(match[2])
    if not length:
        raise InputError(f"expected a length of time above 0, such as 1 per 90d; got {written!r}")
    return Budget(float(match[1]), length)
