"""How much of a score is noise: two samples of one distribution never have equal shares.

Write T = sum of terms of a locally quadratic divergence (in nats), with curvature c: near p = q,
T ~ c * sum (p - q)^2 / q. Under no change 1 / c * n m / (n + m) * T is about chi-squared with k - 1
degrees of freedom (k bins that hold rows on either side; n live rows, m reference rows), so
E[T] ~ c (k - 1) (1/n + 1/m): (k-1)/2 (1/n + 1/m) for KL, (k-1)/8 (1/n + 1/m) for JS.
Sources: Wilks 1938 (likelihood ratio); Menendez, Morales, Pardo and Pardo 1997 (JS); Pardo, Statistical
Inference Based on Divergence Measures, 2006, chapter 3.

Divergences without such a form (total variation, ks, ...) get their null by drawing live rows without
replacement from the pooled counts (multivariate hypergeometric: the exact permutation null).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from drift.divergence import Divergence, divergence, lookup
from drift.histogram import Counts
from drift.smoothing import Smoothing, smooth

LEVEL: Final = 0.95
SIGNIFICANCE: Final = 0.001
_NULL_DRAWS: Final = 2000
_INTERVAL_DRAWS: Final = 400


@dataclass(frozen=True, slots=True)
class Noise:
    """What a score would be if nothing had changed.

    Parameters
    ----------
    floor : float
        Expected value under no change, in the score's own unit.
    p_value : float
        How often a score this large comes from one unchanged distribution.
    detectable : float
        The smallest score that stands out at p = 0.001 with these numbers of rows.
    """

    floor: float
    p_value: float
    detectable: float


def noise(
    metric: str,
    live: Counts,
    reference: Counts,
    value: float,
    *,
    base: float,
    smoothing: Smoothing,
    rng: np.random.Generator,
) -> Noise:
    """The noise of one score over these counts, shape (k,) each, of at least one row each."""
    known = lookup(metric)
    if known.curvature is None:
        return _simulated(metric, live, reference, value, base=base, smoothing=smoothing, rng=rng)
    return _chi_squared(known, live, reference, value, base)


def interval(
    metric: str,
    live: Counts,
    reference: Counts,
    value: float,
    *,
    base: float,
    smoothing: Smoothing,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """95 % interval for the divergence itself, by the basic bootstrap of both sides' counts.

    Resampled scores are too large by about the noise, as the score is; reflecting them about the score
    (Davison and Hinkley 1997, section 5.2) takes the noise out of both ends. Never below zero.
    """
    draws = divergence(
        metric,
        smooth(_resampled(live, rng), smoothing),
        smooth(_resampled(reference, rng), smoothing),
        base,
    )
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return max(0.0, float(2 * value - high)), max(0.0, float(2 * value - low))


def _resampled(counts: Counts, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    return rng.multinomial(int(counts.sum()), counts / counts.sum(), size=_INTERVAL_DRAWS)


def _chi_squared(known: Divergence, live: Counts, reference: Counts, value: float, base: float) -> Noise:
    from scipy.special import chdtrc, chdtri  # noqa: PLC0415 - 0.2 s that --help need not pay

    n, m = int(live.sum()), int(reference.sum())
    degrees = int(np.count_nonzero(live + reference)) - 1
    if degrees < 1:  # every row of both sides in one bin: nothing to differ by
        return Noise(0.0, 1.0, 0.0)
    assert known.curvature is not None  # noqa: S101 - for the type checker; noise() chose by it
    scale = known.curvature * (1 / n + 1 / m)
    unit = math.log(base) if known.logarithmic else 1.0
    total = (value * value if known.root else value) * unit
    levels = np.array([scale * degrees, scale * float(chdtri(degrees, SIGNIFICANCE))]) / unit
    floor, detectable = np.sqrt(levels) if known.root else levels
    return Noise(float(floor), float(chdtrc(degrees, total / scale)), float(detectable))


def _simulated(
    metric: str,
    live: Counts,
    reference: Counts,
    value: float,
    *,
    base: float,
    smoothing: Smoothing,
    rng: np.random.Generator,
) -> Noise:
    pooled = live + reference
    # "marginals" needs no memory of the size of the rows, and works for any number of them.
    drawn = rng.multivariate_hypergeometric(pooled, int(live.sum()), size=_NULL_DRAWS, method="marginals")
    scores = divergence(metric, smooth(drawn, smoothing), smooth(pooled - drawn, smoothing), base)
    # The score itself is one more draw of the null: p is never 0 (Phipson and Smyth 2010).
    as_large = int(np.count_nonzero(scores >= value * (1 - 1e-12)))
    p_value = (as_large + 1) / (_NULL_DRAWS + 1)
    return Noise(float(scores.mean()), p_value, float(np.quantile(scores, 1 - SIGNIFICANCE)))
