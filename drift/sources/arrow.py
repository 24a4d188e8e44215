"""From Arrow columns to values, each type by its own rule. Every frame and file comes this way."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from drift.errors import DriftError
from drift.histogram import Kind
from drift.values import CategoryCounts, OrderedValues, Values

Column: TypeAlias = pa.ChunkedArray
_NANOSECONDS: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
TEXT: Final = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_DAY: Final = 86_400 * 10**9


class UnbinnableError(DriftError):
    """A column of a kind that has no bins: lists, bytes, structs, text that is not UTF-8."""


def values_of(column: Column) -> Values:
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


def plain(column: Column) -> Column:
    """The column without dictionaries and views of texts, which Arrow can neither filter nor count everywhere.

    Raises
    ------
    UnbinnableError
        As `values_of`, before anything is computed.
    """
    type_ = column.type
    if pa.types.is_dictionary(type_):
        _converter(type_.value_type)
        chunks = [pc.take(_viewless(c.dictionary), c.indices) for c in column.chunks]
        return pa.chunked_array(chunks, _viewless(pa.nulls(0, type_.value_type)).type)
    _converter(type_)
    return _viewless(column)


def _viewless(texts: Any) -> Any:
    return texts.cast(pa.large_string()) if pa.types.is_string_view(texts.type) else texts


def _converter(type_: pa.DataType) -> Callable[[Column], Values]:
    for fits, convert in _CONVERTERS:
        if fits(type_):
            return convert
    raise UnbinnableError(
        f"{type_} values cannot be cut into bins; watch something derived from them "
        "(a length, a count), or exclude the column"
    )


def _empty(column: Column) -> Values:
    return OrderedValues(Kind.EMPTY, np.empty(0), Fraction(1), len(column))


def _booleans(column: Column) -> Values:
    return _categories(column, Kind.BOOLEAN)


def _strings(column: Column) -> Values:
    return _categories(column, Kind.STRING)


def _categories(column: Column, kind: Kind) -> Values:
    found = pc.value_counts(column.drop_null())
    counts = np.asarray(found.field("counts"), dtype=np.int64)
    try:
        keys = tuple(found.field("values").to_pylist())
    except UnicodeDecodeError as error:
        raise UnbinnableError(f"text that is not UTF-8 ({error}); write it anew as UTF-8, or exclude it") from error
    return CategoryCounts(kind, keys, counts, column.null_count)


def _integers(column: Column) -> Values:
    return OrderedValues(Kind.NUMBER, _numpy(column), Fraction(1), column.null_count)


def _floats(column: Column) -> Values:
    data = _numpy(column).astype(np.float64, copy=False)
    present = data[~np.isnan(data)]
    return OrderedValues(Kind.NUMBER, present, Fraction(1), len(column) - len(present))


def _decimals(column: Column) -> Values:
    """Unscaled integers: decimals keep their order and exactness."""
    chunks = [_unscaled(chunk) for chunk in column.drop_null().chunks]
    data = np.concatenate(chunks) if chunks else np.empty(0, np.int64)
    return OrderedValues(Kind.NUMBER, data, Fraction(1, 10) ** column.type.scale, column.null_count)


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


def _dates(column: Column) -> Values:
    days = pa.types.is_date32(column.type)
    step = _DAY if days else _NANOSECONDS["ms"]
    return _times(column, Kind.DATETIME, pa.int32() if days else pa.int64(), step)


def _timestamps(column: Column) -> Values:
    return _times(column, Kind.DATETIME, pa.int64(), _NANOSECONDS[column.type.unit])


def _durations(column: Column) -> Values:
    return _times(column, Kind.DURATION, pa.int64(), _NANOSECONDS[column.type.unit])


def _clock_times(column: Column) -> Values:
    width = pa.int32() if pa.types.is_time32(column.type) else pa.int64()
    return _times(column, Kind.DURATION, width, _NANOSECONDS[column.type.unit])


def _times(column: Column, kind: Kind, width: pa.DataType, step: int) -> Values:
    return OrderedValues(kind, _numpy(column.cast(width)), Fraction(step), column.null_count)


def _numpy(column: Column) -> npt.NDArray[Any]:
    return np.asarray(column.drop_null().to_numpy())


_CONVERTERS: Final[tuple[tuple[Callable[[pa.DataType], bool], Callable[[Column], Values]], ...]] = (
    (pa.types.is_null, _empty),
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
