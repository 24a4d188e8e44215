"""Parquet: only the needed columns and row groups are read, text as dictionaries; checksums of pages are verified."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet

from drift.sources.files.discovery import File
from drift.sources.files.reader import RangeFilter, RowBatch, requested_columns, rows_per_batch
from drift.sources.frames.arrow import is_text

_UNITS: Final = {"milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}
_BUFFER_SIZE: Final = 2**20
"""Bytes of a column read ahead. Without it whole columns of a row group are in memory, compressed."""


class Parquet:
    """A Parquet file; a `FormatReader`."""

    def __init__(self, file: File) -> None:
        self._file = file
        with file.open() as opened, pyarrow.parquet.ParquetFile(opened) as parquet:
            self.schema = parquet.schema_arrow

    def batches(
        self, columns: Sequence[str], timestamp: str | None, range_filter: RangeFilter | None
    ) -> Iterator[RowBatch]:
        """Read the row groups that may hold rows of the window."""
        names = requested_columns(columns, timestamp)
        texts = [name for name in names if is_text(self.schema.field(name).type)]
        # Pre-buffering saves round trips to an object store, but keeps all row groups of one read in memory.
        remote = self._file.system.type_name != "local"
        with (
            self._file.open() as opened,
            pyarrow.parquet.ParquetFile(
                opened,
                read_dictionary=texts,
                buffer_size=0 if remote else _BUFFER_SIZE,
                pre_buffer=remote,
                page_checksum_verification=True,
            ) as parquet,
        ):
            partial: list[int] = []
            for group, in_window in enumerate(_filter_groups(parquet, timestamp, range_filter)):
                if in_window:
                    yield from _read(parquet, [group], list(columns), in_window=True)
                elif in_window is None:
                    partial.append(group)
            for groups in [[group] for group in partial] if remote or not partial else [partial]:
                yield from _read(parquet, groups, names, in_window=False)


def _read(parquet: Any, groups: list[int], names: list[str], *, in_window: bool) -> Iterator[RowBatch]:
    if not names:
        for group in groups:
            yield RowBatch(pa.table({}), parquet.metadata.row_group(group).num_rows, in_window)
        return
    for batch in parquet.iter_batches(rows_per_batch(len(names)), row_groups=groups, columns=names):
        yield RowBatch(pa.Table.from_batches([batch]), batch.num_rows, in_window)


def _filter_groups(parquet: Any, timestamp: str | None, range_filter: RangeFilter | None) -> list[bool | None]:
    """Apply the filter to the statistics of each row group; None if they do not decide."""
    groups = [parquet.metadata.row_group(number) for number in range(parquet.num_row_groups)]
    index = None if timestamp is None or not groups else _column_index(groups[0], timestamp)
    if range_filter is None or index is None:
        return [None] * len(groups)
    statistics_of = {
        number: statistics
        for number, group in enumerate(groups)
        if group.num_rows and (statistics := group.column(index).statistics) is not None
        if statistics.has_min_max and statistics.has_null_count
    }
    bounds = _bounds(list(statistics_of.values()), parquet.schema_arrow.field(timestamp).type)
    in_window = {} if bounds is None else dict(zip(statistics_of, range_filter(*bounds), strict=True))
    # Rows without a timestamp are in no window.
    return [None if in_window.get(n) and statistics_of[n].null_count else in_window.get(n) for n in range(len(groups))]


def _column_index(group: Any, name: str) -> int | None:
    """Return the index of a column in a row group; None if it has no such column.

    `parquet.schema` is not used, because it and the file's metadata refer to each other: the metadata of every file
    ever read (megabytes if there are many row groups) would stay in memory until Python collects cycles.
    """
    return next((i for i in range(group.num_columns) if group.column(i).path_in_schema == name), None)


def _bounds(statistics: list[Any], type_: pa.DataType) -> tuple[pa.ChunkedArray, pa.ChunkedArray] | None:
    """Return the smallest and the largest values in the column's own type; None if they are unknown."""
    logical = json.loads(statistics[0].logical_type.to_json()) if statistics else {"Type": "None"}
    if pa.types.is_date(type_) and logical["Type"] == "Date":
        raw, bound_type = pa.int32(), pa.date32()
    elif pa.types.is_timestamp(type_) and logical["Type"] == "Timestamp":
        raw, bound_type = pa.int64(), pa.timestamp(_UNITS[logical["timeUnit"]], type_.tz)
    else:
        return None
    minima, maxima = (
        pa.chunked_array([pa.array([getattr(group, end) for group in statistics], raw).cast(bound_type)])
        for end in ("min_raw", "max_raw")
    )
    return minima, maxima
