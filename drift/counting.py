"""Counting values on an axis. c_i, the number of values >= e_i, defines every numeric histogram."""

import math
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from drift.errors import AxisError
from drift.histogram import Axis, CategoricalAxis, Edge, Histogram, Kind, NumericAxis
from drift.values import CategoryCounts, OrderedValues, Values


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
    # Engines disagree on the type of a column without a value (object, null, float): it fits every axis.
    if values.present == 0 or axis.kind is Kind.EMPTY:
        return _count_presence(values, axis)
    if not axis.kind.accepts(values.kind):
        raise AxisError(f"expected {axis.kind.value} values as in the reference, got {values.kind.value}")
    if isinstance(values, OrderedValues) and isinstance(axis, NumericAxis):
        return _count_ordered(values, axis)
    if isinstance(values, CategoryCounts) and isinstance(axis, CategoricalAxis):
        return _count_categories(values, axis)
    raise AxisError(f"{values.kind.value} values cannot be counted on {axis!r}")


def _count_presence(values: Values, axis: Axis) -> Histogram:
    """Either side knows nothing but whether a value is missing."""
    counts = np.zeros(axis.n_bins, dtype=np.int64)
    counts[0], counts[-1] = values.present, values.missing
    return Histogram(axis, counts)


def _count_categories(values: CategoryCounts, axis: CategoricalAxis) -> Histogram:
    counts = np.zeros(axis.n_bins, dtype=np.int64)
    bins = [axis.bin_of(key) for key in values.keys]
    np.add.at(counts, bins, values.counts)
    counts[-1] = values.missing
    return Histogram(axis, counts)


def _count_ordered(values: OrderedValues, axis: NumericAxis) -> Histogram:
    at_least = [_at_least(values, edge) for edge in axis.edges]
    cumulative = np.array([len(values.data), *at_least, 0], dtype=np.int64)
    return Histogram(axis, np.append(-np.diff(cumulative), values.missing))


def _at_least(values: OrderedValues, edge: Edge) -> int:
    """How many values are >= an edge, compared exactly, whatever the types of either.

    x >= e is asked as x >= (the smallest value of x's own type that is >= e): integers are never turned
    into floats, nor floats into decimals.
    """
    limit: Any = _ceiling_float(edge) if values.is_float else math.ceil(Fraction(edge) / values.step)
    if values.data.dtype.kind in "iu":
        bounds = np.iinfo(values.data.dtype)
        if limit > bounds.max:
            return 0
        limit = max(limit, int(bounds.min))
        limit = values.data.dtype.type(limit)
    above: npt.NDArray[np.bool_] = values.data >= limit
    return int(np.count_nonzero(above))


def _ceiling_float(edge: Edge) -> float:
    """The smallest double that is >= an edge."""
    try:
        nearest = float(edge)
    except OverflowError:  # an integer beyond the largest double
        return math.inf if edge > 0 else -sys.float_info.max  # -inf itself lies below every edge
    return nearest if nearest >= edge else math.nextafter(nearest, math.inf)
