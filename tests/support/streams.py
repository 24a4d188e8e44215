"""Streams of windows without any change, and the alarms that they raise."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from drift.histogram import Counts, History, NumericAxis
from drift.stats.arrays import Floats
from drift.stats.calibration import Calibration
from drift.stats.calibration.group import Group, fit_group
from drift.stats.false_alarm_budget import Budget

Rng = np.random.Generator

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def numbers(bins: int) -> NumericAxis:
    """Return an axis with `bins` bins between the edges, and the three special ones."""
    return NumericAxis(tuple(range(bins + 1)))


def shares_of(rng: Rng, columns: int, bins: int, missing: float = 0.01) -> Floats:
    """Draw the shares of some columns, shape (columns, bins + 3): none below or above, some missing."""
    inner = rng.dirichlet(np.full(bins, 2.0), size=columns) * (1 - missing)
    return np.pad(inner, ((0, 0), (1, 2))) + missing * (np.arange(bins + 3) == bins + 2)


def counts_of(rng: Rng, shares: Floats, rows: Sequence[int] | Counts, concentration: float | None = None) -> Counts:
    """Draw windows of `rows` rows in columns with these shares, shape (columns, windows, bins).

    Rows are independent or, with a concentration c, clustered: Dirichlet-multinomial, whose variance is
    1 + (rows - 1) / (c + 1) times that of independent rows.
    """
    by_window = np.broadcast_to(
        shares[:, None] if shares.ndim == 2 else shares, (len(shares), len(rows), shares.shape[-1])
    )
    if concentration is not None:
        # The gamma variable of a tiny share underflows to 0: no rows, as expected.
        drawn = rng.standard_gamma(np.maximum(by_window * concentration, 1e-300))
        by_window = drawn / drawn.sum(axis=-1, keepdims=True)
    return rng.multinomial(np.asarray(rows)[None, :], by_window)


def wandering(rng: Rng, shares: Floats, windows: int, rho: float, deviation: float) -> Floats:
    """Draw autocorrelated shares: log-odds are a stationary Gaussian AR(1), shape (columns, windows, bins)."""
    columns, bins = shares.shape
    away = rng.normal(size=(columns, windows, bins)) * deviation
    for t in range(1, windows):
        away[:, t] = rho * away[:, t - 1] + np.sqrt(1 - rho * rho) * away[:, t]
    moved = shares[:, None] * np.exp(away)
    return np.asarray(moved / moved.sum(axis=-1, keepdims=True))


def group_of(reference: Counts) -> Group:
    """Calibrate on reference windows, shape (columns, windows, bins)."""
    return fit_group([numbers(reference.shape[2] - 3)] * len(reference), reference)


def p_values(group: Group, live: Counts) -> Floats:
    """Return the p-value of every live window, shape (columns, windows); live of shape (columns, windows, bins)."""
    by_window = [group.evidence(live[:, i].astype(np.float64))[0] for i in range(live.shape[1])]
    return np.stack(by_window, axis=1)


def alarms(bad: npt.NDArray[np.bool_], for_windows: int = 1) -> int:
    """Count how often `for_windows` bad windows in a row are reached; windows are along the last axis."""
    run = np.zeros(bad.shape[:-1], np.int64)
    count = 0
    for i in range(bad.shape[-1]):
        run = np.where(bad[..., i], run + 1, 0)
        count += int((run == for_windows).sum())
    return count


@dataclass(frozen=True, slots=True)
class Monitor:
    """Settings of a monitor: columns, length of windows, budget, and bad windows in a row for an alarm."""

    columns: int = 10
    period: timedelta = DAY
    budget: Budget = Budget(1, timedelta(days=90))  # noqa: RUF009 - immutable
    for_windows: int = 1

    @property
    def allowed_rate(self) -> float:
        """Alarms that the budget allows, for each window of each column."""
        return self.budget.alarms * (self.period / self.budget.per) / self.columns

    def levels(self, reference: Counts) -> Floats:
        """Return the level of every column, shape (columns, 1); each monitor has its own because of autocorrelation.

        The columns of several monitors come one after the other.
        """
        levels = []
        for start in range(0, len(reference), self.columns):
            autocorrelation = 0.0
            if self.for_windows > 1:
                windows = reference[start : start + self.columns]
                axis = numbers(windows.shape[2] - 3)
                calibration = Calibration({str(i): History(axis, counts) for i, counts in enumerate(windows)})
                times = np.arange(windows.shape[1] + 1.0)
                autocorrelation = calibration.autocorrelation(times[:-1], times[1:])
            levels.append(self.budget.level(self.columns, self.period, self.for_windows, autocorrelation))
        return np.repeat(levels, self.columns)[: len(reference), None]


DAILY = Monitor(budget=Budget(1, timedelta(days=30)))


def simulated_alarms(
    monitor: Monitor = DAILY,
    bins: int = 10,
    concentration: float | None = None,
    windows: int = 60,
    rows: Sequence[int] = (1000,),
    live_rows: Sequence[int] | None = None,
    monitors: int = 100,
) -> tuple[int, int]:
    """Return the number of alarms on streams without any change, and windows times columns.

    Each monitor has its own columns and reference; together they see 10,000 live windows. Numbers of rows alternate.
    """
    rng, columns = np.random.default_rng(1), monitor.columns * monitors
    live_windows = 10_000 // monitors
    shares = shares_of(rng, columns, bins)
    reference = counts_of(rng, shares, np.resize(rows, windows), concentration)
    live = counts_of(rng, shares, np.resize(rows if live_rows is None else live_rows, live_windows), concentration)
    count = alarms(p_values(group_of(reference), live) < monitor.levels(reference), monitor.for_windows)
    return count, columns * live_windows
