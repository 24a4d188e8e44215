"""Axes from a database: edges from all rows where they are few, else from a seeded sample; names from all of them."""

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
from drift.sources.sql.types import SqlExpression, SqlType

_SEED: Final = 20_110_101
_PRIME: Final = 2_147_483_647
_FACTOR: Final = 48_271  # Park and Miller: spreads row numbers, so that no rhythm of the rows meets the sample's
_CHUNK: Final = 20


def learn_axes(
    relation: TableQuery,
    rows: Select[Any],
    window: Window | None,
    names: Sequence[str],
    columns: Columns,
    types: dict[str, SqlType],
    number: int,
) -> tuple[dict[str, Axis], dict[str, Uncounted]]:
    """An axis for each column, or why it has none.

    Parameters
    ----------
    relation : Relation
        The table or query.
    rows : Select
        Its rows in the window.
    window : Window or None
        The window itself.
    names : sequence of str
        The columns.
    columns : Columns
        The rule of each.
    types : dict of str to SqlType
        Of those that are there.
    number : int
        How many rows there are.
    """
    values: dict[str, Values] = {}
    lost: dict[str, Uncounted] = {}
    ordered = []
    for name in names:
        type_ = types.get(name)
        if type_ is None or type_.kind is None:
            absent = Uncounted(Fault.NOT_COMPARABLE, f"column {name!r} is not in the data")
            lost[name] = absent if type_ is None else Uncounted(Fault.NOT_COMPARABLE, type_.message)
        elif type_.kind in {Kind.STRING, Kind.BOOLEAN}:
            values[name] = _names(relation, rows, name, type_, number)
        else:
            ordered.append(name)
    for i in range(0, len(ordered), _CHUNK):
        chunk = ordered[i : i + _CHUNK]
        for name, held in _drawn(relation, rows, window, {n: types[n] for n in chunk}, number).items():
            try:
                values[name] = values_of(pa.chunked_array([types[name].to_arrow(held)]))
            except (UnbinnableError, pa.ArrowException, ValueError, OverflowError) as error:
                lost[name] = Uncounted(Fault.NOT_COMPARABLE, " ".join(str(error).split()))
    axes: dict[str, Axis] = {}
    for name in names:
        if name in values:
            try:
                axes[name] = choose_axis(values[name], columns.rule(name).bins)
            except InputError as error:
                lost[name] = Uncounted(Fault.NOT_COMPARABLE, str(error))
    return axes, lost


def _names(relation: TableQuery, rows: Select[Any], name: str, type_: SqlType, seen: int) -> CategoryCounts:
    """The names and how often each occurs; of more than an axis remembers, the most frequent ones."""
    x, number = type_.value(relation.rows.c[name]), func.count()
    asked = rows.where(type_.present(relation.rows.c[name])).with_only_columns(x.label("x"), number)
    found = relation.connection.execute(asked.group_by(x).order_by(number.desc()).limit(2 * MAX_KNOWN)).all()
    keys: list[Category] = [bool(k) if type_.kind is Kind.BOOLEAN else k for k, _ in found]
    counts = np.array([n for _, n in found], np.int64)
    return CategoryCounts(type_.kind or Kind.STRING, tuple(keys), counts, seen)


def _drawn(
    relation: TableQuery, rows: Select[Any], window: Window | None, types: dict[str, SqlType], number: int
) -> dict[str, list[Any]]:
    """Values of some columns; where they are a sample, the smallest and the largest of all rows among them."""
    if number <= SAMPLE:
        drawn = relation.connection.execute(_values(relation, rows, types)).all()
        ends: list[Any] = []
    else:
        drawn = list(relation.connection.execute(_sample(relation, rows, window, types, number)).all())
        ends = [_end(relation, rows, types, func.min), _end(relation, rows, types, func.max)]
    found: dict[str, list[Any]] = {}
    for i, (name, type_) in enumerate(types.items()):
        held = [row[i] for row in (*drawn, *ends)]
        if ends and len(set(held)) <= MAX_BINS:  # each may have a bin of its own: none may be left out
            held += _distinct(relation, rows, name, type_)
        found[name] = held
    return found


def _distinct(relation: TableQuery, rows: Select[Any], name: str, type_: SqlType) -> list[Any]:
    x = _sampled(relation.rows.c[name], type_)
    return list(relation.connection.execute(rows.with_only_columns(x).distinct().limit(2 * MAX_BINS)).scalars())


def _values(relation: TableQuery, rows: Select[Any], types: dict[str, SqlType]) -> Select[Any]:
    return rows.with_only_columns(*(_sampled(relation.rows.c[name], type_) for name, type_ in types.items()))


def _sampled(x: SqlExpression, type_: SqlType) -> SqlExpression:
    return type_.sampled(type_.value(x))


def _sample(
    relation: TableQuery, rows: Select[Any], window: Window | None, types: dict[str, SqlType], number: int
) -> Select[Any]:
    """About `SAMPLE` rows, the same ones each time."""
    if relation.connection.dialect.name == "postgresql" and isinstance(relation.rows, Table | TableClause):
        share = func.bernoulli(100 * SAMPLE / number)
        drawn = replace(relation, rows=tablesample(relation.rows, share, name="sample", seed=literal(_SEED)))
        return _values(drawn, drawn.within(window), types)
    over = func.row_number().over(order_by=relation.rows.c[relation.timestamp] if relation.timestamp else None)
    inner = rows.add_columns(over.label("drift row")).subquery("numbered")
    step = max(1, round(number / SAMPLE))
    chosen = (inner.c["drift row"] * _FACTOR) % _PRIME % step == 0
    return _values(replace(relation, rows=inner), select(inner).select_from(inner).where(chosen), types)


def _end(relation: TableQuery, rows: Select[Any], types: dict[str, SqlType], end: Any) -> tuple[Any, ...]:
    asked = [end(type_.finite(type_.value(relation.rows.c[name]))) for name, type_ in types.items()]
    return tuple(relation.connection.execute(rows.with_only_columns(*asked)).one())
