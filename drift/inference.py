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
(`Divergence.enough`), and for divergences without such a form (total variation, ks, ...), the null is drawn:
live rows without replacement from the pooled counts (multivariate hypergeometric: the exact permutation
null), smoothed and scored as the data were.

Intervals follow the same divide. Where the law holds, T of changed data is about normal (delta method: Pardo
2006, section 3.1; Bishop, Fienberg and Holland 1975, section 14.6) with mean T0 + E, for T0 of the true shares
and E the noise above, and variance

    V(T0) = 2 c^2 (k - 1) (1/n + 1/m)^2 + r T0,   r = S / T,
    S = [sum p g^2 - (sum p g)^2] / n + [sum q h^2 - (sum q h)^2] / m,   g = dT/dp, h = dT/dq.

Near no change r is 4 c (1/n + 1/m): both moments are then those of the noncentral chi-squared law. The ends are
the T0 that lie 1.96 standard deviations *of their own* away from what was seen (Wilson 1927), which is a quadratic
equation. With g and h taken where T is, and T - E as T0, an interval about a chance low would be too short.
Elsewhere both sides' counts are drawn anew (bootstrap).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from drift.divergence import divergence, lookup
from drift.histogram import Counts
from drift.smoothing import Smoothing, pseudo_count, smooth

LEVEL: Final = 0.95
SIGNIFICANCE: Final = 0.001
_NULL_DRAWS: Final = 2000
_FIRST_DRAWS: Final = 250
_CLEARLY_COMMON: Final = 5
_MOST_POOLED: Final = 999_999_999  # NumPy's limit for hypergeometric draws
_INTERVAL_DRAWS: Final = 200
_Z: Final = 1.959963984540054  # of the normal law, for LEVEL
_STEP: Final = 1e-4
_INHABITED: Final = 5  # rows

Floats = npt.NDArray[np.float64]
Seed = np.random.Generator | int | Sequence[int]
"""Whatever `numpy.random.default_rng` takes; each pair has one of its own."""


class Stack:
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
    n, m : ndarray of int64, shape (pairs,)
        Rows of either side.
    """

    def __init__(
        self, metric: str, smoothing: Smoothing, base: float, live: Counts, reference: Counts, seeds: Sequence[Seed]
    ) -> None:
        self.metric, self.smoothing, self.base = metric, smoothing, base
        self.known = lookup(metric)
        self.live, self.reference = live, reference
        self.n, self.m = live.sum(axis=-1), reference.sum(axis=-1)
        self.p, self.q = smooth(live, smoothing), smooth(reference, smoothing)
        self.values: Floats = divergence(metric, self.p, self.q, base)
        self._seeds = list(seeds)

    def rng(self, pair: int) -> np.random.Generator:
        """The generator of one pair: made when first asked for, since most pairs need none."""
        made = self._seeds[pair] = np.random.default_rng(self._seeds[pair])  # a generator comes back as it is
        return made

    def scores(self, live: Counts, reference: Counts) -> Floats:
        """What other counts score in the same way."""
        return divergence(self.metric, smooth(live, self.smoothing), smooth(reference, self.smoothing), self.base)

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


def noise(stack: Stack) -> Noise:
    """The noise of each score.

    By formula where every bin expects rows enough, else by drawing (see the module). A drawn p-value is
    never below 1/2001.
    """
    lawful = _plentiful(stack)
    found = np.empty((3, len(lawful)))
    if lawful.any():
        found[:, lawful] = _chi_squared(stack, lawful)
    for pair in np.flatnonzero(~lawful).tolist():
        found[:, pair] = _simulated(stack, pair)
    return Noise(*found)


def interval(stack: Stack) -> tuple[Floats, Floats]:
    """95 % intervals for the divergence itself, noise taken out: both ends, shape (pairs,) each, never below zero.

    By formula where every bin expects rows enough, else by the bootstrap (see the module).
    """
    lawful = _plentiful(stack) & _inhabited(stack)
    ends = np.empty((2, len(lawful)))
    if lawful.any():
        ends[:, lawful] = _normal(stack, lawful)
    for pair in np.flatnonzero(~lawful).tolist():
        ends[:, pair] = _bootstrapped(stack, pair)
    return ends[0], ends[1]


# By formula ---------------------------------------------------------------------------------------------


def _plentiful(stack: Stack) -> npt.NDArray[np.bool_]:
    """Whether each bin expects rows enough, on the smaller side, for the chi-squared law."""
    if stack.known.curvature is None:
        return np.zeros(len(stack.live), dtype=np.bool_)
    pooled = stack.live.astype(np.float64) + stack.reference  # two int64 may wrap
    alpha = pseudo_count(stack.smoothing, pooled.shape[-1])
    # Pseudo-counts shift a share by about alpha / n, against noise of sqrt(expected) / n; and they make
    # a difference even in bins that nobody is in, where the two sides have different numbers of rows.
    held = (pooled > 0) | (alpha > 0)
    least = np.where(held, pooled, np.inf).min(axis=-1)
    expected = least / (1 + np.maximum(stack.n, stack.m) / np.minimum(stack.n, stack.m))
    return np.asarray((held.sum(axis=-1) > 1) & (expected >= max(stack.known.enough, 100 * alpha**2)))


def _inhabited(stack: Stack) -> npt.NDArray[np.bool_]:
    """Whether both sides have rows in each bin that either has: else the divergence bends too much where it is."""
    fewer, more = np.minimum(stack.live, stack.reference), np.maximum(stack.live, stack.reference)
    return np.asarray(((fewer >= _INHABITED) | (more == 0)).all(axis=-1))


def _scale(stack: Stack, of: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Degrees of freedom, and T of unchanged data for each of them (in nats); shape (pairs,) each."""
    degrees = np.count_nonzero((stack.live[of] > 0) | (stack.reference[of] > 0), axis=-1) - 1.0
    return degrees, (stack.known.curvature or 0.0) * (1 / stack.n[of] + 1 / stack.m[of])


def _totals(stack: Stack, of: npt.NDArray[np.bool_]) -> Floats:
    """T, in nats."""
    values = stack.values[of]
    return (values * values if stack.known.root else values) * stack.unit


def _chi_squared(stack: Stack, of: npt.NDArray[np.bool_]) -> Floats:
    from scipy.special import chdtrc, gammaln  # noqa: PLC0415 - 0.2 s that --help need not pay

    degrees, scale = _scale(stack, of)
    high = _chi_squared_tail(degrees, SIGNIFICANCE)
    p_value = chdtrc(degrees, _totals(stack, of) / scale)
    if not stack.known.root:
        return np.stack([scale * degrees / stack.unit, p_value, scale * high / stack.unit])
    chi = math.sqrt(2) * np.exp(gammaln((degrees + 1) / 2) - gammaln(degrees / 2))
    return np.stack([np.sqrt(scale / stack.unit) * chi, p_value, np.sqrt(scale * high / stack.unit)])


def _chi_squared_tail(degrees: Floats, level: float) -> Floats:
    """What a chi-squared number exceeds with that probability; each number of degrees is looked up once."""
    from scipy.special import chdtri  # noqa: PLC0415 - as above

    table = chdtri(np.arange(1.0, degrees.max() + 1), level)
    return np.asarray(table[degrees.astype(np.intp) - 1])


def _normal(stack: Stack, of: npt.NDArray[np.bool_]) -> Floats:
    degrees, scale = _scale(stack, of)
    total = _totals(stack, of)
    excess = np.maximum(0.0, total - degrees * scale)
    rate = np.divide(_variance(stack, of), total, out=4 * scale, where=excess > 0)
    middle = excess + _Z**2 * rate / 2
    half = _Z * np.sqrt(rate * excess + _Z**2 * rate**2 / 4 + 2 * degrees * scale**2)
    lower, upper = np.maximum(0.0, middle - half), middle + half
    # The normal law is a little too light above where nothing changed; there the exact one is known.
    lower[total <= scale * _chi_squared_tail(degrees, (1 - LEVEL) / 2)] = 0.0
    ends = np.stack([lower, upper]) / stack.unit
    return np.sqrt(ends) if stack.known.root else ends


def _variance(stack: Stack, of: npt.NDArray[np.bool_]) -> Floats:
    """S of the module: what the chances of both sides' rows make of T, to first order."""
    p, q, terms = stack.p[of], stack.q[of], stack.known.terms
    up, down = math.exp(_STEP), math.exp(-_STEP)
    in_p = (terms(p * up, q) - terms(p * down, q)) / (2 * _STEP)  # p dT/dp, bin by bin
    in_q = (terms(p, q * up) - terms(p, q * down)) / (2 * _STEP)
    return np.asarray(_spread(in_p, p) / stack.n[of] + _spread(in_q, q) / stack.m[of])


def _spread(weighted: Floats, shares: Floats) -> Floats:
    """Sum p g^2 - (sum p g)^2, from p g."""
    squares = np.divide(weighted * weighted, shares, out=np.zeros_like(shares), where=shares > 0)
    return np.asarray(squares.sum(axis=-1) - weighted.sum(axis=-1) ** 2)


# By drawing ---------------------------------------------------------------------------------------------


def _simulated(stack: Stack, pair: int) -> tuple[float, float, float]:
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
    finite = _finite(drawn, value)
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


def _bootstrapped(stack: Stack, pair: int) -> tuple[float, float]:
    """By the basic bootstrap of both sides' counts.

    Resampled scores are too large by about the noise, as the score is; reflecting them about the score
    (Davison and Hinkley 1997, section 5.2) takes the noise out of both ends. Noise adds to a distance's
    square, so its lower end is reflected there: otherwise one unchanged window in four would seem to lie
    above zero. Resampled scores that are infinite are left out.
    """
    value, rng = float(stack.values[pair]), stack.rng(pair)
    draws = stack.scores(_resampled(stack.live[pair], rng), _resampled(stack.reference[pair], rng))
    low, high = (float(end) for end in np.quantile(_finite(draws, value), [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    is_distance = stack.known.root or stack.known.curvature is None
    lower = math.sqrt(max(0.0, 2 * value**2 - high**2)) if is_distance else max(0.0, 2 * value - high)
    return lower, max(lower, 2 * value - low)


def _resampled(counts: Counts, rng: np.random.Generator) -> Counts:
    return rng.multinomial(int(counts.sum()), counts / counts.sum(), size=_INTERVAL_DRAWS)


def _finite(scores: Floats, value: float) -> Floats:
    """The finite ones; the score itself where there is none (unsmoothed, a divergence may be infinite)."""
    kept = scores[np.isfinite(scores)]
    return kept if kept.size else np.array([value])
