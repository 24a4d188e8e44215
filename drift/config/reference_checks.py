"""What a reference can teach: whether it holds windows enough, and who judges then, in words."""

from datetime import timedelta
from itertools import islice
from typing import Final

from drift.config.yaml_loader import DiagnosticCollector
from drift.monitors.spec import MAX_SHORT_SEASON, WEEK, Columns, Monitor, Reference
from drift.monitors.window import Period, Window, format_instant
from drift.stats.calibration import FEW_WINDOWS, MIN_WINDOWS

_COUNTED: Final = 500  # windows of a stretch counted for a message; of more, "more than" is told
_SHOWN: Final = 5  # names in a message
_FROM_FILE: Final = f"where it has the timestamp and holds {MIN_WINDOWS} windows or more"
_FROM_EARLIER: Final = f"once {MIN_WINDOWS} windows or more were held against references of their own"


def judged_by_budget(columns: Columns) -> list[str]:
    """Names of the columns with a rule of their own whose threshold is `auto`."""
    return [name for name, rule in columns.overrides.items() if rule.limit is None and name not in columns.exclude]


def check_moving(reference: Reference, period: Period, columns: Columns, told: DiagnosticCollector) -> None:
    """Refuse or warn about a moving reference that does not go with the monitor's windows."""
    if reference.rolling is not None:
        _check_rolling(reference.rolling, period, columns, told)
    if reference.seasonal is not None:
        _check_seasonal(reference.seasonal, reference.windows, period, told)


def _check_rolling(rolling: timedelta, period: Period, columns: Columns, told: DiagnosticCollector) -> None:
    path, held = ("reference", "rolling"), rolling // period.length
    if held < 2:
        told.refuse(
            path, f"must hold at least 2 windows of {period}, and holds {held}; give a longer time, or a shorter window"
        )
    elif held < MIN_WINDOWS:
        judge = "the metric's customary number" if _any_auto(columns) else "the threshold given"
        told.warn(
            path,
            f"holds {held} windows of {period}: below {MIN_WINDOWS} windows nothing can be learned of how ordinary "
            f"windows differ; {judge} judges, guarded by the noise",
        )
    elif held < FEW_WINDOWS:
        told.warn(
            path, f"holds {held} windows of {period}: below {FEW_WINDOWS} windows the limits that are learned are wide"
        )


def _check_seasonal(season: timedelta, windows: int, period: Period, told: DiagnosticCollector) -> None:
    if season % period.length:
        told.refuse(
            ("reference", "seasonal"),
            f"a season is a whole number of windows, so that one lies in the same place of the season before; "
            f"{_days(season)} are no multiple of {period}: change window, or the season",
        )
    elif season > MAX_SHORT_SEASON and windows > 1 and WEEK % period.length:
        told.refuse(
            ("reference", "windows"),
            f"of a season longer than {_days(MAX_SHORT_SEASON)}, windows lie a week apart, and a week is no multiple "
            f"of {period}; give windows: 1, or a window that a week is a multiple of",
        )
    elif season > MAX_SHORT_SEASON and season <= WEEK * (most := (windows - 1) // 2):
        told.refuse(
            ("reference", "windows"),
            f"{windows} weeks about the same time {_days(season)} ago reach {most} weeks on, to the window itself; "
            "give fewer",
        )


def _any_auto(columns: Columns) -> bool:
    return columns.default.limit is None or bool(judged_by_budget(columns))


def explain_reference(monitor: Monitor) -> str:
    """What a monitor is held against, how many windows that is, and who judges: for a person, without a full stop."""
    reference, period = monitor.reference, monitor.period
    if reference.rolling is not None:
        held = reference.rolling // period.length
        what = f"the newest {held} windows of {period} before each one; {_beginning(monitor, reference.rolling)}"
        return f"{what}; {_judge(monitor, held)}"
    if reference.seasonal is not None:
        return f"{_seasonal(reference.seasonal, reference.windows, monitor)}; {_learning(monitor, _FROM_EARLIER)}"
    if reference.window is None:
        return f"a file of its own; {_learning(monitor, _FROM_FILE)}"
    held = _whole_windows(reference.window, monitor)
    told = f"more than {_COUNTED}" if held > _COUNTED else str(held)
    return f"{told} whole windows of {period}; {_judge(monitor, held)}"


def _whole_windows(stretch: Window, monitor: Monitor) -> int:
    """Windows that lie wholly inside, counted to one more than `_COUNTED`."""
    found = monitor.period.windows(stretch.start, stretch.end, monitor.timezone)
    return sum(window.start >= stretch.start for window in islice(found, _COUNTED + 2))


def _beginning(monitor: Monitor, length: timedelta) -> str:
    """What the first windows are held against, before there are any that were checked."""
    if monitor.start is None:
        return f"it begins with the first {_days(length)} of the data"
    return f"it begins with the {_days(length)} before start ({format_instant(monitor.start)})"


def _seasonal(season: timedelta, windows: int, monitor: Monitor) -> str:
    """As `Reference.windows` says: of a season up to a quarter of a year as many seasons, of a longer one weeks."""
    first = "it begins with a stretch of that length from the first row on"
    if monitor.start is not None:
        first = f"it begins with a stretch of that length before start ({format_instant(monitor.start)})"
    if season <= MAX_SHORT_SEASON:
        which = ", ".join(str(n * season.days) for n in range(1, windows + 1))
        return f"the window at the same hour of the week {which} days before each one; {first}"
    weeks = "1 week" if windows == 1 else f"{windows} weeks"
    return f"windows at the same hour of the week in {weeks} about the same time {season.days} days before; {first}"


def _judge(monitor: Monitor, held: int) -> str:
    """Who judges where the number of reference windows is known."""
    if held < MIN_WINDOWS:
        judge = f"fewer than {MIN_WINDOWS}, so the metric's customary number judges, guarded by the noise"
    else:
        wide = f" (fewer than {FEW_WINDOWS}, so they are wide)" if held < FEW_WINDOWS else ""
        judge = f"limits are learned from these{wide}, so that false alarms stay within {monitor.budget}"
    return _of_whom(monitor.columns, judge)


def _learning(monitor: Monitor, when: str) -> str:
    """Who judges where only the data can tell how many windows there are."""
    learned = f"limits are learned, so that false alarms stay within {monitor.budget}"
    judge = f"{when}, {learned}; else the metric's customary number judges, guarded by the noise"
    return _of_whom(monitor.columns, judge)


def _of_whom(columns: Columns, judge: str) -> str:
    """The judge of `auto`, beside the user's own numbers."""
    auto = judged_by_budget(columns)
    if columns.default.limit is not None:
        given = "the threshold given judges, guarded by the noise"
        names = ", ".join(auto[:_SHOWN]) + (", ..." if len(auto) > _SHOWN else "")
        return f"{given}; of {names}: {judge}" if auto else given
    if any(rule.limit is not None for rule in columns.overrides.values()):
        return f"{judge}; columns with a threshold of their own are judged by that"
    return judge


def _days(length: timedelta) -> str:
    days = length / timedelta(days=1)
    return f"{days:g} days" if days >= 1 else f"{days * 24:g} hours"
