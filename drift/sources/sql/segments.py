"""Segments in a database: all values but the known ones are folded into one before anything is grouped."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from sqlalchemy import FromClause, Select, case, func, literal_column, null

from drift.errors import SourceError
from drift.histogram import Axis, Histogram, Kind, Profile, Uncounted
from drift.sources.frames.table import MAX_SEGMENTS, OTHER_SEGMENT
from drift.sources.sql.counting import GroupKey
from drift.sources.sql.table_query import TableQuery
from drift.sources.sql.types import SqlType

_MAX_CANDIDATES: Final = 10_000


@dataclass(frozen=True, slots=True)
class SegmentColumn:
    """A column that splits rows into segments."""

    column: str
    keys: Mapping[Any, str]  # of each segment: a value, and its key ``column=value`` as text
    absent: tuple[str, ...] = ()  # keys whose text is no value of the column's present type: they have no rows

    @property
    def other(self) -> str:
        return f"{self.column}={OTHER_SEGMENT}"


def known_segments(column: str, type_: SqlType, known: Collection[str]) -> SegmentColumn:
    """Return the segments of a column by the keys of the reference."""
    keys, absent = {}, []
    for key in known:
        if not key.startswith(f"{column}=") or key == f"{column}={OTHER_SEGMENT}":
            continue
        try:
            keys[_parser(column, type_)(key.removeprefix(f"{column}="))] = key
        except (ValueError, ArithmeticError):
            absent.append(key)
    return SegmentColumn(column, keys, tuple(absent))


def frequent_segments(query: TableQuery, rows: Select[Any], column: str, type_: SqlType) -> SegmentColumn:
    """Return the segments of a column by its most frequent values, ties by their text."""
    _parser(column, type_)
    x, number = type_.value(query.rows.c[column]), func.count()
    statement = rows.with_only_columns(x.label("value"), number).where(type_.present(query.rows.c[column]))
    results = query.connection.execute(statement.group_by(x).order_by(number.desc()).limit(_MAX_CANDIDATES)).all()
    texts = type_.to_arrow([value for value, _ in results]).cast(pa.string()).to_pylist()  # as of rows in memory
    keys = [f"{column}={text}" for text in texts]
    frequent = sorted(zip(results, keys, strict=True), key=lambda pair: (-pair[0][1], pair[1]))
    return SegmentColumn(column, {value: key for (value, _), key in frequent[:MAX_SEGMENTS]})


def _parser(column: str, type_: SqlType) -> Any:
    if type_.kind is Kind.EMPTY:
        return str
    if type_.parse_segment is None:
        reason = type_.message or "times, which cannot name segments"
        raise SourceError(f"segment column {column!r} holds {reason}", code="not-comparable")
    return type_.parse_segment


def fold_segments(
    query: TableQuery,
    rows: Select[Any],
    names: Sequence[str],
    segments: Sequence[SegmentColumn],
    types: Mapping[str, SqlType],
) -> tuple[FromClause, list[str]]:
    """Select the columns `names`, and each segment column with all but known values replaced by null.

    The second result holds the labels of these segment columns.
    """
    labels = [f"segment {i}: {segment.column}" for i, segment in enumerate(segments)]
    columns = [query.rows.c[name] for name in names]
    for segment, label in zip(segments, labels, strict=True):
        x = types[segment.column].value(query.rows.c[segment.column])
        kept = case((x.in_(list(segment.keys)), x), else_=null()) if segment.keys else null()
        columns.append(kept.label(label))
    return rows.with_only_columns(*columns or [literal_column("1").label("row")]).subquery("counted"), labels


def profiles_by_segment(
    groups: Mapping[GroupKey, Profile],
    segments: Sequence[SegmentColumn],
    axes: Mapping[str, Axis],
    uncounted: Mapping[str, Uncounted],
    known: Collection[str] = (),
) -> dict[str, Profile]:
    """Add up the profiles of combinations of segment values by segment; the key "" holds all rows."""
    empty = {
        name: Histogram(axis, np.zeros(axis.n_bins, np.int64)) for name, axis in axes.items() if name not in uncounted
    }
    none = Profile(empty, 0, uncounted)
    profiles = {"": sum(groups.values(), none)}
    for i, segment in enumerate(segments):
        sums = dict.fromkeys([*segment.keys.values(), *segment.absent, segment.other], none)
        for group, profile in groups.items():
            sums[segment.keys.get(group[i], segment.other)] += profile
        if not sums[segment.other].rows and segment.other not in known:
            del sums[segment.other]
        profiles |= sums
    return profiles
