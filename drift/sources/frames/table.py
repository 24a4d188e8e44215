"""Rows in memory, column by column in Arrow's form; one bad column never stops the others."""

import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from drift.errors import AxisError, InputError, SourceError
from drift.histogram import Axis, Fault, Histogram, Profile, Uncounted
from drift.histogram.binning import Draw, choose_axis
from drift.histogram.column_values import Values
from drift.histogram.counting import count
from drift.monitors.spec import Columns
from drift.monitors.window import Window
from drift.sources.frames.arrow import UnbinnableError, decoded, plain, values_of
from drift.sources.frames.instants import as_instants, ticks_of

Result = TypeVar("Result")
MAX_SEGMENTS: Final = 20
OTHER_SEGMENT: Final = "(other)"
SMALL: Final = 500_000
"""Values that one thread has counted before others have started."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by name, in order; a column that could not be brought into Arrow's form, or not be cut, says why.

    Parameters
    ----------
    columns : mapping of str to pyarrow.ChunkedArray or Uncounted
        All of `rows` length; texts may be in dictionaries.
    rows : int
        Number of rows.
    """

    columns: Mapping[str, pa.ChunkedArray | Uncounted]
    rows: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", {name: _plain(column) for name, column in self.columns.items()})

    @classmethod
    def from_arrow(cls, table: pa.Table) -> "Table":
        """From an Arrow table; names that stand twice are refused."""
        return cls(dict(zip(distinct(table.column_names), table.columns, strict=True)), table.num_rows)

    def where(self, mask: pa.ChunkedArray) -> "Table":
        """The rows for which the mask is true."""
        kept = {n: c if isinstance(c, Uncounted) else c.filter(mask) for n, c in self.columns.items()}
        return Table(kept, pc.sum(mask).as_py() or 0)

    def instants(self, timestamp: str, timezone: ZoneInfo) -> pa.ChunkedArray:
        """The column that places rows in windows, as UTC instants.

        Raises
        ------
        SourceError
            Where it is not there, or does not hold dates or times; the message lists what is there.
        """
        column = self.columns.get(timestamp)
        if column is None:
            raise SourceError(f"no timestamp column {timestamp!r}; there are {', '.join(self.columns) or 'none'}")
        if isinstance(column, Uncounted):
            raise SourceError(f"timestamp column {timestamp!r}: {column.message}")
        try:
            return as_instants(decoded(column), timestamp, timezone)
        except SourceError as error:
            times = [n for n, c in self.columns.items() if not isinstance(c, Uncounted) and _holds_times(c.type)]
            raise SourceError(f"{error}; columns of dates or times: {', '.join(times) or 'none'}") from error

    def within(self, window: Window, timestamp: str, timezone: ZoneInfo) -> "Table":
        """The rows of one window; rows without a timestamp belong to none."""
        instants = self.instants(timestamp, timezone)
        ticks = instants.cast(pa.int64())
        start, end = (ticks_of(moment, instants.type.unit) for moment in (window.start, window.end))
        inside = pc.and_(pc.greater_equal(ticks, start), pc.less(ticks, end))
        return self.where(pc.fill_null(inside, False))  # noqa: FBT003 - Arrow's signature

    def span(self, timestamp: str, timezone: ZoneInfo) -> tuple[datetime, datetime] | None:
        """The first and last instants; None without any."""
        found = pc.min_max(self.instants(timestamp, timezone))
        try:
            first, last = (found[end].cast(pa.timestamp("us", "UTC"), safe=False).as_py() for end in ("min", "max"))
        except (ValueError, OverflowError) as error:
            raise SourceError(f"timestamp column {timestamp!r} holds instants beyond the year 9999: {error}") from error
        return None if first is None else (first, last)

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

        Notes
        -----
        The parts of one column add up to the whole: rows without a value, and rows of any value that is not
        listed, are ``column=(other)``.
        """
        parts = {"": self}
        for name in by:
            column = self.columns.get(name)
            if column is None or isinstance(column, Uncounted):
                why = "is not in the data" if column is None else column.message
                raise SourceError(f"segment column {name!r}: {why}")
            keys = segment_keys(name, column)
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

    def learn(self, names: Sequence[str], columns: Columns, seed: int = 0, threads: int | None = None) -> Profile:
        """Choose an axis for each column, by its own rule, and count these rows on them.

        A column that is not there is not comparable: there is nothing to hold a live one against.

        Parameters
        ----------
        names : sequence of str
            The columns.
        columns : Columns
            The rule of each.
        seed : int
            Of the rows that edges are chosen from where there are very many; the same ones for every column.
        threads : int or None
            As in `count`.
        """

        draw = Draw(seed)

        def histogram(name: str, values: Values) -> Histogram:
            return count(values, choose_axis(values, columns.rule(name).bins, draw))

        return self._profile(names, histogram, Fault.ABSENT, threads)

    def count(self, axes: Mapping[str, Axis], threads: int | None = None) -> Profile:
        """Count these rows on axes chosen before; a column that is not there is an error of the schema.

        Parameters
        ----------
        axes : mapping of str to axis
            Of each column.
        threads : int or None
            Columns counted at once; None is as many as there are cores, and one for a small table.
        """
        return self._profile(list(axes), lambda name, values: count(values, axes[name]), Fault.SCHEMA_ERROR, threads)

    def _profile(
        self,
        names: Sequence[str],
        histogram: Callable[[str, Values], Histogram],
        absent: Fault,
        threads: int | None,
    ) -> Profile:
        def counted(name: str) -> Histogram | Uncounted:
            column = self.columns.get(name)
            if column is None:
                return Uncounted(absent, f"column {name!r} is not in the data")
            if isinstance(column, Uncounted):
                return column
            try:
                return histogram(name, values_of(column))
            except AxisError as error:
                return Uncounted(Fault.SCHEMA_ERROR, str(error))
            except (UnbinnableError, InputError) as error:
                return Uncounted(Fault.NOT_COMPARABLE, str(error))

        largest_first = sorted(names, key=self._bytes, reverse=True)  # the threads end together
        found = dict(zip(largest_first, each(counted, largest_first, self.rows, threads), strict=True))
        found = {name: found[name] for name in names}
        lost = {name: what for name, what in found.items() if isinstance(what, Uncounted)}
        return Profile({n: what for n, what in found.items() if isinstance(what, Histogram)}, self.rows, lost)

    def _bytes(self, name: str) -> int:
        column = self.columns.get(name)
        return 0 if column is None or isinstance(column, Uncounted) else int(column.nbytes)


def each(act: Callable[[str], Result], names: Sequence[str], rows: int, threads: int | None = None) -> list[Result]:
    """What comes of each column, several at once: NumPy and Arrow let go of the interpreter's lock while they work.

    Parameters
    ----------
    act : callable
        Of a column's name.
    names : sequence of str
        The columns.
    rows : int
        Of each column.
    threads : int or None
        Columns at once; None is as many as there are cores, and one for a small table.
    """
    if threads is None:
        threads = 1 if rows * len(names) < SMALL else os.cpu_count() or 1
    if min(threads, len(names)) <= 1:
        return [act(name) for name in names]
    with ThreadPoolExecutor(min(threads, len(names)), "drift-count") as pool:
        return list(pool.map(act, names))


def distinct(names: list[str]) -> list[str]:
    """The names of columns, refused where one stands twice."""
    if twice := sorted(name for name, times in Counter(names).items() if times > 1):
        raise SourceError(f"column names stand twice: {twice}; rename or drop one of each")
    return names


def _plain(column: pa.ChunkedArray | Uncounted) -> pa.ChunkedArray | Uncounted:
    if isinstance(column, Uncounted):
        return column
    try:
        return plain(column)
    except UnbinnableError as error:
        return Uncounted(Fault.NOT_COMPARABLE, str(error))


def segment_keys(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The segment of each row, ``name=value``; missing where the value is, NaN too.

    Raises
    ------
    SourceError
        Where values of the column's type cannot be written as text.
    """
    column = decoded(column)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    try:
        text = column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SourceError(f"segment column {name!r} holds {column.type} values, which cannot name segments") from error
    return pc.binary_join_element_wise(f"{name}=", text, "")


def _holds_times(type_: pa.DataType) -> bool:
    return bool(pa.types.is_date(type_) or pa.types.is_timestamp(type_))
