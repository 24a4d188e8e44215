"""Arrow IPC, Feather (version 2) among it: batch by batch, as they were written."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa

from drift.errors import SourceError
from drift.sources.files.discovery import File
from drift.sources.files.reader import Piece, Placing, rows_at_a_time

_MAGIC: Final = b"ARROW1"
_END: Final = b"\xff\xff\xff\xff\0\0\0\0"


class Ipc:
    """An Arrow IPC file or stream; see `drift.sources.files.reader.FormatReader`."""

    def __init__(self, file: File) -> None:
        self._file = file
        with file.open() as opened:
            self.schema = _reader(opened, None).schema

    def pieces(self, columns: Sequence[str], timestamp: str | None, placing: Placing | None) -> Iterator[Piece]:  # noqa: ARG002 - there are no statistics
        """All rows."""
        names = list(dict.fromkeys([*([timestamp] if timestamp is not None else []), *columns]))
        fields = [self.schema.names.index(name) for name in names]
        with self._file.open() as opened:
            # Without a field nothing would tell how many rows there are.
            reader = _reader(opened, pa.ipc.IpcReadOptions(included_fields=fields or [0]))
            for batch in _batches(reader):
                table = pa.Table.from_batches([batch]).select(names)
                most = rows_at_a_time(len(names))
                for start in range(0, batch.num_rows, most):
                    rows = min(most, batch.num_rows - start)
                    yield Piece(table.slice(start, rows), rows)


def _reader(opened: Any, options: pa.ipc.IpcReadOptions | None) -> Any:
    head, tail = (opened.read_at(8, place) for place in (0, max(opened.size() - 8, 0)))
    opened.seek(0)
    if head.startswith(_MAGIC):
        return pa.ipc.open_file(opened, options=options)
    reader = pa.ipc.open_stream(opened, options=options)
    if tail != _END:  # one cut off between two batches would pass for a whole one
        raise SourceError("its end is missing: it was cut off, or is still being written")
    return reader


def _batches(reader: Any) -> Iterator[pa.RecordBatch]:
    if isinstance(reader, pa.ipc.RecordBatchFileReader):
        for i in range(reader.num_record_batches):
            yield reader.get_batch(i)
    else:
        yield from reader
