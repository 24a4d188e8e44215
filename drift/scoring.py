"""One score: a divergence between two histograms, with its provenance and its noise."""

import math
from dataclasses import dataclass

import numpy as np

from drift.divergence import contributions, divergence, lookup
from drift.errors import AxisError, InputError
from drift.histogram import Histogram, NumericAxis
from drift.inference import interval, noise
from drift.smoothing import Smoothing, pseudo_count, smooth


@dataclass(frozen=True, slots=True)
class Method:
    """How two histograms are scored; customary values are filled in.

    Parameters
    ----------
    metric : str
        A name in `drift.divergence.DIVERGENCES`.
    smoothing : str, float or None
        See `drift.smoothing.pseudo_count`; None is the metric's customary one.
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


def score(live: Histogram, reference: Histogram, method: Method, rng: np.random.Generator) -> Score:
    """Score a live histogram against a reference one.

    Parameters
    ----------
    live, reference : Histogram
        On equal axes, at least one row each.
    method : Method
        What to compute.
    rng : numpy.random.Generator
        Drives the bootstrap interval, and the null of metrics that have no formula for it.

    Raises
    ------
    AxisError
        Where the axes differ, or the metric needs ordered bins and these are categories.
    InputError
        Where a side has no rows, or the divergence is infinite (an empty bin, not smoothed).
    """
    _validate(live, reference, method)
    metric, smoothing, base = method.metric, method.pseudo, method.log_base
    p, q = smooth(live.counts, smoothing), smooth(reference.counts, smoothing)
    value = float(divergence(metric, p, q, base))
    if not math.isfinite(value):
        raise InputError(
            f"{metric} is infinite: a bin is empty on one side only and smoothing is {smoothing!r}; "
            "use smoothing: jeffreys, or a bounded metric such as js_distance"
        )
    measured = noise(metric, live.counts, reference.counts, value, base=base, smoothing=smoothing, rng=rng)
    return Score(
        method=method,
        value=value,
        noise_floor=measured.floor,
        p_value=measured.p_value,
        interval=interval(metric, live.counts, reference.counts, value, base=base, smoothing=smoothing, rng=rng),
        detectable=measured.detectable,
        live_rows=live.rows,
        reference_rows=reference.rows,
        contributions=tuple(contributions(metric, p, q, base).tolist()),
    )


def _validate(live: Histogram, reference: Histogram, method: Method) -> None:
    if live.axis != reference.axis:
        raise AxisError(
            f"scores compare histograms on equal axes; live is on {live.axis!r}, reference on {reference.axis!r}"
        )
    if lookup(method.metric).ordered and not isinstance(live.axis, NumericAxis):
        raise AxisError(
            f"{method.metric} needs ordered bins and this column is {live.axis.kind.value}; "
            "use js_distance, or another metric for this column under columns.overrides"
        )
    for name, side in (("live", live), ("reference", reference)):
        if side.rows == 0:
            raise InputError(f"the {name} side has no rows; nothing can be scored")
