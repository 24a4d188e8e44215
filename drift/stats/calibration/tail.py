"""P-value of a window's deviation: a tail fitted to the deviations of the reference windows from each other.

The deviation of a window is a maximum (over its bins), so its distribution is an extreme-value one: a Gumbel
distribution, fitted by moments (Gumbel 1958, Statistics of Extremes, section 6.2) to log(deviation + 5). This scale is
between that of light tails (no logarithm) and Frechet's of heavy ones (the plain logarithm). It was chosen by
measuring on shuffled days of flights, weather and bicycles and on simulated windows: a Student-t limit on the
logarithm raised three to seven times the wanted number of false alarms with many bins of clustered rows.

The fit is widened for the number of windows. If all reference windows are alike, or calmer than chance would have
them, the distribution expected by chance is mixed in, as `PRIOR_WEIGHT` windows. No p-value is below the window's
rank among the reference windows: a deviation that one of N reference windows reaches has a p-value of at least
1/(N + 1).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from drift.stats.arrays import Floats

PRIOR_WEIGHT: Final = 10.0
_SHIFT: Final = 5.0
_WIDENING: Final = 5.0
_SCALE: Final = math.sqrt(6) / math.pi
_EULER: Final = 0.5772156649015329


@dataclass(frozen=True, slots=True)
class Tail:
    """Distribution of the deviation of unchanged windows, for C columns.

    Parameters
    ----------
    sorted_deviations : array, shape (C, N)
        Deviations of the reference windows, sorted.
    centre, width : array, shape (C,)
        Predicted mean and standard deviation of log(deviation + 5) for the next window.
    """

    sorted_deviations: Floats
    centre: Floats
    width: Floats

    def p_value(self, deviation: Floats) -> Floats:
        """Return the probability that an unchanged window deviates at least this much, shape (C,)."""
        at_least = (self.sorted_deviations >= deviation[:, None]).sum(axis=1)
        return np.asarray(np.maximum(self.fitted_p_value(deviation), at_least / (self.sorted_deviations.shape[1] + 1)))

    def fitted_p_value(self, deviation: Floats) -> Floats:
        """Return the p-value by the fit alone, shape (C,): it may be far below 1 / (number of windows)."""
        standard = (np.log(deviation + _SHIFT) - self.centre) / self.width
        return np.asarray(-np.expm1(-np.exp(-(standard / _SCALE + _EULER))))

    def limit(self, level: float) -> Floats:
        """Return the deviation whose p-value is `level`, shape (C,)."""
        windows = self.sorted_deviations.shape[1]
        standard = (-math.log(-math.log1p(-level)) - _EULER) * _SCALE
        fitted = np.exp(self.centre + standard * self.width) - _SHIFT
        allowed = math.ceil(level * (windows + 1)) - 1  # number of reference windows that may deviate more
        by_rank = self.sorted_deviations[:, windows - 1 - min(allowed, windows - 1)]
        return np.asarray(np.maximum(fitted, np.nextafter(by_rank, np.inf)))


def fit_tail(sorted_deviations: Floats, bins: npt.NDArray[np.int64]) -> Tail:
    """Fit to the sorted deviations of N reference windows, shape (C, N); `bins`, shape (C,), hold rows."""
    windows = sorted_deviations.shape[1]
    logs = np.log(sorted_deviations + _SHIFT)
    by_chance = np.array([_by_chance(int(k), windows - 1) for k in bins]).reshape(-1, 2)
    mean, expected = logs.mean(axis=1), by_chance[:, 0]
    centre = np.where(mean >= expected, mean, (PRIOR_WEIGHT * expected + windows * mean) / (PRIOR_WEIGHT + windows))
    squares = ((logs - centre[:, None]) ** 2).sum(axis=1)
    mixed = (PRIOR_WEIGHT * by_chance[:, 1] ** 2 + squares) / (PRIOR_WEIGHT + windows - 1)
    variance = np.maximum(squares / (windows - 1), mixed)
    width = np.sqrt(variance * (1 + 1 / windows)) * (1 + _WIDENING / windows)
    return Tail(sorted_deviations, centre, width)


@lru_cache(maxsize=4096)
def _by_chance(bins: int, degrees: int) -> tuple[float, float]:
    """Mean and standard deviation of log(max |t| + 5) over bins / 2 values: the shares depend on each other."""
    from scipy.special import stdtrit  # noqa: PLC0415 - quick start-up

    probabilities = (np.arange(100) + 0.5) / 100
    largest = -stdtrit(degrees, (1 - probabilities ** (1 / max(bins / 2, 1))) / 2)
    logs = np.log(largest + _SHIFT)
    return float(logs.mean()), float(logs.std())
