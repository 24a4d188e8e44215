"""Sketches: enough of a column that does not fit in memory to choose its axis."""

from collections import Counter
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from drift.histogram import Category
from drift.histogram.binning import MAX_BINS, SAMPLE, Bins
from drift.histogram.column_values import CategoryCounts, OrderedValues, Values
from drift.histogram.kernels import Chunk

MAX_SKETCH_CATEGORIES: Final = 100_000
"""Distinct categories of a sketch: more than an axis lists, so that an excess is noticed."""


class Sketch:
    """A column's values, added batch by batch; `rng` draws a sample of `max_rows`, and at most `SAMPLE`, rows."""

    def __init__(self, bins: Bins, rng: np.random.Generator, max_rows: int = SAMPLE) -> None:
        self._bins, self._rng, self._max_rows = bins, rng, min(max_rows, SAMPLE)
        self._sketch: _OrderedSketch | _CategorySketch | None = None

    def add(self, values: Values) -> None:
        """Add values of the same kind."""
        if isinstance(values, OrderedValues):
            if not isinstance(self._sketch, _OrderedSketch):
                self._sketch = _OrderedSketch(values, self._bins, self._rng, self._max_rows)
            self._sketch.add(values)
        else:
            if not isinstance(self._sketch, _CategorySketch):
                self._sketch = _CategorySketch(values)
            self._sketch.add(values)

    def values(self) -> Values | None:
        """Return the values from which to choose the axis, or None if none were added."""
        return None if self._sketch is None else self._sketch.values()

    @property
    def complete(self) -> bool:
        """Whether `values` returns all values, which then need not be read again to be counted."""
        return isinstance(self._sketch, _CategorySketch) and self._sketch.complete


class _OrderedSketch:
    """A uniform sample of rows, the smallest and the largest value, and all distinct values if these are few.

    Rows are taken with a probability. When the sample exceeds its limit, the probability and the sample are halved.
    """

    def __init__(self, values: OrderedValues, bins: Bins, rng: np.random.Generator, max_rows: int) -> None:
        self._rng, self._max_rows = rng, max_rows
        self._kind, self._step = values.kind, values.step
        self._probability, self._next_row = 1.0, 0
        self._sample: list[npt.NDArray[Any]] = []
        self._ends: tuple[Any, Any] | None = None
        self._infinite = False
        self._max_distinct = {"distinct": MAX_BINS, "quantile": bins.count}.get(bins.method, 0)
        self._distinct: npt.NDArray[Any] | None = np.empty(0, np.int64)

    def add(self, values: OrderedValues) -> None:
        self._sample.append(values.finite(None if self._probability == 1 else self._draw_rows(values.rows)))
        while sum(map(len, self._sample)) > self._max_rows:
            self._halve()
        ends = values.extremes()
        if ends is None:
            self._infinite = self._infinite or values.present > 0
            return
        low, high = self._ends or ends
        self._ends = (min(low, ends[0]), max(high, ends[1]))
        self._distinct = self._add_distinct(values)

    def values(self) -> OrderedValues:
        data = _concatenate(self._sample)
        if self._ends is not None:
            exact = [*self._ends, *([] if self._distinct is None else self._distinct.tolist())]
            data = np.concatenate([data, np.setdiff1d(np.array(exact, data.dtype), data)])
        elif self._infinite:
            data = np.array([np.inf])
        return OrderedValues(self._kind, (Chunk(data),) if len(data) else (), self._step, len(data))

    def _draw_rows(self, rows: int) -> npt.NDArray[np.int64]:
        """Draw from the next rows: the gaps between sampled rows, rather than one number for each row."""
        drawn = []
        while self._next_row < rows:
            gaps = self._rng.geometric(self._probability, 16 + int((rows - self._next_row) * self._probability))
            at = self._next_row + np.concatenate(([0], np.cumsum(gaps)))
            drawn.append(at[:-1][at[:-1] < rows])
            self._next_row = int(at[np.searchsorted(at, rows)]) if at[-1] >= rows else int(at[-1])
        self._next_row -= rows
        return np.concatenate([np.empty(0, np.int64), *drawn])

    def _halve(self) -> None:
        sample = _concatenate(self._sample)
        self._sample = [sample[self._rng.random(len(sample)) < 0.5]]
        self._probability /= 2
        self._next_row = int(self._rng.geometric(self._probability)) - 1

    def _add_distinct(self, values: OrderedValues) -> npt.NDArray[Any] | None:
        """Return the distinct values so far, or None if there are more than can have bins of their own."""
        if self._distinct is None or self._max_distinct == 0:
            return None
        finite = values.finite()
        for part in (finite[: 2 * MAX_BINS], finite):  # a few values often show that there are too many
            distinct = np.unique(part)
            if len(distinct) > self._max_distinct:
                return None
        distinct = np.union1d(self._distinct.astype(distinct.dtype), distinct)
        return distinct if len(distinct) <= self._max_distinct else None


class _CategorySketch:
    """Counts of categories; if there are very many, of the frequent ones (Misra and Gries 1982).

    A category in more than one of `MAX_SKETCH_CATEGORIES` rows is always kept.
    """

    def __init__(self, values: CategoryCounts) -> None:
        self._kind, self._rows, self.complete = values.kind, 0, True
        self._counts: Counter[Category] = Counter()

    def add(self, values: CategoryCounts) -> None:
        self._rows += values.rows
        for key, number in zip(values.keys, values.counts.tolist(), strict=True):
            self._counts[key] += number
        if len(self._counts) > 2 * MAX_SKETCH_CATEGORIES:
            self.complete = False
            *kept, (_, smallest) = self._counts.most_common(MAX_SKETCH_CATEGORIES + 1)
            self._counts = Counter({key: number - smallest for key, number in kept})

    def values(self) -> CategoryCounts:
        counts = np.fromiter(self._counts.values(), np.int64, len(self._counts))
        return CategoryCounts(self._kind, tuple(self._counts), counts, self._rows)


def _concatenate(arrays: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
