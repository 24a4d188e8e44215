"""Histograms of values on an axis. c_i, the number of values >= e_i, defines every numeric histogram."""

import math
import sys
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from drift.errors import AxisError
from drift.histogram import Axis, CategoricalAxis, Category, Edge, Histogram, Kind, NumericAxis
from drift.histogram.column_values import CategoryCounts, OrderedValues, Values


def histogram_of_values(values: Values, axis: Axis) -> Histogram:
    """Count the values of a column on an axis chosen before.

    Raises
    ------
    AxisError
        If the kind of the column is not that of the axis.
    """
    if axis.kind is not Kind.EMPTY and axis.kind.accepts(values.kind):
        if isinstance(values, OrderedValues) and isinstance(axis, NumericAxis):
            return _histogram_of_ordered(values, axis)
        if isinstance(values, CategoryCounts) and isinstance(axis, CategoricalAxis):
            missing = values.rows - values.present
            return histogram_of_keys(axis, zip(values.keys, values.counts.tolist(), strict=True), missing)
    # Engines disagree on the type of a column without values (object, null, float): it fits every axis.
    present = values.present
    if present == 0 or axis.kind is Kind.EMPTY:
        return histogram_of_presence(axis, present, values.rows - present)
    message = f"expected {axis.kind.value} values as in the reference, got {values.kind.value}"
    raise AxisError(message, code="type-conflict")


def histogram_of_presence(axis: Axis, present: int, missing: int) -> Histogram:
    """Return a histogram of present and missing values only: either side holds missing values only."""
    counts = np.zeros(axis.n_bins, dtype=np.int64)
    counts[0], counts[-1] = present, missing
    return Histogram(axis, counts)


def histogram_of_keys(axis: CategoricalAxis, key_counts: Iterable[tuple[Category, int]], missing: int) -> Histogram:
    """Return a histogram from keys (not missing) with their counts; a key may occur more than once."""
    counts = np.zeros(axis.n_bins, dtype=np.int64)
    for key, number in key_counts:
        counts[axis.bin_of(key)] += number
    counts[-1] = missing
    return Histogram(axis, counts)


def histogram_of_cumulative(axis: NumericAxis, at_least: Sequence[int], present: int, missing: int) -> Histogram:
    """Return a histogram from the numbers of values >= each edge, of all values present, and of those missing."""
    cumulative = np.array([present, *at_least, 0], dtype=np.int64)
    return Histogram(axis, np.append(-np.diff(cumulative), missing))


def ceiling(edge: Edge, step: Fraction | None) -> Any:
    """Return the smallest value of a column's own type that is >= an edge: x >= edge is equivalent to x >= that value.

    So integers are never converted to floats, nor floats to decimals.

    Parameters
    ----------
    edge : int, float or Decimal
        An edge; nanoseconds for times.
    step : Fraction or None
        Values are integer multiples of it (1 for integers, 10**-scale for decimals, nanoseconds per unit for
        times); so is the result. None for a column of doubles.

    Returns
    -------
    int or float
        Number of steps, as a Python integer of any size; a float if `step` is None.
    """
    return _ceiling_float(edge) if step is None else math.ceil(Fraction(edge) / step)


def _histogram_of_ordered(values: OrderedValues, axis: NumericAxis) -> Histogram:
    step = None if values.is_float else values.step
    at_least, present = values.count_at_least([ceiling(edge, step) for edge in axis.edges])
    return histogram_of_cumulative(axis, at_least, present, values.rows - present)


def _ceiling_float(edge: Edge) -> float:
    """Smallest double that is >= an edge."""
    try:
        nearest = float(edge)
    except OverflowError:  # an integer beyond the largest double
        return math.inf if edge > 0 else -sys.float_info.max  # -inf itself is below every edge
    return nearest if nearest >= edge else math.nextafter(nearest, math.inf)
