"""Rows in memory, column by column in Arrow's form; one bad column never stops the others."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from drift.binning import choose_axis
from drift.counting import count
from drift.errors import AxisError, InputError, SourceError
from drift.histogram import Axis, Fault, Histogram, Profile, Uncounted
from drift.monitor import Columns
from drift.sources.arrow import UnbinnableError, values_of
from drift.window import Window

MAX_SEGMENTS: Final = 20
OTHER_SEGMENT: Final = "(other)"


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by name, in order; a column that could not be brought into Arrow's form says why.

    Parameters
    ----------
    columns : mapping of str to pyarrow.ChunkedArray or Uncounted
        All of `rows` length.
    rows : int
        Number of rows.
    """

    columns: Mapping[str, pa.ChunkedArray | Uncounted]
    rows: int

    @classmethod
    def from_arrow(cls, table: pa.Table) -> "Table":
        """From an Arrow table; names that stand twice are refused."""
        names = table.column_names
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise SourceError(f"column names stand twice: {twice}; rename or drop one of each")
        return cls(dict(zip(names, table.columns, strict=True)), table.num_rows)

    def where(self, mask: pa.ChunkedArray) -> "Table":
        """The rows for which the mask is true."""
        kept = {n: c if isinstance(c, Uncounted) else c.filter(mask) for n, c in self.columns.items()}
        return Table(kept, pc.sum(mask).as_py() or 0)

    def instants(self, timestamp: str, timezone: ZoneInfo) -> pa.ChunkedArray:
        """The column that places rows in windows, as UTC instants.

        Raises
        ------
        SourceError
            Where it is not there, or does not hold dates or times.
        """
        column = self.columns.get(timestamp)
        if column is None:
            raise SourceError(f"no timestamp column {timestamp!r}; there are {', '.join(self.columns)}")
        if isinstance(column, Uncounted):
            raise SourceError(f"timestamp column {timestamp!r}: {column.message}")
        return as_instants(column, timestamp, timezone)

    def within(self, window: Window, timestamp: str, timezone: ZoneInfo) -> "Table":
        """The rows of one window; rows without a timestamp belong to none."""
        instants = self.instants(timestamp, timezone)
        start, end = (pa.scalar(moment, instants.type) for moment in (window.start, window.end))
        inside = pc.and_(pc.greater_equal(instants, start), pc.less(instants, end))
        return self.where(pc.fill_null(inside, False))  # noqa: FBT003 - Arrow's signature

    def span(self, timestamp: str, timezone: ZoneInfo) -> tuple[datetime, datetime] | None:
        """The first and last instants; None without any."""
        found = pc.min_max(self.instants(timestamp, timezone)).as_py()
        return None if found["min"] is None else (found["min"], found["max"])

    def split(self, by: Sequence[str], known: Collection[str] | None = None) -> dict[str, "Table"]:
        """These rows by segment: "" is all of them, ``column=value`` those that share a value.

        Parameters
        ----------
        by : sequence of str
            The columns that split, each apart.
        known : collection of str, or None
            The segments there are; rows of any other value are ``column=(other)``. None takes the most
            frequent values as they are.

        Raises
        ------
        SourceError
            Where a segment column is not there, or cannot be read.
        """
        parts = {"": self}
        for name in by:
            column = self.columns.get(name)
            if column is None or isinstance(column, Uncounted):
                why = "is not in the data" if column is None else column.message
                raise SourceError(f"segment column {name!r}: {why}")
            keys = _segment_keys(name, column)
            found = pc.value_counts(keys.drop_null()).to_pylist()
            frequent = sorted(found, key=lambda pair: (-pair["counts"], pair["values"]))[:MAX_SEGMENTS]
            listed = (
                [f["values"] for f in frequent] if known is None else [k for k in known if k.startswith(f"{name}=")]
            )
            other = f"{name}={OTHER_SEGMENT}"
            placed = pc.if_else(pc.fill_null(pc.is_in(keys, pa.array(listed, pa.string())), False), keys, other)  # noqa: FBT003
            for key in dict.fromkeys([*listed, other]):
                part = self.where(pc.equal(placed, key))
                if part.rows or key in (known or ()):
                    parts[key] = part
        return parts

    def learn(self, names: Sequence[str], columns: Columns) -> Profile:
        """Choose an axis for each column, by its own rule, and count these rows on them."""
        return self._profile(
            names, lambda name, column: _histogram(column, choose_axis(values_of(column), columns.rule(name).bins))
        )

    def count(self, axes: Mapping[str, Axis]) -> Profile:
        """Count these rows on axes chosen before."""
        return self._profile(list(axes), lambda name, column: _histogram(column, axes[name]))

    def _profile(self, names: Sequence[str], histogram: Any) -> Profile:
        counted: dict[str, Histogram] = {}
        lost: dict[str, Uncounted] = {}
        for name in names:
            column = self.columns.get(name)
            if column is None:
                lost[name] = Uncounted(Fault.SCHEMA_ERROR, f"column {name!r} is not in the data")
            elif isinstance(column, Uncounted):
                lost[name] = column
            else:
                try:
                    counted[name] = histogram(name, column)
                except AxisError as error:
                    lost[name] = Uncounted(Fault.SCHEMA_ERROR, str(error))
                except (UnbinnableError, InputError) as error:
                    lost[name] = Uncounted(Fault.NOT_COMPARABLE, str(error))
        return Profile(counted, self.rows, lost)


def _segment_keys(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        text = column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SourceError(f"segment column {name!r} holds {column.type} values, which cannot name segments") from error
    return pc.binary_join_element_wise(f"{name}=", text, "")


def _histogram(column: pa.ChunkedArray, axis: Axis) -> Histogram:
    return count(values_of(column), axis)


def as_instants(column: pa.ChunkedArray, name: str, timezone: ZoneInfo) -> pa.ChunkedArray:
    """A column of dates or times as UTC instants.

    Without a time zone they are wall-clock times of `timezone`; where clocks are set back the earlier of
    two instants is meant, where they are set forward the moment of the jump.

    Raises
    ------
    SourceError
        Where the column holds neither dates nor times, nor text that is.
    """
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = _parsed(column, name)
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s" if pa.types.is_date32(column.type) else "ms"))
    if not pa.types.is_timestamp(column.type):
        raise SourceError(
            f"timestamp column {name!r} holds {column.type} values; expected dates, times, or text in ISO 8601"
        )
    if column.type.tz is None:
        column = pc.assume_timezone(column, str(timezone), ambiguous="earliest", nonexistent="latest")
    return column.cast(pa.timestamp("us" if column.type.unit in {"s", "ms", "us"} else "ns", "UTC"))


def _parsed(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    for type_ in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return column.cast(type_)
        except pa.ArrowInvalid as error:
            last = error
    raise SourceError(f"timestamp column {name!r} holds text that is not ISO 8601: {last}") from last
