"""Rows in memory as Arrow columns. One bad column never stops the others."""

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
from drift.histogram.binning import RowSampler, choose_axis
from drift.histogram.column_values import Values
from drift.histogram.counting import histogram_of_values
from drift.monitors.spec import Columns
from drift.monitors.window import Window
from drift.sources.frames.arrow import UnbinnableError, decode_dictionary, normalize_column, values_of
from drift.sources.frames.instants import as_instants, ticks_of

Result = TypeVar("Result")
MAX_SEGMENTS: Final = 20
OTHER_SEGMENT: Final = "(other)"
SINGLE_THREAD_VALUES: Final = 500_000
"""One thread counts fewer values before others have started."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by name, in order. A column that cannot be converted or cut into bins is replaced by the reason."""

    columns: Mapping[str, pa.ChunkedArray | Uncounted]  # of `rows` values each; texts may be dictionaries
    rows: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", {name: _normalize(column) for name, column in self.columns.items()})

    @classmethod
    def from_arrow(cls, table: pa.Table) -> "Table":
        """Return an Arrow table's rows; duplicate column names are refused."""
        return cls(dict(zip(require_unique(table.column_names), table.columns, strict=True)), table.num_rows)

    def filter(self, mask: pa.ChunkedArray) -> "Table":
        columns = {n: c if isinstance(c, Uncounted) else c.filter(mask) for n, c in self.columns.items()}
        return Table(columns, pc.sum(mask).as_py() or 0)

    def instants(self, timestamp: str, timezone: ZoneInfo) -> pa.ChunkedArray:
        """Return the timestamp column as UTC instants.

        Raises
        ------
        SourceError
            If the column is missing, or holds neither dates nor times; the message lists the candidates.
        """
        column = self.columns.get(timestamp)
        if column is None:
            columns = ", ".join(self.columns) or "none"
            raise SourceError(f"no timestamp column {timestamp!r}; there are {columns}", code="timestamp-missing")
        if isinstance(column, Uncounted):
            raise SourceError(f"timestamp column {timestamp!r}: {column.message}", code="timestamp-invalid")
        try:
            return as_instants(decode_dictionary(column), timestamp, timezone)
        except SourceError as error:
            times = [n for n, c in self.columns.items() if not isinstance(c, Uncounted) and _holds_times(c.type)]
            message = f"{error}; columns of dates or times: {', '.join(times) or 'none'}"
            raise SourceError(message, code=error.code) from error

    def within(self, window: Window, timestamp: str, timezone: ZoneInfo) -> "Table":
        """Return the rows of a window. Rows without a timestamp belong to no window."""
        instants = self.instants(timestamp, timezone)
        ticks = instants.cast(pa.int64())
        start, end = (ticks_of(moment, instants.type.unit) for moment in (window.start, window.end))
        inside = pc.and_(pc.greater_equal(ticks, start), pc.less(ticks, end))
        return self.filter(pc.fill_null(inside, False))  # noqa: FBT003 - Arrow's signature

    def span(self, timestamp: str, timezone: ZoneInfo) -> tuple[datetime, datetime] | None:
        """Return the first and the last instant, or None if there is none."""
        ends = pc.min_max(self.instants(timestamp, timezone))
        try:
            first, last = (ends[end].cast(pa.timestamp("us", "UTC"), safe=False).as_py() for end in ("min", "max"))
        except (ValueError, OverflowError) as error:
            message = f"timestamp column {timestamp!r} holds instants beyond the year 9999: {error}"
            raise SourceError(message, code="timestamp-invalid") from error
        return None if first is None else (first, last)

    def split(self, by: Sequence[str], known: Collection[str] | None = None) -> dict[str, "Table"]:
        """Return the rows of each segment: "" is all rows, ``column=value`` the rows that share a value.

        Parameters
        ----------
        by : sequence of str
            The segment columns. Each splits all rows.
        known : collection of str, or None
            Keys of the segments of the reference. None means the most frequent values of these rows.

        Raises
        ------
        SourceError
            If a segment column is missing or cannot be read.

        Notes
        -----
        The segments of one column add up to all rows: rows without a value, and rows of any other value, are
        ``column=(other)``.
        """
        parts = {"": self}
        for name in by:
            column = self.columns.get(name)
            if column is None:
                raise SourceError(f"segment column {name!r} is not in the data", code="column-missing")
            if isinstance(column, Uncounted):
                raise SourceError(f"segment column {name!r}: {column.message}", code="not-comparable")
            keys = segment_keys(name, column)
            listed = _frequent(keys) if known is None else [key for key in known if key.startswith(f"{name}=")]
            other = f"{name}={OTHER_SEGMENT}"
            is_listed = pc.fill_null(pc.is_in(keys, pa.array(listed, pa.string())), False)  # noqa: FBT003
            row_keys = pc.if_else(is_listed, keys, other)
            for key in dict.fromkeys([*listed, other]):
                part = self.filter(pc.equal(row_keys, key))
                if part.rows or key in (known or ()):
                    parts[key] = part
        return parts

    def learn(self, names: Sequence[str], columns: Columns, seed: int = 0, threads: int | None = None) -> Profile:
        """Choose an axis for each column, by its rule, and count the rows on these axes.

        A column that is missing is not comparable, because there is nothing to compare live values with. The edges of
        very long columns are chosen from a sample by `seed`: the same rows for all columns. `threads`: see `count`.
        """
        sampler = RowSampler(seed)

        def histogram(name: str, values: Values) -> Histogram:
            return histogram_of_values(values, choose_axis(values, columns.rule(name).bins, sampler))

        return self._profile(names, histogram, Fault.ABSENT, threads)

    def count(self, axes: Mapping[str, Axis], threads: int | None = None) -> Profile:
        """Count the rows on given axes. A column that is missing is a schema error.

        `threads` columns are counted at the same time; None means one for a small table, else the number of cores.
        """
        return self._profile(
            list(axes), lambda name, values: histogram_of_values(values, axes[name]), Fault.SCHEMA_ERROR, threads
        )

    def _profile(
        self, names: Sequence[str], histogram: Callable[[str, Values], Histogram], absent: Fault, threads: int | None
    ) -> Profile:
        def count_column(name: str) -> Histogram | Uncounted:
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

        largest_first = sorted(names, key=self._bytes, reverse=True)  # so that the threads end together
        results = dict(zip(largest_first, map_columns(count_column, largest_first, self.rows, threads), strict=True))
        histograms, uncounted = dict[str, Histogram](), dict[str, Uncounted]()
        for name in names:
            result = results[name]
            if isinstance(result, Histogram):
                histograms[name] = result
            else:
                uncounted[name] = result
        return Profile(histograms, self.rows, uncounted)

    def _bytes(self, name: str) -> int:
        column = self.columns.get(name)
        return 0 if column is None or isinstance(column, Uncounted) else int(column.nbytes)


def map_columns(
    action: Callable[[str], Result], names: Sequence[str], rows: int, threads: int | None = None
) -> list[Result]:
    """Call a function for each column's name, several at the same time: NumPy and Arrow release the interpreter's lock.

    `rows` is the number of rows of each column; `threads` as in `Table.count`.
    """
    if threads is None:
        threads = 1 if rows * len(names) < SINGLE_THREAD_VALUES else os.cpu_count() or 1
    if min(threads, len(names)) <= 1:
        return [action(name) for name in names]
    with ThreadPoolExecutor(min(threads, len(names)), "drift-count") as pool:
        return list(pool.map(action, names))


def require_unique(names: list[str]) -> list[str]:
    """Return the names of columns, or raise SourceError if one occurs twice."""
    if duplicates := sorted(name for name, times in Counter(names).items() if times > 1):
        raise SourceError(f"duplicate column names: {duplicates}; rename or drop one of each", code="duplicate-column")
    return names


def segment_keys(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the segment of each row, ``name=value``; missing if the value is missing or NaN.

    Raises SourceError if the column's values cannot be written as text.
    """
    column = decode_dictionary(column)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    try:
        text = column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SourceError(
            f"segment column {name!r} holds {column.type} values, which cannot name segments", code="not-comparable"
        ) from error
    return pc.binary_join_element_wise(f"{name}=", text, "")


def _frequent(keys: pa.ChunkedArray) -> list[str]:
    counts = pc.value_counts(keys.drop_null()).to_pylist()
    by_frequency = sorted(counts, key=lambda pair: (-pair["counts"], pair["values"]))
    return [pair["values"] for pair in by_frequency[:MAX_SEGMENTS]]


def _normalize(column: pa.ChunkedArray | Uncounted) -> pa.ChunkedArray | Uncounted:
    if isinstance(column, Uncounted):
        return column
    try:
        return normalize_column(column)
    except UnbinnableError as error:
        return Uncounted(Fault.NOT_COMPARABLE, str(error))


def _holds_times(type_: pa.DataType) -> bool:
    return bool(pa.types.is_date(type_) or pa.types.is_timestamp(type_))
