"""Arrow IPC, including Feather version 2: read in the record batches in which it was written."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa

from drift.errors import SourceError
from drift.sources.files.discovery import File
from drift.sources.files.reader import RangeFilter, RowBatch, requested_columns, rows_per_batch

_FILE_MAGIC: Final = b"ARROW1"
_STREAM_END: Final = b"\xff\xff\xff\xff\0\0\0\0"


class Ipc:
    """An Arrow IPC file or stream; a `FormatReader`."""

    def __init__(self, file: File) -> None:
        self._file = file
        with file.open() as opened:
            self.schema = _reader(opened, None).schema

    def batches(
        self, columns: Sequence[str], timestamp: str | None, _range_filter: RangeFilter | None
    ) -> Iterator[RowBatch]:
        """Read all rows: there are no statistics to filter by."""
        names = requested_columns(columns, timestamp)
        fields = [self.schema.names.index(name) for name in names]
        with self._file.open() as opened:
            # At least one field, because without fields the number of rows is unknown.
            reader = _reader(opened, pa.ipc.IpcReadOptions(included_fields=fields or [0]))
            for batch in _record_batches(reader):
                table = pa.Table.from_batches([batch]).select(names)
                step = rows_per_batch(len(names))
                for start in range(0, batch.num_rows, step):
                    rows = min(step, batch.num_rows - start)
                    yield RowBatch(table.slice(start, rows), rows)


def _reader(opened: Any, options: pa.ipc.IpcReadOptions | None) -> Any:
    head, tail = (opened.read_at(8, offset) for offset in (0, max(opened.size() - 8, 0)))
    opened.seek(0)
    if head.startswith(_FILE_MAGIC):
        return pa.ipc.open_file(opened, options=options)
    reader = pa.ipc.open_stream(opened, options=options)
    if tail != _STREAM_END:  # Arrow accepts a stream that was cut off between two batches
        message = "the end of the stream is missing; it was cut off, or is still being written"
        raise SourceError(message, code="source-unreadable")
    return reader


def _record_batches(reader: Any) -> Iterator[pa.RecordBatch]:
    if isinstance(reader, pa.ipc.RecordBatchFileReader):
        for i in range(reader.num_record_batches):
            yield reader.get_batch(i)
    else:
        yield from reader
