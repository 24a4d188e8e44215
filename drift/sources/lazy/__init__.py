"""Lazy and distributed frames, counted where they are: Polars, DuckDB, Spark (classic and Connect), by Narwhals.

Axes are chosen from a sample, counts taken by `sums` from all rows; of the data itself no more than the sample moves.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from drift.errors import InputError
from drift.histogram import (
    MAX_KNOWN,
    Axis,
    Fault,
    Kind,
    Profile,
    Uncounted,
)
from drift.histogram.binning import SAMPLE, choose_axis
from drift.histogram.column_values import CategoryCounts, Values
from drift.monitors.spec import Columns
from drift.sources.frames.arrow import values_of
from drift.sources.lazy.plain_columns import ColumnForm, PlainFrame, plain, schema_of
from drift.sources.lazy.segments import split
from drift.sources.lazy.sums import counted


@dataclass(frozen=True, slots=True)
class LazyTable:
    """A lazy frame as `drift.sources.frames.table.Table` is a frame in memory.

    Parameters
    ----------
    frame : lazy frame
        Of Polars, DuckDB (a relation) or Spark. Each question is a query of its own: its rows must stay the same.
    """

    frame: Any

    @property
    def columns(self) -> list[str]:
        """Names, in order."""
        return list(schema_of(self.frame))

    def learn(self, names: Sequence[str], columns: Columns, *, seed: int = 0) -> Profile:
        """Choose an axis for each column and count all rows; see `learn_by`."""
        return self.learn_by(names, columns, (), seed=seed)[""]

    def count(self, axes: Mapping[str, Axis]) -> Profile:
        """Count on axes chosen before; a column that is not there is an error of the schema."""
        return self.count_by(axes, (), None)[""]

    def learn_by(
        self, names: Sequence[str], columns: Columns, segments: Sequence[str], *, seed: int = 0
    ) -> dict[str, Profile]:
        """Choose an axis for each column by its own rule, and count all rows on them, by segment.

        Up to `SAMPLE` rows axes are those of the same rows in memory. Of more, edges are chosen from a seeded
        sample, together with the smallest and the largest finite value of all; categories always from all rows.

        Raises
        ------
        SourceError
            Where the frame cannot be read, or a segment column cannot name segments.
        """
        table = plain(self.frame, names)
        axes: dict[str, Axis] = {}
        lost: dict[str, Uncounted] = {}
        for name, values in _values(table, seed).items():
            try:
                axes[name] = choose_axis(values, columns.rule(name).bins)
            except InputError as error:
                lost[name] = Uncounted(Fault.NOT_COMPARABLE, str(error))
        for name in names:
            form = table.forms.get(name, Uncounted(Fault.NOT_COMPARABLE, f"column {name!r} is not in the data"))
            if isinstance(form, Uncounted):
                lost[name] = form
        found = self.count_by(axes, segments, None)
        told = {name: lost[name] for name in names if name in lost}
        whole = found.pop("")
        # The other segments tell only of columns that are counted, as those in memory do.
        return {"": replace(whole, uncounted={**whole.uncounted, **told}), **found}

    def count_by(
        self, axes: Mapping[str, Axis], segments: Sequence[str], known: Collection[str] | None
    ) -> dict[str, Profile]:
        """Count on axes chosen before, by segment; see `drift.sources.frames.table.Table.split` for their keys.

        Raises
        ------
        SourceError
            As `learn_by`, and where rows changed between two queries.
        """
        table = plain(self.frame, [*axes, *segments])
        if not segments:
            return counted(table, axes, None)
        profiles: dict[str, Profile] = {}
        for name in segments:
            parts = counted(table, axes, split(table, name, known))
            profiles.setdefault("", parts.pop(""))
            profiles.update({k: part for k, part in parts.items() if part.rows or k in (known or ())})
        return profiles


def _values(table: PlainFrame, seed: int) -> dict[str, Values]:
    """What axes are chosen from, of each column that has bins."""
    forms = {name: form for name, form in table.forms.items() if isinstance(form, ColumnForm)}
    if not forms:
        return {}
    ordered = [form for form in forms.values() if form.kind.ordered and form.kind is not Kind.EMPTY]
    rows, ends = _ends(table, ordered)
    whole = rows <= SAMPLE
    if whole:
        held = table.fetch(table.frame)
    else:
        drawn = table.sample(SAMPLE / rows, seed).select([form.alias for form in ordered] or nw.len().alias("n"))
        held = table.fetch(drawn)
    values: dict[str, Values] = {}
    for name, form in forms.items():
        if form in ordered:
            values[name] = _ordered_values(held[form.alias], form, [] if whole else ends[form.alias])
        elif whole or form.kind is Kind.EMPTY:
            values[name] = values_of(held[form.alias] if whole else pa.chunked_array([], pa.null()))
        else:
            values[name] = _frequent(table, form)
    return values


def _ends(table: PlainFrame, ordered: list[ColumnForm]) -> tuple[int, dict[str, list[Any]]]:
    """The number of rows, and the smallest and largest finite value of each column."""
    asked = [nw.len().alias("n")]
    for form in ordered:
        column = nw.col(form.alias)
        if form.step is None:
            infinite = (column == nw.lit(float("inf"))) | (column == nw.lit(float("-inf")))
            column = nw.when(~infinite).then(column)
        asked += [column.min().alias(f"{form.alias}_min"), column.max().alias(f"{form.alias}_max")]
    row = table.fetch(table.frame.select(*asked))
    ends = {form.alias: [row[f"{form.alias}_{end}"] for end in ("min", "max")] for form in ordered}
    return int(row["n"][0].as_py()), ends


def _ordered_values(column: Any, form: ColumnForm, ends: list[Any]) -> Values:
    """Plain integers, doubles or decimals as what they stood for; `ends` are added."""
    chunks = [chunk.cast(column.type) for part in (column, *ends) for chunk in part.chunks]
    joined = pa.chunked_array(chunks, column.type)
    if form.held == pa.date32():  # Arrow takes days of 32 bits only
        joined = joined.cast(pa.int32())
    return values_of(joined.cast(form.held or column.type))


def _frequent(table: PlainFrame, form: ColumnForm) -> CategoryCounts:
    """The most frequent names of all rows: as many as an axis can remember, and one more to tell that there are."""
    column = nw.col(form.alias)
    groups = table.frame.filter(~column.is_null()).group_by(form.alias).agg(nw.len().alias("n"))
    top = table.fetch(groups.sort("n", form.alias, descending=[True, False]).head(MAX_KNOWN + 1))
    counts = np.asarray(top["n"].to_pylist(), dtype=np.int64)
    return CategoryCounts(form.kind, tuple(top[form.alias].to_pylist()), counts, int(counts.sum()))
