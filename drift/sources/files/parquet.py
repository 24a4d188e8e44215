"""Parquet: only the columns and row groups that are needed; text as dictionaries; checksums of pages verified."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet

from drift.sources.files.discovery import File
from drift.sources.files.reader import Piece, Placing, rows_at_a_time
from drift.sources.frames.arrow import TEXT

_UNITS: Final = {"milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}
_BUFFER: Final = 2**20  # bytes of a column read ahead; without it whole columns of a row group are held, compressed


class Parquet:
    """A Parquet file; see `drift.sources.files.reader.FormatReader`."""

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
            for group, inside in enumerate(_placed(parquet, timestamp, placing)):
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


def _placed(parquet: Any, timestamp: str | None, placing: Placing | None) -> list[bool | None]:
    """Where the timestamps of each row group lie, by its statistics; None where they do not tell."""
    groups = [parquet.metadata.row_group(number) for number in range(parquet.num_row_groups)]
    leaf = None if timestamp is None or not groups else _leaf(groups[0], timestamp)
    if placing is None or leaf is None:
        return [None] * len(groups)
    told = {
        number: statistics
        for number, group in enumerate(groups)
        if group.num_rows and (statistics := group.column(leaf).statistics) is not None
        if statistics.has_min_max and statistics.has_null_count
    }
    ends = _ends(list(told.values()), parquet.schema_arrow.field(timestamp).type)
    placed = {} if ends is None else dict(zip(told, placing(*ends), strict=True))
    return [None if placed.get(n) and told[n].null_count else placed.get(n) for n in range(len(groups))]


def _leaf(group: Any, timestamp: str) -> int | None:
    """Which column of a row group holds the timestamps; None where there is none.

    Not asked of `parquet.schema`: that and the file's metadata hold each other, so that of every file which was ever
    read the metadata would stay (megabytes, where row groups are many) until Python looks for cycles.
    """
    return next((i for i in range(group.num_columns) if group.column(i).path_in_schema == timestamp), None)


def _ends(told: list[Any], type_: pa.DataType) -> tuple[pa.ChunkedArray, pa.ChunkedArray] | None:
    """The least and the largest values, as the column's own type; None where they are not known."""
    logical = json.loads(told[0].logical_type.to_json()) if told else {"Type": "None"}
    if pa.types.is_date(type_) and logical["Type"] == "Date":
        raw, kind = pa.int32(), pa.date32()
    elif pa.types.is_timestamp(type_) and logical["Type"] == "Timestamp":
        raw, kind = pa.int64(), pa.timestamp(_UNITS[logical["timeUnit"]], type_.tz)
    else:
        return None
    least, largest = ([getattr(one, end) for one in told] for end in ("min_raw", "max_raw"))
    return pa.chunked_array([pa.array(least, raw).cast(kind)]), pa.chunked_array([pa.array(largest, raw).cast(kind)])
