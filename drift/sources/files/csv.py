"""CSV files: which fields are missing values, and which are text.

An empty field is missing in every column. In a column of numbers, times or booleans, the words "NaN", "NA", "null" and
similar ones are missing too, quoted or not. In a column of text they are text (NA is Namibia), and so is a quoted empty
field: writers that distinguish the two leave a missing text unquoted. A column whose fields in a file are all empty or
such words is text if one of them is quoted, else missing throughout.

The type of a column is that of the whole file. A first pass determines it (`determine_types`); the second one reads the
values. Both read block by block, with the same result for any number of blocks.
"""

import contextlib
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from drift.errors import SourceError
from drift.sources.files.discovery import File
from drift.sources.files.reader import RangeFilter, RowBatch, requested_columns

CSV_BLOCK_SIZE: Final = 4 * 2**20
"""Bytes parsed at a time."""
# Otherwise a line break inside quotes would split a row at the end of a block.
_PARSE_OPTIONS: Final = pyarrow.csv.ParseOptions(newlines_in_values=True)
_MISSING_WORDS: Final = tuple(pyarrow.csv.ConvertOptions().null_values)
_TYPES: Final = (
    pa.null(),
    pa.int64(),
    pa.bool_(),
    pa.date32(),
    pa.time32("s"),
    *(pa.timestamp(unit, zone) for unit in ("s", "ns") for zone in (None, "UTC")),
    pa.float64(),
    pa.string(),
    pa.binary(),
)
"""A column has the first of these types that fits all its fields: Arrow's own rule, applied to the whole file."""


class Csv:
    """A CSV file: UTF-8, comma-separated, column names in the first line; a `FormatReader`."""

    def __init__(self, file: File) -> None:
        self._file = file
        with file.open() as opened, _stream(opened) as reader:
            schema = reader.schema  # of the first block, which may be the only one
        if len(set(schema.names)) < len(schema.names):
            self.schema = schema
            return
        types = dict(zip(schema.names, schema.types, strict=True))
        if file.size >= CSV_BLOCK_SIZE:
            types = determine_types(file, types)
        for name in _with_quoted_words(file, [name for name, type_ in types.items() if pa.types.is_null(type_)]):
            types[name] = pa.string()
        self.schema = pa.schema(list(types.items()))

    def batches(
        self, columns: Sequence[str], timestamp: str | None, _range_filter: RangeFilter | None
    ) -> Iterator[RowBatch]:
        """Read all rows: there are no statistics to filter by."""
        names = requested_columns(columns, timestamp)
        types = {name: self.schema.field(name).type for name in names or self.schema.names[:1]}
        texts = {name: type_ for name, type_ in types.items() if names and pa.types.is_string(type_)}
        # Arrow takes "no column" for all columns. If no column is requested, the first one counts the rows.
        others = {name: type_ for name, type_ in types.items() if name not in texts}
        readers = []
        with contextlib.ExitStack() as stack:
            if others:
                readers.append(_stream(stack.enter_context(self._file.open()), others))
            if texts:  # only with these options does Arrow distinguish quoted empty fields from missing ones
                readers.append(_raw_fields(stack.enter_context(self._file.open()), texts, missing=("",)))
            for batches in zip(*readers, strict=True):
                if len({batch.num_rows for batch in batches}) > 1:
                    raise SourceError("the file changed while it was read; try again", code="source-changed")
                arrays = {name: batch.column(name) for batch in batches for name in batch.schema.names}
                yield RowBatch(pa.table({name: arrays[name] for name in names}), batches[0].num_rows)


def determine_types(file: File, types: dict[str, pa.DataType]) -> dict[str, pa.DataType]:
    """Return the type of each column in the whole file, of which all is read; `types` are those in the first block."""
    while True:
        try:
            with file.open() as opened, _stream(opened, types) as reader:
                for _ in reader:
                    pass
        except pa.ArrowInvalid:
            wider = _widen(file, types)
            if wider == types:  # the error has another cause than the types
                raise
            types = wider
        else:
            return types


def _widen(file: File, types: dict[str, pa.DataType]) -> dict[str, pa.DataType]:
    """Return for each column the first type, from the given one on, that fits its blocks one after the other.

    A later type need not fit all fields of an earlier one (1 and 0 are booleans, 2 is not), so `determine_types` tries
    the result on all blocks, and calls this function again if necessary.
    """
    positions = {name: _TYPES.index(type_) for name, type_ in types.items()}
    last = len(_TYPES) - 1
    with file.open() as opened:
        for batch in _raw_fields(opened, dict.fromkeys(types, _TYPES[last]), missing=_MISSING_WORDS, quoted=True):
            for name in (name for name, position in positions.items() if position < last):
                fields = pc.unique(batch.column(name).drop_null())
                while not _fits(fields, _TYPES[positions[name]]):
                    positions[name] += 1
    return {name: _TYPES[position] for name, position in positions.items()}


def _fits(fields: pa.Array, type_: pa.DataType) -> bool:
    """Return whether Arrow parses all of these fields, without the words for missing values, as values of a type."""
    if len(fields) == 0 or pa.types.is_binary(type_):
        return True
    if pa.types.is_null(type_):
        return False
    try:
        if pa.types.is_string(type_):
            fields.cast(type_)
            return True
        if pc.any(pc.match_substring_regex(fields, '["\\r\\n]')).as_py():  # neither a number nor a time
            return False
        _parse_as(type_, b"\n".join([b"x", *(b'"' + field + b'"' for field in fields.to_pylist())]))
    except pa.ArrowInvalid:
        return False
    return True


def _parse_as(type_: pa.DataType, lines: bytes) -> None:
    options = pyarrow.csv.ConvertOptions(column_types={"x": type_})
    one_block = pyarrow.csv.ReadOptions(block_size=len(lines) + 1)
    pyarrow.csv.read_csv(io.BytesIO(lines), one_block, _PARSE_OPTIONS, options)


def _with_quoted_words(file: File, names: list[str]) -> list[str]:
    """Return those of the columns without values that contain a quoted word: "NA" is text, unquoted NA need not be."""
    quoted: set[str] = set()
    if names:
        with file.open() as opened:
            for batch in _raw_fields(opened, dict.fromkeys(names, pa.string()), missing=_MISSING_WORDS):
                quoted |= {name for name in names if pc.any(pc.not_equal(batch.column(name), "")).as_py()}
    return [name for name in names if name in quoted]


def _raw_fields(
    opened: Any, types: dict[str, pa.DataType], *, missing: Iterable[str], quoted: bool = False
) -> pyarrow.csv.CSVStreamingReader:
    """Read fields as text. Those in `missing` are null, in quotes only if `quoted`."""
    nulls = {"null_values": list(missing), "strings_can_be_null": True, "quoted_strings_can_be_null": quoted}
    return _stream(opened, types, **nulls)


def _stream(opened: Any, types: dict[str, pa.DataType] | None = None, **options: Any) -> pyarrow.csv.CSVStreamingReader:
    convert = pyarrow.csv.ConvertOptions(column_types=types, include_columns=list(types or ()), **options)
    return pyarrow.csv.open_csv(opened, pyarrow.csv.ReadOptions(block_size=CSV_BLOCK_SIZE), _PARSE_OPTIONS, convert)
