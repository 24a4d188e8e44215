"""The rules of columns: a key that an override leaves out is taken from the monitor."""

from collections.abc import Mapping
from typing import Any, Final

from drift.config.diagnostics import KeyPath, Problem
from drift.config.sections import BinsSection, MonitorSection, RuleSection
from drift.config.yaml_loader import DiagnosticCollector, YamlTree
from drift.errors import InputError
from drift.histogram.binning import Bins
from drift.monitors.spec import ColumnRule, Columns
from drift.monitors.verdict import default_threshold
from drift.stats.divergence import DIVERGENCES
from drift.stats.scoring import Method

_METRIC: Final = Method().metric


def build_columns(section: MonitorSection) -> Columns:
    """Return the monitored columns and their rules."""
    columns = section.columns
    return Columns(
        default=_rule(section, section),
        overrides={column: _rule(rule, section) for column, rule in columns.overrides.items()},
        include=columns.include,
        exclude=columns.exclude,
    )


def _rule(rule: RuleSection, base: RuleSection) -> ColumnRule:
    """Return a rule with missing keys taken from the monitor's rule.

    A rule with another metric takes the default smoothing, base and threshold of that metric instead: the monitor's
    values were chosen for the monitor's metric.
    """
    metric = rule.metric or base.metric or _METRIC
    same_metric = metric == (base.metric or _METRIC)
    limit = base.threshold if same_metric and "threshold" not in rule.model_fields_set else rule.threshold
    return ColumnRule(
        bins=_bins(rule.bins, base.bins),
        method=Method(
            metric=metric,
            smoothing=base.smoothing if same_metric and rule.smoothing is None else rule.smoothing,
            base=base.base if same_metric and rule.base is None else rule.base,
        ),
        limit=None if limit is None else limit.threshold(),
    )


def _bins(own: BinsSection, base: BinsSection) -> Bins:
    default = Bins()
    numeric = own.numeric or base.numeric or default.method
    return Bins(
        method=numeric if isinstance(numeric, str) else "edges",
        count=own.count or base.count or default.count,
        edges=None if isinstance(numeric, str) else numeric,
        top=own.top or base.top or default.top,
    )


def check_columns(section: MonitorSection, diagnostics: DiagnosticCollector) -> None:
    """Warn of columns that are both named and excluded."""
    excluded = set(section.columns.exclude)
    named: dict[KeyPath, str] = {("include", i): column for i, column in enumerate(section.columns.include or ())}
    named |= {("overrides", column): column for column in section.columns.overrides}
    for path, column in named.items():
        if column in excluded:
            message = f"column {column!r} is also in exclude, so it is not monitored; remove it from one of them"
            diagnostics.warn(("columns", *path), message, code="column-excluded")


def metrics_without_default(filled: Mapping[str, Any], tree: YamlTree, prefix: KeyPath) -> list[Problem]:
    """Return a problem for each metric that needs a threshold, because it has no default one, and has none.

    It reads the values before validation, so that these problems are reported together with all others.
    """
    columns = filled.get("columns")
    overrides = columns.get("overrides") if isinstance(columns, dict) else None
    base = filled.get("metric") or _METRIC
    problems = _without_threshold(filled, base, base, None, tree, prefix)
    for column, rule in (overrides if isinstance(overrides, dict) else {}).items():
        if isinstance(rule, dict):
            path = (*prefix, "columns", "overrides", column)
            metric = rule.get("metric") or base
            problems += _without_threshold(rule, metric, base, filled.get("threshold"), tree, path)
    return problems


def _without_threshold(
    rule: Mapping[str, Any], metric: object, base: object, inherited: object, tree: YamlTree, path: KeyPath
) -> list[Problem]:
    limit = rule.get("threshold")
    if limit is None and metric == base:
        limit = inherited
    if not isinstance(metric, str) or metric not in DIVERGENCES or (limit is not None and limit != "auto"):
        return []
    try:
        default_threshold(metric)
    except InputError as error:
        key = next((key for key in ("metric", "threshold") if rule.get(key) is not None), None)
        return [tree.problem((*path, key), str(error), code="threshold-required")] if key else []
    return []
