"""How often an ordinary window is as strange as this one: a tail fitted to the reference windows' own strangeness.

The strangeness of a window is a largest value (of its bins), so its law is of the kind of Gumbel's: fitted by
moments (Gumbel 1958, Statistics of Extremes, section 6.2) to log(strangeness + 5), which lies between the law of light
tails (no logarithm) and Frechet's of heavy ones (the logarithm alone). It was chosen by measuring, on shuffled
days of flights, weather and bicycles and on simulated windows: a Student-t limit on the logarithm let three to seven
times the wanted number of false alarms pass where there are many bins of clustered rows.

The fit is widened for the number of windows. Where all reference windows are alike, or calmer than chance would have
them, what chance would give is mixed in, as `PRIOR_WEIGHT` windows. And no window is called rarer than its rank among
the reference's: what as many as one of N reference windows reaches has a p-value of at least 1/(N + 1).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

PRIOR_WEIGHT: Final = 10.0
_SHIFT: Final = 5.0
_WIDER: Final = 5.0
_SCALE: Final = math.sqrt(6) / math.pi
_EULER: Final = 0.5772156649015329


@dataclass(frozen=True, slots=True)
class Tail:
    """The law of the strangeness of ordinary windows of C columns.

    Parameters
    ----------
    ordinary : array, shape (C, N)
        Strangeness of the reference windows, sorted.
    centre, width : array, shape (C,)
        Mean and standard deviation of log(strangeness + 5) that the next window is expected to have.
    """

    ordinary: Array
    centre: Array
    width: Array

    def p_value(self, strange: Array) -> Array:
        """How often an ordinary window is at least so strange, shape (C,)."""
        as_strange = (self.ordinary >= strange[:, None]).sum(axis=1)
        return np.asarray(np.maximum(self.fitted(strange), as_strange / (self.ordinary.shape[1] + 1)))

    def fitted(self, strange: Array) -> Array:
        """The same by the fitted law alone, shape (C,): it may be far less than one in the number of windows."""
        standard = (np.log(strange + _SHIFT) - self.centre) / self.width
        return np.asarray(-np.expm1(-np.exp(-(standard / _SCALE + _EULER))))

    def limit(self, level: float) -> Array:
        """The strangeness whose p-value is `level`, shape (C,)."""
        windows = self.ordinary.shape[1]
        standard = (-math.log(-math.log1p(-level)) - _EULER) * _SCALE
        fitted = np.exp(self.centre + standard * self.width) - _SHIFT
        allowed = math.ceil(level * (windows + 1)) - 1  # so many reference windows may be stranger
        least = self.ordinary[:, windows - 1 - min(allowed, windows - 1)]
        return np.asarray(np.maximum(fitted, np.nextafter(least, np.inf)))


def fit_tail(ordinary: Array, bins: npt.NDArray[np.int64]) -> Tail:
    """Fit to the strangeness of N reference windows, shape (C, N); `bins` that hold rows, shape (C,)."""
    windows = ordinary.shape[1]
    logs = np.log(ordinary + _SHIFT)
    by_chance = np.array([_by_chance(int(k), windows - 1) for k in bins]).reshape(-1, 2)
    seen, expected = logs.mean(axis=1), by_chance[:, 0]
    centre = np.where(seen >= expected, seen, (PRIOR_WEIGHT * expected + windows * seen) / (PRIOR_WEIGHT + windows))
    squares = ((logs - centre[:, None]) ** 2).sum(axis=1)
    mixed = (PRIOR_WEIGHT * by_chance[:, 1] ** 2 + squares) / (PRIOR_WEIGHT + windows - 1)
    variance = np.maximum(squares / (windows - 1), mixed)
    width = np.sqrt(variance * (1 + 1 / windows)) * (1 + _WIDER / windows)
    return Tail(ordinary, centre, width)


@lru_cache(maxsize=4096)
def _by_chance(bins: int, degrees: int) -> tuple[float, float]:
    """Mean and deviation of log(largest of some |t| + 5): half as many as bins, for shares depend on each other."""
    from scipy.special import stdtrit  # noqa: PLC0415 - quick start-up

    shares = (np.arange(100) + 0.5) / 100
    largest = -stdtrit(degrees, (1 - shares ** (1 / max(bins / 2, 1))) / 2)
    logs = np.log(largest + _SHIFT)
    return float(logs.mean()), float(logs.std())
