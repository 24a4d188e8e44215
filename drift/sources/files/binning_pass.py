"""Passes over a stream: choosing axes from more rows than fit in memory, and counting rows on axes."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow.compute as pc

from drift.errors import AxisError, InputError, SourceError
from drift.histogram import Axis, Fault, Histogram, Profile, Uncounted
from drift.histogram.binning import SAMPLE, Bins, choose_axis
from drift.histogram.counting import histogram_of_values
from drift.monitors.spec import Columns
from drift.monitors.window import Window
from drift.sources.files.sketch import Sketch
from drift.sources.files.stream import Stream, map_in_threads
from drift.sources.frames.arrow import UnbinnableError, values_of
from drift.sources.frames.table import MAX_SEGMENTS, OTHER_SEGMENT, Table, segment_keys

MAX_SAMPLED_VALUES: Final = 20_000_000
"""Approximate number of values in all samples together: of many columns, each has a smaller sample."""
MIN_SAMPLE_ROWS: Final = 20_000


def count_stream(
    stream: Stream, axes: Mapping[str, Axis], segments: Sequence[str], known: Collection[str]
) -> dict[str, Profile]:
    """Count all rows (""), each known segment, and the rows of other segments.

    Raises SourceError if a file cannot be read, or a segment column is unusable.
    """
    total = _count(stream.empty_table(), axes, segments, known)  # missing columns are reported even without rows
    for profiles in map_in_threads(lambda table: _count(table, axes, segments, known), stream.tables()):
        _add(total, profiles)
    return _in_order(total, segments)


def count_stream_windows(
    stream: Stream, windows: Sequence[Window], axes: Mapping[str, Axis], segments: Sequence[str], known: Collection[str]
) -> list[dict[str, Profile]]:
    """Return what `count_stream` returns for each of several windows within the stream's, in one pass over its rows."""

    def count_part(part: tuple[int, Table]) -> tuple[int, dict[str, Profile]]:
        return part[0], _count(part[1], axes, segments, known)

    empty = _count(stream.empty_table(), axes, segments, known)
    totals = [dict(empty) for _ in windows]
    for index, profiles in map_in_threads(count_part, stream.window_tables(windows)):
        _add(totals[index], profiles)
    return [_in_order(total, segments) for total in totals]


def learn_profiles(
    stream: Stream, names: Sequence[str], columns: Columns, segments: Sequence[str], seed: int
) -> dict[str, Profile]:
    """Choose axes from a stream, and count its rows on them; see `drift.sources.Source.learn`.

    Up to `SAMPLE` rows are kept in memory, and the axes are chosen from all of them. If there are more, axes are chosen
    from a seeded sample of each column, the smallest and the largest value of all rows, and the counts of all names;
    the rows are then read again to be counted. Raises as `count_stream`.
    """
    tables, kept, rows = stream.tables(), list[Table](), 0
    for table in tables:
        kept.append(table)
        rows += table.rows
        if rows > SAMPLE:
            return _learn_in_two_passes(stream, _chain(kept, tables), names, columns, segments, seed)
    parts = stream.concatenate(kept).split(segments)
    whole = parts.pop("").learn(names, columns, seed)
    return {"": whole, **{key: part.count(whole.axes) for key, part in parts.items()}}


def _chain(kept: list[Table], others: Iterator[Table]) -> Iterator[Table]:
    """Yield the kept tables, each of which is released at once, and then the other tables."""
    while kept:
        yield kept.pop(0)
    yield from others


def _learn_in_two_passes(
    stream: Stream, tables: Iterator[Table], names: Sequence[str], columns: Columns, segments: Sequence[str], seed: int
) -> dict[str, Profile]:
    stream.empty_table().split(segments)  # raises if a segment column is unusable
    uncounted = dict(stream.empty_table().learn(names, columns).uncounted)
    first = _FirstPass({name: columns.rule(name).bins for name in names if name not in uncounted}, segments, seed)
    for _ in map_in_threads(first.add, tables, workers=1):  # one batch after the other, while the next one is read
        pass
    axes, counted = first.choose_axes(uncounted)
    known = first.segments()
    uncounted_axes = {name: axis for name, axis in axes.items() if segments or name not in counted}
    profiles = count_stream(stream.select([*uncounted_axes, *segments]), uncounted_axes, segments, known)
    whole = profiles[""]
    uncounted.update(whole.uncounted)
    histograms = {n: whole[n] if n in whole else counted[n] for n in names if n not in uncounted}
    return {**profiles, "": Profile(histograms, first.rows, {n: uncounted[n] for n in names if n in uncounted})}


class _FirstPass:
    """Sketches of all columns and counts of all segments. The more columns, the smaller the sample of each."""

    def __init__(self, bins: Mapping[str, Bins], segments: Sequence[str], seed: int) -> None:
        self.rows = 0
        self._bins = bins
        sample_rows = max(MIN_SAMPLE_ROWS, MAX_SAMPLED_VALUES // max(1, len(bins)))
        self._sketches = {name: Sketch(rule, np.random.default_rng(seed), sample_rows) for name, rule in bins.items()}
        self._segment_counts = {name: Counter[str]() for name in segments}
        self._uncounted: dict[str, Uncounted] = {}

    def add(self, table: Table) -> None:
        self.rows += table.rows
        for name, counts in self._segment_counts.items():
            counts.update(_count_segments(name, table))
        for name, sketch in self._sketches.items():
            column = table.columns[name]
            try:
                if isinstance(column, Uncounted):
                    self._uncounted[name] = column
                elif name not in self._uncounted:
                    sketch.add(values_of(column))
            except UnbinnableError as error:
                self._uncounted[name] = Uncounted(Fault.NOT_COMPARABLE, str(error))

    def choose_axes(self, uncounted: dict[str, Uncounted]) -> tuple[dict[str, Axis], dict[str, Histogram]]:
        """Return the axes, and the histograms of complete sketches. Failed columns are added to `uncounted`."""
        uncounted.update(self._uncounted)
        axes: dict[str, Axis] = {}
        counted: dict[str, Histogram] = {}
        for name in list(self._sketches):
            sketch = self._sketches.pop(name)  # released at once, because the second pass needs the memory
            values = sketch.values()
            if name in uncounted or values is None:
                continue
            try:
                axes[name] = choose_axis(values, self._bins[name])
            except AxisError as error:
                uncounted[name] = Uncounted(Fault.SCHEMA_ERROR, str(error))
            except InputError as error:
                uncounted[name] = Uncounted(Fault.NOT_COMPARABLE, str(error))
            else:
                if sketch.complete:
                    counted[name] = histogram_of_values(values, axes[name])
        return axes, counted

    def segments(self) -> list[str]:
        """Return "" and the most frequent values of each segment column, ties by value."""
        return ["", *(key for counts in self._segment_counts.values() for key in _frequent(counts))]


def _count(
    table: Table, axes: Mapping[str, Axis], segments: Sequence[str], known: Collection[str]
) -> dict[str, Profile]:
    return {key: part.count(axes, threads=1) for key, part in table.split(segments, known).items()}


def _add(total: dict[str, Profile], profiles: Mapping[str, Profile]) -> None:
    for key, profile in profiles.items():
        total[key] = total[key] + profile if key in total else profile


def _in_order(profiles: Mapping[str, Profile], segments: Sequence[str]) -> dict[str, Profile]:
    """Return all rows first; then for each column its listed segments, and last its other rows."""
    others = [f"{name}={OTHER_SEGMENT}" for name in segments]
    listed = [[key for key in profiles if key.startswith(f"{name}=") and key not in others] for name in segments]
    keys = [key for listed_, other in zip(listed, others, strict=True) for key in [*listed_, other] if key in profiles]
    return {key: profiles[key] for key in dict.fromkeys(["", *keys])}


def _frequent(counts: Counter[str]) -> Iterable[str]:
    return [key for key, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_SEGMENTS]]


def _count_segments(name: str, table: Table) -> dict[str, int]:
    column = table.columns[name]
    if isinstance(column, Uncounted):
        raise SourceError(f"segment column {name!r}: {column.message}", code="not-comparable")
    counts = pc.value_counts(segment_keys(name, column).drop_null())
    return dict(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True))
