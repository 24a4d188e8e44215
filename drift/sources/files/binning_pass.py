"""Choosing axes from more rows than are held, and counting a stream on axes."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow.compute as pc

from drift.errors import AxisError, InputError, SourceError
from drift.histogram import Axis, Fault, Histogram, Profile, Uncounted
from drift.histogram.binning import choose_axis
from drift.histogram.counting import count
from drift.monitors.spec import Columns
from drift.monitors.window import Window
from drift.sources.files.sketch import Sketch
from drift.sources.files.stream import Stream, mapped
from drift.sources.frames.arrow import UnbinnableError, values_of
from drift.sources.frames.table import MAX_SEGMENTS, OTHER_SEGMENT, Table, segment_keys

MAX_ROWS_IN_MEMORY: Final = 20_000_000
"""Values of all samples together, about: of many columns, each has a smaller sample."""
LEAST_SAMPLE: Final = 20_000


def count_stream(
    stream: Stream, axes: Mapping[str, Axis], segments: Sequence[str], known: Collection[str]
) -> dict[str, Profile]:
    """The profiles of all rows ("") and of each known segment, and of the rows in no known one.

    Raises
    ------
    SourceError
        Where a file cannot be read, or a segment column not be used.
    """

    def counted(table: Table) -> dict[str, Profile]:
        return {key: part.count(axes, threads=1) for key, part in table.split(segments, known).items()}

    total = counted(stream.empty())  # what is not there, or of no use, is told even where there is no row
    for found in mapped(counted, stream.tables()):
        for key, profile in found.items():
            total[key] = total[key] + profile if key in total else profile
    return {key: total[key] for key in _ordered(total, segments)}


def count_windows(
    stream: Stream,
    windows: Sequence[Window],
    axes: Mapping[str, Axis],
    segments: Sequence[str],
    known: Collection[str],
) -> list[dict[str, Profile]]:
    """What `count_stream` gives for each of several windows within the stream's, in one pass over its rows.

    Raises
    ------
    SourceError
        As `count_stream`.
    """

    def counted(table: Table) -> dict[str, Profile]:
        return {key: part.count(axes, threads=1) for key, part in table.split(segments, known).items()}

    nothing = counted(stream.empty())
    totals = [dict(nothing) for _ in windows]
    for number, found in mapped(lambda part: (part[0], counted(part[1])), stream.parts(windows)):
        total = totals[number]
        for key, profile in found.items():
            total[key] = total[key] + profile if key in total else profile
    return [{key: total[key] for key in _ordered(total, segments)} for total in totals]


def learn_stream(
    stream: Stream,
    tables: Iterator[Table],
    names: Sequence[str],
    columns: Columns,
    segments: Sequence[str],
    seed: int,
) -> dict[str, Profile]:
    """Choose axes from a sample of each column, the ends of all rows and the names of all rows; then count.

    Parameters
    ----------
    stream : Stream
        Gone through once more, for what cannot be counted before the axes are chosen.
    tables : iterator of Table
        All of its rows, for the first time.
    names, columns, segments
        As `drift.sources.Source.learn` takes them.
    seed : int
        Of the samples.

    Raises
    ------
    SourceError
        Where a file cannot be read, or a segment column not be used.
    """
    stream.empty().split(segments)  # says what is amiss with them
    lost = dict(stream.empty().learn(names, columns).uncounted)
    first = _FirstPass({name: columns.rule(name).bins for name in names if name not in lost}, segments, seed)
    for _ in mapped(first.add, tables, workers=1):  # each piece in turn, while the next one is read
        pass
    axes, counted = first.axes(lost)
    known = first.segments()
    left = {name: axis for name, axis in axes.items() if segments or name not in counted}
    found = count_stream(stream.only([*left, *segments]), left, segments, known)
    whole = found[""]
    lost.update(whole.uncounted)
    histograms = {n: whole[n] if n in whole else counted[n] for n in names if n not in lost}
    return {**found, "": Profile(histograms, first.rows, {n: lost[n] for n in names if n in lost})}


class _FirstPass:
    """What is remembered of all rows, to choose axes and segments from. The more columns, the less of each."""

    def __init__(self, bins: Mapping[str, Any], segments: Sequence[str], seed: int) -> None:
        self.rows = 0
        self._bins = bins
        share = max(LEAST_SAMPLE, MAX_ROWS_IN_MEMORY // max(1, len(bins)))
        self._sketches = {name: Sketch(rule, np.random.default_rng(seed), share) for name, rule in bins.items()}
        self._by = {name: Counter[str]() for name in segments}
        self._lost: dict[str, Uncounted] = {}

    def add(self, table: Table) -> None:
        self.rows += table.rows
        for name, found in self._by.items():
            found.update(_keys(name, table))
        for name, sketch in self._sketches.items():
            column = table.columns[name]
            try:
                if isinstance(column, Uncounted):
                    self._lost[name] = column
                elif name not in self._lost:
                    sketch.add(values_of(column))
            except UnbinnableError as error:
                self._lost[name] = Uncounted(Fault.NOT_COMPARABLE, str(error))

    def axes(self, lost: dict[str, Uncounted]) -> tuple[dict[str, Axis], dict[str, Histogram]]:
        """The axes, and the histograms of columns whose rows need not be read again; adds to the lost ones."""
        lost.update(self._lost)
        axes: dict[str, Axis] = {}
        counted: dict[str, Histogram] = {}
        for name in list(self._sketches):
            sketch = self._sketches.pop(name)  # let go at once: the second pass needs the room
            values = sketch.values()
            if name in lost or values is None:
                continue
            try:
                axes[name] = choose_axis(values, self._bins[name])
            except AxisError as error:
                lost[name] = Uncounted(Fault.SCHEMA_ERROR, str(error))
            except InputError as error:
                lost[name] = Uncounted(Fault.NOT_COMPARABLE, str(error))
            else:
                if sketch.whole:
                    counted[name] = count(values, axes[name])
        return axes, counted

    def segments(self) -> list[str]:
        """The most frequent values of each segment column, ties by value."""
        return ["", *(key for found in self._by.values() for key in _frequent(found))]


def _frequent(found: Counter[str]) -> Iterable[str]:
    return [key for key, _ in sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_SEGMENTS]]


def _ordered(found: Collection[str], segments: Sequence[str]) -> list[str]:
    """All rows first; of each column its segments as they are listed, and the rows of no listed one last."""
    others = [f"{name}={OTHER_SEGMENT}" for name in segments]
    listed = [[key for key in found if key.startswith(f"{name}=") and key not in others] for name in segments]
    parts = [key for keys, other in zip(listed, others, strict=True) for key in [*keys, other] if key in found]
    return list(dict.fromkeys(["", *parts]))


def _keys(name: str, table: Table) -> dict[str, int]:
    column = table.columns[name]
    if isinstance(column, Uncounted):
        raise SourceError(f"segment column {name!r}: {column.message}")
    found = pc.value_counts(segment_keys(name, column).drop_null())
    return dict(zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True))
