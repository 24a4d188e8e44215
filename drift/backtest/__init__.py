"""Backtests: stored windows judged again under other rules, from their histograms alone."""

from drift.backtest.replay import replay_windows
from drift.backtest.results import Alert, AlertTally, Backtest, Cell
from drift.backtest.rules import ReplayRules, describe_rules, parse_reference, rule_variants, rules_from_monitor
from drift.backtest.stored_windows import StoredWindows, load_stored_windows

__all__ = [
    "Alert",
    "AlertTally",
    "Backtest",
    "Cell",
    "ReplayRules",
    "StoredWindows",
    "describe_rules",
    "load_stored_windows",
    "parse_reference",
    "replay_windows",
    "rule_variants",
    "rules_from_monitor",
]
