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

    Parameters
    ----------
    frame : pandas.DataFrame, polars.DataFrame, pyarrow.Table, ...
        An eager data frame. Nulls are missing; so is NaN in pandas.

    Raises
    ------
    SourceError
        If `frame` is not a data frame, is lazy, or has column names that are not text or not unique.
    """
    try:
        wrapped = nw.from_native(frame, eager_only=True)
    except TypeError as error:
        raise SourceError(
            f"expected a pandas, Polars or PyArrow data frame, a path, or a drift.Profile; got {type(frame).__name__}",
            code="invalid-input",
        ) from error
    except nw.exceptions.DuplicateError as error:
        reason = " ".join(str(error).split())
        raise SourceError(
            f"duplicate column names: {reason}; rename or drop one of each", code="duplicate-column"
        ) from error
    if invalid := [name for name in wrapped.columns if not isinstance(name, str)]:
        raise SourceError(
            f"column names must be text; rename {invalid[:5]} (frame.columns = frame.columns.astype(str))",
            code="invalid-input",
        )
    columns = {name: wrapped[name] for name in wrapped.columns}
    objects = [name for name, column in columns.items() if _holds_objects(column)]  # only these take time to convert
    converted = dict(
        zip(objects, map_columns(lambda name: _convert(columns[name]), objects, len(wrapped)), strict=True)
    )
    return Table(
        {name: converted[name] if name in converted else _convert(column) for name, column in columns.items()},
        len(wrapped),
    )


def _convert(series: Any) -> pa.ChunkedArray | Uncounted:
    try:
        array = _to_arrow(series)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return Uncounted(
            Fault.NOT_COMPARABLE,
            f"values of mixed or unknown types ({reason}); convert them to one type, or exclude the column",
        )
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
