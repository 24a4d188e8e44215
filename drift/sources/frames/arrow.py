"""Conversion of Arrow columns to values, one rule for each type. All frames and files are converted here."""

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
_DAY: Final = 86_400 * 10**9
_TEXT_TYPES: Final = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_PROBED_ROWS: Final = 2**14
"""If the first rows hold few names, these are looked up in the other rows."""


class UnbinnableError(DriftError):
    """Values of this type cannot be cut into bins: lists, bytes, structs, text that is not UTF-8."""

    default_code = "not-comparable"


def values_of(column: ArrowColumn) -> Values:
    """Return the values of a column. NaN, null, None and NaT are missing. Timestamps without a time zone are UTC.

    Raises
    ------
    UnbinnableError
        If values of this type cannot be cut into bins.
    """
    column = normalize_column(column)
    return _converter(column.type)(column)


def normalize_column(column: ArrowColumn) -> ArrowColumn:
    """Return the column without string views, which Arrow cannot filter; only dictionaries of text are kept.

    Raises
    ------
    UnbinnableError
        If values of this type cannot be cut into bins; raised before anything is computed.
    """
    type_ = column.type
    if not pa.types.is_dictionary(type_):
        _converter(type_)
        return _without_views(column)
    _converter(type_.value_type)
    if pa.types.is_string_view(type_.value_type):
        column = pa.chunked_array(
            [pa.DictionaryArray.from_arrays(c.indices, _without_views(c.dictionary)) for c in column.chunks],
            pa.dictionary(type_.index_type, pa.large_string()),
        )
    return column if is_text(type_.value_type) else decode_dictionary(column)


def decode_dictionary(column: ArrowColumn) -> ArrowColumn:
    if not pa.types.is_dictionary(column.type):
        return column
    return pa.chunked_array([pc.take(c.dictionary, c.indices) for c in column.chunks], column.type.value_type)


def is_text(type_: pa.DataType) -> bool:
    return any(matches(type_) for matches in _TEXT_TYPES)


def _without_views(texts: Any) -> Any:
    return texts.cast(pa.large_string()) if pa.types.is_string_view(texts.type) else texts


def _converter(type_: pa.DataType) -> Callable[[ArrowColumn], Values]:
    for matches, convert in _CONVERTERS:
        if matches(type_):
            return convert
    remedy = "watch a column derived from them (a length, a count), or exclude the column"
    raise UnbinnableError(f"{type_} values cannot be cut into bins; {remedy}")


def _empty(column: ArrowColumn) -> Values:
    return OrderedValues(Kind.EMPTY, (), Fraction(1), len(column))


def _booleans(column: ArrowColumn) -> Values:
    true = pc.sum(column).as_py() or 0
    counts = {True: true, False: len(column) - column.null_count - true}
    return _categories(Kind.BOOLEAN, {key: number for key, number in counts.items() if number}, len(column))


def _strings(column: ArrowColumn) -> Values:
    # Looking up the names of the first rows is faster than hashing all rows; only the other names are hashed.
    if len(column) < 4 * _PROBED_ROWS or len(first := pc.unique(column.slice(0, _PROBED_ROWS))) > _PROBED_ROWS // 8:
        return _categories(Kind.STRING, _count_names(column), len(column))
    codes = pc.index_in(column, first)
    others = _count_names(column.filter(codes.is_null())) if codes.null_count else {}
    counts = np.zeros(len(first) + 1, np.int64)
    for chunk in codes.fill_null(len(first)).chunks:
        _add_codes(counts, chunk)
    return _categories(Kind.STRING, {**_counts_by_name(first, counts[:-1]), **others}, len(column))


def _count_names(column: ArrowColumn) -> dict[Any, int]:
    pairs = pc.value_counts(column)
    return _counts_by_name(pairs.field("values"), _chunk(pairs.field("counts"), np.dtype(np.int64)).data)


def _dictionaries(column: ArrowColumn) -> Values:
    """Count codes without decoding them. Several codes may have one name, and a code may mean a missing value."""
    totals: Counter[Any] = Counter()
    names, counts = pa.nulls(0, pa.string()), np.empty(0, np.int64)
    for chunk in column.chunks:
        if not names.equals(chunk.dictionary):
            totals.update(_counts_by_name(names, counts))
            names, counts = chunk.dictionary, np.zeros(len(chunk.dictionary), np.int64)
        _add_codes(counts, chunk.indices)
    totals.update(_counts_by_name(names, counts))
    return _categories(Kind.STRING, totals, len(column))


def _add_codes(counts: Counts, codes: Any) -> None:
    """Count each code that is not null, in place."""
    for block in _chunk(codes, _numpy_type(codes.type)).blocks():
        counts += np.bincount(block, minlength=len(counts))


def _counts_by_name(names: Any, counts: Counts) -> dict[Any, int]:
    """Return the count of each name that occurs, without the missing one."""
    used = np.flatnonzero(counts).astype(np.int64, copy=False)
    # From a buffer, because Arrow imports pandas to inspect a NumPy array.
    rows = pa.Array.from_buffers(pa.int64(), len(used), [None, pa.py_buffer(used)])
    totals: Counter[Any] = Counter()
    for name, number in zip(_texts(names.take(rows)), counts[used].tolist(), strict=True):
        totals[name] += number
    totals.pop(None, None)
    return totals


def _texts(names: Any) -> list[Any]:
    try:
        return list(names.to_pylist())
    except UnicodeDecodeError as error:
        message = f"the text is not UTF-8 ({error}); write it again as UTF-8, or exclude the column"
        raise UnbinnableError(message) from error


def _categories(kind: Kind, counts: Mapping[Any, int], rows: int) -> Values:
    return CategoryCounts(kind, tuple(counts), np.array(list(counts.values()), np.int64), rows)


def _numbers(column: ArrowColumn) -> Values:
    return _ordered(column, Kind.NUMBER, _numpy_type(column.type))


def _decimals(column: ArrowColumn) -> Values:
    # As unscaled integers, decimals keep their order and stay exact.
    chunks = tuple(Chunk(_unscaled(chunk)) for chunk in column.drop_null().chunks)
    return OrderedValues(Kind.NUMBER, chunks, Fraction(1, 10) ** column.type.scale, len(column))


def _unscaled(chunk: Any) -> npt.NDArray[Any]:
    """Return the unscaled integers of decimals: int64 if all fit, else Python integers.

    Arrow stores them as little-endian two's complement of 4, 8, 16 or 32 bytes.
    """
    width = chunk.type.byte_width
    data = chunk.buffers()[1]
    if data is None:  # no rows
        return np.empty(0, np.int64)
    size = min(width, 8)
    start, count = chunk.offset * width, len(chunk) * width // size
    words = np.frombuffer(data, f"<i{size}", count, start).reshape(-1, width // size).astype(np.int64)
    low, high = words[:, 0], words[:, 1:]
    if (high == (low >> 63)[:, np.newaxis]).all():  # above 64 bits there is only the sign
        return low
    total: npt.NDArray[Any] = words[:, -1].astype(object)
    for i in range(words.shape[1] - 2, -1, -1):
        total = total * 2**64 + words[:, i].astype(np.uint64).astype(object)
    return total


def _dates(column: ArrowColumn) -> Values:
    if pa.types.is_date32(column.type):
        return _ordered(column, Kind.DATETIME, np.dtype(np.int32), _DAY)
    return _ordered(column, Kind.DATETIME, np.dtype(np.int64), _NANOSECONDS["ms"])


def _times(column: ArrowColumn) -> Values:
    kind = Kind.DATETIME if pa.types.is_timestamp(column.type) else Kind.DURATION
    dtype = np.dtype(np.int32 if pa.types.is_time32(column.type) else np.int64)
    return _ordered(column, kind, dtype, _NANOSECONDS[column.type.unit])


def _numpy_type(type_: pa.DataType) -> "np.dtype[Any]":
    dtype: np.dtype[Any] = np.dtype(type_.to_pandas_dtype())
    return dtype


def _ordered(column: ArrowColumn, kind: Kind, dtype: np.dtype[Any], step: int = 1) -> Values:
    """Return values of fixed width, which share Arrow's memory."""
    chunks = tuple(_chunk(chunk, dtype) for chunk in column.chunks if len(chunk))
    return OrderedValues(kind, chunks, Fraction(step), len(column))


def _chunk(array: Any, dtype: np.dtype[Any]) -> Chunk:
    if len(array) == 0:
        return Chunk(np.empty(0, dtype))
    validity, data = array.buffers()[:2]
    values = np.frombuffer(data, dtype, len(array), array.offset * dtype.itemsize)
    if array.null_count == 0:
        return Chunk(values)
    return Chunk(values, np.frombuffer(validity, np.uint8), array.offset)


_CONVERTERS: Final[tuple[tuple[Callable[[pa.DataType], bool], Callable[[ArrowColumn], Values]], ...]] = (
    (pa.types.is_null, _empty),
    (pa.types.is_dictionary, _dictionaries),
    (pa.types.is_boolean, _booleans),
    (pa.types.is_integer, _numbers),
    (pa.types.is_floating, _numbers),
    (pa.types.is_decimal, _decimals),
    *((matches, _strings) for matches in _TEXT_TYPES),
    (pa.types.is_date, _dates),
    *((matches, _times) for matches in (pa.types.is_timestamp, pa.types.is_duration, pa.types.is_time)),
)
