"""95 % intervals for a divergence, with the noise removed.

If the data have changed, T of `null_distribution` is about normal (delta method: Bishop, Fienberg and Holland 1975,
section 14.6; Pardo 2006, section 3.1), with mean T0 + E for T0 of the true shares and E the mean under no change, and
variance

    V(T0) = V + r T0,   r = S / T,   V the variance under no change,
    S = [sum p g^2 - (sum p g)^2] / n + [sum q h^2 - (sum q h)^2] / m,   g = dT/dp, h = dT/dq.

Near no change r is 4 c (1/n + 1/m): both moments are then those of the noncentral chi-squared distribution. The ends
are the T0 at a distance of 1.96 standard deviations from the observed value, by *their own* standard deviation (Wilson
1927): a quadratic equation, and no interval is too short because a value is low by chance. If much of a score comes
from bins with few rows on one side, or E is not known, the counts of both sides are resampled (bootstrap).

Coverage, by simulation (tests/stats/test_intervals.py): 93 to 98 % if nothing or little changed, and for large changes
from 1,000 rows on either side (10,000 for the largest changes). With fewer rows, intervals of large changes are too
short: js_distance covers 84 % at 200 to 1,000 rows, hellinger 59 %, and kl as few as 12 % if the live rows are in bins
that the reference hardly has: its terms then depend on the pseudo-counts. Verdicts do not use intervals.
"""

import math
from typing import Final

import numpy as np

from drift.histogram import Counts
from drift.stats.arrays import Floats, Mask
from drift.stats.null_distribution import SIGNIFICANCE, Noise, NullDistribution, PairBatch, finite_scores

CONFIDENCE: Final = 0.95
_Z: Final = 1.959963984540054  # normal quantile for CONFIDENCE
_DRAWS: Final = 200
_STEP: Final = 1e-4  # of the numerical derivatives, in log p and log q
_MIN_ROWS: Final = 5  # of a bin, on either side
_MAX_SPARSE: Final = 0.1  # fraction of a score that may come from bins with fewer rows


def interval(batch: PairBatch, null: NullDistribution, noise: Noise) -> tuple[Floats, Floats]:
    """Return both ends of the 95 % intervals, noise removed; shape (pairs,) each, never below zero.

    By formula if the null distribution is known and most bins have rows on both sides, else by the bootstrap (see the
    module).
    """
    by_formula = null.known & (_is_smooth(batch) | (noise.p_value >= SIGNIFICANCE))
    ends = np.empty((2, len(by_formula)))
    if by_formula.any():
        ends[:, by_formula] = _by_formula(batch, null, by_formula)
        # The upper tail of the normal distribution is a little too light under no change; the p-value is more exact.
        ends[0, by_formula & (noise.p_value > (1 - CONFIDENCE) / 2)] = 0.0
    for pair in np.flatnonzero(~by_formula).tolist():
        ends[:, pair] = _by_bootstrap(batch, pair)
    return ends[0], ends[1]


def _is_smooth(batch: PairBatch) -> Mask:
    """Whether nearly all of the score comes from bins with rows on both sides: there it is a smooth function."""
    sparse = np.minimum(batch.live, batch.reference) < _MIN_ROWS
    return np.asarray((batch.parts * sparse).sum(axis=-1) <= _MAX_SPARSE * batch.values)


def _by_formula(batch: PairBatch, null: NullDistribution, pairs: Mask) -> Floats:
    mean, variance, total = null.moments.mean[pairs], null.moments.variance[pairs], batch.totals[pairs]
    excess = np.maximum(0.0, total - mean)
    rate = np.divide(_sampling_variance(batch, pairs), total, out=4 * batch.scale[pairs], where=excess > 0)
    middle = excess + _Z**2 * rate / 2
    half = _Z * np.sqrt(rate * excess + _Z**2 * rate**2 / 4 + variance)
    ends = np.stack([np.maximum(0.0, middle - half), middle + half]) / batch.nats_per_unit
    return np.sqrt(ends) if batch.divergence.root else ends


def _sampling_variance(batch: PairBatch, pairs: Mask) -> Floats:
    """S of the module: variance of T from the sampling of both sides' rows, to first order."""
    p, q, terms = batch.p[pairs], batch.q[pairs], batch.divergence.terms
    up, down = math.exp(_STEP), math.exp(-_STEP)
    in_p = (terms(p * up, q) - terms(p * down, q)) / (2 * _STEP)  # p dT/dp, bin by bin
    in_q = (terms(p, q * up) - terms(p, q * down)) / (2 * _STEP)
    return np.asarray(_multinomial_variance(in_p, p) / batch.n[pairs] + _multinomial_variance(in_q, q) / batch.m[pairs])


def _multinomial_variance(weighted: Floats, shares: Floats) -> Floats:
    """Sum p g^2 - (sum p g)^2, from p g."""
    squares = np.divide(weighted * weighted, shares, out=np.zeros_like(shares), where=shares > 0)
    return np.asarray(squares.sum(axis=-1) - weighted.sum(axis=-1) ** 2)


def _by_bootstrap(batch: PairBatch, pair: int) -> tuple[float, float]:
    """Return the ends by the basic bootstrap of both sides' counts.

    Resampled scores are too large by about the noise, as the score is; reflecting them about the score (Davison and
    Hinkley 1997, section 5.2) removes the noise from both ends. Noise adds to the square of a distance, so its lower
    end is reflected on that scale: otherwise one unchanged window in four would have an interval above zero. Infinite
    resampled scores do not count.
    """
    value, rng = float(batch.values[pair]), batch.rng(pair)
    draws = batch.scores(_resampled(batch.live[pair], rng), _resampled(batch.reference[pair], rng))
    quantiles = np.quantile(finite_scores(draws, value), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    low, high = (float(end) for end in quantiles)
    is_distance = batch.divergence.root or batch.divergence.curvature is None
    lower = math.sqrt(max(0.0, 2 * value**2 - high**2)) if is_distance else max(0.0, 2 * value - high)
    return lower, max(lower, 2 * value - low)


def _resampled(counts: Counts, rng: np.random.Generator) -> Counts:
    return rng.multinomial(int(counts.sum()), counts / counts.sum(), size=_DRAWS)
