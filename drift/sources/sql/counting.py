"""Counts of a window's rows by segment: statements that return nothing but counts.

Numeric columns share a statement. On PostgreSQL each is one aggregate: every row adds a power of ten, chosen by a
binary search written as CASE, to a decimal number whose digits are then the counts of all bins. Elsewhere each edge is
a sum of ``CASE WHEN x < edge THEN 1 ELSE 0 END``. Categorical columns are grouped by value, several together if
their names combine to few groups.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, FromClause, case, func, literal_column, select

from drift.errors import AxisError, SourceError
from drift.histogram import Axis, CategoricalAxis, Fault, Histogram, Kind, NumericAxis, Profile, Uncounted
from drift.histogram.counting import histogram_of_cumulative, histogram_of_keys, histogram_of_presence
from drift.monitors.window import Window
from drift.sources.sql.table_query import TableQuery
from drift.sources.sql.types import Bound, SqlExpression, SqlType, count_of, truths

GroupKey = tuple[Any, ...]

_DIGITS: Final = 12
"""Decimal digits of a packed count: a window has fewer than 10**12 rows."""
MAX_BOUND: Final = {"postgresql": 20_000, "sqlite": 20_000}
"""Bound values of one statement; PostgreSQL takes 65,535, SQLite 32,766, others from 2,100 on."""
MAX_RESULTS: Final = 1_000
"""Columns of one result; PostgreSQL returns up to 1,664, SQLite 2,000."""
MAX_JOINT_GROUPS: Final = 10_000
"""Groups that several categorical columns may make together."""


@dataclass(frozen=True, slots=True)
class ColumnSums:
    """The sums that one column adds to a statement.

    `expressions` are columns of the result and bind `n_bound` values; `read` makes the histogram of their results.
    """

    column: str
    expressions: list[SqlExpression]
    n_bound: int
    read: Callable[[Sequence[Any]], Histogram]


@dataclass(slots=True)
class GroupCounts:
    """Rows and histograms by group, and the uncounted columns, collected from one statement after the other."""

    rows: dict[GroupKey, int] | None = None
    histograms: dict[GroupKey, dict[str, Histogram]] = field(default_factory=dict)
    uncounted: dict[str, Uncounted] = field(default_factory=dict)

    def check_rows(self, rows: dict[GroupKey, int]) -> None:
        """Raise SourceError if a statement saw other rows than the first one."""
        if self.rows is None:
            self.rows = rows
            self.histograms = {group: {} for group in rows}
        elif self.rows != rows:
            change = f"{sum(self.rows.values())} at first, then {sum(rows.values())}"
            remedy = "because this database offers no snapshot; count a table that does not change"
            raise SourceError(f"the rows changed while they were counted ({change}), {remedy}", code="source-changed")


def count_groups(
    connection: Connection,
    rows: FromClause,
    segments: Sequence[str],
    types: Mapping[str, SqlType],
    axes: Mapping[str, Axis],
) -> tuple[dict[GroupKey, Profile], dict[str, Uncounted]]:
    """Count the rows of each combination of segment values.

    Parameters
    ----------
    rows : FromClause
        The window's rows, with the columns of `axes` and `segments`.
    segments : sequence of str
        Names of columns of `rows` with few values.
    types : mapping of str to SqlType
        Types of the columns that exist.

    Returns
    -------
    profiles : dict of tuple to Profile
        By combination; only those that have rows.
    uncounted : dict of str to Uncounted
        Columns that no profile contains.

    Raises
    ------
    SourceError
        If the statements saw different rows.
    """
    counts = GroupCounts()
    summed: list[ColumnSums] = []
    grouped: dict[str, CategoricalAxis] = {}
    for name, axis in axes.items():
        reason = _why_uncounted(name, types.get(name))
        if reason is not None:
            counts.uncounted[name] = reason
        elif isinstance(axis, CategoricalAxis) and types[name].kind is axis.kind:
            grouped[name] = axis
        else:
            summed.append(_column_sums(connection, name, rows.c[name], types[name], axis))
    for batch in _statements(summed, MAX_BOUND.get(connection.dialect.name, 2_000)):
        _count_sums(connection, rows, segments, batch, counts)
    for names in _joint_groupings(grouped):
        _count_names(connection, rows, segments, {name: types[name] for name in names}, grouped, counts)
    counted = [name for name in axes if name not in counts.uncounted]
    profiles = {
        group: Profile({name: counts.histograms[group][name] for name in counted}, n_rows, counts.uncounted)
        for group, n_rows in (counts.rows or {}).items()
    }
    return profiles, counts.uncounted


def _why_uncounted(name: str, type_: SqlType | None) -> Uncounted | None:
    if type_ is None:
        return Uncounted(Fault.SCHEMA_ERROR, f"column {name!r} is not in the data")
    if type_.kind is None:
        return Uncounted(Fault.NOT_COMPARABLE, type_.message)
    return None


def _statements(columns: Sequence[ColumnSums], max_bound: int) -> Iterator[list[ColumnSums]]:
    """Divide columns among statements within the limits; at least one statement, because rows must be counted."""
    batch: list[ColumnSums] = []
    for column in columns:
        wide = sum(len(c.expressions) for c in batch) + len(column.expressions) > MAX_RESULTS
        if batch and (wide or sum(c.n_bound for c in batch) + column.n_bound > max_bound):
            yield batch
            batch = []
        batch.append(column)
    yield batch


def _count_sums(
    connection: Connection,
    rows: FromClause,
    segments: Sequence[str],
    columns: Sequence[ColumnSums],
    counts: GroupCounts,
) -> None:
    by = [rows.c[name] for name in segments]
    expressions = [expression for column in columns for expression in column.expressions]
    statement = select(*by, func.count(), *expressions).select_from(rows)
    results = connection.execute(statement.group_by(*by) if by else statement).all()
    width = len(by)
    counts.check_rows({tuple(row[:width]): row[width] for row in results if row[width]})
    for row in results:
        if not row[width]:  # without GROUP BY, no rows still give one result
            continue
        at = width + 1
        for column in columns:
            part = row[at : at + len(column.expressions)]
            at += len(column.expressions)
            try:
                counts.histograms[tuple(row[:width])][column.column] = column.read(part)
            except AxisError as error:
                counts.uncounted[column.column] = Uncounted(Fault.SCHEMA_ERROR, str(error))


def _column_sums(connection: Connection, name: str, x: SqlExpression, type_: SqlType, axis: Axis) -> ColumnSums:
    present = type_.present(x)
    kind = type_.kind
    fits = kind is not None and Kind.EMPTY not in {kind, axis.kind} and axis.kind.accepts(kind)
    if not fits or not isinstance(axis, NumericAxis):
        return _presence(name, present, type_, axis)
    tests = [type_.below(x, edge) for edge in axis.edges]
    if connection.dialect.name == "postgresql":
        return _packed(name, present, tests, axis)
    return _summed(name, present, tests, axis)


def _presence(name: str, present: SqlExpression, type_: SqlType, axis: Axis) -> ColumnSums:
    def read(part: Sequence[Any]) -> Histogram:
        if part[0] and axis.kind is not Kind.EMPTY:
            kind = type_.kind.value if type_.kind is not None else "other"
            raise AxisError(f"expected {axis.kind.value} values as in the reference, got {kind}", code="type-conflict")
        return histogram_of_presence(axis, int(part[0]), int(part[1]) - int(part[0]))

    return ColumnSums(name, [count_of(present), func.count()], 2, read)


def _summed(name: str, present: SqlExpression, tests: Sequence[Bound], axis: NumericAxis) -> ColumnSums:
    """Sum, for any database, the values below each edge; a missing value is below none."""
    unknown = [test for test in tests if not isinstance(test, bool)]

    def read(part: Sequence[Any]) -> Histogram:
        n_present, n_rows, *sums = (int(number) for number in part)
        below = iter(sums)
        at_least = [n_present - (n_present * test if isinstance(test, bool) else next(below)) for test in tests]
        return histogram_of_cumulative(axis, at_least, n_present, n_rows - n_present)

    expressions = [count_of(present), func.count(), *(count_of(test) for test in unknown)]
    return ColumnSums(name, expressions, 3 * len(unknown) + 2, read)


def _packed(name: str, present: SqlExpression, tests: Sequence[Bound], axis: NumericAxis) -> ColumnSums:
    """Pack all bins into one number. Comparisons with a missing value are not true, and so end in the last leaf."""
    bins = range(axis.n_bins)
    leaves: list[SqlExpression] = [literal_column(f"1{'0' * (_DIGITS * i)}::numeric") for i in bins]
    first = sum(test is False for test in tests)
    unknown = [test for test in tests if not isinstance(test, bool)]
    reachable = slice(first, first + len(unknown) + 1)
    tree = _search([*unknown, present], [*leaves[reachable], leaves[-1]])

    def read(part: Sequence[Any]) -> Histogram:
        digits, counts = int(part[0] or 0), []
        for _ in bins:
            digits, number = divmod(digits, 10**_DIGITS)
            counts.append(number)
        return Histogram(axis, np.array(counts, dtype=np.int64))

    return ColumnSums(name, [func.sum(tree)], len(unknown) + 1, read)


def count_window_rows(query: TableQuery, windows: Sequence[Window]) -> list[int]:
    """Count the rows of each window by one statement; windows may be in any order, and overlap.

    The edges of all windows cut time into intervals; rows are grouped by interval, and the intervals added up.
    """
    edges = sorted({edge for window in windows for edge in (window.start, window.end)})
    comparable = query.comparable_edges(edges) if edges else None
    if comparable is None:
        return [0] * len(windows)
    x, limits = comparable
    place = _search([x < limit for limit in limits[1:-1]], [literal_column(str(i)) for i in range(len(edges) - 1)])
    placed = select(place.label("place")).select_from(query.rows).where(x >= limits[0], x < limits[-1]).subquery()
    results = query.connection.execute(select(placed.c.place, func.count()).group_by(placed.c.place))
    between: dict[int, int] = {int(at): number for at, number in results}
    before = dict(zip(edges, accumulate((between.get(i, 0) for i in range(len(edges) - 1)), initial=0), strict=True))
    return [before[window.end] - before[window.start] for window in windows]


def _search(tests: Sequence[SqlExpression], leaves: Sequence[SqlExpression]) -> SqlExpression:
    """Return a CASE that finds the first leaf whose test is true, by halves: each test implies all later ones."""
    if not tests:
        return leaves[0]
    middle = len(tests) // 2
    lower, upper = _search(tests[:middle], leaves[: middle + 1]), _search(tests[middle + 1 :], leaves[middle + 1 :])
    return case((tests[middle], lower), else_=upper)


def _joint_groupings(axes: Mapping[str, CategoricalAxis]) -> Iterator[list[str]]:
    """Join columns whose names combine to few groups: reading the rows costs more than grouping them."""
    batch: list[str] = []
    groups = 1
    for name in sorted(axes, key=lambda name: _max_names(axes[name])):
        if batch and groups * _max_names(axes[name]) > MAX_JOINT_GROUPS:
            yield batch
            batch, groups = [], 1
        batch.append(name)
        groups *= _max_names(axes[name])
    if batch:
        yield batch


def _max_names(axis: CategoricalAxis) -> int:
    return MAX_JOINT_GROUPS if axis.rare is None else len(axis.categories) + len(axis.rare) + 1


def _count_names(
    connection: Connection,
    rows: FromClause,
    segments: Sequence[str],
    types: Mapping[str, SqlType],
    axes: Mapping[str, CategoricalAxis],
    counts: GroupCounts,
) -> None:
    by = [rows.c[name] for name in segments]
    values = [type_.value(rows.c[name]).label(f"value {i}") for i, (name, type_) in enumerate(types.items())]
    inner = select(*by, *values).subquery("keyed")  # grouped by its columns, however complex their expressions
    keys = list(inner.c)
    results = connection.execute(select(*keys, func.count()).group_by(*keys)).all()
    group_rows: dict[GroupKey, int] = {}
    name_counts: dict[tuple[GroupKey, str], dict[Any, int]] = {}
    for *row, number in results:
        group = tuple(row[: len(by)])
        group_rows[group] = group_rows.get(group, 0) + number
        for name, key in zip(types, row[len(by) :], strict=True):
            of_column = name_counts.setdefault((group, name), {})
            of_column[key] = of_column.get(key, 0) + number
    counts.check_rows(group_rows)
    for (group, name), of_column in name_counts.items():
        missing = of_column.pop(None, 0)
        category_keys = truths(of_column) if types[name].kind is Kind.BOOLEAN else list(of_column)
        pairs = [(key, n) for key, n in zip(category_keys, of_column.values(), strict=True) if key is not None]
        counts.histograms[group][name] = histogram_of_keys(axes[name], pairs, missing)
