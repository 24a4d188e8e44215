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
_DAY: Final = 86_400 * 10**9
_INT64_DIGITS: Final = 18  # decimals of up to so many digits fit 64 bits


class UnbinnableError(DriftError):
    """A column of a kind that has no bins: lists, bytes, structs."""


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
    """
    for fits, convert in _CONVERTERS:
        if fits(column.type):
            return convert(column)
    raise UnbinnableError(
        f"{column.type} values cannot be cut into bins; watch something derived from them "
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
    return CategoryCounts(kind, tuple(found.field("values").to_pylist()), counts, column.null_count)


def _dictionary(column: Column) -> Values:
    return values_of(column.cast(column.type.value_type))


def _integers(column: Column) -> Values:
    return OrderedValues(Kind.NUMBER, _numpy(column), Fraction(1), column.null_count)


def _floats(column: Column) -> Values:
    data = _numpy(column).astype(np.float64, copy=False)
    present = data[~np.isnan(data)]
    return OrderedValues(Kind.NUMBER, present, Fraction(1), len(column) - len(present))


def _decimals(column: Column) -> Values:
    """Unscaled integers: decimals keep their order and exactness."""
    scale = column.type.scale
    present = column.drop_null()
    if pa.types.is_decimal128(column.type) and column.type.precision <= _INT64_DIGITS:
        data: npt.NDArray[Any] = np.concatenate([_low_words(c) for c in present.chunks] or [np.empty(0, np.int64)])
    else:
        unscaled = [int(value.scaleb(scale)) for value in present.to_pylist()]
        data = np.array(unscaled, dtype=object)
    return OrderedValues(Kind.NUMBER, data, Fraction(1, 10) ** scale, column.null_count)


def _low_words(chunk: Any) -> npt.NDArray[np.int64]:
    """Decimal128 is 16 bytes, little-endian two's complement: up to 18 digits live in the low 8."""
    words = np.frombuffer(chunk.buffers()[1], dtype="<i8")
    return words[2 * chunk.offset : 2 * (chunk.offset + len(chunk)) : 2].astype(np.int64)


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
    (pa.types.is_string, _strings),
    (pa.types.is_large_string, _strings),
    (pa.types.is_string_view, _strings),
    (pa.types.is_date, _dates),
    (pa.types.is_timestamp, _timestamps),
    (pa.types.is_duration, _durations),
    (pa.types.is_time, _clock_times),
    (pa.types.is_dictionary, _dictionary),
)
