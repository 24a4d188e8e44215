"""CSV files: which texts are missing values, and which are text.

An empty field is missing in every column. In a column of numbers, times or truth values "NaN", "NA", "null" and
their like are missing as well, quoted or not; in a column of text they are text (NA is Namibia), and so is an
empty text in quotes: writers that know the difference write a missing one without. A column that in one file holds
nothing but these is text where one of them stands in quotes, else missing throughout.

A type holds for the whole file, so it is decided in a first pass (`decide_types`); the second one reads the
values. Both go through the file block by block. What holds for a file of one block holds for it at any size.
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
from drift.sources.files.reader import Piece, Placing

BLOCK: Final = 4 * 2**20
"""Bytes parsed at a time."""
# Line breaks inside quotes would otherwise break a row where two blocks meet.
_PARSE: Final = pyarrow.csv.ParseOptions(newlines_in_values=True)
_WORDS: Final = tuple(pyarrow.csv.ConvertOptions().null_values)
_KINDS: Final = (
    pa.null(),
    pa.int64(),
    pa.bool_(),
    pa.date32(),
    pa.time32("s"),
    pa.timestamp("s"),
    pa.timestamp("s", "UTC"),
    pa.timestamp("ns"),
    pa.timestamp("ns", "UTC"),
    pa.float64(),
    pa.string(),
    pa.binary(),
)
"""A column is of the first of these that all its fields are: as Arrow tells types, but of the whole file."""


class Csv:
    """A CSV file: UTF-8, comma-separated, column names in the first line; a `FormatReader`."""

    def __init__(self, file: File) -> None:
        self._file = file
        with file.open() as opened, _stream(opened) as reader:
            first = reader.schema  # of the first block, which may be all there is
        if len(set(first.names)) < len(first.names):
            self.schema = first
            return
        types = dict(zip(first.names, first.types, strict=True))
        if file.size >= BLOCK:
            types = decide_types(file, types)
        for name in _quoted(file, [name for name, type_ in types.items() if pa.types.is_null(type_)]):
            types[name] = pa.string()
        self.schema = pa.schema(list(types.items()))

    def pieces(self, columns: Sequence[str], timestamp: str | None, placing: Placing | None) -> Iterator[Piece]:  # noqa: ARG002 - there are no statistics
        """All rows."""
        names = list(dict.fromkeys([*([timestamp] if timestamp is not None else []), *columns]))
        texts = {
            name: self.schema.field(name).type for name in names if pa.types.is_string(self.schema.field(name).type)
        }
        # Arrow takes "no column" for all of them: where none but texts is asked for, another counts the rows.
        others = {name: self.schema.field(name).type for name in names or self.schema.names[:1] if name not in texts}
        readers = []
        with contextlib.ExitStack() as stack:
            if others:
                readers.append(_stream(stack.enter_context(self._file.open()), others))
            if texts:  # Only Arrow's parser sees whether an empty text stood in quotes, and only by these settings.
                readers.append(_texts(stack.enter_context(self._file.open()), texts, missing=("",)))
            for batches in zip(*readers, strict=True):
                if len({batch.num_rows for batch in batches}) > 1:
                    raise SourceError("it changed while it was read")
                held = {name: batch.column(name) for batch in batches for name in batch.schema.names}
                yield Piece(pa.table({name: held[name] for name in names}), batches[0].num_rows)


def decide_types(file: File, types: dict[str, pa.DataType]) -> dict[str, pa.DataType]:
    """The type of each column in the whole file.

    Parameters
    ----------
    file : File
        All of it is read; not kept.
    types : dict of str to pyarrow.DataType
        As they seem to be, by the file's beginning.
    """
    while True:
        try:
            with file.open() as opened, _stream(opened, types) as reader:
                for _ in reader:
                    pass
        except pa.ArrowInvalid:
            wider = _widened(file, types)
            if wider == types:  # it is not the types that are wrong with this file
                raise
            types = wider
        else:
            return types


def _widened(file: File, types: dict[str, pa.DataType]) -> dict[str, pa.DataType]:
    """For each column, the first type from the one given on that fits each of its blocks, gone through in turn.

    Not every type takes all that one before it takes (1 and 0 are truth values, 2 is none): `decide_types` tries
    what comes out here on all blocks, and comes back.
    """
    kinds = {name: _KINDS.index(type_) for name, type_ in types.items()}
    last = len(_KINDS) - 1
    with file.open() as opened:
        for batch in _texts(opened, dict.fromkeys(types, _KINDS[last]), missing=_WORDS, quoted=True):
            for name in (name for name, kind in kinds.items() if kind < last):
                fields = pc.unique(batch.column(name).drop_null())
                while not _fits(fields, _KINDS[kinds[name]]):
                    kinds[name] += 1
    return {name: _KINDS[kind] for name, kind in kinds.items()}


def _fits(fields: pa.Array, type_: pa.DataType) -> bool:
    """Whether Arrow's parser takes all of these texts, words for missing values left out, for values of a type."""
    if len(fields) == 0 or pa.types.is_binary(type_):
        return True
    if pa.types.is_null(type_):
        return False
    try:
        if pa.types.is_string(type_):
            fields.cast(type_)
            return True
        if pc.any(pc.match_substring_regex(fields, '["\\r\\n]')).as_py():  # neither number nor time
            return False
        lines = b"\n".join([b"x", *(b'"' + field + b'"' for field in fields.to_pylist())])
        _one_block(lines, type_)
    except pa.ArrowInvalid:
        return False
    return True


def _one_block(lines: bytes, type_: pa.DataType) -> None:
    how = pyarrow.csv.ConvertOptions(column_types={"x": type_})
    pyarrow.csv.read_csv(io.BytesIO(lines), pyarrow.csv.ReadOptions(block_size=len(lines) + 1), _PARSE, how)


def _quoted(file: File, names: list[str]) -> list[str]:
    """Of columns without a value, those that hold a word in quotes: "NA" is text, NA need not be."""
    found: set[str] = set()
    if names:
        with file.open() as opened:
            for batch in _texts(opened, dict.fromkeys(names, pa.string()), missing=_WORDS):
                found |= {name for name in names if pc.any(pc.not_equal(batch.column(name), "")).as_py()}
    return [name for name in names if name in found]


def _texts(
    opened: Any, types: dict[str, pa.DataType], *, missing: Iterable[str], quoted: bool = False
) -> pyarrow.csv.CSVStreamingReader:
    """The fields themselves; `missing` ones are null, those in quotes only where `quoted`."""
    return _stream(
        opened, types, null_values=list(missing), strings_can_be_null=True, quoted_strings_can_be_null=quoted
    )


def _stream(opened: Any, types: dict[str, pa.DataType] | None = None, **how: Any) -> pyarrow.csv.CSVStreamingReader:
    options = pyarrow.csv.ConvertOptions(column_types=types, include_columns=list(types or ()), **how)
    return pyarrow.csv.open_csv(opened, pyarrow.csv.ReadOptions(block_size=BLOCK), _PARSE, options)
