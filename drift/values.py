"""One column's values, as every engine hands them to binning and counting. Missing ones are counted apart."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy.typing as npt

from drift.histogram import Category, Counts, Edge, Kind


@dataclass(frozen=True, slots=True)
class OrderedValues:
    """Values that are cut by edges.

    Parameters
    ----------
    kind : Kind
        NUMBER, DATETIME, DURATION or EMPTY.
    data : ndarray, shape (n,)
        Integers of any width, float64, or Python integers (dtype object); no missing ones.
    step : Fraction
        A value is ``data * step``: 1 for numbers, 10**-scale for decimals, nanoseconds per unit for times.
    missing : int
        How many values are missing.
    """

    kind: Kind
    data: npt.NDArray[Any]
    step: Fraction
    missing: int

    @property
    def rows(self) -> int:
        """Rows seen, missing ones included."""
        return len(self.data) + self.missing

    @property
    def present(self) -> int:
        """Rows that have a value."""
        return len(self.data)

    @property
    def is_float(self) -> bool:
        """Whether data are floats, rather than exact integers."""
        return self.data.dtype.kind == "f"

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
    """Values that are listed as categories: each distinct key once, and how often it occurs."""

    kind: Kind
    keys: tuple[Category, ...]
    counts: Counts
    missing: int

    @property
    def rows(self) -> int:
        """Rows seen, missing ones included."""
        return self.present + self.missing

    @property
    def present(self) -> int:
        """Rows that have a value."""
        return int(self.counts.sum())


Values = OrderedValues | CategoryCounts
