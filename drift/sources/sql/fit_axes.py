"""Axes fitted in a database: edges from all rows if they are few, else from a seeded sample; names from all rows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
from sqlalchemy import Select, Table, TableClause, func, literal, select, tablesample

from drift.errors import InputError
from drift.histogram import MAX_KNOWN, Axis, Category, Fault, Kind, Uncounted
from drift.histogram.binning import MAX_BINS, SAMPLE, choose_axis
from drift.histogram.column_values import CategoryCounts, Values
from drift.monitors.spec import Columns
from drift.monitors.window import Window
from drift.sources.frames.arrow import UnbinnableError, values_of
from drift.sources.sql.table_query import TableQuery
from drift.sources.sql.types import SqlType

_SEED: Final = 20_110_101
_PRIME: Final = 2_147_483_647
_FACTOR: Final = 48_271  # Park and Miller: scatters row numbers, so that the sample does not follow a cycle of the rows
_CHUNK: Final = 20


def choose_axes(
    query: TableQuery,
    rows: Select[Any],
    window: Window | None,
    names: Sequence[str],
    columns: Columns,
    types: dict[str, SqlType],
    n_rows: int,
) -> tuple[dict[str, Axis], dict[str, Uncounted]]:
    """Choose an axis for each column from the `n_rows` rows of a window; `types` are those of the columns that exist.

    The second result holds the reasons of the columns without an axis.
    """
    values: dict[str, Values] = {}
    uncounted: dict[str, Uncounted] = {}
    ordered = []
    for name in names:
        type_ = types.get(name)
        if type_ is None or type_.kind is None:
            absent = Uncounted(Fault.NOT_COMPARABLE, f"column {name!r} is not in the data")
            uncounted[name] = absent if type_ is None else Uncounted(Fault.NOT_COMPARABLE, type_.message)
        elif type_.kind in {Kind.STRING, Kind.BOOLEAN}:
            values[name] = _frequent_names(query, rows, name, type_, n_rows)
        else:
            ordered.append(name)
    for i in range(0, len(ordered), _CHUNK):
        chunk = {name: types[name] for name in ordered[i : i + _CHUNK]}
        for name, column in _ordered_values(query, rows, window, chunk, n_rows).items():
            try:
                values[name] = values_of(pa.chunked_array([types[name].to_arrow(column)]))
            except (UnbinnableError, pa.ArrowException, ValueError, OverflowError) as error:
                uncounted[name] = Uncounted(Fault.NOT_COMPARABLE, " ".join(str(error).split()))
    axes: dict[str, Axis] = {}
    for name in names:
        if name in values:
            try:
                axes[name] = choose_axis(values[name], columns.rule(name).bins)
            except InputError as error:
                uncounted[name] = Uncounted(Fault.NOT_COMPARABLE, str(error))
    return axes, uncounted


def _frequent_names(query: TableQuery, rows: Select[Any], name: str, type_: SqlType, n_rows: int) -> CategoryCounts:
    """Return the names and their counts; if there are more than an axis remembers, the most frequent ones."""
    x, number = type_.value(query.rows.c[name]), func.count()
    statement = rows.where(type_.present(query.rows.c[name])).with_only_columns(x.label("x"), number)
    results = query.connection.execute(statement.group_by(x).order_by(number.desc()).limit(2 * MAX_KNOWN)).all()
    keys: list[Category] = [bool(key) if type_.kind is Kind.BOOLEAN else key for key, _ in results]
    counts = np.array([n for _, n in results], np.int64)
    return CategoryCounts(type_.kind or Kind.STRING, tuple(keys), counts, n_rows)


def _ordered_values(
    query: TableQuery, rows: Select[Any], window: Window | None, types: dict[str, SqlType], n_rows: int
) -> dict[str, list[Any]]:
    """Return values of some columns; a sample contains the smallest and the largest value of all rows as well."""
    if n_rows <= SAMPLE:
        drawn = query.connection.execute(_select_values(query, rows, types)).all()
        extremes: list[Any] = []
    else:
        drawn = list(query.connection.execute(_sample(query, rows, window, types, n_rows)).all())
        extremes = [_extreme(query, rows, types, func.min), _extreme(query, rows, types, func.max)]
    values: dict[str, list[Any]] = {}
    for i, (name, type_) in enumerate(types.items()):
        values[name] = [row[i] for row in (*drawn, *extremes)]
        if extremes and len(set(values[name])) <= MAX_BINS:  # each may get a bin of its own: none may be absent
            distinct = _select_values(query, rows, {name: type_}).distinct().limit(2 * MAX_BINS)
            values[name] += query.connection.execute(distinct).scalars()
    return values


def _select_values(query: TableQuery, rows: Select[Any], types: dict[str, SqlType]) -> Select[Any]:
    return rows.with_only_columns(*(type_.sampled(type_.value(query.rows.c[n])) for n, type_ in types.items()))


def _sample(
    query: TableQuery, rows: Select[Any], window: Window | None, types: dict[str, SqlType], n_rows: int
) -> Select[Any]:
    """Select about `SAMPLE` rows, the same ones each time."""
    if query.connection.dialect.name == "postgresql" and isinstance(query.rows, Table | TableClause):
        share = func.bernoulli(100 * SAMPLE / n_rows)
        drawn = replace(query, rows=tablesample(query.rows, share, name="sample", seed=literal(_SEED)))
        return _select_values(drawn, drawn.rows_in(window), types)
    over = func.row_number().over(order_by=query.rows.c[query.timestamp] if query.timestamp else None)
    inner = rows.add_columns(over.label("drift row")).subquery("numbered")
    step = max(1, round(n_rows / SAMPLE))
    chosen = (inner.c["drift row"] * _FACTOR) % _PRIME % step == 0
    return _select_values(replace(query, rows=inner), select(inner).select_from(inner).where(chosen), types)


def _extreme(query: TableQuery, rows: Select[Any], types: dict[str, SqlType], aggregate: Any) -> tuple[Any, ...]:
    columns = [aggregate(type_.finite(type_.value(query.rows.c[name]))) for name, type_ in types.items()]
    return tuple(query.connection.execute(rows.with_only_columns(*columns)).one())
