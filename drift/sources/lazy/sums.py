"""Counts of a plain frame: one row of sums, the numbers of values >= each edge, for all columns together.

Categories are sums of equality if the axis knows few of them, else one grouping per column.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import narwhals as nw

from drift.errors import AxisError, SourceError
from drift.histogram import Axis, CategoricalAxis, Fault, Histogram, Kind, NumericAxis, Profile, Uncounted
from drift.histogram.counting import ceiling, histogram_of_cumulative, histogram_of_keys, histogram_of_presence
from drift.sources.lazy.backends.backend import Condition
from drift.sources.lazy.plain_columns import PlainColumn, PlainFrame
from drift.sources.lazy.segments import Segmentation

MAX_EQUALITY_NAMES: Final = 12
"""Up to this number, names are counted by sums of equality; more of them by a grouping."""
MAX_SUMS: Final = 2_000
"""Sums in one query: engines compile them, and fail on programs that are too long."""
MAX_FETCHED_GROUPS: Final = 100_000
"""Names fetched from one column; if it has more, only those that the axis knows are fetched."""

Sums = Sequence[int]
MakeHistogram = Callable[[Sums, int, int], Histogram]
"""Makes a histogram from the sums, the number of present values and the number of missing values."""


@dataclass(frozen=True, slots=True)
class _ColumnCount:
    """One column's part of the row of sums: presence first, then what `make_histogram` takes."""

    name: str
    column: PlainColumn
    conditions: list[Condition]
    make_histogram: MakeHistogram


def count_plain_frame(table: PlainFrame, axes: Mapping[str, Axis], by: Segmentation | None) -> dict[str, Profile]:
    """Return a profile for each segment, and one of all rows with the key "".

    Raises SourceError if the backend fails, or the rows changed between two queries.
    """
    uncounted: dict[str, Uncounted] = {}
    counts = []
    for name, axis in axes.items():
        column = table.columns.get(name, Uncounted(Fault.SCHEMA_ERROR, f"column {name!r} is not in the data"))
        if isinstance(column, Uncounted):
            uncounted[name] = column
        else:
            counts.append(_column_count(name, column, axis))
    labels = [""] if by is None else by.labels
    histograms: dict[str, dict[str, Histogram]] = {label: {} for label in labels}
    rows = dict.fromkeys(labels, 0)
    for i, batch in enumerate(_batches(counts)):
        for label, sums in _row_of_sums(table, batch, by).items():
            rows[label] = _unchanged(rows[label], sums[0]) if i else sums[0]
            histograms[label].update(_histograms(batch, axes, sums, uncounted))
    grouped = {count.name for count in counts if _is_grouped(count.column, axes[count.name])} - set(uncounted)
    for name in grouped:
        axis, column = axes[name], table.columns[name]
        if isinstance(axis, CategoricalAxis) and isinstance(column, PlainColumn):
            for label, histogram in _count_names(table, column, axis, by).items():
                _unchanged(rows[label], histogram.rows)
                histograms[label][name] = histogram
    profiles = {}
    for label, of_label in histograms.items():
        counted = {name: of_label[name] for name in axes if name in of_label and name not in uncounted}
        profiles[label] = Profile(counted, rows[label], uncounted)
    if "" not in profiles:
        profiles = {"": _whole(list(profiles.values()), rows, uncounted), **profiles}
    return profiles


def _whole(parts: list[Profile], rows: Mapping[str, int], uncounted: Mapping[str, Uncounted]) -> Profile:
    total = {name: sum((part[name] for part in parts[1:]), parts[0][name]) for name in parts[0]}
    return Profile(total, sum(rows.values()), uncounted)


def _unchanged(before: int, now: int) -> int:
    if before != now:
        change = f"({before} at first, then {now}); count a table that does not change"
        raise SourceError(f"the rows changed while they were counted {change}", code="source-changed")
    return now


def _batches(counts: list[_ColumnCount]) -> list[list[_ColumnCount]]:
    batches: list[list[_ColumnCount]] = [[]]
    for count in counts:
        if batches[-1] and sum(len(c.conditions) for c in batches[-1]) + len(count.conditions) > MAX_SUMS:
            batches.append([])
        batches[-1].append(count)
    return batches


def _row_of_sums(table: PlainFrame, counts: list[_ColumnCount], by: Segmentation | None) -> dict[str, list[int]]:
    """Return, by label, the number of rows and the sums of all columns in order."""
    every = (condition for count in counts for condition in count.conditions)
    conditions = {f"s{i}": condition for i, condition in enumerate(every)}
    frame, keys = (table.frame, []) if by is None else (by.add_label(table.frame), ["label"])
    results = table.count(frame, keys, conditions)
    # Without rows a grouping returns none, and sums are null.
    sums = {label: [0] * (len(conditions) + 1) for label in ([""] if by is None else by.labels)}
    for row in results.select([*keys, "n", *conditions]).to_pylist():
        label = "" if by is None else by.labels[row.pop("label")]
        sums[label] = [int(value or 0) for value in row.values()]
    return sums


def _histograms(
    counts: list[_ColumnCount], axes: Mapping[str, Axis], sums: list[int], uncounted: dict[str, Uncounted]
) -> dict[str, Histogram]:
    histograms = {}
    at = 1
    for count in counts:
        present, *rest = sums[at : at + len(count.conditions)]
        at += len(count.conditions)
        missing = sums[0] - present
        if present == 0 or axes[count.name].kind is Kind.EMPTY:
            histograms[count.name] = histogram_of_presence(axes[count.name], present, missing)
            continue
        try:
            histograms[count.name] = count.make_histogram(rest, present, missing)
        except AxisError as error:
            uncounted[count.name] = Uncounted(Fault.SCHEMA_ERROR, str(error))
    return histograms


def _column_count(name: str, column: PlainColumn, axis: Axis) -> _ColumnCount:
    present = Condition(column.alias, "present", column.type)
    if not axis.kind.accepts(column.kind):
        return _ColumnCount(name, column, [present], _refusal(column, axis))
    if column.kind is not Kind.EMPTY:  # an empty column has no values to compare
        if isinstance(axis, NumericAxis) and column.kind.ordered and axis.edges:
            return _ordered(name, column, axis, present)
        if isinstance(axis, CategoricalAxis) and not _is_grouped(column, axis):
            return _equality(name, column, axis, present)
    return _ColumnCount(name, column, [present], lambda _, n, missing: histogram_of_presence(axis, n, missing))


def _refusal(column: PlainColumn, axis: Axis) -> MakeHistogram:
    def make_histogram(*_: Any) -> Histogram:
        raise AxisError(
            f"expected {axis.kind.value} values as in the reference, got {column.kind.value}", code="type-conflict"
        )

    return make_histogram


def _equality(name: str, column: PlainColumn, axis: CategoricalAxis, present: Condition) -> _ColumnCount:
    """Count each known name; the other present values are unseen (or other)."""
    names = _known_names(axis)
    equal = [Condition(column.alias, "==", column.type, key) for key in names]

    def make_histogram(sums: Sums, n: int, missing: int) -> Histogram:
        counts = histogram_of_keys(axis, zip(names, sums, strict=True), missing).counts.copy()
        counts[-2] += n - sum(sums)
        return Histogram(axis, counts)

    return _ColumnCount(name, column, [present, *equal], make_histogram)


def _ordered(name: str, column: PlainColumn, axis: NumericAxis, present: Condition) -> _ColumnCount:
    """Count the values >= each edge; edges beyond the range of the column's type need no sum."""
    conditions = [present]
    positions: list[int | None] = []  # index of the sum for each edge; None if no value can reach it
    for edge in axis.edges:
        limit = ceiling(edge, column.step)
        if column.limits is not None and limit > column.limits[1]:
            positions.append(None)
        elif column.limits is not None and limit <= column.limits[0]:
            positions.append(0)
        else:
            positions.append(len(conditions))
            conditions.append(Condition(column.alias, ">=", column.type, _literal(limit, column)))

    def make_histogram(sums: Sums, n: int, missing: int) -> Histogram:
        every = [n, *sums]
        return histogram_of_cumulative(axis, [0 if i is None else every[i] for i in positions], n, missing)

    return _ColumnCount(name, column, conditions, make_histogram)


def _literal(limit: int | float, column: PlainColumn) -> Any:
    if not isinstance(column.type, nw.Decimal):
        return limit
    digits = Decimal(int(limit)).as_tuple()
    return Decimal((digits.sign, digits.digits, -column.type.scale))  # arithmetic would round to 28 digits


def _known_names(axis: CategoricalAxis) -> list[Any]:
    return [*axis.categories, *(axis.rare or ())]


def _is_grouped(column: PlainColumn, axis: Axis) -> bool:
    if not isinstance(axis, CategoricalAxis) or axis.kind is not column.kind:
        return False
    return len(_known_names(axis)) > MAX_EQUALITY_NAMES


def _count_names(
    table: PlainFrame, column: PlainColumn, axis: CategoricalAxis, by: Segmentation | None
) -> dict[str, Histogram]:
    """Count each name, by label, in one grouping."""
    frame = table.frame if by is None else by.add_label(table.frame)
    keys = [column.alias] if by is None else ["label", column.alias]
    results = table.fetch(frame.group_by(keys).agg(nw.len().alias("n")).head(MAX_FETCHED_GROUPS + 1))
    if results.num_rows > MAX_FETCHED_GROUPS:
        name = nw.col(column.alias)
        kept = name.is_in(_known_names(axis)) | name.is_null()
        # All names that the axis does not know become one that it does not know either.
        key = nw.when(kept).then(name).otherwise(nw.lit(_unknown_name(axis)))
        results = table.fetch(frame.with_columns(key.alias(column.alias)).group_by(keys).agg(nw.len().alias("n")))
    pairs: dict[str, list[tuple[Any, int]]] = {label: [] for label in ([""] if by is None else by.labels)}
    for row in results.to_pylist():
        pairs["" if by is None else by.labels[row["label"]]].append((row[column.alias], int(row["n"])))
    histograms = {}
    for label, of_label in pairs.items():
        present = [(key, n) for key, n in of_label if key is not None]
        histograms[label] = histogram_of_keys(axis, present, sum(n for key, n in of_label if key is None))
    return histograms


def _unknown_name(axis: CategoricalAxis) -> str:
    return "?" * (1 + max((len(name) for name in _known_names(axis)), default=0))
