"""The rules that a backtest puts in the place of a monitor's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from drift.config import values
from drift.config.diagnostics import Problem
from drift.config.reference_checks import check_moving
from drift.config.yaml_loader import DiagnosticCollector, parse
from drift.errors import InputError
from drift.monitors.spec import WEEK, ColumnRule, Columns, Monitor, Reference
from drift.monitors.verdict import Threshold
from drift.monitors.window import format_duration
from drift.stats.false_alarm_budget import Budget
from drift.stats.scoring import Method
from drift.stats.smoothing import Smoothing

_KINDS: Final = "fixed, rolling:28d, seasonal:1w or seasonal:1w:3"


@dataclass(frozen=True, slots=True)
class ReplayRules:
    """What is changed about a monitor; None leaves it as it is.

    Parameters
    ----------
    auto : bool
        No limit is named for any column: what reference windows taught judges.
    limit : Threshold or None
        One limit for every column that is scored by the monitor's own metric.
    budget : Budget or None
        How rarely an alarm may come where nothing changed.
    metric : str or None
        Of every column. A column that had another loses its limit, smoothing and base: they were of that metric.
    smoothing : str, float or None
        Of every column.
    reference : Reference or None
        One that moves; `Reference()` is the frozen one.
    for_windows, keep_firing_for : int or None
        See `drift.monitors.alert_state.AlertRule`.
    """

    auto: bool = False
    limit: Threshold | None = None
    budget: Budget | None = None
    metric: str | None = None
    smoothing: Smoothing | None = None
    reference: Reference | None = None
    for_windows: int | None = None
    keep_firing_for: int | None = None

    def applied(self, monitor: Monitor) -> Monitor:
        """The monitor under these rules.

        Raises
        ------
        InputError
            Where a column is left without a limit and no number is customary for its metric.
        """
        usual = self._method(monitor.columns.default.method).metric
        columns = Columns(
            default=self._rule(monitor.columns.default, usual),
            overrides={name: self._rule(rule, usual) for name, rule in monitor.columns.overrides.items()},
            include=monitor.columns.include,
            exclude=monitor.columns.exclude,
        )
        alerting = monitor.alerting
        if self.for_windows is not None:
            alerting = replace(alerting, for_windows=self.for_windows)
        if self.keep_firing_for is not None:
            alerting = replace(alerting, keep_firing_for=self.keep_firing_for)
        return replace(
            monitor,
            columns=columns,
            alerting=alerting,
            budget=self.budget or monitor.budget,
            reference=self.reference or monitor.reference,
        )

    def heeds_budget(self, monitor: Monitor) -> bool:
        """Whether any column of the monitor has no limit under these rules, so that its budget may judge."""
        columns = self.applied(monitor).columns
        return any(rule.limit is None for rule in (columns.default, *columns.overrides.values()))

    def _method(self, own: Method) -> Method:
        if self.metric is not None and self.metric != own.metric:
            return Method(self.metric, self.smoothing)
        return own if self.smoothing is None else replace(own, smoothing=self.smoothing)

    def _rule(self, own: ColumnRule, usual: str) -> ColumnRule:
        method = self._method(own.method)
        limit = own.limit if method.metric == own.method.metric else None
        if self.auto:
            limit = None
        elif self.limit is not None and method.metric == usual:
            limit = self.limit
        rule = ColumnRule(own.bins, method, limit)
        _ = rule.threshold  # refuses a metric that no number is customary for
        return rule


def rules_from_monitor(monitor: Monitor) -> dict[str, Any]:
    """The rules of a monitor in strict JSON; those of its columns without a rule of their own.

    Returns
    -------
    dict
        `threshold` (a number, or "auto"), `warn`, `false_alarms`, `metric`, `smoothing`, `reference`, `for`,
        `keep_firing_for`.
    """
    rule = monitor.columns.default
    return {
        "threshold": "auto" if rule.limit is None else rule.limit.drift,
        "warn": None if rule.limit is None else rule.limit.warn,
        "false_alarms": str(monitor.budget),
        "metric": rule.method.metric,
        "smoothing": rule.method.pseudo,
        "reference": _told(monitor.reference),
        "for": monitor.alerting.for_windows,
        "keep_firing_for": monitor.alerting.keep_firing_for,
    }


def _told(reference: Reference) -> str:
    if reference.rolling is not None:
        return f"rolling:{format_duration(reference.rolling)}"
    if reference.seasonal is not None:
        return f"seasonal:{reference.seasonal // WEEK}w:{reference.windows}"
    return "fixed"


def describe_rules(rules: Mapping[str, Any]) -> str:
    """Rules in one line, as `rules_from_monitor` gives them: ``js_distance 0.1``."""
    limit = f"auto, {rules['false_alarms']}" if rules["threshold"] == "auto" else f"{rules['threshold']:g}"
    told = [f"{rules['metric']} {limit}"]
    told += [f"warn {rules['warn']:g}"] if rules["warn"] is not None else []
    told += [f"{rules['reference']} reference"] if rules["reference"] != "fixed" else []
    told += [f"for {rules['for']}"] if rules["for"] > 1 else []
    return ", ".join(told)


def variants(
    shared: ReplayRules, thresholds: Sequence[str], budgets: Sequence[str], warn: float | None
) -> list[ReplayRules]:
    """The sets of rules that a command line asks for: one for each threshold; of `auto` one for each budget.

    Parameters
    ----------
    shared : Rules
        What is the same in all of them.
    thresholds : sequence of str
        ``auto`` or numbers; none leaves the monitor's own.
    budgets : sequence of str
        Such as ``1 per 90d``; a number as a threshold does not heed them.
    warn : float or None
        Where warnings begin, beside numbers.

    Raises
    ------
    InputError
        Where a text is none of these.
    """
    allowed: list[Budget | None] = [values.false_alarms(text) for text in budgets]
    allowed = allowed or [None]
    if warn is not None and "auto" in (thresholds or ["auto"]):
        raise InputError("--warn is a number beside a number: it goes with --threshold 0.1, and not with auto")
    found: list[ReplayRules] = []
    for text in dict.fromkeys(thresholds):
        if text == "auto":
            found += [replace(shared, auto=True, budget=budget) for budget in allowed]
        else:
            found.append(replace(shared, limit=_limit(text, warn), budget=allowed[0]))
    return found or [replace(shared, budget=budget) for budget in allowed]


def _limit(text: str, warn: float | None) -> Threshold:
    try:
        return Threshold(values.finite_number(text), warn)
    except InputError as error:
        raise InputError(f"--threshold {text!r}: {error}; expected auto, or a number such as 0.1") from error


def parse_reference(text: str, monitor: Monitor) -> tuple[Reference, Sequence[str]]:
    """A reference as the command line names it, and what is worth knowing about it.

    Parameters
    ----------
    text : str
        ``fixed``, ``rolling:28d``, ``seasonal:1w`` or ``seasonal:1w:3``.
    monitor : Monitor
        Whose windows are to be held against it.

    Raises
    ------
    InputError
        Where the text is none of these, or the reference does not go with the monitor's windows.
    """
    if text.strip() == "fixed":
        return Reference(), ()
    try:
        reference = _moving(*text.strip().split(":"))
    except InputError as error:
        raise InputError(f"--reference {text!r}: {error}") from error
    unread: list[Problem] = []
    tree = parse("reference:", "--reference", unread)
    assert tree is not None  # noqa: S101 - for the type checker; that text is YAML
    told = DiagnosticCollector(tree, ())
    check_moving(reference, monitor.period, monitor.columns, told)
    if told.problems:
        raise InputError(f"--reference {text!r}: {told.problems[0].message}")
    return reference, [f"--reference {text!r}: {warning.message}" for warning in told.warnings]


def _moving(kind: str, length: str = "", windows: str = "", *more: str) -> Reference:
    if kind == "rolling" and length and not windows and not more:
        return Reference(rolling=values.duration(length))
    if kind != "seasonal" or not length or more:
        raise InputError(f"expected {_KINDS}")
    count = values.whole_number(windows) if windows else Reference().windows
    if count < 1:
        raise InputError(f"a season is held against 1 window or more; got {count}")
    return Reference(seasonal=values.season(length), windows=count)
