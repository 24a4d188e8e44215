"""Values of one column, in the form that every engine passes to binning and counting."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from drift.histogram import Category, Counts, Edge, Kind
from drift.histogram.kernels import Array, Chunk, count_at_least, extremes, gather


@dataclass(frozen=True, slots=True)
class OrderedValues:
    """Values that are cut by edges. They are not copied, and computations run on request.

    A value is ``data * step``: 1 for numbers, 10**-scale for decimals, nanoseconds per unit for times.
    """

    kind: Kind  # NUMBER, DATETIME, DURATION or EMPTY
    chunks: tuple[Chunk, ...]  # integers of any width, floats, or Python integers (dtype object)
    step: Fraction
    rows: int  # those not in the chunks are missing

    @property
    def present(self) -> int:
        """Number of rows with a value; floats are searched for NaN."""
        return self.count_at_least(())[1]

    @property
    def is_float(self) -> bool:
        """Whether data are floats, rather than exact integers."""
        return any(chunk.data.dtype.kind == "f" for chunk in self.chunks)

    def count_at_least(self, limits: Sequence[int] | Sequence[float]) -> tuple[list[int], int]:
        """Count the values that are >= each limit, and all values, in one pass.

        Limits are in units of `step`, increasing, of any size; floats only if the data are floats.
        """
        total = np.zeros(len(limits), np.int64)
        present = 0
        for dtype in dict.fromkeys(chunk.data.dtype for chunk in self.chunks):
            chunks = [chunk for chunk in self.chunks if chunk.data.dtype == dtype]
            if dtype.kind == "f":  # every value but NaN is >= -inf
                counts = count_at_least(chunks, _float_limits([-np.inf, *limits], dtype))
                total, present = total + counts[1:], present + int(counts[0])
            else:
                counts = count_at_least(chunks, _integer_limits(limits, dtype))
                total[: len(counts)] += counts
                present += sum(len(chunk.data) - chunk.nulls for chunk in chunks)
        return total.tolist(), present

    def extremes(self) -> tuple[Any, Any] | None:
        """Return the smallest and the largest finite value, in units of `step`; None if there is none."""
        return extremes(self.chunks)

    def finite(self, rows: npt.NDArray[np.int64] | None = None) -> Array:
        """Return the finite values of some rows (in increasing order), or of all: float64, or integers unchanged."""
        parts = gather(self.chunks, rows)
        if not parts:
            return np.empty(0, np.int64)
        values = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if values.dtype.kind != "f":
            return values
        return np.compress(np.isfinite(values), values).astype(np.float64, copy=False)

    def edge(self, value: Any) -> Edge:
        """Return the edge exactly at a value given in units of `step`."""
        if self.is_float:
            return float(value)
        if self.step.denominator == 1:
            return int(value) * self.step.numerator
        scale = len(str(self.step.denominator)) - 1
        return Decimal(f"{int(value)}E-{scale}")  # arithmetic would round to 28 digits


@dataclass(frozen=True, slots=True)
class CategoryCounts:
    """Values that are listed as categories: each distinct key once, with its count; other rows are missing."""

    kind: Kind
    keys: tuple[Category, ...]
    counts: Counts
    rows: int

    @property
    def present(self) -> int:
        """Number of rows with a value."""
        return int(self.counts.sum())


Values = OrderedValues | CategoryCounts


def _integer_limits(limits: Sequence[Any], dtype: np.dtype[Any]) -> Array:
    """Convert limits to a column's own type, without those that exceed all of its values."""
    if dtype.kind == "O":
        converted = np.empty(len(limits), object)
        converted[:] = list(limits)
        return converted
    bounds = np.iinfo(dtype)
    return np.array([max(int(limit), int(bounds.min)) for limit in limits if limit <= bounds.max], dtype)


def _float_limits(limits: Sequence[float], dtype: np.dtype[Any]) -> Array:
    """Return the smallest floats of a column's own width that are >= the limits."""
    exact = np.array(limits, np.float64)
    with np.errstate(over="ignore", under="ignore"):
        converted = exact.astype(dtype)
        rounded_down = converted.astype(np.float64) < exact
        return np.where(rounded_down, np.nextafter(converted, dtype.type(np.inf)), converted)
