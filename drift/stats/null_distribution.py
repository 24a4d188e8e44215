"""Distribution of a score under no change: two samples of one distribution never have equal shares.

Write T for the sum of terms of a locally quadratic divergence (in nats), with curvature c: near p = q,
T ~ c * sum (p - q)^2 / q. Under no change, 1 / c * n m / (n + m) * T is about chi-squared with k - 1
degrees of freedom (k bins that hold rows on either side; n live rows, m reference rows), so
E[T] ~ c (k - 1) (1/n + 1/m): (k-1)/2 (1/n + 1/m) for KL, (k-1)/8 (1/n + 1/m) for JS. The square root of T
has the mean of a chi variable. Sources: Wilks 1938 (likelihood ratio); Menendez, Morales, Pardo and Pardo
1997 (JS); Pardo, Statistical Inference Based on Divergence Measures, 2006, chapter 3.

That distribution needs rows in every bin. Measured with 14 to 54 bins and 20 to 200 live rows, JS scores of unchanged
data passed p < 0.001 up to 25 times too often (and Hellinger's 600 times), or never if most bins are empty; Jeffreys
smoothing moves scores over few rows by more than their noise. So if a bin has few expected rows
(`Divergence.min_expected`), and for divergences without such a form (total variation, ks, ...), the null distribution
is simulated: live rows are drawn without replacement from the pooled counts (multivariate hypergeometric: the exact
permutation null), then smoothed and scored like the data.

Most simulations are avoided: a value or two beyond the reference's ends do not need one. The mean of T under that null
is known nearly exactly, its variance and skewness approximately (`stats.moments`). From 200 rows on, a gamma
distribution with these three moments (Pearson's type III) gives p-values above 0.01 within a tenth (measured: 3 to 200
bins, skewed or even, either side 100 times the other). Only smaller p-values are simulated, unless no draw would ever
come near the score.
"""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Final

import numpy as np

from drift.histogram import Counts
from drift.stats.arrays import Floats, Mask
from drift.stats.divergence import contributions, divergence, lookup
from drift.stats.moments import Moments, moments
from drift.stats.smoothing import Smoothing, pseudo_count, smooth

SIGNIFICANCE: Final = 0.001
_DRAWS: Final = 2000
_FIRST_DRAWS: Final = 250
_CLEARLY_COMMON: Final = 5
_MAX_POOLED_ROWS: Final = 999_999_999  # NumPy's limit for hypergeometric draws
_MIN_NORMAL: Final = 60.0  # expected rows of a bin from which its count is about normal (see `moments`)
_MIN_ROWS: Final = 200  # on the smaller side, from which three moments describe scores
_FAIR: Final = 5  # expected rows; at least three bins need as many
_LIGHT_TAILED: Final = 25  # `min_expected` of divergences whose tails three moments describe
_RARE: Final = 0.01  # p-value by three moments below which the null is simulated
_UNREACHABLE: Final = 1e-8  # p-value by three moments below which no draw would come near the score

Seed = np.random.Generator | int | Sequence[int]
"""Anything that `numpy.random.default_rng` takes; each pair has its own."""


class PairBatch:
    """Pairs of counts over equally many bins, scored by one method and computed together.

    No result of a pair depends on the other pairs.

    Parameters
    ----------
    metric, smoothing, base
        The method.
    live, reference : ndarray of int64, shape (pairs, k)
        Counts, at least one row each.
    seeds : sequence of Seed
        One for each pair; used only if something has to be simulated for it.

    Attributes
    ----------
    p, q : ndarray of float64, shape (pairs, k)
        Shares, smoothed.
    values : ndarray of float64, shape (pairs,)
        Scores; may be infinite.
    parts : ndarray of float64, shape (pairs, k)
        Contribution of each bin.
    n, m : ndarray of int64, shape (pairs,)
        Rows of the live and of the reference side.
    """

    def __init__(
        self, metric: str, smoothing: Smoothing, base: float, live: Counts, reference: Counts, seeds: Sequence[Seed]
    ) -> None:
        self.metric, self.smoothing, self.base = metric, smoothing, base
        self.divergence = lookup(metric)
        self.alpha = pseudo_count(smoothing, live.shape[-1])
        self.live, self.reference = live, reference
        self.n, self.m = live.sum(axis=-1), reference.sum(axis=-1)
        self.p, self.q = smooth(live, smoothing), smooth(reference, smoothing)
        self.values: Floats = divergence(metric, self.p, self.q, base)
        self.parts: Floats = contributions(metric, self.p, self.q, base)
        self._seeds = list(seeds)

    def rng(self, pair: int) -> np.random.Generator:
        """Return the generator of one pair; made on first use because most pairs need none."""
        rng = self._seeds[pair] = np.random.default_rng(self._seeds[pair])  # returns a generator unchanged
        return rng

    def scores(self, live: Counts, reference: Counts) -> Floats:
        """Score other counts by the same method."""
        return divergence(self.metric, smooth(live, self.smoothing), smooth(reference, self.smoothing), self.base)

    @property
    def totals(self) -> Floats:
        """T, in nats; shape (pairs,)."""
        return np.asarray((self.values * self.values if self.divergence.root else self.values) * self.nats_per_unit)

    @property
    def scale(self) -> Floats:
        """T of unchanged data per degree of freedom, in nats; shape (pairs,)."""
        return np.asarray((self.divergence.curvature or 0.0) * (1 / self.n + 1 / self.m))

    @property
    def nats_per_unit(self) -> float:
        """Nats in one unit of T."""
        return math.log(self.base) if self.divergence.logarithmic else 1.0


@dataclass(frozen=True, slots=True)
class Noise:
    """Scores under no change; shape (pairs,) each."""

    floor: Floats  # expected score, in its own unit
    p_value: Floats  # probability of a score at least this large
    detectable: Floats  # smallest score with p < 0.001 for these numbers of rows


@dataclass(frozen=True, slots=True)
class NullDistribution:
    """Distribution of T under no change, in nats: a gamma distribution of three moments, shape (pairs,) each."""

    moments: Moments
    chi_squared: Mask  # every bin has enough expected rows: the distribution is chi-squared, even far in the tail
    known: Mask  # the moments are known, and describe scores that are not rare


def fit_null_distribution(batch: PairBatch) -> NullDistribution:
    """Return the null distribution of each pair, if a formula applies (see the module)."""
    count = len(batch.live)
    if batch.divergence.curvature is None:
        none = np.zeros(count, dtype=np.bool_)
        return NullDistribution(Moments(*np.full((3, count), np.nan)), none, none)
    chi_squared = _is_chi_squared(batch)
    degrees, scale = np.count_nonzero((batch.live > 0) | (batch.reference > 0), axis=-1) - 1.0, batch.scale
    cumulants = np.stack([degrees * scale, 2 * degrees * scale**2, 8 * degrees * scale**3])
    gamma = ~chi_squared & _is_gamma(batch)
    if gamma.any():
        live, reference = (side[gamma].astype(np.float64) for side in (batch.live, batch.reference))
        cumulants[:, gamma] = astuple(moments(batch.divergence, live, reference, batch.alpha, _MIN_NORMAL))
        gamma &= cumulants[1] > 0
    return NullDistribution(Moments(*cumulants), chi_squared, chi_squared | gamma)


def measure_noise(batch: PairBatch, null: NullDistribution) -> Noise:
    """Return the noise of each score, by its null distribution if known, else by simulation.

    A small p-value is simulated unless the distribution is chi-squared; it is then at least 1/2001.
    """
    result = np.zeros((3, len(batch.live)))
    if null.known.any():
        result[:, null.known] = _noise_by_formula(batch, null)
    rare = ~null.chi_squared & (result[1] < _RARE)
    unreachable = rare & null.known & (result[1] < _UNREACHABLE)
    result[1, unreachable] = 1 / (_DRAWS + 1)
    for pair in np.flatnonzero(rare & ~unreachable).tolist():
        floor, p_value, detectable = _simulate(batch, pair)
        result[1, pair] = p_value
        if not null.known[pair]:
            result[::2, pair] = floor, detectable
    return Noise(*result)


# By formula ---------------------------------------------------------------------------------------------


def _is_chi_squared(batch: PairBatch) -> Mask:
    """Whether each bin has enough expected rows, on the smaller side, for the chi-squared distribution."""
    pooled = batch.live.astype(np.float64) + batch.reference  # the sum of two int64 may overflow
    # Pseudo-counts shift a share by about alpha / n, against noise of sqrt(expected) / n. They make a difference even
    # in empty bins if the two sides have different numbers of rows.
    used = (pooled > 0) | (batch.alpha > 0)
    smallest = np.where(used, pooled, np.inf).min(axis=-1)
    expected = smallest / (1 + np.maximum(batch.n, batch.m) / np.minimum(batch.n, batch.m))
    required = max(batch.divergence.min_expected, 100 * batch.alpha**2)
    return np.asarray((used.sum(axis=-1) > 1) & (expected >= required))


def _is_gamma(batch: PairBatch) -> Mask:
    """Whether a gamma distribution of three moments describes scores that are not rare."""
    smaller, larger = np.minimum(batch.n, batch.m), np.maximum(batch.n, batch.m)
    pooled = batch.live.astype(np.float64) + batch.reference
    expected = pooled / (1 + larger / smaller)[:, np.newaxis]
    finite = batch.alpha > 0 or batch.divergence.smoothing == "none"  # else an empty bin makes it infinite
    fair = np.count_nonzero(expected >= _FAIR, axis=-1) >= 3
    shifted = (batch.alpha * batch.live.shape[-1]) ** 2 > 0.1 * smaller
    light_tailed = batch.divergence.min_expected <= _LIGHT_TAILED
    return np.asarray(fair & (smaller >= _MIN_ROWS) & ~shifted & finite & light_tailed)


def _noise_by_formula(batch: PairBatch, null: NullDistribution) -> Floats:
    """Floor, p-value and smallest detectable score, shape (3, known pairs)."""
    from scipy.special import gammaincc, gammainccinv, gammaln  # noqa: PLC0415 - 0.2 s that --help does not need

    mean, variance, third = (part[null.known] for part in astuple(null.moments))
    # Pearson's type III: a shifted gamma distribution. With chi-squared moments, it is the chi-squared distribution.
    skewness = np.maximum(third / variance**1.5, 0.01)
    shape, width = 4 / skewness**2, np.sqrt(variance) * skewness / 2
    start = mean - shape * width
    p_value = gammaincc(shape, np.maximum(0.0, (batch.totals[null.known] - start) / width))
    distinct, inverse = np.unique(shape, return_inverse=True)  # few; inverting the distribution is the slow part
    high = start + width * gammainccinv(distinct, SIGNIFICANCE)[inverse]
    unit = batch.nats_per_unit
    if not batch.divergence.root:
        return np.stack([mean / unit, p_value, high / unit])
    shape = mean**2 / variance
    root = np.exp(gammaln(shape + 0.5) - gammaln(shape)) * np.sqrt(variance / mean)  # mean root of a gamma variable
    return np.stack([root / math.sqrt(unit), p_value, np.sqrt(high / unit)])


# By simulation ------------------------------------------------------------------------------------------


def _simulate(batch: PairBatch, pair: int) -> tuple[float, float, float]:
    value, rng = float(batch.values[pair]), batch.rng(pair)
    live, reference = batch.live[pair], batch.reference[pair]

    def count_as_large(scores: Floats) -> int:
        return int(np.count_nonzero(scores >= value * (1 - 1e-12)))

    scores = batch.scores(*_permuted(live, reference, _FIRST_DRAWS, rng))
    # A few draws show that most scores are common (Besag and Clifford 1991); only the rare ones need all draws.
    if count_as_large(scores) < _CLEARLY_COMMON:
        more = batch.scores(*_permuted(live, reference, _DRAWS - _FIRST_DRAWS, rng))
        scores = np.concatenate([scores, more])
    # The score itself is one more draw of the null: p is never 0 (Phipson and Smyth 2010).
    p_value = (count_as_large(scores) + 1) / (len(scores) + 1)
    finite = finite_scores(scores, value)
    return float(finite.mean()), p_value, _significant_score(finite)


def _permuted(live: Counts, reference: Counts, draws: int, rng: np.random.Generator) -> tuple[Counts, Counts]:
    """Counts of both sides if the rows are assigned to them by chance, shape (draws, k) each."""
    pooled = live + reference
    n, m = int(live.sum()), int(reference.sum())
    if n + m > _MAX_POOLED_ROWS:  # with so many rows, drawing with replacement is the same
        shares = pooled / pooled.sum()
        return rng.multinomial(n, shares, size=draws), rng.multinomial(m, shares, size=draws)
    # The method "marginals" needs no memory proportional to the rows.
    drawn = rng.multivariate_hypergeometric(pooled, n, size=draws, method="marginals")
    return drawn, pooled - drawn


def _significant_score(scores: Floats) -> float:
    """Score that one unchanged window in a thousand exceeds: of a gamma distribution with their mean and variance.

    Less variable than the empirical quantile, which would depend on one or two draws.
    """
    from scipy.special import gammainccinv  # noqa: PLC0415 - as above

    mean, variance = float(scores.mean()), float(scores.var())
    if variance <= (1e-9 * mean) ** 2:  # all alike
        return mean
    return float(gammainccinv(mean**2 / variance, SIGNIFICANCE)) * variance / mean


def finite_scores(scores: Floats, value: float) -> Floats:
    """Return the finite scores, or `value` if there is none (without smoothing, a divergence may be infinite)."""
    finite = scores[np.isfinite(scores)]
    return finite if finite.size else np.array([value])
