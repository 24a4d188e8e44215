"""The rules of columns: what each leaves open is the monitor's."""

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


def columns(section: MonitorSection) -> Columns:
    """Which columns are watched, and by which rules."""
    given = section.columns
    return Columns(
        default=_rule(section, section),
        overrides={column: _rule(rule, section) for column, rule in given.overrides.items()},
        include=given.include,
        exclude=given.exclude,
    )


def _rule(rule: RuleSection, base: RuleSection) -> ColumnRule:
    """A rule, with what it leaves open taken from the monitor's.

    A rule that names another metric takes that metric's customary smoothing, base and threshold: the
    monitor's numbers were given for its own.
    """
    metric = rule.metric or base.metric or _METRIC
    heir = metric == (base.metric or _METRIC)
    limit = base.threshold if heir and "threshold" not in rule.model_fields_set else rule.threshold
    return ColumnRule(
        bins=_bins(rule.bins, base.bins),
        method=Method(
            metric=metric,
            smoothing=base.smoothing if heir and rule.smoothing is None else rule.smoothing,
            base=base.base if heir and rule.base is None else rule.base,
        ),
        limit=None if limit is None else limit.threshold(),
    )


def _bins(own: BinsSection, base: BinsSection) -> Bins:
    usual = Bins()
    numeric = own.numeric or base.numeric or usual.method
    return Bins(
        method=numeric if isinstance(numeric, str) else "edges",
        count=own.count or base.count or usual.count,
        edges=None if isinstance(numeric, str) else numeric,
        top=own.top or base.top or usual.top,
    )


def check_columns(section: MonitorSection, told: DiagnosticCollector) -> None:
    """Warn of columns that are named and excluded."""
    excluded = set(section.columns.exclude)
    for i, column in enumerate(section.columns.include or ()):
        if column in excluded:
            told.warn(("columns", "include", i), f"{column!r} is excluded too, and so not watched")
    for column in section.columns.overrides:
        if column in excluded:
            told.warn(("columns", "overrides", column), "the column is excluded, and so not watched")


def without_default_threshold(filled: Mapping[str, Any], tree: YamlTree, prefix: KeyPath) -> list[Problem]:
    """Metrics that are judged by a customary number and have none.

    Read from the values as they came, so that it is told about together with whatever else is wrong.
    """
    given = filled.get("columns")
    overrides = given.get("overrides") if isinstance(given, dict) else None
    base = filled.get("metric") or _METRIC
    found = _judged(filled, base, base, None, tree, prefix)
    for column, rule in (overrides if isinstance(overrides, dict) else {}).items():
        if isinstance(rule, dict):
            path = (*prefix, "columns", "overrides", column)
            found += _judged(rule, rule.get("metric") or base, base, filled.get("threshold"), tree, path)
    return found


def _judged(
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
        return [tree.problem((*path, key), str(error))] if key else []
    return []
