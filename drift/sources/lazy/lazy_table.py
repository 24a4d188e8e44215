"""Lazy and distributed frames, counted by their own engines through Narwhals: Polars, DuckDB, Spark (classic, Connect).

Axes are chosen from a sample, counts taken by `sums` from all rows; of the data itself only the sample is moved.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from drift.errors import InputError
from drift.histogram import MAX_KNOWN, Axis, Fault, Kind, Profile, Uncounted
from drift.histogram.binning import SAMPLE, choose_axis
from drift.histogram.column_values import CategoryCounts, Values
from drift.monitors.spec import Columns
from drift.sources.frames.arrow import values_of
from drift.sources.lazy.plain_columns import PlainColumn, PlainFrame, plain_frame, schema_of
from drift.sources.lazy.segments import find_segments
from drift.sources.lazy.sums import count_plain_frame


@dataclass(frozen=True, slots=True)
class LazyTable:
    """A lazy frame of Polars, DuckDB (a relation) or Spark, with the methods of `drift.sources.frames.table.Table`.

    A method may run several queries, between which the rows must not change.
    """

    frame: Any

    @property
    def columns(self) -> list[str]:
        return list(schema_of(self.frame))

    def learn(self, names: Sequence[str], columns: Columns, *, seed: int = 0) -> Profile:
        """Choose an axis for each column and count all rows; see `learn_by`."""
        return self.learn_by(names, columns, (), seed=seed)[""]

    def count(self, axes: Mapping[str, Axis]) -> Profile:
        """Count on given axes; a column that does not exist is a schema error of that column."""
        return self.count_by(axes, (), None)[""]

    def learn_by(
        self, names: Sequence[str], columns: Columns, segments: Sequence[str], *, seed: int = 0
    ) -> dict[str, Profile]:
        """Choose an axis for each column by its own rule, and count all rows by segment.

        Up to `SAMPLE` rows, axes equal those of the same rows in memory. Of more rows, edges are chosen from a seeded
        sample together with the smallest and the largest finite value of all rows; categories from all rows. Raises
        SourceError if the frame cannot be read, or a segment column cannot name segments.
        """
        table = plain_frame(self.frame, names)
        axes: dict[str, Axis] = {}
        uncounted: dict[str, Uncounted] = {}
        for name, values in _values(table, seed).items():
            try:
                axes[name] = choose_axis(values, columns.rule(name).bins)
            except InputError as error:
                uncounted[name] = Uncounted(Fault.NOT_COMPARABLE, str(error))
        for name in names:
            column = table.columns.get(name, Uncounted(Fault.NOT_COMPARABLE, f"column {name!r} is not in the data"))
            if isinstance(column, Uncounted):
                uncounted[name] = column
        profiles = self.count_by(axes, segments, None)
        in_order = {name: uncounted[name] for name in names if name in uncounted}
        whole = profiles.pop("")
        # Only the profile of all rows names the columns without an axis, as in memory.
        return {"": replace(whole, uncounted={**whole.uncounted, **in_order}), **profiles}

    def count_by(
        self, axes: Mapping[str, Axis], segments: Sequence[str], known: Collection[str] | None
    ) -> dict[str, Profile]:
        """Count on given axes by segment; see `drift.sources.frames.table.Table.split` for the keys.

        Raises SourceError as `learn_by`, and if the rows changed between two queries.
        """
        table = plain_frame(self.frame, [*axes, *segments])
        if not segments:
            return count_plain_frame(table, axes, None)
        profiles: dict[str, Profile] = {}
        for name in segments:
            parts = count_plain_frame(table, axes, find_segments(table, name, known))
            profiles.setdefault("", parts.pop(""))
            profiles.update({key: part for key, part in parts.items() if part.rows or key in (known or ())})
        return profiles


def _values(table: PlainFrame, seed: int) -> dict[str, Values]:
    """Return the values from which the axis of each column is chosen."""
    columns = {name: column for name, column in table.columns.items() if isinstance(column, PlainColumn)}
    if not columns:
        return {}
    ordered = [column for column in columns.values() if column.kind.ordered and column.kind is not Kind.EMPTY]
    n_rows, extremes = _extremes(table, ordered)
    whole = n_rows <= SAMPLE
    if whole:
        rows = table.fetch(table.frame)
    else:
        sample = table.sample(SAMPLE / n_rows, seed).select([column.alias for column in ordered] or nw.len().alias("n"))
        rows = table.fetch(sample)
    values: dict[str, Values] = {}
    for name, column in columns.items():
        if column in ordered:
            values[name] = _ordered_values(rows[column.alias], column, [] if whole else extremes[column.alias])
        elif whole or column.kind is Kind.EMPTY:
            values[name] = values_of(rows[column.alias] if whole else pa.chunked_array([], pa.null()))
        else:
            values[name] = _frequent_names(table, column)
    return values


def _extremes(table: PlainFrame, ordered: list[PlainColumn]) -> tuple[int, dict[str, list[Any]]]:
    """Return the number of rows, and the smallest and largest finite value of each column."""
    expressions = [nw.len().alias("n")]
    for column in ordered:
        x = nw.col(column.alias)
        if column.step is None:
            infinite = (x == nw.lit(float("inf"))) | (x == nw.lit(float("-inf")))
            x = nw.when(~infinite).then(x)
        expressions += [x.min().alias(f"{column.alias}_min"), x.max().alias(f"{column.alias}_max")]
    row = table.fetch(table.frame.select(*expressions))
    extremes = {column.alias: [row[f"{column.alias}_{end}"] for end in ("min", "max")] for column in ordered}
    return int(row["n"][0].as_py()), extremes


def _ordered_values(values: Any, column: PlainColumn, extremes: list[Any]) -> Values:
    """Return plain integers, doubles or decimals in their original type, with `extremes` added."""
    chunks = [chunk.cast(values.type) for part in (values, *extremes) for chunk in part.chunks]
    joined = pa.chunked_array(chunks, values.type)
    if column.arrow_type == pa.date32():  # Arrow converts only integers of 32 bits to days
        joined = joined.cast(pa.int32())
    return values_of(joined.cast(column.arrow_type or values.type))


def _frequent_names(table: PlainFrame, column: PlainColumn) -> CategoryCounts:
    """Return the most frequent names of all rows: one more than an axis remembers, to show that there are more."""
    alias = column.alias
    groups = table.frame.filter(~nw.col(alias).is_null()).group_by(alias).agg(nw.len().alias("n"))
    top = table.fetch(groups.sort("n", alias, descending=[True, False]).head(MAX_KNOWN + 1))
    counts = np.asarray(top["n"].to_pylist(), dtype=np.int64)
    return CategoryCounts(column.kind, tuple(top[alias].to_pylist()), counts, int(counts.sum()))
