"""What is remembered of a column that is too long to hold: enough to choose its axis."""

from collections import Counter
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from drift.histogram import Category
from drift.histogram.binning import MAX_BINS, SAMPLE, Bins
from drift.histogram.column_values import CategoryCounts, OrderedValues, Values
from drift.histogram.kernels import Chunk

MAX_NAMES: Final = 100_000
"""Distinct names kept of a column; more than an axis remembers, so that one with more is known to have more."""


class Sketch:
    """A column's values, some at a time.

    Parameters
    ----------
    bins : Bins
        How its axis will be chosen.
    rng : numpy.random.Generator
        Draws the sample.
    most : int
        Rows of the sample, at most; `SAMPLE` anyway.
    """

    def __init__(self, bins: Bins, rng: np.random.Generator, most: int = SAMPLE) -> None:
        self._bins, self._rng, self._most = bins, rng, min(most, SAMPLE)
        self._held: _Ordered | _Names | None = None

    def add(self, values: Values) -> None:
        """More values, of the same type."""
        if isinstance(values, OrderedValues):
            if not isinstance(self._held, _Ordered):
                self._held = _Ordered(values, self._bins, self._rng, self._most)
            self._held.add(values)
        else:
            if not isinstance(self._held, _Names):
                self._held = _Names(values)
            self._held.add(values)

    def values(self) -> Values | None:
        """What to choose the axis from; None where nothing was added."""
        return None if self._held is None else self._held.values()

    @property
    def whole(self) -> bool:
        """Whether `values` are all there were, so that they need not be read again to be counted."""
        return isinstance(self._held, _Names) and self._held.whole


class _Ordered:
    """A sample of at most so many rows, each row as likely as another; the exact ends; the values, where few.

    Rows are taken with a probability that is halved, and the sample thinned, whenever it has grown too long.
    """

    def __init__(self, values: OrderedValues, bins: Bins, rng: np.random.Generator, longest: int) -> None:
        self._rng, self._longest = rng, longest
        self._kind, self._step = values.kind, values.step
        self._probability, self._next = 1.0, 0
        self._sample: list[npt.NDArray[Any]] = []
        self._ends: tuple[Any, Any] | None = None
        self._infinite = False
        self._most = {"distinct": MAX_BINS, "quantile": bins.count}.get(bins.method, 0)
        self._few: npt.NDArray[Any] | None = np.empty(0, np.int64)

    def add(self, values: OrderedValues) -> None:
        found = values.finite(None if self._probability == 1 else self._rows(values.rows))
        self._sample.append(found)
        while sum(map(len, self._sample)) > self._longest:
            self._thin()
        ends = values.ends()
        if ends is None:
            self._infinite = self._infinite or values.present > 0
            return
        low, high = self._ends or ends
        self._ends = (min(low, ends[0]), max(high, ends[1]))
        self._few = self._distinct(values)

    def values(self) -> OrderedValues:
        data = _together(self._sample)
        if self._ends is not None:
            wanted = [*self._ends, *([] if self._few is None else self._few.tolist())]
            unseen = np.setdiff1d(np.array(wanted, data.dtype), data)
            data = np.concatenate([data, unseen])
        elif self._infinite:
            data = np.array([np.inf])
        return OrderedValues(self._kind, (Chunk(data),) if len(data) else (), self._step, len(data))

    def _rows(self, rows: int) -> npt.NDArray[np.int64]:
        """The rows taken from the next ones: gaps between them are drawn, not one number for each row."""
        taken = []
        while self._next < rows:
            gaps = self._rng.geometric(self._probability, 16 + int((rows - self._next) * self._probability))
            at = self._next + np.concatenate(([0], np.cumsum(gaps)))
            taken.append(at[:-1][at[:-1] < rows])
            self._next = int(at[np.searchsorted(at, rows)]) if at[-1] >= rows else int(at[-1])
        self._next -= rows
        return np.concatenate([np.empty(0, np.int64), *taken])

    def _thin(self) -> None:
        sample = _together(self._sample)
        self._sample = [sample[self._rng.random(len(sample)) < 0.5]]
        self._probability /= 2
        self._next = int(self._rng.geometric(self._probability)) - 1

    def _distinct(self, values: OrderedValues) -> npt.NDArray[Any] | None:
        """The distinct values so far, where no more than may get bins of their own; None once there are more."""
        if self._few is None or self._most == 0:
            return None
        found = values.finite()
        for some in (found[: 2 * MAX_BINS], found):
            few = np.unique(some)
            if len(few) > self._most:
                return None
        few = np.union1d(self._few.astype(few.dtype), few)
        return few if len(few) <= self._most else None


class _Names:
    """How often each name occurs; of very many, the frequent ones (Misra and Gries 1982).

    Where there are more than `MAX_NAMES`, a name that is in more than one of `MAX_NAMES` rows is kept for certain.
    """

    def __init__(self, values: CategoryCounts) -> None:
        self._kind, self._rows, self.whole = values.kind, 0, True
        self._counts: Counter[Category] = Counter()

    def add(self, values: CategoryCounts) -> None:
        self._rows += values.rows
        for key, number in zip(values.keys, values.counts.tolist(), strict=True):
            self._counts[key] += number
        if len(self._counts) > 2 * MAX_NAMES:
            self.whole = False
            *kept, (_, least) = self._counts.most_common(MAX_NAMES + 1)
            self._counts = Counter({key: number - least for key, number in kept})

    def values(self) -> CategoryCounts:
        counts = np.fromiter(self._counts.values(), np.int64, len(self._counts))
        return CategoryCounts(self._kind, tuple(self._counts), counts, self._rows)


def _together(arrays: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
