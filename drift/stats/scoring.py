"""Scores: a divergence between two histograms, with its method, rows and noise."""

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

_BATCH_COUNTS: Final = 1 << 16  # counts of one side in a batch: the intermediate arrays fit the cache


@dataclass(frozen=True, slots=True)
class Method:
    """Metric, smoothing and base of a score; None is replaced by the metric's default.

    Parameters
    ----------
    metric : str
        A name in `drift.stats.divergence.DIVERGENCES`.
    smoothing : str, float or None
        See `drift.stats.smoothing.pseudo_count`; None is the metric's default.
    base : float or None
        Base of the logarithm; None is the metric's default (2; e for psi).

    Raises
    ------
    InputError
        If the metric or smoothing is unknown, or the base invalid.
    """

    metric: str = "js_distance"
    smoothing: Smoothing | None = None
    base: float | None = None

    def __post_init__(self) -> None:
        row = lookup(self.metric)
        object.__setattr__(self, "smoothing", row.smoothing if self.smoothing is None else self.smoothing)
        object.__setattr__(self, "base", row.base if self.base is None else self.base)
        pseudo_count(self.pseudo, 2)
        if not (math.isfinite(self.log_base) and self.log_base > 1):
            message = f"invalid base of a logarithm: {self.base!r}; use a finite number above 1"
            raise InputError(message, code="invalid-value")

    @property
    def pseudo(self) -> Smoothing:
        """The smoothing, never None."""
        return lookup(self.metric).smoothing if self.smoothing is None else self.smoothing

    @property
    def log_base(self) -> float:
        """The base, never None."""
        return lookup(self.metric).base if self.base is None else self.base


@dataclass(frozen=True, slots=True)
class Score:
    """Divergence of a live histogram from a reference one.

    Parameters
    ----------
    method : Method
        Metric, smoothing and base.
    value : float
        The divergence, in the unit of the method (bits, nats or none).
    noise_floor : float
        Expected value if nothing changed.
    p_value : float
        Probability of a score at least this large if nothing changed.
    interval : tuple of float
        95 % interval, noise removed.
    detectable : float
        Smallest score with p < 0.001 for these rows.
    live_rows, reference_rows : int
        Rows of either side.
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
        """The value minus `noise_floor`, at least zero."""
        return max(0.0, self.value - self.noise_floor)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two histograms to score, on equal axes, with at least one row each.

    `rng` is for simulations, if no formula applies. Each pair needs its own, or its score depends on other pairs. A
    seed costs less than a generator: few pairs need one.
    """

    live: Histogram
    reference: Histogram
    method: Method
    rng: Seed


def score_pair(live: Histogram, reference: Histogram, method: Method, rng: Seed) -> Score:
    """Score a live histogram against a reference one, on an equal axis, with at least one row each.

    `rng` is for the simulation of p-value and interval, if the rows are few or the metric has no formula.

    Raises
    ------
    AxisError
        If the axes differ, or the metric needs ordered bins and the axis is categorical.
    InputError
        If a side has no rows, or the divergence is infinite (an empty bin without smoothing).
    """
    (result,) = score_all([Pair(live, reference, method, rng)])
    if isinstance(result, InputError):
        raise result
    return result


def score_all(pairs: Sequence[Pair]) -> list[Score | InputError]:
    """Return for each of many pairs, of any methods, what `score_pair` returns or raises for it alone.

    Pairs of equal method and number of bins are computed together.
    """
    results: list[Score | InputError | None] = [_invalid(pair) for pair in pairs]
    alike: dict[tuple[Method, int], list[int]] = {}
    for i, pair in enumerate(pairs):
        if results[i] is None:
            alike.setdefault((pair.method, len(pair.live.counts)), []).append(i)
    for (method, n_bins), indices in alike.items():
        size = max(1, _BATCH_COUNTS // n_bins)
        for start in range(0, len(indices), size):
            batch = indices[start : start + size]
            for i, result in zip(batch, _score_batch(method, [pairs[i] for i in batch]), strict=True):
                results[i] = result
    return [result for result in results if result is not None]


def _invalid(pair: Pair) -> InputError | None:
    """Return the reason why a pair cannot be scored by its method, or None."""
    live, reference, metric = pair.live, pair.reference, pair.method.metric
    if live.axis is not reference.axis and live.axis != reference.axis:
        message = f"histograms on different axes cannot be scored; live: {live.axis!r}, reference: {reference.axis!r}"
        return AxisError(message, code="axis-mismatch")
    if lookup(metric).ordered and not isinstance(live.axis, NumericAxis):
        return AxisError(
            f"metric {metric} needs ordered bins, and this column holds {live.axis.kind.value} values; "
            "use js_distance, or set another metric for this column under columns.overrides",
            code="not-comparable",
        )
    for name, side in (("live", live), ("reference", reference)):
        if not side.counts.any():
            return InputError(f"the {name} histogram has no rows and cannot be scored", code="no-rows")
    return None


def _score_batch(method: Method, pairs: Sequence[Pair]) -> list[Score | InputError]:
    """Score pairs that all have one method and one number of bins, in order."""
    n_bins = len(pairs[0].live.counts)
    live = np.concatenate([pair.live.counts for pair in pairs]).reshape(-1, n_bins)
    reference = np.concatenate([pair.reference.counts for pair in pairs]).reshape(-1, n_bins)
    batch = PairBatch(method.metric, method.pseudo, method.log_base, live, reference, [pair.rng for pair in pairs])
    finite = np.isfinite(batch.values).tolist()
    if all(finite):
        return list(_finite_scores(method, batch))
    kept = [pair for pair, is_finite in zip(pairs, finite, strict=True) if is_finite]
    scores = iter(_score_batch(method, kept) if kept else [])
    return [next(scores) if is_finite else _infinite(method) for is_finite in finite]


def _finite_scores(method: Method, batch: PairBatch) -> Iterator[Score]:
    null = fit_null_distribution(batch)
    noise = measure_noise(batch, null)  # before the interval: both may draw from one generator
    lower, upper = interval(batch, null, noise)
    columns = (batch.values, noise.floor, noise.p_value, lower, upper, noise.detectable, batch.n, batch.m)
    for row, parts in zip(zip(*(c.tolist() for c in columns), strict=True), batch.parts.tolist(), strict=True):
        value, floor, p_value, low, high, detectable, n, m = row
        yield Score(method, value, floor, p_value, (low, high), detectable, n, m, tuple(parts))


def _infinite(method: Method) -> InputError:
    return InputError(
        f"{method.metric} is infinite: a bin is empty on one side only and smoothing is {method.pseudo!r}; "
        "use smoothing: jeffreys, or a bounded metric such as js_distance",
        code="not-comparable",
    )
