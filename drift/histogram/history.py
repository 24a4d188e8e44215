"""Histories: the histograms of one column over several windows, on one axis."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drift.errors import InputError
from drift.histogram.axis import Axis
from drift.histogram.counts import Counts, Histogram


@dataclass(frozen=True, eq=False, slots=True)
class History:
    """Exact counts of several windows on one axis.

    Parameters
    ----------
    axis : NumericAxis or CategoricalAxis
        How values are cut.
    counts : array_like of int, shape (n_windows, axis.n_bins)
        Rows of each window in each bin, special bins included; a row of zeros is an empty window.

    Raises
    ------
    InputError
        If counts are negative, not integers, or not one for each bin.

    Examples
    --------
    >>> from drift.histogram import NumericAxis
    >>> days = History(NumericAxis((0, 10)), [[0, 5, 0, 1], [0, 7, 1, 0]])
    >>> days.pooled
    Histogram(14 rows: below 0, [0, 10) 12, above 1, missing 1)
    """

    axis: Axis
    counts: Counts

    def __init__(self, axis: Axis, counts: npt.ArrayLike) -> None:
        given = np.asarray(counts)
        if given.size == 0:
            given = np.zeros((0, axis.n_bins), np.int64)
        if given.ndim != 2 or given.shape[1] != axis.n_bins or given.dtype.kind not in "iu":
            expected = f"integers of shape (windows, {axis.n_bins}), one for each bin of {axis!r}"
            message = f"expected {expected}; got {given.dtype} of shape {given.shape}"
            raise InputError(message, code="axis-mismatch")
        if (given < 0).any():
            raise InputError(f"counts must not be negative; got {given.min()}", code="invalid-input")
        own = given.astype(np.int64)
        own.flags.writeable = False
        object.__setattr__(self, "axis", axis)
        object.__setattr__(self, "counts", own)

    @classmethod
    def of(cls, axis: Axis, histograms: Iterable[Histogram | None]) -> "History":
        """Return the history of some windows, in order; None is a window without rows of this column."""
        empty = np.zeros(axis.n_bins, np.int64)
        return cls(axis, [empty if h is None else h.counts for h in histograms])

    @property
    def windows(self) -> int:
        """Number of windows, empty ones included."""
        return len(self.counts)

    @property
    def pooled(self) -> Histogram:
        """Sum of the histograms of all windows."""
        return Histogram(self.axis, self.counts.sum(axis=0))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, History):
            return NotImplemented
        return self.axis == other.axis and np.array_equal(self.counts, other.counts)

    def __hash__(self) -> int:
        return hash((self.axis, self.counts.tobytes()))

    def __repr__(self) -> str:
        return f"History({self.windows} windows, {int(self.counts.sum())} rows, {self.axis!r})"
