"""JSON lines: one object a line. A type holds for the whole file, and is decided in a first pass.

A line break cannot stand inside a JSON text, so a file is cut at lines into blocks, each parsed by itself. What the
blocks' types have in common is the column's: whole numbers and others are doubles, times and other texts are text.
A key that a line lacks is missing in it.
"""

import io
from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.json

from drift.errors import SourceError
from drift.sources.files.discovery import File
from drift.sources.files.reader import Piece, Placing

BLOCK: Final = 8 * 2**20
"""Bytes parsed at a time."""


class JsonLines:
    """A file of JSON lines; see `drift.sources.files.reader.FormatReader`."""

    def __init__(self, file: File) -> None:
        self._file = file
        types: dict[str, pa.DataType] = {}
        for block in _blocks(file):
            for name, type_ in _schema(block).items():
                types[name] = type_ if name not in types else _common(name, types[name], type_)
        self.schema = pa.schema(list(types.items()))

    def pieces(self, columns: Sequence[str], timestamp: str | None, placing: Placing | None) -> Iterator[Piece]:  # noqa: ARG002 - there are no statistics
        """All rows."""
        names = list(dict.fromkeys([*([timestamp] if timestamp is not None else []), *columns]))
        # Without a key nothing would tell how many rows there are.
        asked = pa.schema([self.schema.field(name) for name in names or self.schema.names[:1]])
        how = pyarrow.json.ParseOptions(explicit_schema=asked, unexpected_field_behavior="ignore")
        for block in _blocks(self._file):
            table = _parsed(block, how)
            yield Piece(table.select(names), table.num_rows)


def _schema(block: bytes) -> dict[str, pa.DataType]:
    schema = _parsed(block, None).schema
    if len(set(schema.names)) < len(schema.names):
        raise SourceError(f"a line names a key twice; there are {', '.join(schema.names)}")
    return dict(zip(schema.names, schema.types, strict=True))


def _parsed(block: bytes, how: pyarrow.json.ParseOptions | None) -> pa.Table:
    return pyarrow.json.read_json(
        io.BytesIO(block), read_options=pyarrow.json.ReadOptions(block_size=len(block) + 1), parse_options=how
    )


def _common(name: str, one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if {one, other} == {pa.timestamp("s"), pa.string()}:  # a text that looks like a time is one only among its like
        return pa.string()
    try:
        fields = [pa.schema([pa.field(name, type_)]) for type_ in (one, other)]
        return pa.unify_schemas(fields, promote_options="permissive").field(0).type
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SourceError(f"{name!r} holds {one} in some lines and {other} in others; make them one type") from error


def _blocks(file: File) -> Iterator[bytes]:
    """Whole lines, together about `BLOCK` bytes; blocks of nothing but blank lines are left out."""
    rest = b""
    with file.open() as opened:
        while read := opened.read(BLOCK):
            lines, newline, after = (rest + read).rpartition(b"\n")
            if newline and lines.strip():
                yield lines + newline
            rest = after if newline else rest + read
    if rest.strip():
        yield rest
