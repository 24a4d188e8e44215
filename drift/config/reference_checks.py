"""Whether a reference has enough windows, and which rule decides then: checks, and an explanation in words."""

from datetime import timedelta
from itertools import islice
from typing import Final

from drift.config.yaml_loader import DiagnosticCollector
from drift.monitors.spec import MAX_SHORT_SEASON, WEEK, Columns, Monitor, Reference
from drift.monitors.window import Period, Window, format_instant
from drift.stats.calibration import FEW_WINDOWS, MIN_WINDOWS

_MAX_COUNTED: Final = 500  # reference windows counted for a message; above, it says "more than 500"
_MAX_NAMES: Final = 5  # column names in a message
_GUARDED: Final = "only if the score also exceeds the noise"
_FROM_FILE: Final = f"if the file has the timestamp column and {MIN_WINDOWS} windows or more"
_FROM_EARLIER: Final = f"once {MIN_WINDOWS} windows or more were compared with their own references"


def budget_columns(columns: Columns) -> list[str]:
    """Return the columns with an override whose threshold is `auto`."""
    return [name for name, rule in columns.overrides.items() if rule.limit is None and name not in columns.exclude]


def check_moving(reference: Reference, period: Period, columns: Columns, diagnostics: DiagnosticCollector) -> None:
    """Refuse a moving reference that does not fit the monitor's windows; warn if it has few windows."""
    if reference.rolling is not None:
        _check_rolling(reference.rolling, period, columns, diagnostics)
    if reference.seasonal is not None:
        _check_seasonal(reference.seasonal, reference.windows, period, diagnostics)


def _check_rolling(rolling: timedelta, period: Period, columns: Columns, diagnostics: DiagnosticCollector) -> None:
    path, count = ("reference", "rolling"), rolling // period.length
    if count < 2:
        message = f"must span at least 2 windows of {period}, but spans {count}; give a longer time or a shorter window"
        diagnostics.refuse(path, message, code="reference-too-short")
    elif count < MIN_WINDOWS:
        threshold = "the metric's default threshold" if _any_auto(columns) else "the given threshold"
        message = (
            f"spans {count} windows of {period}; fewer than {MIN_WINDOWS} are too few to learn limits from, so "
            f"{threshold} decides, {_GUARDED}"
        )
        diagnostics.warn(path, message, code="few-reference-windows")
    elif count < FEW_WINDOWS:
        message = f"spans {count} windows of {period}; limits learned from fewer than {FEW_WINDOWS} windows are wide"
        diagnostics.warn(path, message, code="few-reference-windows")


def _check_seasonal(season: timedelta, windows: int, period: Period, diagnostics: DiagnosticCollector) -> None:
    weeks = (windows - 1) // 2
    if season % period.length:
        diagnostics.refuse(
            ("reference", "seasonal"),
            "a season must be a whole number of windows, so that windows start at the same place of each season; "
            f"{_length(season)} is not a multiple of {period}: change window or seasonal",
            code="reference-mismatch",
        )
    elif season > MAX_SHORT_SEASON and windows > 1 and WEEK % period.length:
        diagnostics.refuse(
            ("reference", "windows"),
            f"the windows of a season longer than {_length(MAX_SHORT_SEASON)} are a week apart, and a week is not a "
            f"multiple of {period}; give windows: 1, or a window that divides a week",
            code="reference-mismatch",
        )
    elif MAX_SHORT_SEASON < season <= WEEK * weeks:
        diagnostics.refuse(
            ("reference", "windows"),
            f"{windows} weeks around the same time {_length(season)} ago extend {weeks} weeks forward, to the window "
            "being checked; give fewer windows",
            code="reference-mismatch",
        )


def _any_auto(columns: Columns) -> bool:
    return columns.default.limit is None or bool(budget_columns(columns))


def explain_reference(monitor: Monitor) -> str:
    """Describe a monitor's reference, its number of windows, and the deciding rule, without a full stop."""
    reference, period = monitor.reference, monitor.period
    if reference.rolling is not None:
        count = reference.rolling // period.length
        first = _first_rolling(monitor, reference.rolling)
        return f"the newest {count} windows of {period} before each one; {first}; {_rule(monitor, count)}"
    if reference.seasonal is not None:
        windows = _seasonal_windows(reference.seasonal, reference.windows, monitor)
        return f"{windows}; {_rule_if(monitor, _FROM_EARLIER)}"
    if reference.window is None:
        return f"a separate file; {_rule_if(monitor, _FROM_FILE)}"
    count = _whole_windows(reference.window, monitor)
    shown = f"more than {_MAX_COUNTED}" if count > _MAX_COUNTED else str(count)
    return f"{shown} whole windows of {period}; {_rule(monitor, count)}"


def _whole_windows(span: Window, monitor: Monitor) -> int:
    """Count the windows wholly inside a span, up to one more than `_MAX_COUNTED`."""
    windows = monitor.period.windows(span.start, span.end, monitor.timezone)
    return sum(window.start >= span.start for window in islice(windows, _MAX_COUNTED + 2))


def _first_rolling(monitor: Monitor, length: timedelta) -> str:
    """Return the reference of the first windows, before any was checked."""
    if monitor.start is None:
        return f"at first, the first {_length(length)} of the data"
    return f"at first, the {_length(length)} before start ({format_instant(monitor.start)})"


def _seasonal_windows(season: timedelta, windows: int, monitor: Monitor) -> str:
    """Return the windows of a seasonal reference; see `Reference.windows` for short and long seasons."""
    first = "at first, a range of that length from the first row on"
    if monitor.start is not None:
        first = f"at first, a range of that length before start ({format_instant(monitor.start)})"
    if season <= MAX_SHORT_SEASON:
        days = ", ".join(str(n * season.days) for n in range(1, windows + 1))
        return f"the window at the same hour of the week {days} days before each one; {first}"
    weeks = "1 week" if windows == 1 else f"{windows} weeks"
    return f"windows at the same hour of the week in {weeks} around the same time {season.days} days before; {first}"


def _rule(monitor: Monitor, count: int) -> str:
    """Return the deciding rule for a known number of reference windows."""
    if count < MIN_WINDOWS:
        rule = f"fewer than {MIN_WINDOWS}, so the metric's default threshold decides, {_GUARDED}"
    else:
        wide = f" (fewer than {FEW_WINDOWS}, so they are wide)" if count < FEW_WINDOWS else ""
        rule = f"limits are learned from these{wide}, so that false alarms stay within {monitor.budget}"
    return _with_thresholds(monitor.columns, rule)


def _rule_if(monitor: Monitor, condition: str) -> str:
    """Return the deciding rule if the number of reference windows depends on the data."""
    learned = f"limits are learned, so that false alarms stay within {monitor.budget}"
    rule = f"{condition}, {learned}; otherwise the metric's default threshold decides, {_GUARDED}"
    return _with_thresholds(monitor.columns, rule)


def _with_thresholds(columns: Columns, auto_rule: str) -> str:
    """Return the rule of `auto` together with the thresholds that the user gives."""
    auto = budget_columns(columns)
    if columns.default.limit is not None:
        rule = f"the given threshold decides, {_GUARDED}"
        names = ", ".join(auto[:_MAX_NAMES]) + (", ..." if len(auto) > _MAX_NAMES else "")
        return f"{rule}; for {names}: {auto_rule}" if auto else rule
    if any(rule.limit is not None for rule in columns.overrides.values()):
        return f"{auto_rule}; for columns with their own threshold, that threshold decides"
    return auto_rule


def _length(length: timedelta) -> str:
    days = length / timedelta(days=1)
    return f"{days:g} days" if days >= 1 else f"{days * 24:g} hours"
