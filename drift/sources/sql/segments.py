"""Segments in a database: known values stay, all others and missing ones become one, before anything is grouped."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import FromClause, Select, case, func, literal_column, null

from drift.errors import SourceError
from drift.histogram import Axis, Histogram, Kind, Profile, Uncounted
from drift.sources.frames.table import MAX_SEGMENTS, OTHER_SEGMENT
from drift.sources.sql.counting import GroupCounts
from drift.sources.sql.table_query import TableQuery
from drift.sources.sql.types import SqlType

_LOOK = 10_000


@dataclass(frozen=True, slots=True)
class Segment:
    """A column that splits rows.

    Parameters
    ----------
    column : str
        Its name.
    keys : mapping of value to str
        The segments there are: a value, and ``column=value`` as text.
    absent : tuple of str
        Keys whose text is no value of the column's type, as it is now: they have no rows.
    """

    column: str
    keys: Mapping[Any, str]
    absent: tuple[str, ...] = ()

    @property
    def other(self) -> str:
        """The key of all other rows."""
        return f"{self.column}={OTHER_SEGMENT}"


def known_segment(column: str, type_: SqlType, known: Collection[str]) -> Segment:
    """By the keys of the reference."""
    keys, absent = {}, []
    for key in known:
        if not key.startswith(f"{column}=") or key == f"{column}={OTHER_SEGMENT}":
            continue
        try:
            keys[_parser(column, type_)(key.removeprefix(f"{column}="))] = key
        except (ValueError, ArithmeticError):
            absent.append(key)
    return Segment(column, keys, tuple(absent))


def frequent_segment(relation: TableQuery, rows: Select[Any], column: str, type_: SqlType) -> Segment:
    """By the most frequent values, ties by their text."""
    _parser(column, type_)
    x, number = type_.value(relation.rows.c[column]), func.count()
    asked = rows.with_only_columns(x.label("value"), number).where(type_.present(relation.rows.c[column]))
    found = relation.connection.execute(asked.group_by(x).order_by(number.desc()).limit(_LOOK)).all()
    texts = _texts(column, type_, [value for value, _ in found])
    frequent = sorted(zip(found, texts, strict=True), key=lambda pair: (-pair[0][1], pair[1]))
    return Segment(column, {value: text for (value, _), text in frequent[:MAX_SEGMENTS]})


def _parser(column: str, type_: SqlType) -> Any:
    if type_.kind is Kind.EMPTY:
        return str
    if type_.segment is None:
        told = type_.message or "times, which cannot name segments"
        raise SourceError(f"segment column {column!r} holds {told}")
    return type_.segment


def _texts(column: str, type_: SqlType, values: list[Any]) -> list[str]:
    """As rows in memory are named."""
    return [f"{column}={text}" for text in type_.to_arrow(values).cast(pa.string()).to_pylist()]


def folded(
    relation: TableQuery,
    rows: Select[Any],
    names: Sequence[str],
    segments: Sequence[Segment],
    types: Mapping[str, SqlType],
) -> tuple[FromClause, list[str]]:
    """The rows with the segments' columns reduced to known values and null, and the names of those columns."""
    labels = [f"segment {i}: {segment.column}" for i, segment in enumerate(segments)]
    columns = [relation.rows.c[name] for name in names]
    for segment, label in zip(segments, labels, strict=True):
        x = types[segment.column].value(relation.rows.c[segment.column])
        kept = case((x.in_(list(segment.keys)), x), else_=null()) if segment.keys else null()
        columns.append(kept.label(label))
    return rows.with_only_columns(*columns or [literal_column("1").label("row")]).subquery("counted"), labels


def split(
    found: Mapping[GroupCounts, Profile],
    segments: Sequence[Segment],
    axes: Mapping[str, Axis],
    lost: Mapping[str, Uncounted],
    known: Collection[str] = (),
) -> dict[str, Profile]:
    """The profiles of the combinations, summed up by segment: "" is all rows."""
    none = Profile({n: Histogram(a, np.zeros(a.n_bins, np.int64)) for n, a in axes.items() if n not in lost}, 0, lost)
    parts = {"": sum(found.values(), none)}
    for i, segment in enumerate(segments):
        sums = dict.fromkeys([*segment.keys.values(), *segment.absent, segment.other], none)
        for group, profile in found.items():
            key = segment.keys.get(group[i], segment.other)
            sums[key] += profile
        if not sums[segment.other].rows and segment.other not in known:
            del sums[segment.other]
        parts |= sums
    return parts
