"""Backtests: stored windows judged again under other rules, from their histograms alone."""

from drift.backtest.replay import replay
from drift.backtest.results import Alert, Backtest, Cell, Tally
from drift.backtest.rules import Rules, parse_reference, rules_of, told_rules, variants
from drift.backtest.stored_windows import Stretch, stored_stretch

__all__ = [
    "Alert",
    "Backtest",
    "Cell",
    "Rules",
    "Stretch",
    "Tally",
    "parse_reference",
    "replay",
    "rules_of",
    "stored_stretch",
    "told_rules",
    "variants",
]
