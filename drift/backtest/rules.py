"""Rules that a backtest applies in place of a monitor's own."""

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
    """Changes to the rules of a monitor; None changes nothing."""

    auto: bool = False  # columns have no threshold: limits learned from reference windows decide
    limit: Threshold | None = None  # threshold of every column that is scored by the default metric of the monitor
    budget: Budget | None = None
    # Metric of every column. A column with another metric loses its threshold, smoothing and base.
    metric: str | None = None
    smoothing: Smoothing | None = None
    reference: Reference | None = None  # a reference that moves; `Reference()` is the frozen one
    # for_windows, keep_firing_for: see `drift.monitors.alert_state.AlertRule`
    for_windows: int | None = None
    keep_firing_for: int | None = None

    def apply_to(self, monitor: Monitor) -> Monitor:
        """Return the monitor with these rules.

        Raises
        ------
        InputError
            If a column has no threshold and its metric no default one.
        """
        metric = self._method(monitor.columns.default.method).metric
        columns = Columns(
            default=self._rule(monitor.columns.default, metric),
            overrides={name: self._rule(rule, metric) for name, rule in monitor.columns.overrides.items()},
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

    def uses_budget(self, monitor: Monitor) -> bool:
        """Return whether any column has no threshold under these rules, so that the budget may decide."""
        columns = self.apply_to(monitor).columns
        return any(rule.limit is None for rule in (columns.default, *columns.overrides.values()))

    def _method(self, own: Method) -> Method:
        if self.metric is not None and self.metric != own.metric:
            return Method(self.metric, self.smoothing)
        return own if self.smoothing is None else replace(own, smoothing=self.smoothing)

    def _rule(self, own: ColumnRule, default_metric: str) -> ColumnRule:
        method = self._method(own.method)
        limit = own.limit if method.metric == own.method.metric else None
        if self.auto:
            limit = None
        elif self.limit is not None and method.metric == default_metric:
            limit = self.limit
        rule = ColumnRule(own.bins, method, limit)
        _ = rule.threshold  # refuses a metric without a default threshold
        return rule


def rules_from_monitor(monitor: Monitor) -> dict[str, Any]:
    """Return the rules of a monitor, and of its columns without their own rule, in strict JSON.

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
        "reference": _reference_text(monitor.reference),
        "for": monitor.alerting.for_windows,
        "keep_firing_for": monitor.alerting.keep_firing_for,
    }


def _reference_text(reference: Reference) -> str:
    if reference.rolling is not None:
        return f"rolling:{format_duration(reference.rolling)}"
    if reference.seasonal is not None:
        return f"seasonal:{reference.seasonal // WEEK}w:{reference.windows}"
    return "fixed"


def describe_rules(rules: Mapping[str, Any]) -> str:
    """Return rules from `rules_from_monitor` in one line: ``js_distance 0.1``."""
    limit = f"auto, {rules['false_alarms']}" if rules["threshold"] == "auto" else f"{rules['threshold']:g}"
    parts = [f"{rules['metric']} {limit}"]
    parts += [f"warn {rules['warn']:g}"] if rules["warn"] is not None else []
    parts += [f"{rules['reference']} reference"] if rules["reference"] != "fixed" else []
    parts += [f"for {rules['for']}"] if rules["for"] > 1 else []
    return ", ".join(parts)


def rule_variants(
    shared: ReplayRules, thresholds: Sequence[str], budgets: Sequence[str], warn: float | None
) -> list[ReplayRules]:
    """Return the sets of rules for the options of the command: one for each threshold, with `auto` one a budget.

    Thresholds are ``auto`` or numbers; none for the monitor's own. Budgets, such as ``1 per 90d``, are not used with a
    number as threshold; `warn`, the warning threshold, is used with numbers only.

    Raises
    ------
    InputError
        If an option is invalid.
    """
    allowed: list[Budget | None] = [values.false_alarms(text) for text in budgets]
    allowed = allowed or [None]
    if warn is not None and "auto" in (thresholds or ["auto"]):
        message = "--warn needs --threshold with a number, such as --threshold 0.1; it cannot be used with auto"
        raise InputError(message, code="invalid-value")
    rules: list[ReplayRules] = []
    for text in dict.fromkeys(thresholds):
        if text == "auto":
            rules += [replace(shared, auto=True, budget=budget) for budget in allowed]
        else:
            rules.append(replace(shared, limit=_limit(text, warn), budget=allowed[0]))
    return rules or [replace(shared, budget=budget) for budget in allowed]


def _limit(text: str, warn: float | None) -> Threshold:
    try:
        return Threshold(values.finite_number(text), warn)
    except InputError as error:
        message = f"--threshold {text!r}: {error}; expected auto, or a number such as 0.1"
        raise InputError(message, code="invalid-value") from error


def parse_reference(text: str, monitor: Monitor) -> tuple[Reference, Sequence[str]]:
    """Return the reference that an option of the command names, and warnings about it.

    The text is ``fixed``, ``rolling:28d``, ``seasonal:1w`` or ``seasonal:1w:3``.

    Raises
    ------
    InputError
        If the text is invalid, or the reference does not fit the windows of the monitor.
    """
    if text.strip() == "fixed":
        return Reference(), ()
    try:
        reference = _moving(*text.strip().split(":"))
    except InputError as error:
        raise InputError(f"--reference {text!r}: {error}", code="invalid-value") from error
    syntax_problems: list[Problem] = []
    tree = parse("reference:", "--reference", syntax_problems)
    assert tree is not None  # noqa: S101 - for the type checker; the text is valid YAML
    diagnostics = DiagnosticCollector(tree, ())
    check_moving(reference, monitor.period, monitor.columns, diagnostics)
    if diagnostics.problems:
        problem = diagnostics.problems[0]
        raise InputError(f"--reference {text!r}: {problem.message}", code=problem.code)
    return reference, [f"--reference {text!r}: {warning.message}" for warning in diagnostics.warnings]


def _moving(kind: str, length: str = "", windows: str = "", *more: str) -> Reference:
    if kind == "rolling" and length and not windows and not more:
        return Reference(rolling=values.duration(length))
    if kind != "seasonal" or not length or more:
        raise InputError(f"expected {_KINDS}", code="invalid-value")
    count = values.whole_number(windows) if windows else Reference().windows
    if count < 1:
        raise InputError(f"a seasonal reference needs 1 window or more; got {count}", code="invalid-value")
    return Reference(seasonal=values.season(length), windows=count)
