"""Mean, variance and skewness of a divergence between two samples of one distribution, however few rows a bin has.

If rows are assigned to the two sides by chance, each bin's count is hypergeometric. A divergence T is a sum over bins
of functions of those counts alone, so its mean is exactly the sum of theirs. The terms of bins with few expected rows
are summed over the counts; the other counts are about normal, and their term is a squared normal variable. The bins
depend on each other through their sum: with a_i such that a term has the cumulants 2 a_i^2 and 8 a_i^3, pi_i the bin's
share of all rows, A = diag(a) and P = I - sqrt(pi) sqrt(pi)', variance and third cumulant of T are those of a normal
quadratic form, 2 tr (PA)^2 and 8 tr (PA)^3 (Mathai and Provost 1992, section 3.2), less what the terms of bins with few
rows say about the sum (Holst 1972: conditioning on a sum removes the regression on it).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from drift.stats.arrays import Floats
from drift.stats.divergence import Divergence

_NARROW: Final = 16
_BATCH: Final = 2048  # bins summed at once: the intermediate arrays fit the cache


@dataclass(frozen=True, slots=True)
class Moments:
    """The first three cumulants of T under no change, in nats; shape (pairs,); infinite or NaN if T may be infinite."""

    mean: Floats
    variance: Floats
    third: Floats


def moments(row: Divergence, live: Floats, reference: Floats, alpha: float, min_normal: float) -> Moments:
    """Return the cumulants of T under no change, given the pooled counts of both sides.

    Parameters
    ----------
    row : Divergence
        A locally quadratic one: its curvature is not None.
    live, reference : ndarray of float64, shape (pairs, k)
        Counts, at least one row on each side.
    alpha : float
        The pseudo-count of each bin.
    min_normal : float
        Expected rows, on the smaller side, from which the count of a bin is about normal.
    """
    n, m = live.sum(axis=-1, keepdims=True), reference.sum(axis=-1, keepdims=True)
    pooled = live + reference
    scale = (row.curvature or 0.0) * (1 / n + 1 / m)
    few = pooled < min_normal * (1 + np.maximum(n, m) / np.minimum(n, m))
    shares = pooled / (n + m)
    mean, second = scale * (1 - shares), np.broadcast_to(scale, few.shape).copy()
    third = second.copy()
    covariance = np.zeros(few.shape)
    if few.any():
        bins = np.stack([pooled[few], np.broadcast_to(n, few.shape)[few], np.broadcast_to(m, few.shape)[few]], axis=1)
        term_mean, term_variance, term_third, term_covariance = _terms(row, bins, alpha, pooled.shape[-1], min_normal)
        mean[few], covariance[few] = term_mean, term_covariance
        # Alone, a term of a normal quadratic form has the cumulants 2 (a (1 - pi))^2 and 8 (a (1 - pi))^3.
        rest = np.maximum(1 - shares[few], 1e-9)
        second[few], third[few] = np.sqrt(term_variance / 2) / rest, np.cbrt(term_third / 8) / rest
    regression = covariance.sum(axis=-1) ** 2 / (n * m / (n + m))[..., 0]
    return Moments(mean.sum(axis=-1), 2 * _trace2(second, shares) - regression, 8 * _trace3(third, shares))


def _trace2(a: Floats, shares: Floats) -> Floats:
    return np.asarray((a * a * (1 - 2 * shares)).sum(axis=-1) + (a * shares).sum(axis=-1) ** 2)


def _trace3(a: Floats, shares: Floats) -> Floats:
    once = (a * shares).sum(axis=-1)
    return np.asarray((a**3 * (1 - 3 * shares)).sum(axis=-1) + 3 * (a * a * shares).sum(axis=-1) * once - once**3)


def _terms(row: Divergence, bins: Floats, alpha: float, k: int, min_normal: float) -> Floats:
    """Apply `_sum_terms` to each distinct bin (pooled rows, n, m): many columns of a window share them; (4, bins)."""
    distinct, inverse = np.unique(bins, axis=0, return_inverse=True)
    result = np.empty((4, len(distinct)))
    narrow = np.minimum(distinct[:, 0], distinct[:, 1:].min(axis=1)) < _NARROW
    # The width depends on the bin alone: sums over more zeros would make the last bit depend on the other bins.
    for members, width in ((narrow, _NARROW), (~narrow, int(min_normal + 10 * min_normal**0.5 + 20))):
        indices = np.flatnonzero(members)
        for start in range(0, len(indices), _BATCH):
            batch = indices[start : start + _BATCH]
            result[:, batch] = _sum_terms(row, distinct[batch], alpha, k, width)
    return result[:, inverse.reshape(-1)]


def _sum_terms(row: Divergence, bins: Floats, alpha: float, k: int, width: int) -> Floats:
    """Mean, variance, third central moment of each term, and its covariance with the count; shape (4, bins)."""
    pooled, n, m = (column[:, np.newaxis] for column in bins.T)
    smaller, larger = np.minimum(n, m), np.maximum(n, m)
    x = np.maximum(0.0, pooled - larger) + np.arange(width)  # the count on the smaller side
    probability = _hypergeometric(pooled, smaller, larger, x)
    x = np.minimum(x, np.minimum(pooled, smaller))  # larger counts have probability 0
    own, rest = (x + alpha) / (smaller + k * alpha), (pooled - x + alpha) / (larger + k * alpha)
    terms = row.terms(np.where(n <= m, own, rest), np.where(n <= m, rest, own))
    mean = (probability * terms).sum(axis=-1, keepdims=True)
    deviation = terms - mean
    count = (probability * x).sum(axis=-1, keepdims=True)
    factors = (deviation, deviation * deviation, x - count)
    return np.stack([mean[:, 0], *((probability * deviation * factor).sum(axis=-1) for factor in factors)])


def _hypergeometric(pooled: Floats, smaller: Floats, larger: Floats, x: Floats) -> Floats:
    """Probability of each count x on the smaller side, from the ratios of neighbours: no large factorial is needed."""
    before = x[:, :-1]
    up = np.maximum(0.0, (pooled - before) * (smaller - before))
    with np.errstate(divide="ignore"):
        logs = np.log(up) - np.log((before + 1) * (larger - pooled + before + 1))
    probability = np.concatenate([np.zeros((len(x), 1)), np.cumsum(logs, axis=-1)], axis=-1)
    probability = np.exp(probability - probability.max(axis=-1, keepdims=True))
    return np.asarray(probability / probability.sum(axis=-1, keepdims=True))
