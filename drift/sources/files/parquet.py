"""Parquet: only the columns and row groups that are needed; text as dictionaries; checksums of pages verified."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet

from drift.sources.files.places import File
from drift.sources.files.reading import Piece, Placing, rows_at_a_time
from drift.sources.memory.arrow import TEXT

_UNITS: Final = {"milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}
_BUFFER: Final = 2**20  # bytes of a column read ahead; without it whole columns of a row group are held, compressed


class Parquet:
    """A Parquet file; see `drift.sources.files.reading.Reader`."""

    def __init__(self, file: File) -> None:
        self._file = file
        with file.open() as opened, pyarrow.parquet.ParquetFile(opened) as parquet:
            self.schema = parquet.schema_arrow

    def pieces(self, columns: Sequence[str], timestamp: str | None, placing: Placing | None) -> Iterator[Piece]:
        """The rows of the row groups that can lie in the window."""
        names = list(dict.fromkeys([*([timestamp] if timestamp is not None else []), *columns]))
        texts = [n for n in names if any(fits(self.schema.field(n).type) for fits in TEXT)]
        # Pre-buffering saves an object store's round trips, but holds all row groups that are read in one go.
        far = self._file.system.type_name != "local"
        with (
            self._file.open() as opened,
            pyarrow.parquet.ParquetFile(
                opened,
                read_dictionary=texts,
                buffer_size=0 if far else _BUFFER,
                pre_buffer=far,
                page_checksum_verification=True,
            ) as parquet,
        ):
            some: list[int] = []
            place = None if timestamp is None or placing is None else _leaf(parquet, timestamp)
            for group in range(parquet.num_row_groups):
                inside = None if place is None else _placed(parquet, group, place, placing)
                if inside:
                    yield from _read(parquet, [group], list(columns), inside=True)
                elif inside is None:
                    some.append(group)
            for groups in [[group] for group in some] if far or not some else [some]:
                yield from _read(parquet, groups, names, inside=False)


def _read(parquet: Any, groups: list[int], names: list[str], *, inside: bool) -> Iterator[Piece]:
    if not names:
        for group in groups:
            rows = parquet.metadata.row_group(group).num_rows
            yield Piece(pa.table({}), rows, inside)
        return
    for batch in parquet.iter_batches(rows_at_a_time(len(names)), row_groups=groups, columns=names):
        yield Piece(pa.Table.from_batches([batch]), batch.num_rows, inside)


def _leaf(parquet: Any, timestamp: str) -> int | None:
    """Which column of the row groups holds the timestamps; None where there is none.

    Not asked of `parquet.schema`: that and the file's metadata hold each other, so that of every file which was ever
    read the metadata would stay (megabytes, where row groups are many) until Python looks for cycles.
    """
    if parquet.num_row_groups == 0:
        return None
    group = parquet.metadata.row_group(0)
    return next((i for i in range(group.num_columns) if group.column(i).path_in_schema == timestamp), None)


def _placed(parquet: Any, group: int, leaf: int, placing: Placing | None) -> bool | None:
    """Where a row group's timestamps lie, by its statistics; None where they do not tell."""
    rows = parquet.metadata.row_group(group)
    if placing is None or rows.num_rows == 0:
        return None
    column = rows.column(leaf)
    schema = parquet.schema_arrow
    ends = _ends(column.statistics, schema.field(schema.names.index(column.path_in_schema)).type)
    if ends is None:
        return None
    inside = placing(ends)
    return None if inside and column.statistics.null_count != 0 else inside


def _ends(statistics: Any, type_: pa.DataType) -> pa.ChunkedArray | None:
    """The least and the largest value, as the column's own type; None where they are not known."""
    if statistics is None or not statistics.has_min_max or not statistics.has_null_count:
        return None
    logical = json.loads(statistics.logical_type.to_json())
    raw = [statistics.min_raw, statistics.max_raw]
    if pa.types.is_date(type_) and logical["Type"] == "Date":
        return pa.chunked_array([pa.array(raw, pa.int32()).cast(pa.date32())])
    if pa.types.is_timestamp(type_) and logical["Type"] == "Timestamp":
        unit = _UNITS[logical["timeUnit"]]
        return pa.chunked_array([pa.array(raw, pa.int64()).cast(pa.timestamp(unit, type_.tz))])
    return None
