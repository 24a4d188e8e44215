"""How much of a score is noise: two samples of one distribution never have equal shares.

Write T = sum of terms of a locally quadratic divergence (in nats), with curvature c: near p = q,
T ~ c * sum (p - q)^2 / q. Under no change 1 / c * n m / (n + m) * T is about chi-squared with k - 1
degrees of freedom (k bins that hold rows on either side; n live rows, m reference rows), so
E[T] ~ c (k - 1) (1/n + 1/m): (k-1)/2 (1/n + 1/m) for KL, (k-1)/8 (1/n + 1/m) for JS. The square root of T
has the mean of a chi variable. Sources: Wilks 1938 (likelihood ratio); Menendez, Morales, Pardo and Pardo
1997 (JS); Pardo, Statistical Inference Based on Divergence Measures, 2006, chapter 3.

That law needs rows in every bin. Measured with 14 to 54 bins and 20 to 200 live rows, JS scores of unchanged
data passed p < 0.001 up to 25 times too often (and Hellinger's 600 times), or never where most bins are
empty; Jeffreys smoothing moves scores over few rows by more than their noise. So where a bin expects few rows
(`Divergence.min_expected`), and for divergences without such a form (total variation, ks, ...), the null is drawn:
live rows without replacement from the pooled counts (multivariate hypergeometric: the exact permutation
null), smoothed and scored as the data were.

Most drawing can be spared: a value or two beyond the reference's ends are no reason for it. T's mean under that null
is known nearly exactly, its variance and skewness about (`stats.moments`), and of 200 rows or more a gamma law with
these three moments (Pearson's type III) gives p-values above 0.01 within a tenth (measured: 3 to 200 bins, skewed or
even, either side 100 times the other). Only rarer scores are drawn for, unless no draw would ever come near them.
"""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from drift.histogram import Counts
from drift.stats.divergence import contributions, divergence, lookup
from drift.stats.moments import Moments, moments
from drift.stats.smoothing import Smoothing, pseudo_count, smooth

SIGNIFICANCE: Final = 0.001
_NULL_DRAWS: Final = 2000
_FIRST_DRAWS: Final = 250
_CLEARLY_COMMON: Final = 5
_MOST_POOLED: Final = 999_999_999  # NumPy's limit for hypergeometric draws

_SUMMED: Final = 60.0  # expected rows of a bin, up to which its term is summed value by value
_ROWS: Final = 200  # on the smaller side, from which three moments describe scores
_FAIR: Final = 5  # expected rows of a bin; three such bins at least
_LIGHT: Final = 25  # `enough` of divergences whose tails three moments describe
_RARE: Final = 0.01  # by three moments; what is rarer is drawn
_HOPELESS: Final = 1e-8  # and no draw would come near this

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Seed = np.random.Generator | int | Sequence[int]
"""Whatever `numpy.random.default_rng` takes; each pair has one of its own."""


class PairBatch:
    """Pairs of counts over equally many bins, scored in one way: what is computed together.

    Nothing of one pair depends on the others.

    Parameters
    ----------
    metric, smoothing, base
        How they are scored.
    live, reference : ndarray of int64, shape (pairs, k)
        Counts, at least one row each.
    seeds : sequence of Seed
        One for each pair; used only by those that something is drawn for.

    Attributes
    ----------
    p, q : ndarray of float64, shape (pairs, k)
        Shares, smoothed.
    values : ndarray of float64, shape (pairs,)
        Scores; may be infinite.
    parts : ndarray of float64, shape (pairs, k)
        What each bin contributes.
    n, m : ndarray of int64, shape (pairs,)
        Rows of either side.
    """

    def __init__(
        self, metric: str, smoothing: Smoothing, base: float, live: Counts, reference: Counts, seeds: Sequence[Seed]
    ) -> None:
        self.metric, self.smoothing, self.base = metric, smoothing, base
        self.known = lookup(metric)
        self.alpha = pseudo_count(smoothing, live.shape[-1])
        self.live, self.reference = live, reference
        self.n, self.m = live.sum(axis=-1), reference.sum(axis=-1)
        self.p, self.q = smooth(live, smoothing), smooth(reference, smoothing)
        self.values: Floats = divergence(metric, self.p, self.q, base)
        self.parts: Floats = contributions(metric, self.p, self.q, base)
        self._seeds = list(seeds)

    def rng(self, pair: int) -> np.random.Generator:
        """The generator of one pair: made when first asked for, since most pairs need none."""
        made = self._seeds[pair] = np.random.default_rng(self._seeds[pair])  # a generator comes back as it is
        return made

    def scores(self, live: Counts, reference: Counts) -> Floats:
        """What other counts score in the same way."""
        return divergence(self.metric, smooth(live, self.smoothing), smooth(reference, self.smoothing), self.base)

    @property
    def totals(self) -> Floats:
        """T, in nats; shape (pairs,)."""
        return np.asarray((self.values * self.values if self.known.root else self.values) * self.unit)

    @property
    def scale(self) -> Floats:
        """T of unchanged data for each degree of freedom, in nats; shape (pairs,)."""
        return np.asarray((self.known.curvature or 0.0) * (1 / self.n + 1 / self.m))

    @property
    def unit(self) -> float:
        """Nats in one unit of T."""
        return math.log(self.base) if self.known.logarithmic else 1.0


@dataclass(frozen=True, slots=True)
class Noise:
    """What scores would be if nothing had changed; one entry for each pair.

    Parameters
    ----------
    floor : ndarray of float64
        Expected value under no change, in the score's own unit.
    p_value : ndarray of float64
        How often a score this large comes from one unchanged distribution.
    detectable : ndarray of float64
        The smallest score that stands out at p = 0.001 with these numbers of rows.
    """

    floor: Floats
    p_value: Floats
    detectable: Floats


@dataclass(frozen=True, slots=True)
class NullDistribution:
    """How T of unchanged data is distributed, in nats: a gamma law of three moments, shape (pairs,) each.

    Parameters
    ----------
    moments : Moments
        Mean, variance and third cumulant.
    plentiful : ndarray of bool
        Where every bin expects rows enough: the law is then chi-squared, however rare the score.
    known : ndarray of bool
        Where the moments are known at all, and describe scores that are not rare.
    """

    moments: Moments
    plentiful: Mask
    known: Mask


def fit_null_distribution(stack: PairBatch) -> NullDistribution:
    """The law of each pair, as far as there is one (see the module)."""
    count = len(stack.live)
    if stack.known.curvature is None:
        none = np.zeros(count, dtype=np.bool_)
        return NullDistribution(Moments(*np.full((3, count), np.nan)), none, none)
    plentiful = _plentiful(stack)
    degrees, scale = np.count_nonzero((stack.live > 0) | (stack.reference > 0), axis=-1) - 1.0, stack.scale
    found = np.stack([degrees * scale, 2 * degrees * scale**2, 8 * degrees * scale**3])
    other = ~plentiful & _describable(stack)
    if other.any():
        live, reference = (side[other].astype(np.float64) for side in (stack.live, stack.reference))
        found[:, other] = astuple(moments(stack.known, live, reference, stack.alpha, _SUMMED))
        other &= found[1] > 0
    return NullDistribution(Moments(*found), plentiful, plentiful | other)


def measure_noise(stack: PairBatch, unchanged: NullDistribution) -> Noise:
    """The noise of each score.

    By the law where there is one, else by drawing. Where not every bin expects rows enough, a p-value that may
    matter is drawn all the same; it is then never below 1/2001.
    """
    found = np.zeros((3, len(stack.live)))
    if unchanged.known.any():
        found[:, unchanged.known] = _told(stack, unchanged)
    rare = ~unchanged.plentiful & (found[1] < _RARE)
    hopeless = rare & unchanged.known & (found[1] < _HOPELESS)
    found[1, hopeless] = 1 / (_NULL_DRAWS + 1)
    for pair in np.flatnonzero(rare & ~hopeless).tolist():
        floor, p_value, detectable = _simulated(stack, pair)
        found[1, pair] = p_value
        if not unchanged.known[pair]:
            found[::2, pair] = floor, detectable
    return Noise(*found)


# By formula ---------------------------------------------------------------------------------------------


def _plentiful(stack: PairBatch) -> Mask:
    """Whether each bin expects rows enough, on the smaller side, for the chi-squared law."""
    pooled = stack.live.astype(np.float64) + stack.reference  # two int64 may wrap
    # Pseudo-counts shift a share by about alpha / n, against noise of sqrt(expected) / n; and they make
    # a difference even in bins that nobody is in, where the two sides have different numbers of rows.
    held = (pooled > 0) | (stack.alpha > 0)
    least = np.where(held, pooled, np.inf).min(axis=-1)
    expected = least / (1 + np.maximum(stack.n, stack.m) / np.minimum(stack.n, stack.m))
    return np.asarray((held.sum(axis=-1) > 1) & (expected >= max(stack.known.min_expected, 100 * stack.alpha**2)))


def _describable(stack: PairBatch) -> Mask:
    """Whether three moments describe scores that are not rare."""
    smaller, larger = np.minimum(stack.n, stack.m), np.maximum(stack.n, stack.m)
    pooled = stack.live.astype(np.float64) + stack.reference
    expected = pooled / (1 + larger / smaller)[:, np.newaxis]
    finite = stack.alpha > 0 or stack.known.smoothing == "none"  # else an empty bin makes it infinite
    fair = np.count_nonzero(expected >= _FAIR, axis=-1) >= 3
    shifted = (stack.alpha * stack.live.shape[-1]) ** 2 > 0.1 * smaller
    return np.asarray(fair & (smaller >= _ROWS) & ~shifted & finite & (stack.known.min_expected <= _LIGHT))


def _told(stack: PairBatch, unchanged: NullDistribution) -> Floats:
    """Floor, p-value and what is detectable, shape (3, known pairs), by the law."""
    from scipy.special import gammaincc, gammainccinv, gammaln  # noqa: PLC0415 - 0.2 s that --help need not pay

    mean, variance, third = (part[unchanged.known] for part in astuple(unchanged.moments))
    # Pearson's type III: a gamma law, moved. Of chi-squared moments, the chi-squared law itself.
    skewness = np.maximum(third / variance**1.5, 0.01)
    shape, width = 4 / skewness**2, np.sqrt(variance) * skewness / 2
    start = mean - shape * width
    p_value = gammaincc(shape, np.maximum(0.0, (stack.totals[unchanged.known] - start) / width))
    distinct, where = np.unique(shape, return_inverse=True)  # few: the inverse costs most
    high = start + width * gammainccinv(distinct, SIGNIFICANCE)[where]
    if not stack.known.root:
        return np.stack([mean / stack.unit, p_value, high / stack.unit])
    shape = mean**2 / variance
    root = np.exp(gammaln(shape + 0.5) - gammaln(shape)) * np.sqrt(variance / mean)  # of a gamma number
    return np.stack([root / math.sqrt(stack.unit), p_value, np.sqrt(high / stack.unit)])


# By drawing ---------------------------------------------------------------------------------------------


def _simulated(stack: PairBatch, pair: int) -> tuple[float, float, float]:
    value, rng = float(stack.values[pair]), stack.rng(pair)
    live, reference = stack.live[pair], stack.reference[pair]

    def as_large(drawn: Floats) -> int:
        return int(np.count_nonzero(drawn >= value * (1 - 1e-12)))

    drawn = stack.scores(*_redealt(live, reference, _FIRST_DRAWS, rng))
    # Most scores are plainly ordinary after a few draws (Besag and Clifford 1991); only the rare need them all.
    if as_large(drawn) < _CLEARLY_COMMON:
        more = stack.scores(*_redealt(live, reference, _NULL_DRAWS - _FIRST_DRAWS, rng))
        drawn = np.concatenate([drawn, more])
    # The score itself is one more draw of the null: p is never 0 (Phipson and Smyth 2010).
    p_value = (as_large(drawn) + 1) / (len(drawn) + 1)
    finite = finite_scores(drawn, value)
    return float(finite.mean()), p_value, _tail(finite)


def _redealt(live: Counts, reference: Counts, draws: int, rng: np.random.Generator) -> tuple[Counts, Counts]:
    """Both sides' counts had the rows been dealt to them by chance, shape (draws, k) each."""
    pooled = live + reference
    n, m = int(live.sum()), int(reference.sum())
    if n + m > _MOST_POOLED:  # so many that drawing with replacement is the same
        shares = pooled / pooled.sum()
        return rng.multinomial(n, shares, size=draws), rng.multinomial(m, shares, size=draws)
    # "marginals" needs no memory of the size of the rows.
    drawn = rng.multivariate_hypergeometric(pooled, n, size=draws, method="marginals")
    return drawn, pooled - drawn


def _tail(scores: Floats) -> float:
    """The score that one unchanged window in a thousand exceeds: of a gamma law with their mean and variance.

    Steadier than the quantile itself, which would rest on one or two draws.
    """
    from scipy.special import gammainccinv  # noqa: PLC0415 - as above

    mean, variance = float(scores.mean()), float(scores.var())
    if variance <= (1e-9 * mean) ** 2:  # all alike
        return mean
    return float(gammainccinv(mean**2 / variance, SIGNIFICANCE)) * variance / mean


def finite_scores(scores: Floats, value: float) -> Floats:
    """The finite ones; the score itself where there is none (unsmoothed, a divergence may be infinite)."""
    kept = scores[np.isfinite(scores)]
    return kept if kept.size else np.array([value])
