"""JSON lines: one object a line. The type of a column is that of the whole file, and is determined in a first pass.

A JSON text contains no line break, so the file is cut at lines into blocks, which are parsed separately. The type of a
column is the common type of its blocks: integers and other numbers are doubles, times and other texts are text. A key
that a line lacks is missing in its row.
"""

import io
from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.json

from drift.errors import SourceError
from drift.sources.files.discovery import File
from drift.sources.files.reader import RangeFilter, RowBatch, requested_columns

JSON_BLOCK_SIZE: Final = 8 * 2**20
"""Bytes parsed at a time."""


class JsonLines:
    """A file of JSON lines; a `FormatReader`."""

    def __init__(self, file: File) -> None:
        self._file = file
        types: dict[str, pa.DataType] = {}
        for block in _blocks(file):
            for name, type_ in _types(block).items():
                types[name] = type_ if name not in types else _common_type(name, types[name], type_)
        self.schema = pa.schema(list(types.items()))

    def batches(
        self, columns: Sequence[str], timestamp: str | None, _range_filter: RangeFilter | None
    ) -> Iterator[RowBatch]:
        """Read all rows: there are no statistics to filter by."""
        names = requested_columns(columns, timestamp)
        # At least one key, because without keys the number of rows is unknown.
        schema = pa.schema([self.schema.field(name) for name in names or self.schema.names[:1]])
        options = pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
        for block in _blocks(self._file):
            table = _parse(block, options)
            yield RowBatch(table.select(names), table.num_rows)


def _types(block: bytes) -> dict[str, pa.DataType]:
    schema = _parse(block, None).schema
    if len(set(schema.names)) < len(schema.names):
        raise SourceError(f"a line contains a key twice; keys: {', '.join(schema.names)}", code="duplicate-column")
    return dict(zip(schema.names, schema.types, strict=True))


def _parse(block: bytes, options: pyarrow.json.ParseOptions | None) -> pa.Table:
    one_block = pyarrow.json.ReadOptions(block_size=len(block) + 1)
    return pyarrow.json.read_json(io.BytesIO(block), one_block, options)


def _common_type(name: str, left: pa.DataType, right: pa.DataType) -> pa.DataType:
    if {left, right} == {pa.timestamp("s"), pa.string()}:  # text that looks like a time is one only if all texts do
        return pa.string()
    try:
        schemas = [pa.schema([pa.field(name, type_)]) for type_ in (left, right)]
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        message = f"column {name!r} holds {left} in some lines and {right} in others; write it in one type"
        raise SourceError(message, code="type-conflict") from error


def _blocks(file: File) -> Iterator[bytes]:
    """Yield whole lines, about `JSON_BLOCK_SIZE` bytes together. Blocks of blank lines are left out."""
    rest = b""
    with file.open() as opened:
        while data := opened.read(JSON_BLOCK_SIZE):
            lines, newline, after = (rest + data).rpartition(b"\n")
            if newline and lines.strip():
                yield lines + newline
            rest = after if newline else rest + data
    if rest.strip():
        yield rest
