"""Mean, variance and skewness of a divergence between two samples of one distribution, however few rows a bin has.

Had the rows been dealt to the two sides by chance, each bin's count would be hypergeometric. A divergence T is a
sum over bins of functions of those counts alone, so its mean is the sum of theirs: exactly. Bins that expect few
rows are summed value by value; the others are about normal, where a term is a normal number squared. Bins are tied
by their sum: with a_i for which a term has the cumulants 2 a_i^2 and 8 a_i^3, pi_i the bin's share of all rows,
A = diag(a) and P = I - sqrt(pi) sqrt(pi)', variance and third cumulant of the sum are those of a normal quadratic
form, 2 tr (PA)^2 and 8 tr (PA)^3 (Mathai and Provost 1992, section 3.2), less what the terms of few rows say about
the sum itself (Holst 1972: conditioning on a sum takes away the regression on it).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from drift.stats.divergence import Divergence

Floats = npt.NDArray[np.float64]
_SHORT: Final = 16
_AT_ONCE: Final = 2048  # bins summed value by value: what they need stays in the cache


@dataclass(frozen=True, slots=True)
class Moments:
    """Of T under no change, in nats; shape (pairs,) each.

    Parameters
    ----------
    mean, variance, third : ndarray of float64
        The first three cumulants; infinite or NaN where T itself may be infinite.
    """

    mean: Floats
    variance: Floats
    third: Floats


def moments(known: Divergence, live: Floats, reference: Floats, alpha: float, enough: float) -> Moments:
    """Cumulants of T when nothing has changed, given what both sides hold together.

    Parameters
    ----------
    known : Divergence
        One that is locally quadratic: its curvature is not None.
    live, reference : ndarray of float64, shape (pairs, k)
        Counts, at least one row on each side.
    alpha : float
        The pseudo-count of each bin.
    enough : float
        Expected rows, on the smaller side, from which a bin's share is about normal.
    """
    n, m = live.sum(axis=-1, keepdims=True), reference.sum(axis=-1, keepdims=True)
    pooled = live + reference
    scale = (known.curvature or 0.0) * (1 / n + 1 / m)
    few = pooled < enough * (1 + np.maximum(n, m) / np.minimum(n, m))
    shares = pooled / (n + m)
    mean, second = scale * (1 - shares), np.broadcast_to(scale, few.shape).copy()
    third = second.copy()
    tied = np.zeros(few.shape)
    if few.any():
        bins = np.stack([pooled[few], np.broadcast_to(n, few.shape)[few], np.broadcast_to(m, few.shape)[few]], axis=1)
        found = _of_bins(known, bins, alpha, pooled.shape[-1], enough)
        mean[few], tied[few] = found[0], found[3]
        # Alone, a term of a normal quadratic form has the cumulants 2 (a (1 - pi))^2 and 8 (a (1 - pi))^3.
        loose = np.maximum(1 - shares[few], 1e-9)
        second[few], third[few] = np.sqrt(found[1] / 2) / loose, np.cbrt(found[2] / 8) / loose
    regression = tied.sum(axis=-1) ** 2 / (n * m / (n + m))[..., 0]
    return Moments(mean.sum(axis=-1), 2 * _trace2(second, shares) - regression, 8 * _trace3(third, shares))


def _trace2(a: Floats, shares: Floats) -> Floats:
    return np.asarray((a * a * (1 - 2 * shares)).sum(axis=-1) + (a * shares).sum(axis=-1) ** 2)


def _trace3(a: Floats, shares: Floats) -> Floats:
    once = (a * shares).sum(axis=-1)
    return np.asarray((a**3 * (1 - 3 * shares)).sum(axis=-1) + 3 * (a * a * shares).sum(axis=-1) * once - once**3)


def _of_bins(known: Divergence, bins: Floats, alpha: float, k: int, enough: float) -> Floats:
    """What `_summed` says of each bin (its rows, n, m); columns of one window have many alike. Shape (4, bins)."""
    distinct, where = np.unique(bins, axis=0, return_inverse=True)
    found = np.empty((4, len(distinct)))
    short = np.minimum(distinct[:, 0], distinct[:, 1:].min(axis=1)) < _SHORT
    # The width is each bin's own: sums over more zeros would differ in the last bit, by what stands beside it.
    for which, width in ((short, _SHORT), (~short, int(enough + 10 * enough**0.5 + 20))):
        places = np.flatnonzero(which)
        for start in range(0, len(places), _AT_ONCE):
            some = places[start : start + _AT_ONCE]
            found[:, some] = _summed(known, distinct[some], alpha, k, width)
    return found[:, where.reshape(-1)]


def _summed(known: Divergence, bins: Floats, alpha: float, k: int, width: int) -> Floats:
    """Mean, variance, third central moment and covariance with the count, of one term each; shape (4, bins)."""
    held, n, m = (column[:, np.newaxis] for column in bins.T)
    side, other = np.minimum(n, m), np.maximum(n, m)
    x = np.maximum(0.0, held - other) + np.arange(width)  # the smaller side's count
    chance = _hypergeometric(held, side, other, x)
    x = np.minimum(x, np.minimum(held, side))  # what lies beyond has no chance
    own, rest = (x + alpha) / (side + k * alpha), (held - x + alpha) / (other + k * alpha)
    terms = known.terms(np.where(n <= m, own, rest), np.where(n <= m, rest, own))
    mean = (chance * terms).sum(axis=-1, keepdims=True)
    off = terms - mean
    count = (chance * x).sum(axis=-1, keepdims=True)
    about = [mean[:, 0], *((chance * off * by).sum(axis=-1) for by in (off, off * off, x - count))]
    return np.stack(about)


def _hypergeometric(held: Floats, side: Floats, other: Floats, x: Floats) -> Floats:
    """The chance of each count x on the smaller side, from the ratios of neighbours: no large factorial is needed."""
    before = x[:, :-1]
    up = np.maximum(0.0, (held - before) * (side - before))
    with np.errstate(divide="ignore"):
        logs = np.log(up) - np.log((before + 1) * (other - held + before + 1))
    chance = np.concatenate([np.zeros((len(x), 1)), np.cumsum(logs, axis=-1)], axis=-1)
    chance = np.exp(chance - chance.max(axis=-1, keepdims=True))
    return np.asarray(chance / chance.sum(axis=-1, keepdims=True))
