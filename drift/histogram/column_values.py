"""One column's values, as every engine hands them to binning and counting."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from drift.histogram import Category, Counts, Edge, Kind
from drift.histogram.kernels import Array, Chunk, at_least, ends, gather


@dataclass(frozen=True, slots=True)
class OrderedValues:
    """Values that are cut by edges, where they lie: nothing is copied, and nothing is computed until it is asked for.

    Parameters
    ----------
    kind : Kind
        NUMBER, DATETIME, DURATION or EMPTY.
    chunks : tuple of Chunk
        Integers of any width, floats, or Python integers (dtype object).
    step : Fraction
        A value is ``data * step``: 1 for numbers, 10**-scale for decimals, nanoseconds per unit for times.
    rows : int
        Rows seen; those not in the chunks are missing.
    """

    kind: Kind
    chunks: tuple[Chunk, ...]
    step: Fraction
    rows: int

    @property
    def present(self) -> int:
        """Rows that have a value; floats are looked through for NaN."""
        return self.tally(())[1]

    @property
    def is_float(self) -> bool:
        """Whether data are floats, rather than exact integers."""
        return any(chunk.data.dtype.kind == "f" for chunk in self.chunks)

    def tally(self, limits: Sequence[int] | Sequence[float]) -> tuple[list[int], int]:
        """How many values are >= each limit, and how many there are: one pass over all of them.

        Parameters
        ----------
        limits : sequence of int, or of float where data are floats
            In units of `step`, increasing; of any size.
        """
        total = np.zeros(len(limits), np.int64)
        present = 0
        for dtype in dict.fromkeys(chunk.data.dtype for chunk in self.chunks):
            chunks = [chunk for chunk in self.chunks if chunk.data.dtype == dtype]
            if dtype.kind == "f":  # -inf is the least there is: what is not >= it is NaN
                found = at_least(chunks, _floats_above([-np.inf, *limits], dtype))
                total, present = total + found[1:], present + int(found[0])
            else:
                found = at_least(chunks, _integers_above(limits, dtype))
                total[: len(found)] += found
                present += sum(len(chunk.data) - chunk.nulls for chunk in chunks)
        return total.tolist(), present

    def ends(self) -> tuple[Any, Any] | None:
        """The smallest and the largest finite value, in units of `step`; None where there is none."""
        return ends(self.chunks)

    def finite(self, rows: npt.NDArray[np.int64] | None = None) -> Array:
        """The finite values of some rows (in increasing order), or of all: float64, or integers as they are."""
        found = gather(self.chunks, rows)
        if not found:
            return np.empty(0, np.int64)
        values = found[0] if len(found) == 1 else np.concatenate(found)
        if values.dtype.kind != "f":
            return values
        return np.compress(np.isfinite(values), values).astype(np.float64, copy=False)

    def edge(self, value: Any) -> Edge:
        """The edge that stands exactly at a value given in units of `step`."""
        if self.is_float:
            return float(value)
        if self.step.denominator == 1:
            return int(value) * self.step.numerator
        scale = len(str(self.step.denominator)) - 1
        return Decimal(f"{int(value)}E-{scale}")  # arithmetic would round to 28 digits


@dataclass(frozen=True, slots=True)
class CategoryCounts:
    """Values that are listed as categories: each distinct key once, and how often it occurs; other rows are missing."""

    kind: Kind
    keys: tuple[Category, ...]
    counts: Counts
    rows: int

    @property
    def present(self) -> int:
        """Rows that have a value."""
        return int(self.counts.sum())


Values = OrderedValues | CategoryCounts


def _integers_above(limits: Sequence[Any], dtype: np.dtype[Any]) -> Array:
    """The limits in a column's own type, without those at the end that are above all of its values."""
    if dtype.kind == "O":
        held = np.empty(len(limits), object)
        held[:] = list(limits)
        return held
    bounds = np.iinfo(dtype)
    return np.array([max(int(limit), int(bounds.min)) for limit in limits if limit <= bounds.max], dtype)


def _floats_above(limits: Sequence[float], dtype: np.dtype[Any]) -> Array:
    """The smallest floats of a column's own width that are >= the limits."""
    wanted = np.array(limits, np.float64)
    with np.errstate(over="ignore", under="ignore"):
        held = wanted.astype(dtype)
        return np.where(held.astype(np.float64) < wanted, np.nextafter(held, dtype.type(np.inf)), held)
