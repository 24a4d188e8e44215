"""Streams of windows in which nothing changes, and the alarms that they raise."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from drift.histogram import History, NumericAxis
from drift.stats.arrays import Floats
from drift.stats.calibration import Calibration
from drift.stats.calibration.group import Group, fit_group
from drift.stats.false_alarm_budget import Budget

Counts = npt.NDArray[np.int64]
Rng = np.random.Generator

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def numbers(bins: int) -> NumericAxis:
    """So many bins between the edges, and the three special ones."""
    return NumericAxis(tuple(range(bins + 1)))


def shares_of(rng: Rng, columns: int, bins: int, missing: float = 0.01) -> Floats:
    """Shares of some columns, no two alike, shape (columns, bins + 3); none below or above, some missing."""
    inner = rng.dirichlet(np.full(bins, 2.0), size=columns) * (1 - missing)
    return np.pad(inner, ((0, 0), (1, 2))) + missing * (np.arange(bins + 3) == bins + 2)


def counts_of(rng: Rng, shares: Floats, rows: Sequence[int] | Counts, concentration: float | None = None) -> Counts:
    """Windows of so many rows in columns of such shares, shape (columns, windows, bins).

    Rows are independent, or, where a concentration c is given, come in clusters: Dirichlet-multinomial, of variance
    1 + (rows - 1) / (c + 1) times that of independent rows.
    """
    each = np.broadcast_to(shares[:, None] if shares.ndim == 2 else shares, (len(shares), len(rows), shares.shape[-1]))
    if concentration is not None:
        # A bin of a tiny share has a gamma variable that underflows to 0: no rows, as it should be.
        drawn = rng.standard_gamma(np.maximum(each * concentration, 1e-300))
        each = drawn / drawn.sum(axis=-1, keepdims=True)
    return rng.multinomial(np.asarray(rows)[None, :], each)


def wandering(rng: Rng, shares: Floats, windows: int, rho: float, deviation: float) -> Floats:
    """Shares that wander: log-odds are a stationary Gaussian AR(1), shape (columns, windows, bins)."""
    columns, bins = shares.shape
    away = rng.normal(size=(columns, windows, bins)) * deviation
    for t in range(1, windows):
        away[:, t] = rho * away[:, t - 1] + np.sqrt(1 - rho * rho) * away[:, t]
    moved = shares[:, None] * np.exp(away)
    return np.asarray(moved / moved.sum(axis=-1, keepdims=True))


def group_of(reference: Counts) -> Group:
    """What reference windows teach; shape (columns, windows, bins)."""
    return fit_group([numbers(reference.shape[2] - 3)] * len(reference), reference)


def p_values(group: Group, live: Counts) -> Floats:
    """Of every live window, shape (columns, windows); live of shape (columns, windows, bins)."""
    found = [group.evidence(live[:, at].astype(np.float64))[0] for at in range(live.shape[1])]
    return np.stack(found, axis=1)


def alarms(bad: npt.NDArray[np.bool_], for_windows: int = 1) -> int:
    """How often an alert fires: each time that bad windows in a row become so many. Windows lie along the last axis."""
    run = np.zeros(bad.shape[:-1], np.int64)
    fired = 0
    for at in range(bad.shape[-1]):
        run = np.where(bad[..., at], run + 1, 0)
        fired += int((run == for_windows).sum())
    return fired


@dataclass(frozen=True, slots=True)
class Monitor:
    """What a user set: how many columns, how long windows are, what budget, how many bad windows make an alarm."""

    columns: int = 10
    period: timedelta = DAY
    budget: Budget = Budget(1, timedelta(days=90))  # noqa: RUF009 - immutable
    for_windows: int = 1

    @property
    def wanted(self) -> float:
        """Alarms that the budget allows, for each window of each column."""
        return self.budget.alarms * (self.period / self.budget.per) / self.columns

    def levels(self, reference: Counts) -> Floats:
        """The level of every column, shape (columns, 1): of each monitor's own, since runs of bad windows are learned.

        The columns of several monitors come one after the other.
        """
        found = []
        for start in range(0, len(reference), self.columns):
            carried = 0.0
            if self.for_windows > 1:
                some = reference[start : start + self.columns]
                axis = numbers(some.shape[2] - 3)
                known = Calibration({str(i): History(axis, counts) for i, counts in enumerate(some)})
                times = np.arange(some.shape[1] + 1.0)
                carried = known.autocorrelation(times[:-1], times[1:])
            found.append(self.budget.level(self.columns, self.period, self.for_windows, carried))
        return np.repeat(found, self.columns)[: len(reference), None]


DAILY = Monitor(budget=Budget(1, timedelta(days=30)))


def fired(
    monitor: Monitor = DAILY,
    bins: int = 10,
    concentration: float | None = None,
    windows: int = 60,
    rows: Sequence[int] = (1000,),
    live_rows: Sequence[int] | None = None,
    monitors: int = 100,
) -> tuple[int, int]:
    """Alarms on streams in which nothing changes, and windows times columns.

    Each monitor has columns and a reference of its own; all together live through 10,000 windows. Numbers of rows come
    by turns.
    """
    rng, columns = np.random.default_rng(1), monitor.columns * monitors
    lives = 10_000 // monitors
    shares = shares_of(rng, columns, bins)
    reference = counts_of(rng, shares, np.resize(rows, windows), concentration)
    live = counts_of(rng, shares, np.resize(rows if live_rows is None else live_rows, lives), concentration)
    found = alarms(p_values(group_of(reference), live) < monitor.levels(reference), monitor.for_windows)
    return found, columns * lives
