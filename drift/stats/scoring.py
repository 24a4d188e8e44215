"""One score: a divergence between two histograms, with its provenance and its noise."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from drift.errors import AxisError, InputError
from drift.histogram import Histogram, NumericAxis
from drift.stats.divergence import lookup
from drift.stats.intervals import interval
from drift.stats.null_distribution import PairBatch, Seed, fit_null_distribution, measure_noise
from drift.stats.smoothing import Smoothing, pseudo_count

_AT_ONCE: Final = 1 << 16  # counts of a side: what is computed from them stays in the cache


@dataclass(frozen=True, slots=True)
class Method:
    """How two histograms are scored; customary values are filled in.

    Parameters
    ----------
    metric : str
        A name in `drift.stats.divergence.DIVERGENCES`.
    smoothing : str, float or None
        See `drift.stats.smoothing.pseudo_count`; None is the metric's customary one.
    base : float or None
        Base of the logarithm; None is the metric's customary one (2; e for psi).

    Raises
    ------
    InputError
        For an unknown metric, smoothing or base.
    """

    metric: str = "js_distance"
    smoothing: Smoothing | None = None
    base: float | None = None

    def __post_init__(self) -> None:
        known = lookup(self.metric)
        object.__setattr__(self, "smoothing", known.smoothing if self.smoothing is None else self.smoothing)
        object.__setattr__(self, "base", known.base if self.base is None else self.base)
        pseudo_count(self.pseudo, 2)
        if not (math.isfinite(self.log_base) and self.log_base > 1):
            raise InputError(f"the base of a logarithm is a finite number > 1; got {self.base!r}")

    @property
    def pseudo(self) -> Smoothing:
        """The smoothing, filled in."""
        return lookup(self.metric).smoothing if self.smoothing is None else self.smoothing

    @property
    def log_base(self) -> float:
        """The base, filled in."""
        return lookup(self.metric).base if self.base is None else self.base


@dataclass(frozen=True, slots=True)
class Score:
    """A divergence with its provenance: direction is always live against reference.

    Parameters
    ----------
    method : Method
        Metric, smoothing and base.
    value : float
        The divergence, in bits, nats or none as the method says.
    noise_floor : float
        Expected value had nothing changed.
    p_value : float
        How often a score this large comes from an unchanged distribution.
    interval : tuple of float
        95 % interval, noise taken out.
    detectable : float
        The smallest score that stands out at p = 0.001 with these rows.
    live_rows, reference_rows : int
        Rows behind either side.
    contributions : tuple of float
        One for each bin; they sum to the value.
    """

    method: Method
    value: float
    noise_floor: float
    p_value: float
    interval: tuple[float, float]
    detectable: float
    live_rows: int
    reference_rows: int
    contributions: tuple[float, ...]

    @property
    def excess(self) -> float:
        """The value less the noise floor, not below zero."""
        return max(0.0, self.value - self.noise_floor)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two histograms to be held against each other.

    Parameters
    ----------
    live, reference : Histogram
        On equal axes, at least one row each.
    method : Method
        What to compute.
    rng : numpy.random.Generator, int or sequence of int
        Drives what is drawn where no formula holds; a pair's own, or its score depends on other pairs. A seed
        costs less than a generator: few pairs need one.
    """

    live: Histogram
    reference: Histogram
    method: Method
    rng: Seed


def score(live: Histogram, reference: Histogram, method: Method, rng: Seed) -> Score:
    """Score a live histogram against a reference one.

    Parameters
    ----------
    live, reference : Histogram
        On equal axes, at least one row each.
    method : Method
        What to compute.
    rng : numpy.random.Generator, int or sequence of int
        Drives the null and the interval where few rows, or the metric, leave no formula for them.

    Raises
    ------
    AxisError
        Where the axes differ, or the metric needs ordered bins and these are categories.
    InputError
        Where a side has no rows, or the divergence is infinite (an empty bin, not smoothed).
    """
    (scored,) = score_all([Pair(live, reference, method, rng)])
    if isinstance(scored, InputError):
        raise scored
    return scored


def score_all(pairs: Sequence[Pair]) -> list[Score | InputError]:
    """Score many pairs at once: those of equal method and number of bins are computed together.

    Parameters
    ----------
    pairs : sequence of Pair
        In any order, of any methods.

    Returns
    -------
    list of Score or InputError
        One for each pair, in order: what `score` would return or raise for it alone.
    """
    results: list[Score | InputError | None] = [_refusal(pair) for pair in pairs]
    alike: dict[tuple[Method, int], list[int]] = {}
    for i, pair in enumerate(pairs):
        if results[i] is None:
            alike.setdefault((pair.method, len(pair.live.counts)), []).append(i)
    for (method, n_bins), members in alike.items():
        step = max(1, _AT_ONCE // n_bins)
        for start in range(0, len(members), step):
            some = members[start : start + step]
            for i, result in zip(some, _scores(method, [pairs[i] for i in some]), strict=True):
                results[i] = result
    return [result for result in results if result is not None]


def _refusal(pair: Pair) -> InputError | None:
    """Why a pair cannot be scored by its method, if so."""
    live, reference, metric = pair.live, pair.reference, pair.method.metric
    if live.axis is not reference.axis and live.axis != reference.axis:
        return AxisError(
            f"scores compare histograms on equal axes; live is on {live.axis!r}, reference on {reference.axis!r}"
        )
    if lookup(metric).ordered and not isinstance(live.axis, NumericAxis):
        return AxisError(
            f"{metric} needs ordered bins and this column is {live.axis.kind.value}; "
            "use js_distance, or another metric for this column under columns.overrides"
        )
    for name, side in (("live", live), ("reference", reference)):
        if not side.counts.any():
            return InputError(f"the {name} side has no rows; nothing can be scored")
    return None


def _scores(method: Method, pairs: Sequence[Pair]) -> list[Score | InputError]:
    """The scores of pairs that are all of one method and one number of bins, in order."""
    n_bins = len(pairs[0].live.counts)
    live = np.concatenate([pair.live.counts for pair in pairs]).reshape(-1, n_bins)
    reference = np.concatenate([pair.reference.counts for pair in pairs]).reshape(-1, n_bins)
    stack = PairBatch(method.metric, method.pseudo, method.log_base, live, reference, [pair.rng for pair in pairs])
    finite = np.isfinite(stack.values).tolist()
    if all(finite):
        return list(_measured(method, stack))
    kept = [pair for pair, told in zip(pairs, finite, strict=True) if told]
    rest = iter(_scores(method, kept) if kept else [])
    return [next(rest) if told else _infinite(method) for told in finite]


def _measured(method: Method, stack: PairBatch) -> Iterator[Score]:
    unchanged = fit_null_distribution(stack)
    measured = measure_noise(stack, unchanged)  # before the interval: both may draw from one generator
    lower, upper = interval(stack, unchanged, measured)
    columns = (stack.values, measured.floor, measured.p_value, lower, upper, measured.detectable, stack.n, stack.m)
    for row, shares in zip(zip(*(c.tolist() for c in columns), strict=True), stack.parts.tolist(), strict=True):
        value, floor, p_value, low, high, detectable, n, m = row
        yield Score(method, value, floor, p_value, (low, high), detectable, n, m, tuple(shares))


def _infinite(method: Method) -> InputError:
    return InputError(
        f"{method.metric} is infinite: a bin is empty on one side only and smoothing is {method.pseudo!r}; "
        "use smoothing: jeffreys, or a bounded metric such as js_distance"
    )
