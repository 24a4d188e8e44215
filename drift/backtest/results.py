"""Results of a backtest: windows, alerts and their rates."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from drift.monitors.verdict import Verdict
from drift.monitors.window import Window, format_instant

QUARTER: Final = timedelta(days=90)

ColumnKey = tuple[str, str]
"""A segment and a column."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert from firing to resolved; `drift.monitors.alert_state.Fingerprint` identifies it.

    `fired` and `resolved` are the windows that fire and resolve it (None if it still fires at the end); `windows` is
    the number of windows at the end of which it fires; `message` is that of the window that fires it.
    """

    column: str
    segment: str
    rule: str
    fired: Window
    resolved: Window | None
    windows: int
    message: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One column of one window that is not `ok`, or has a firing alert."""

    segment: str
    column: str
    window: Window
    verdict: Verdict
    firing: bool


@dataclass(frozen=True, slots=True)
class AlertTally:
    """Counts of one column: alerts, and windows with verdict `drift`."""

    column: str
    segment: str
    alerts: int
    windows_bad: int


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a monitor would have reported under some rules."""

    monitor: str
    rules: Mapping[str, Any]  # the rules, from `drift.backtest.rules_from_monitor`
    windows: Mapping[Window, Verdict]  # the windows, oldest first, with their verdicts under these rules
    alerts: tuple[Alert, ...]  # the alerts, in the order in which they fire
    cells: tuple[Cell, ...]  # columns of windows that are not `ok`, or have a firing alert
    columns: tuple[ColumnKey, ...]
    # Columns of windows that keep their stored verdict, because they were counted on other bins than the reference's
    kept: int = 0
    # The limit on the p-value in the last window; None if learned limits decide no column of it
    level: float | None = None

    @property
    def alerts_per_90d(self) -> float:
        """Alerts in 90 days of windows."""
        watched = sum((window.end - window.start for window in self.windows), timedelta(0))
        return len(self.alerts) * (QUARTER / watched)

    @property
    def messages(self) -> int:
        """Windows in which at least one alert begins to fire: each gives one notification."""
        return len({alert.fired for alert in self.alerts})

    @property
    def drifted(self) -> int:
        """Columns of windows with verdict `drift`."""
        return sum(cell.verdict is Verdict.DRIFT for cell in self.cells)

    @property
    def insufficient(self) -> int:
        """Columns of windows at or above a threshold but within noise: neither drift nor `ok`."""
        return sum(cell.verdict is Verdict.INSUFFICIENT for cell in self.cells)

    @property
    def tallies(self) -> tuple[AlertTally, ...]:
        """Each column, those with the most alerts first."""
        fired = Counter((alert.segment, alert.column) for alert in self.alerts)
        bad = Counter((c.segment, c.column) for c in self.cells if c.verdict is Verdict.DRIFT)
        keys = dict.fromkeys([*self.columns, *fired])
        tallies = [
            AlertTally(column, segment, fired[segment, column], bad[segment, column]) for segment, column in keys
        ]
        return tuple(sorted(tallies, key=lambda t: (-t.alerts, -t.windows_bad, t.column, t.segment)))

    def to_dict(self) -> dict[str, Any]:
        """Return strict JSON with stable keys: see docs/backtest.md."""
        first, last = next(iter(self.windows)), next(reversed(list(self.windows)))
        return {
            "version": 1,
            "monitor": self.monitor,
            "rules": dict(self.rules),
            "level": self.level,
            "from": format_instant(first.start),
            "to": format_instant(last.end),
            "windows": len(self.windows),
            "alerts": [
                {
                    "column": alert.column,
                    "segment": alert.segment,
                    "rule": alert.rule,
                    "fired": format_instant(alert.fired.start),
                    "resolved": alert.resolved and format_instant(alert.resolved.start),
                    "windows": alert.windows,
                    "message": alert.message,
                }
                for alert in self.alerts
            ],
            "alerts_per_90d": self.alerts_per_90d,
            "messages": self.messages,
            "column_windows_bad": self.drifted,
            "column_windows_insufficient": self.insufficient,
            "column_windows_kept": self.kept,
            "columns": [
                {"column": t.column, "segment": t.segment, "alerts": t.alerts, "windows_bad": t.windows_bad}
                for t in self.tallies
            ],
        }
