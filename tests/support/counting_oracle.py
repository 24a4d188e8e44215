"""The definition of a histogram, row by row in plain Python, without arrays and float arithmetic."""

import math
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from drift.histogram import Axis, CategoricalAxis

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def expected(rows: Iterable[Any], axis: Axis) -> list[int]:
    """Return the counts of Python values on an axis, special bins included."""
    counts = [0] * axis.n_bins
    for row in rows:
        counts[_bin(row, axis)] += 1
    return counts


def _bin(row: Any, axis: Axis) -> int:
    if row is None or (isinstance(row, float) and math.isnan(row)) or (isinstance(row, Decimal) and row.is_nan()):
        return axis.n_bins - 1
    if isinstance(axis, CategoricalAxis):
        return _category(row, axis)
    if not axis.edges:
        return 0
    if isinstance(row, float) and math.isinf(row):
        return 0 if row < 0 else axis.n_bins - 2
    x = exact(row)
    return sum(x >= Fraction(edge) for edge in axis.edges)


def _category(row: Any, axis: CategoricalAxis) -> int:
    for i, category in enumerate(axis.categories):
        if type(category) is type(row) and category == row:
            return i
    if axis.rare is None:
        return len(axis.categories)
    known = any(type(name) is type(row) and name == row for name in axis.rare)
    return len(axis.categories) + (0 if known else 1)


def exact(row: Any) -> Fraction:
    """Return the exact number; of instants and durations, the nanoseconds."""
    if isinstance(row, datetime):
        instant = row if row.tzinfo else row.replace(tzinfo=UTC)
        return Fraction((instant - _EPOCH) // _MICROSECOND) * 1000
    if isinstance(row, date):
        return Fraction((row - date(1970, 1, 1)).days) * 86_400 * 10**9
    if isinstance(row, timedelta):
        return Fraction(row // _MICROSECOND) * 1000
    if isinstance(row, time):
        return Fraction(((row.hour * 60 + row.minute) * 60 + row.second) * 10**6 + row.microsecond) * 1000
    return Fraction(row)
