"""From Arrow columns to values, each type by its own rule. Every frame and file comes this way."""

from collections import Counter
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from drift.errors import DriftError
from drift.histogram import Counts, Kind
from drift.histogram.column_values import CategoryCounts, OrderedValues, Values
from drift.histogram.kernels import Chunk

ArrowColumn: TypeAlias = pa.ChunkedArray
_NANOSECONDS: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
TEXT: Final = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_DAY: Final = 86_400 * 10**9
_FIRST: Final = 2**14
"""Rows whose names are looked up in all the others, where they are few."""


class UnbinnableError(DriftError):
    """A column of a kind that has no bins: lists, bytes, structs, text that is not UTF-8."""


def values_of(column: ArrowColumn) -> Values:
    """The values of one column.

    Parameters
    ----------
    column : pyarrow.ChunkedArray
        Of any type; NaN, null, None and NaT are missing.

    Raises
    ------
    UnbinnableError
        Where values of this type cannot be cut into bins.

    Notes
    -----
    Timestamps without a time zone are taken as UTC.
    """
    column = plain(column)
    return _converter(column.type)(column)


def plain(column: ArrowColumn) -> ArrowColumn:
    """The column without views of texts, which Arrow cannot filter, and with no dictionaries but those of texts.

    Raises
    ------
    UnbinnableError
        As `values_of`, before anything is computed.
    """
    type_ = column.type
    if not pa.types.is_dictionary(type_):
        _converter(type_)
        return _viewless(column)
    _converter(type_.value_type)
    if pa.types.is_string_view(type_.value_type):
        column = pa.chunked_array(
            [pa.DictionaryArray.from_arrays(c.indices, _viewless(c.dictionary)) for c in column.chunks],
            pa.dictionary(type_.index_type, pa.large_string()),
        )
    return column if _is_text(type_.value_type) else decoded(column)


def decoded(column: ArrowColumn) -> ArrowColumn:
    """The column with its values in place of codes, where it has any."""
    if not pa.types.is_dictionary(column.type):
        return column
    return pa.chunked_array([pc.take(c.dictionary, c.indices) for c in column.chunks], column.type.value_type)


def _is_text(type_: pa.DataType) -> bool:
    return any(fits(type_) for fits in TEXT)


def _viewless(texts: Any) -> Any:
    return texts.cast(pa.large_string()) if pa.types.is_string_view(texts.type) else texts


def _converter(type_: pa.DataType) -> Callable[[ArrowColumn], Values]:
    for fits, convert in _CONVERTERS:
        if fits(type_):
            return convert
    raise UnbinnableError(
        f"{type_} values cannot be cut into bins; watch something derived from them "
        "(a length, a count), or exclude the column"
    )


def _empty(column: ArrowColumn) -> Values:
    return OrderedValues(Kind.EMPTY, (), Fraction(1), len(column))


def _booleans(column: ArrowColumn) -> Values:
    true = pc.sum(column).as_py() or 0
    counts = {True: true, False: len(column) - column.null_count - true}
    return _categories(Kind.BOOLEAN, {key: number for key, number in counts.items() if number}, len(column))


def _strings(column: ArrowColumn) -> Values:
    """Looking up names that the first rows have costs less than gathering all; only what is left is gathered."""
    if len(column) < 4 * _FIRST or len(first := pc.unique(column.slice(0, _FIRST))) > _FIRST // 8:
        return _categories(Kind.STRING, _gathered(column), len(column))
    codes = pc.index_in(column, first)
    others = _gathered(column.filter(codes.is_null())) if codes.null_count else {}
    counts = np.zeros(len(first) + 1, np.int64)
    for chunk in codes.fill_null(len(first)).chunks:
        _add_codes(counts, chunk)
    return _categories(Kind.STRING, {**_keyed(first, counts[:-1]), **others}, len(column))


def _gathered(column: ArrowColumn) -> dict[Any, int]:
    found = pc.value_counts(column)
    return _keyed(found.field("values"), _chunk(found.field("counts"), np.dtype(np.int64)).data)


def _coded(column: ArrowColumn) -> Values:
    """Codes are counted, never decoded: a name may have several or none, and a code may mean a missing value."""
    named: Counter[Any] = Counter()
    known, counts = pa.nulls(0, pa.string()), np.empty(0, np.int64)
    for chunk in column.chunks:
        if not known.equals(chunk.dictionary):
            named.update(_keyed(known, counts))
            known, counts = chunk.dictionary, np.zeros(len(chunk.dictionary), np.int64)
        _add_codes(counts, chunk.indices)
    named.update(_keyed(known, counts))
    return _categories(Kind.STRING, named, len(column))


def _add_codes(counts: Counts, codes: Any) -> None:
    """Count each code that is not null, in place."""
    for block in _chunk(codes, _numpy_type(codes.type)).blocks():
        counts += np.bincount(block, minlength=len(counts))


def _keyed(names: Any, counts: Counts) -> dict[Any, int]:
    """How often each name occurs, the missing one excepted."""
    used = np.flatnonzero(counts).astype(np.int64, copy=False)
    # From a buffer: Arrow loads pandas to look at an array of NumPy's.
    rows = pa.Array.from_buffers(pa.int64(), len(used), [None, pa.py_buffer(used)])
    keyed: Counter[Any] = Counter()
    for name, number in zip(_texts(names.take(rows)), counts[used].tolist(), strict=True):
        keyed[name] += number
    keyed.pop(None, None)
    return keyed


def _texts(names: Any) -> list[Any]:
    try:
        return list(names.to_pylist())
    except UnicodeDecodeError as error:
        raise UnbinnableError(f"text that is not UTF-8 ({error}); write it anew as UTF-8, or exclude it") from error


def _categories(kind: Kind, counts: Mapping[Any, int], rows: int) -> Values:
    return CategoryCounts(kind, tuple(counts), np.array(list(counts.values()), np.int64), rows)


def _integers(column: ArrowColumn) -> Values:
    return _ordered(column, Kind.NUMBER, _numpy_type(column.type))


def _floats(column: ArrowColumn) -> Values:
    return _ordered(column, Kind.NUMBER, _numpy_type(column.type))


def _decimals(column: ArrowColumn) -> Values:
    """Unscaled integers: decimals keep their order and exactness."""
    chunks = tuple(Chunk(_unscaled(chunk)) for chunk in column.drop_null().chunks)
    return OrderedValues(Kind.NUMBER, chunks, Fraction(1, 10) ** column.type.scale, len(column))


def _unscaled(chunk: Any) -> npt.NDArray[Any]:
    """Decimals are little-endian two's complement of 4, 8, 16 or 32 bytes: int64 where all fit, else Python ints."""
    width = chunk.type.byte_width
    held = chunk.buffers()[1]
    if held is None:  # no rows
        return np.empty(0, np.int64)
    size = min(width, 8)
    start, count = chunk.offset * width, len(chunk) * width // size
    words = np.frombuffer(held, f"<i{size}", count, start).reshape(-1, width // size).astype(np.int64)
    low, high = words[:, 0], words[:, 1:]
    if (high == (low >> 63)[:, np.newaxis]).all():  # nothing but the sign is above 64 bits
        return low
    total: npt.NDArray[Any] = words[:, -1].astype(object)
    for i in range(words.shape[1] - 2, -1, -1):
        total = total * 2**64 + words[:, i].astype(np.uint64).astype(object)
    return total


def _dates(column: ArrowColumn) -> Values:
    if pa.types.is_date32(column.type):
        return _ordered(column, Kind.DATETIME, np.dtype(np.int32), _DAY)
    return _ordered(column, Kind.DATETIME, np.dtype(np.int64), _NANOSECONDS["ms"])


def _timestamps(column: ArrowColumn) -> Values:
    return _ordered(column, Kind.DATETIME, np.dtype(np.int64), _NANOSECONDS[column.type.unit])


def _durations(column: ArrowColumn) -> Values:
    return _ordered(column, Kind.DURATION, np.dtype(np.int64), _NANOSECONDS[column.type.unit])


def _clock_times(column: ArrowColumn) -> Values:
    held = np.dtype(np.int32 if pa.types.is_time32(column.type) else np.int64)
    return _ordered(column, Kind.DURATION, held, _NANOSECONDS[column.type.unit])


def _numpy_type(type_: pa.DataType) -> "np.dtype[Any]":
    held: np.dtype[Any] = np.dtype(type_.to_pandas_dtype())
    return held


def _ordered(column: ArrowColumn, kind: Kind, held: np.dtype[Any], step: int = 1) -> Values:
    """Values of fixed width are read where Arrow keeps them."""
    chunks = tuple(_chunk(chunk, held) for chunk in column.chunks if len(chunk))
    return OrderedValues(kind, chunks, Fraction(step), len(column))


def _chunk(array: Any, held: np.dtype[Any]) -> Chunk:
    if len(array) == 0:
        return Chunk(np.empty(0, held))
    validity, data = array.buffers()[:2]
    values = np.frombuffer(data, held, len(array), array.offset * held.itemsize)
    if array.null_count == 0:
        return Chunk(values)
    return Chunk(values, np.frombuffer(validity, np.uint8), array.offset)


_CONVERTERS: Final[tuple[tuple[Callable[[pa.DataType], bool], Callable[[ArrowColumn], Values]], ...]] = (
    (pa.types.is_null, _empty),
    (pa.types.is_dictionary, _coded),
    (pa.types.is_boolean, _booleans),
    (pa.types.is_integer, _integers),
    (pa.types.is_floating, _floats),
    (pa.types.is_decimal, _decimals),
    *((fits, _strings) for fits in TEXT),
    (pa.types.is_date, _dates),
    (pa.types.is_timestamp, _timestamps),
    (pa.types.is_duration, _durations),
    (pa.types.is_time, _clock_times),
)
