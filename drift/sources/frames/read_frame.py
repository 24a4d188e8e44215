"""Data frames of any library that Narwhals supports: pandas, Polars, PyArrow, Modin, cuDF."""

from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from drift.errors import SourceError
from drift.histogram import Fault, Uncounted
from drift.sources.frames.object_cells import array_from_objects
from drift.sources.frames.table import Table, map_columns


def read_frame(frame: Any) -> Table:
    """Return a data frame's columns as Arrow columns, without a copy if the memory layout permits.

    Nulls are missing; so is NaN in pandas.

    Raises
    ------
    SourceError
        If `frame` is not a data frame, is lazy, or has column names that are not text or not unique.
    """
    try:
        wrapped = nw.from_native(frame, eager_only=True)
    except TypeError as error:
        expected = "a pandas, Polars or PyArrow data frame, a path, or a drift.Profile"
        raise SourceError(f"expected {expected}; got {type(frame).__name__}", code="invalid-input") from error
    except nw.exceptions.DuplicateError as error:
        message = f"duplicate column names: {' '.join(str(error).split())}; rename or drop one of each"
        raise SourceError(message, code="duplicate-column") from error
    if invalid := [name for name in wrapped.columns if not isinstance(name, str)]:
        message = f"column names must be text; rename {invalid[:5]} (frame.columns = frame.columns.astype(str))"
        raise SourceError(message, code="invalid-input")
    columns = {name: wrapped[name] for name in wrapped.columns}
    objects = [name for name, column in columns.items() if _holds_objects(column)]  # only these take time to convert
    arrays = map_columns(lambda name: _convert(columns[name]), objects, len(wrapped))
    converted = dict(zip(objects, arrays, strict=True))
    return Table({n: converted[n] if n in converted else _convert(c) for n, c in columns.items()}, len(wrapped))


def _convert(series: Any) -> pa.ChunkedArray | Uncounted:
    try:
        array = _to_arrow(series)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        message = f"values of mixed or unknown types ({reason}); convert them to one type, or exclude the column"
        return Uncounted(Fault.NOT_COMPARABLE, message)
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _holds_objects(series: Any) -> bool:
    return series.implementation.is_pandas() and bool(series.to_native().dtype == np.dtype(object))


def _to_arrow(series: Any) -> Any:
    if _holds_objects(series):
        return array_from_objects(series.to_native().to_numpy())
    if series.implementation.is_pandas():
        dtype = series.to_native().dtype
        if isinstance(dtype, np.dtype) and dtype.kind in "fiu" and dtype.isnative:
            # With from_pandas=True Arrow searches for NaN to mark it null: 2 ns a value. NaN is missing anyway.
            return pa.array(series.to_native().to_numpy(), from_pandas=False)
    return series.to_arrow()
