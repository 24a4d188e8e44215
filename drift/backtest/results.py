"""What a backtest found: windows, alerts, and how often."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from drift.monitors.verdict import Verdict
from drift.monitors.window import Window, format_instant

QUARTER: Final = timedelta(days=90)

Place = tuple[str, str]
"""A segment and a column."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert from firing to resolved.

    Parameters
    ----------
    column, segment, rule : str
        What it is about; see `drift.monitors.alert_state.Fingerprint`.
    fired : Window
        The window whose check fires it.
    resolved : Window or None
        The one that resolves it; None where it still fires at the end.
    windows : int
        Windows at whose end it was firing.
    message : str
        What the window that fired it says.
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
    """One column of one window that is not plainly `ok`."""

    segment: str
    column: str
    window: Window
    verdict: Verdict
    firing: bool


@dataclass(frozen=True, slots=True)
class AlertTally:
    """How often a column was bad: windows with verdict `drift`, and alerts."""

    column: str
    segment: str
    alerts: int
    windows_bad: int


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a monitor would have told under some rules.

    Parameters
    ----------
    monitor : str
        Its name.
    rules : mapping
        As `drift.backtest.rules_from_monitor` gives them.
    windows : mapping of Window to Verdict
        Oldest first, with the verdict that each would have had.
    alerts : tuple of Alert
        In the order in which they fire.
    cells : tuple of Cell
        Columns that were not `ok`, or fired.
    columns : tuple of (str, str)
        Every segment and column that was judged.
    kept : int
        Columns of windows that were counted, but not on the bins that the reference has now: as stored.
    level : float or None
        The p-value that the budget asks of the last window's columns; None where what reference windows taught judges
        none of them.
    """

    monitor: str
    rules: Mapping[str, Any]
    windows: Mapping[Window, Verdict]
    alerts: tuple[Alert, ...]
    cells: tuple[Cell, ...]
    columns: tuple[Place, ...]
    kept: int = 0
    level: float | None = None

    @property
    def alerts_per_90d(self) -> float:
        """Alerts in 90 days of windows."""
        watched = sum((window.end - window.start for window in self.windows), timedelta(0))
        return len(self.alerts) * (QUARTER / watched)

    @property
    def messages(self) -> int:
        """Windows in which at least one alert begins to fire: each is one message."""
        return len({alert.fired for alert in self.alerts})

    @property
    def drifted(self) -> int:
        """Columns of windows with verdict `drift`."""
        return sum(cell.verdict is Verdict.DRIFT for cell in self.cells)

    @property
    def insufficient(self) -> int:
        """Columns of windows that reach a number, and yet lie within the noise: no alarm, and no `ok`."""
        return sum(cell.verdict is Verdict.INSUFFICIENT for cell in self.cells)

    @property
    def tallies(self) -> tuple[AlertTally, ...]:
        """Each column, those with the most alerts first."""
        fired = Counter((alert.segment, alert.column) for alert in self.alerts)
        bad = Counter((c.segment, c.column) for c in self.cells if c.verdict is Verdict.DRIFT)
        places = dict.fromkeys([*self.columns, *fired])
        found = [
            AlertTally(column, segment, fired[segment, column], bad[segment, column]) for segment, column in places
        ]
        return tuple(sorted(found, key=lambda t: (-t.alerts, -t.windows_bad, t.column, t.segment)))

    def to_dict(self) -> dict[str, Any]:
        """Strict JSON with stable keys: see docs/backtest.md."""
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
