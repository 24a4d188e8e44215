"""Judges by histograms, which find changed windows from the counts of the reference's windows.

A rule takes the reference's counts, shape (N, k), and those of the live windows, shape (L, k), of one column, and
returns whether each live window raises an alarm, shape (L,). A window without rows raises none.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import stats

from drift.histogram import Axis, Histogram, History
from drift.stats.calibration import Calibration
from drift.stats.divergence import js_distance, psi
from drift.stats.smoothing import smooth

Counts = npt.NDArray[np.int64]
Alarms = npt.NDArray[np.bool_]
Rule = Callable[[Counts, Counts], Alarms]

LEVELS: Final = (1e-2, 1e-3, 3e-4, 1e-4)
"""The first gives about as many false alarms as mean + 3 sd; the others are levels that result from a budget."""


def js_over(limit: float) -> Rule:
    """Return a rule: the JS distance (base 2) from the pooled reference exceeds a limit."""
    return lambda reference, live: _distance(live, reference.sum(axis=0)) > limit


def js_three_deviations(reference: Counts, live: Counts) -> Alarms:
    """Alarm if the JS distance exceeds mean + 3 sd of the reference windows, each compared with all others."""
    reference_distances = _reference_distances(reference)
    return np.asarray(
        _distance(live, reference.sum(axis=0)) > reference_distances.mean() + 3 * reference_distances.std(ddof=1)
    )


def log_js_student(level: float) -> Rule:
    """Return a rule: Student's prediction limit of the log JS distance (Hahn and Meeker 1991, section 4.7)."""

    def judge(reference: Counts, live: Counts) -> Alarms:
        logs = np.log(_reference_distances(reference) + 1e-9)
        n = len(logs)
        spread = max(float(logs.std(ddof=1)), 1e-6) * np.sqrt(1 + 1 / n)
        deviations = (np.log(_distance(live, reference.sum(axis=0)) + 1e-9) - logs.mean()) / spread
        return np.asarray(stats.t.sf(deviations, n - 1) < level)

    return judge


def psi_over(limit: float) -> Rule:
    """Return a rule: the population stability index exceeds a limit; half a row is added to every bin."""

    def judge(reference: Counts, live: Counts) -> Alarms:
        pooled = np.broadcast_to(smooth(reference.sum(axis=0), "jeffreys"), live.shape)
        return np.asarray(psi(smooth(live, "jeffreys"), pooled) > limit) & live.any(axis=1)

    return judge


def chi_squared(level: float) -> Rule:
    """Return a rule: Pearson's test of the window and the pooled reference, by `scipy.stats.chi2_contingency`."""

    def judge(reference: Counts, live: Counts) -> Alarms:
        pooled = reference.sum(axis=0)
        return np.array([window.any() and _pearson(pooled, window) < level for window in live], dtype=bool)

    return judge


def p_values(axes: Mapping[str, Axis], reference: Mapping[str, Counts], live: Sequence[Mapping[str, Counts]]
             ) -> dict[str, npt.NDArray[np.float64]]:  # fmt: skip
    """Return the p-value of each live window by drift's calibration, for each column; 1 if it has none."""
    calibration = Calibration({name: History(axis, reference[name]) for name, axis in axes.items()})
    evidence = [calibration.evidence({name: Histogram(axes[name], window[name]) for name in window}) for window in live]
    return {
        name: np.array([of_window[name].p_value if name in of_window else 1.0 for of_window in evidence])
        for name in {name for window in live for name in window}
    }


RULES: Final[Mapping[str, Rule]] = {
    "JS distance > 0.1": js_over(0.1),
    "JS distance, mean + 3 sd": js_three_deviations,
    "log JS, Student t, 0.001": log_js_student(1e-3),
    "PSI > 0.25": psi_over(0.25),
    "chi-squared, p < 0.001": chi_squared(1e-3),
}


def _distance(live: Counts, pooled: Counts) -> npt.NDArray[np.float64]:
    """Return the JS distance of each window; 0 if either side has no rows."""
    pooled = np.broadcast_to(pooled, live.shape)
    both = live.any(axis=1) & pooled.any(axis=1)
    distances = np.zeros(len(live))
    if both.any():
        distances[both] = js_distance(smooth(live[both]), smooth(pooled[both]))
    return distances


def _reference_distances(reference: Counts) -> npt.NDArray[np.float64]:
    filled = reference[reference.any(axis=1)]
    return _distance(filled, filled.sum(axis=0) - filled)


def _pearson(pooled: Counts, window: Counts) -> float:
    filled = pooled + window > 0
    if np.count_nonzero(filled) < 2:
        return 1.0
    return float(stats.chi2_contingency(np.stack([pooled[filled], window[filled]]), correction=False).pvalue)
