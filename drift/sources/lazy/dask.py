"""Dask data frames: the workers count each partition as a pandas frame, and the counts are added up.

The workers need drift installed; only the sample from which axes are chosen leaves them.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drift.errors import InputError, SourceError
from drift.histogram import Axis, Fault, Profile, Uncounted, category_order
from drift.histogram.binning import SAMPLE, choose_axis
from drift.histogram.column_values import CategoryCounts, Values
from drift.monitors.spec import Columns
from drift.sources.frames.arrow import values_of
from drift.sources.frames.read_frame import read_frame

_PROFILES_PER_SUM: Final = 16
ColumnSummary: TypeAlias = CategoryCounts | Any
"""Names with their counts, or an Arrow column of the smallest and largest finite value; None if it has no bins."""


@dataclass(frozen=True, slots=True)
class DaskTable:
    """A Dask data frame, with the methods of `drift.sources.frames.table.Table`.

    A method may run several computations, between which the rows must not change.
    """

    frame: Any

    @property
    def columns(self) -> list[str]:
        return [str(name) for name in self.frame.columns]

    def count(self, axes: Mapping[str, Axis]) -> Profile:
        """Count on given axes; a column that does not exist is a schema error of that column."""
        from dask.delayed import delayed  # noqa: PLC0415 - optional, and slow to load

        profiles = self._map_partitions(list(axes), lambda part: read_frame(part).count(axes))
        while len(profiles) > 1:  # a tree of sums, so that no worker needs all profiles
            groups = [profiles[i : i + _PROFILES_PER_SUM] for i in range(0, len(profiles), _PROFILES_PER_SUM)]
            profiles = [delayed(_sum)(group) for group in groups]
        total: Profile = _compute(profiles)[0]
        return total

    def learn(self, names: Sequence[str], columns: Columns, *, seed: int = 0) -> Profile:
        """Choose an axis for each column by its own rule, and count all rows.

        Up to `SAMPLE` rows, axes equal those of the same rows in memory. Of more rows, edges are chosen from a seeded
        sample together with the smallest and the largest finite value of all rows; categories from all rows.
        """
        present = [name for name in names if name in self.columns]
        n_rows = sum(_compute(self._map_partitions(present, len)))
        if n_rows <= SAMPLE:
            return read_frame(_compute([self.frame])[0]).learn(names, columns)
        sample = read_frame(_compute([self.frame[present].sample(frac=SAMPLE / n_rows, random_state=seed)])[0])
        summaries = _compute(self._map_partitions(present, _summarize))
        axes: dict[str, Axis] = {}
        uncounted: dict[str, Uncounted] = {}
        for name in names:
            column = sample.columns.get(name, Uncounted(Fault.NOT_COMPARABLE, f"column {name!r} is not in the data"))
            if isinstance(column, Uncounted):
                uncounted[name] = column
                continue
            try:
                values = _values(column, [summary[name] for summary in summaries])
                axes[name] = choose_axis(values, columns.rule(name).bins)
            except InputError as error:
                uncounted[name] = Uncounted(Fault.NOT_COMPARABLE, str(error))
        profile = self.count(axes)
        return replace(profile, uncounted={**profile.uncounted, **uncounted})

    def _map_partitions(self, names: Sequence[str], function: Callable[[Any], Any]) -> list[Any]:
        """Return delayed calls of a function with each partition's columns."""
        from dask.delayed import delayed  # noqa: PLC0415 - optional, and slow to load

        frame = self.frame[[name for name in dict.fromkeys(names) if name in self.columns]]
        return [delayed(function)(part) for part in frame.to_delayed()]


def _compute(work: Sequence[Any]) -> tuple[Any, ...]:
    from dask.base import compute  # noqa: PLC0415 - optional, and slow to load

    try:
        return tuple(compute(*work))
    except (OSError, pa.ArrowException) as error:
        message = str(error).strip() or type(error).__name__
        raise SourceError(f"cannot read the data in dask: {message}", code="source-unreadable") from error


def _sum(profiles: Sequence[Profile]) -> Profile:
    return sum(profiles[1:], profiles[0])


def _summarize(part: Any) -> dict[str, ColumnSummary]:
    summaries: dict[str, ColumnSummary] = {}
    for name, column in read_frame(part).columns.items():
        if isinstance(column, Uncounted):
            summaries[name] = None
            continue
        values = values_of(column)
        if isinstance(values, CategoryCounts):
            summaries[name] = values
            continue
        finite = column.filter(pc.is_finite(column)) if pa.types.is_floating(column.type) else column
        durations = pa.types.is_duration(column.type)  # Arrow has no minimum and maximum of these
        ends = pc.min_max(finite.cast(pa.int64()) if durations else finite)
        summaries[name] = pa.chunked_array([pa.array([ends["min"], ends["max"]], ends["min"].type).cast(column.type)])
    return summaries


def _values(sample: pa.ChunkedArray, summaries: list[ColumnSummary]) -> Values:
    categories = [summary for summary in summaries if isinstance(summary, CategoryCounts) and summary.keys]
    if categories:
        total: Counter[tuple[str, Any]] = Counter()
        for part in categories:
            total.update(dict(zip(map(category_order, part.keys), part.counts.tolist(), strict=True)))
        counts = np.fromiter(total.values(), np.int64, len(total))
        return CategoryCounts(categories[0].kind, tuple(key for _, key in total), counts, int(counts.sum()))
    parts = [pa.table({"x": part}) for part in (sample, *summaries) if isinstance(part, pa.ChunkedArray)]
    return values_of(pa.concat_tables(parts, promote_options="permissive").column(0))
