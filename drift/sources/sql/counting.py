"""Counts of a window's rows by segment: statements that return nothing but counts.

Numeric columns share a statement. On PostgreSQL each is one aggregate: every row adds a power of ten, chosen by a
binary search written as CASE, to a decimal number whose digits are then the counts of all bins. Elsewhere each edge is
a sum of ``CASE WHEN x < edge THEN 1 ELSE 0 END``. Columns of categories are grouped by value, several together where
their names combine to few groups.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, FromClause, Select, case, func, literal_column, select

from drift.errors import AxisError, SourceError
from drift.histogram import Axis, CategoricalAxis, Fault, Histogram, Kind, NumericAxis, Profile, Uncounted
from drift.histogram.counting import histogram_of_cumulative, histogram_of_keys, histogram_of_presence
from drift.monitors.window import Window
from drift.sources.sql.table_query import TableQuery
from drift.sources.sql.types import Bound, SqlExpression, SqlType, count_of, truths

Counts = list[int]
GroupCounts = tuple[Any, ...]

_DIGITS: Final = 12
"""Decimal digits of a packed count: a window has fewer than 10**12 rows."""
MAX_BOUND: Final = {"postgresql": 20_000, "sqlite": 20_000}
"""Bound values of one statement; PostgreSQL takes 65,535, SQLite 32,766, others from 2,100 on."""
MAX_RESULTS: Final = 1_000
"""Columns of one result; PostgreSQL returns up to 1,664, SQLite 2,000."""
MAX_GROUPS: Final = 10_000
"""Groups that several columns of categories may make together."""


@dataclass(frozen=True, slots=True)
class ColumnTally:
    """What one numeric column adds to a statement, and how its part of the answer is read."""

    column: str
    asked: list[SqlExpression]
    bound: int
    read: Callable[[Sequence[Any]], Histogram]


def count_rows(
    connection: Connection,
    rows: FromClause,
    segments: Sequence[str],
    types: Mapping[str, SqlType],
    axes: Mapping[str, Axis],
) -> tuple[dict[GroupCounts, Profile], dict[str, Uncounted]]:
    """The profile of each combination of segment values that has rows, and the columns that are in none.

    Parameters
    ----------
    connection : Connection
        In a snapshot.
    rows : FromClause
        The window's rows, with the columns of `axes` and `segments`.
    segments : sequence of str
        Names of columns of `rows`: their values are few.
    types : mapping of str to SqlType
        Of the columns; what is not in it is not there.
    axes : mapping of str to Axis
        To count on.

    Raises
    ------
    SourceError
        Where the statements saw different rows.
    """
    found = _Found()
    tallies: list[ColumnTally] = []
    keyed: dict[str, CategoricalAxis] = {}
    for name, axis in axes.items():
        lost = _cannot(name, types.get(name))
        if lost is not None:
            found.lost[name] = lost
        elif isinstance(axis, CategoricalAxis) and types[name].kind is axis.kind:
            keyed[name] = axis
        else:
            tallies.append(_tally(connection, name, rows.c[name], types[name], axis))
    for part in _parts(tallies, MAX_BOUND.get(connection.dialect.name, 2_000)):
        _run(connection, rows, segments, part, found)
    for names in _together(keyed):
        _group(connection, rows, segments, {name: types[name] for name in names}, keyed, found)
    whole = [name for name in axes if name not in found.lost]
    profiles = {
        group: Profile({name: found.counted[group][name] for name in whole}, number, found.lost)
        for group, number in (found.rows or {}).items()
    }
    return profiles, found.lost


@dataclass(slots=True)
class _Found:
    """Rows and histograms by group, as statement after statement tells them."""

    rows: dict[GroupCounts, int] | None = None
    counted: dict[GroupCounts, dict[str, Histogram]] = field(default_factory=dict)
    lost: dict[str, Uncounted] = field(default_factory=dict)

    def saw(self, groups: dict[GroupCounts, int]) -> None:
        """Each statement counts the rows it saw: half of them never pass for all."""
        if self.rows is None:
            self.rows = groups
            self.counted = {group: {} for group in groups}
        elif self.rows != groups:
            raise SourceError(
                "rows came or went while they were counted, and this database keeps no snapshot; "
                f"{sum(self.rows.values())} were there, then {sum(groups.values())}"
            )


def _cannot(name: str, type_: SqlType | None) -> Uncounted | None:
    if type_ is None:
        return Uncounted(Fault.SCHEMA_ERROR, f"column {name!r} is not in the data")
    if type_.kind is None:
        return Uncounted(Fault.NOT_COMPARABLE, type_.message)
    return None


def _parts(tallies: Sequence[ColumnTally], most_bound: int) -> Iterator[list[ColumnTally]]:
    """In statements of common size; one at least, since rows are to be counted."""
    part: list[ColumnTally] = []
    for tally in tallies:
        wide = sum(len(t.asked) for t in part) + len(tally.asked) > MAX_RESULTS
        if part and (wide or sum(t.bound for t in part) + tally.bound > most_bound):
            yield part
            part = []
        part.append(tally)
    yield part


def _run(
    connection: Connection, rows: FromClause, segments: Sequence[str], tallies: Sequence[ColumnTally], found: _Found
) -> None:
    by = [rows.c[name] for name in segments]
    asked = [part for tally in tallies for part in tally.asked]
    answers = connection.execute(_grouped(select(*by, func.count(), *asked).select_from(rows), by)).all()
    width = len(by)
    found.saw({tuple(row[:width]): row[width] for row in answers if row[width]})
    for row in answers:
        if not row[width]:  # without GROUP BY, no rows are one answer
            continue
        at = width + 1
        for tally in tallies:
            part = row[at : at + len(tally.asked)]
            at += len(tally.asked)
            try:
                found.counted[tuple(row[:width])][tally.column] = tally.read(part)
            except AxisError as error:
                found.lost[tally.column] = Uncounted(Fault.SCHEMA_ERROR, str(error))


def _grouped(asked: Select[Any], by: Sequence[SqlExpression]) -> Select[Any]:
    return asked.group_by(*by) if by else asked


def _tally(connection: Connection, name: str, x: SqlExpression, type_: SqlType, axis: Axis) -> ColumnTally:
    present = type_.present(x)
    kind = type_.kind
    fits = kind is not None and Kind.EMPTY not in {kind, axis.kind} and axis.kind.accepts(kind)
    if not fits or not isinstance(axis, NumericAxis):
        return _presence(name, present, type_, axis)
    tests = [type_.below(x, edge) for edge in axis.edges]
    if connection.dialect.name == "postgresql":
        return _packed(name, present, tests, axis)
    return _summed(name, present, tests, axis)


def _presence(name: str, present: SqlExpression, type_: SqlType, axis: Axis) -> ColumnTally:
    def read(part: Sequence[Any]) -> Histogram:
        if part[0] and axis.kind is not Kind.EMPTY:
            came = type_.kind.value if type_.kind is not None else "other"
            raise AxisError(f"expected {axis.kind.value} values as in the reference, got {came}")
        return histogram_of_presence(axis, int(part[0]), int(part[1]) - int(part[0]))

    return ColumnTally(name, [count_of(present), func.count()], 2, read)


def _summed(name: str, present: SqlExpression, tests: Sequence[Bound], axis: NumericAxis) -> ColumnTally:
    """For any database: how many are below each edge. A missing value is below none."""
    asked = [test for test in tests if not isinstance(test, bool)]

    def read(part: Sequence[Any]) -> Histogram:
        there, rows, *counted = (int(number) for number in part)
        below = iter(counted)
        at_least = [there - (there * test if isinstance(test, bool) else next(below)) for test in tests]
        return histogram_of_cumulative(axis, at_least, there, rows - there)

    return ColumnTally(
        name, [count_of(present), func.count(), *(count_of(test) for test in asked)], 3 * len(asked) + 2, read
    )


def _packed(name: str, present: SqlExpression, tests: Sequence[Bound], axis: NumericAxis) -> ColumnTally:
    """All bins in one number. Comparisons with a missing value are not true, and so end in the last leaf."""
    bins = range(axis.n_bins)
    leaves: list[SqlExpression] = [literal_column(f"1{'0' * (_DIGITS * i)}::numeric") for i in bins]
    first = sum(test is False for test in tests)
    asked = [test for test in tests if not isinstance(test, bool)]
    here = slice(first, first + len(asked) + 1)
    tree = _search([*asked, present], [*leaves[here], leaves[-1]])

    def read(part: Sequence[Any]) -> Histogram:
        digits, counts = int(part[0] or 0), []
        for _ in bins:
            digits, number = divmod(digits, 10**_DIGITS)
            counts.append(number)
        return Histogram(axis, np.array(counts, dtype=np.int64))

    return ColumnTally(name, [func.sum(tree)], len(asked) + 1, read)


def count_windows(relation: TableQuery, windows: Sequence[Window]) -> list[int]:
    """How many rows each of several windows holds: rows between two edges are grouped, and added up.

    Parameters
    ----------
    relation : Relation
        The table or query.
    windows : sequence of Window
        In any order; they may overlap.
    """
    edges = sorted({edge for window in windows for edge in (window.start, window.end)})
    compared = relation.edges(edges) if edges else None
    if compared is None:
        return [0] * len(windows)
    x, limits = compared
    place = _search([x < limit for limit in limits[1:-1]], [literal_column(str(i)) for i in range(len(edges) - 1)])
    placed = select(place.label("place")).select_from(relation.rows).where(x >= limits[0], x < limits[-1]).subquery()
    answers = relation.connection.execute(select(placed.c.place, func.count()).group_by(placed.c.place))
    between: dict[int, int] = {int(at): number for at, number in answers}
    before = dict(zip(edges, accumulate((between.get(i, 0) for i in range(len(edges) - 1)), initial=0), strict=True))
    return [before[window.end] - before[window.start] for window in windows]


def _search(tests: Sequence[SqlExpression], leaves: Sequence[SqlExpression]) -> SqlExpression:
    """The first leaf whose test is true, by halves: each test implies the ones after it."""
    if not tests:
        return leaves[0]
    middle = len(tests) // 2
    lower, upper = _search(tests[:middle], leaves[: middle + 1]), _search(tests[middle + 1 :], leaves[middle + 1 :])
    return case((tests[middle], lower), else_=upper)


def _together(axes: Mapping[str, CategoricalAxis]) -> Iterator[list[str]]:
    """Columns whose names combine to few groups are grouped at once: reading the rows costs more than grouping."""
    part: list[str] = []
    groups = 1
    for name in sorted(axes, key=lambda name: _known(axes[name])):
        if part and groups * _known(axes[name]) > MAX_GROUPS:
            yield part
            part, groups = [], 1
        part.append(name)
        groups *= _known(axes[name])
    if part:
        yield part


def _known(axis: CategoricalAxis) -> int:
    return MAX_GROUPS if axis.rare is None else len(axis.categories) + len(axis.rare) + 1


def _group(
    connection: Connection,
    rows: FromClause,
    segments: Sequence[str],
    types: Mapping[str, SqlType],
    axes: Mapping[str, CategoricalAxis],
    found: _Found,
) -> None:
    by = [rows.c[name] for name in segments]
    values = [type_.value(rows.c[name]).label(f"value {i}") for i, (name, type_) in enumerate(types.items())]
    inner = select(*by, *values).subquery("keyed")  # grouped by its columns, whatever made them
    keys = list(inner.c)
    answers = connection.execute(select(*keys, func.count()).group_by(*keys)).all()
    seen: dict[GroupCounts, int] = {}
    held: dict[tuple[GroupCounts, str], dict[Any, int]] = {}
    for *row, number in answers:
        group = tuple(row[: len(by)])
        seen[group] = seen.get(group, 0) + number
        for name, key in zip(types, row[len(by) :], strict=True):
            counts = held.setdefault((group, name), {})
            counts[key] = counts.get(key, 0) + number
    found.saw(seen)
    for (group, name), counts in held.items():
        missing = counts.pop(None, 0)
        plain = truths(counts) if types[name].kind is Kind.BOOLEAN else list(counts)
        pairs = [(key, number) for key, number in zip(plain, counts.values(), strict=True) if key is not None]
        found.counted[group][name] = histogram_of_keys(axes[name], pairs, missing)
