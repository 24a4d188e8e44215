"""Dask data frames: each partition is a pandas frame, counted where it lies as any other; the counts are added up.

The workers need drift installed; no rows leave them but the sample that axes are chosen from.
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

_ADDED_AT_ONCE: Final = 16
PartitionSummary: TypeAlias = CategoryCounts | Any


@dataclass(frozen=True, slots=True)
class DaskTable:
    """A Dask data frame as `drift.sources.frames.table.Table` is a frame in memory.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
        Each question is a computation of its own: its rows must stay the same.
    """

    frame: Any

    @property
    def columns(self) -> list[str]:
        """Names, in order."""
        return [str(name) for name in self.frame.columns]

    def count(self, axes: Mapping[str, Axis]) -> Profile:
        """Count on axes chosen before; a column that is not there is an error of the schema."""
        from dask.delayed import delayed  # noqa: PLC0415 - optional, and slow to load

        counts = self._each(list(axes), lambda part: read_frame(part).count(axes))
        while len(counts) > 1:  # a tree: no worker holds all of them
            groups = [counts[i : i + _ADDED_AT_ONCE] for i in range(0, len(counts), _ADDED_AT_ONCE)]
            counts = [delayed(_added)(group) for group in groups]
        found: Profile = _computed(counts)[0]
        return found

    def learn(self, names: Sequence[str], columns: Columns, *, seed: int = 0) -> Profile:
        """Choose an axis for each column by its own rule, and count all rows on them.

        Up to `SAMPLE` rows axes are those of the same rows in memory. Of more, edges are chosen from a seeded sample
        together with the smallest and largest finite value of all; categories always from all rows.
        """
        present = [name for name in names if name in self.columns]
        rows = sum(_computed(self._each(present, len)))
        if rows <= SAMPLE:
            return read_frame(_computed([self.frame])[0]).learn(names, columns)
        drawn = read_frame(_computed([self.frame[present].sample(frac=SAMPLE / rows, random_state=seed)])[0])
        told = _computed(self._each(present, _told))
        axes: dict[str, Axis] = {}
        lost: dict[str, Uncounted] = {}
        for name in names:
            held = drawn.columns.get(name, Uncounted(Fault.NOT_COMPARABLE, f"column {name!r} is not in the data"))
            if isinstance(held, Uncounted):
                lost[name] = held
                continue
            try:
                axes[name] = choose_axis(_values(held, [part[name] for part in told]), columns.rule(name).bins)
            except InputError as error:
                lost[name] = Uncounted(Fault.NOT_COMPARABLE, str(error))
        counted = self.count(axes)
        return replace(counted, uncounted={**counted.uncounted, **lost})

    def _each(self, names: Sequence[str], act: Callable[[Any], Any]) -> list[Any]:
        """What is to be done with each partition."""
        from dask.delayed import delayed  # noqa: PLC0415 - optional, and slow to load

        held = self.frame[[name for name in dict.fromkeys(names) if name in self.columns]]
        return [delayed(act)(part) for part in held.to_delayed()]


def _computed(work: Sequence[Any]) -> tuple[Any, ...]:
    from dask.base import compute  # noqa: PLC0415 - optional, and slow to load

    try:
        return tuple(compute(*work))
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"cannot read the data in dask: {str(error).strip() or type(error).__name__}") from error


def _added(parts: Sequence[Profile]) -> Profile:
    return sum(parts[1:], parts[0])


def _told(part: Any) -> dict[str, PartitionSummary]:
    """Of each column of a partition: its names and how many of each, or its smallest and largest finite value."""
    told: dict[str, PartitionSummary] = {}
    for name, column in read_frame(part).columns.items():
        if isinstance(column, Uncounted):
            told[name] = None
            continue
        values = values_of(column)
        if isinstance(values, CategoryCounts):
            told[name] = values
            continue
        finite = column.filter(pc.is_finite(column)) if pa.types.is_floating(column.type) else column
        spans = pa.types.is_duration(column.type)  # which Arrow has no least and largest of
        ends = pc.min_max(finite.cast(pa.int64()) if spans else finite)
        told[name] = pa.chunked_array([pa.array([ends["min"], ends["max"]], ends["min"].type).cast(column.type)])
    return told


def _values(drawn: pa.ChunkedArray, told: list[PartitionSummary]) -> Values:
    names = [part for part in told if isinstance(part, CategoryCounts) and part.keys]
    if names:
        total: Counter[tuple[str, Any]] = Counter()
        for part in names:
            total.update(dict(zip(map(category_order, part.keys), part.counts.tolist(), strict=True)))
        counts = np.fromiter(total.values(), np.int64, len(total))
        return CategoryCounts(names[0].kind, tuple(key for _, key in total), counts, int(counts.sum()))
    parts = [pa.table({"x": part}) for part in (drawn, *told) if isinstance(part, pa.ChunkedArray)]
    return values_of(pa.concat_tables(parts, promote_options="permissive").column(0))
