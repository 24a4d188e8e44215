"""Counting values on an axis. c_i, the number of values >= e_i, defines every numeric histogram."""

import math
import sys
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from drift.errors import AxisError
from drift.histogram import Axis, CategoricalAxis, Category, Edge, Histogram, Kind, NumericAxis
from drift.histogram.column_values import CategoryCounts, OrderedValues, Values


def count(values: Values, axis: Axis) -> Histogram:
    """The histogram of a column's values on an axis chosen before.

    Parameters
    ----------
    values : OrderedValues or CategoryCounts
        The column.
    axis : NumericAxis or CategoricalAxis
        Chosen from the reference.

    Raises
    ------
    AxisError
        Where the column is of another kind than the axis was made for.
    """
    if axis.kind is not Kind.EMPTY and axis.kind.accepts(values.kind):
        if isinstance(values, OrderedValues) and isinstance(axis, NumericAxis):
            return _count_ordered(values, axis)
        if isinstance(values, CategoryCounts) and isinstance(axis, CategoricalAxis):
            missing = values.rows - values.present
            return histogram_of_keys(axis, zip(values.keys, values.counts.tolist(), strict=True), missing)
    # Engines disagree on the type of a column without a value (object, null, float): it fits every axis.
    present = values.present
    if present == 0 or axis.kind is Kind.EMPTY:
        return histogram_of_presence(axis, present, values.rows - present)
    raise AxisError(f"expected {axis.kind.value} values as in the reference, got {values.kind.value}")


def histogram_of_presence(axis: Axis, present: int, missing: int) -> Histogram:
    """Either side knows nothing but whether a value is missing."""
    counts = np.zeros(axis.n_bins, dtype=np.int64)
    counts[0], counts[-1] = present, missing
    return Histogram(axis, counts)


def histogram_of_keys(axis: CategoricalAxis, found: Iterable[tuple[Category, int]], missing: int) -> Histogram:
    """From the distinct keys (not missing) and how often each occurs; a key may come more than once."""
    counts = np.zeros(axis.n_bins, dtype=np.int64)
    for key, number in found:
        counts[axis.bin_of(key)] += number
    counts[-1] = missing
    return Histogram(axis, counts)


def histogram_of_cumulative(axis: NumericAxis, at_least: Sequence[int], present: int, missing: int) -> Histogram:
    """From the numbers of values >= each edge, those present at all, and those missing."""
    cumulative = np.array([present, *at_least, 0], dtype=np.int64)
    return Histogram(axis, np.append(-np.diff(cumulative), missing))


def ceiling(edge: Edge, step: Fraction | None) -> Any:
    """The smallest value of a column's own type that is >= an edge: x >= edge asks just x >= that.

    So integers are never turned into floats, nor floats into decimals.

    Parameters
    ----------
    edge : int, float or Decimal
        An edge; nanoseconds for times.
    step : Fraction or None
        Values are whole multiples of it (1 for integers, 10**-scale for decimals, nanoseconds per unit for
        times), and so is the result; None is a column of doubles.

    Returns
    -------
    int or float
        Number of steps, as a Python integer of any size; a float where `step` is None.
    """
    return _ceiling_float(edge) if step is None else math.ceil(Fraction(edge) / step)


def _count_ordered(values: OrderedValues, axis: NumericAxis) -> Histogram:
    step = None if values.is_float else values.step
    at_least, present = values.tally([ceiling(edge, step) for edge in axis.edges])
    return histogram_of_cumulative(axis, at_least, present, values.rows - present)


def _ceiling_float(edge: Edge) -> float:
    """The smallest double that is >= an edge."""
    try:
        nearest = float(edge)
    except OverflowError:  # an integer beyond the largest double
        return math.inf if edge > 0 else -sys.float_info.max  # -inf itself lies below every edge
    return nearest if nearest >= edge else math.nextafter(nearest, math.inf)
