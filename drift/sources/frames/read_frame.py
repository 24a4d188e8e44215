"""Data frames of any library that Narwhals takes: pandas, Polars, PyArrow, Modin, cuDF."""

from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from drift.errors import SourceError
from drift.histogram import Fault, Uncounted
from drift.sources.frames.object_cells import array_of
from drift.sources.frames.table import Table, each


def read_frame(frame: Any) -> Table:
    """A frame's columns in Arrow's form, without a copy where the layout allows.

    Parameters
    ----------
    frame : pandas.DataFrame, polars.DataFrame, pyarrow.Table, ...
        An eager frame. NaN in pandas is missing, as is null in any of them.

    Raises
    ------
    SourceError
        Where it is no data frame, or a lazy one.
    """
    try:
        wrapped = nw.from_native(frame, eager_only=True)
    except TypeError as error:
        raise SourceError(
            f"expected a pandas, Polars or PyArrow data frame, a path, or a drift.Profile; got {type(frame).__name__}"
        ) from error
    except nw.exceptions.DuplicateError as error:
        told = " ".join(str(error).split())
        raise SourceError(f"column names stand twice: {told}; rename or drop one of each") from error
    odd = [name for name in wrapped.columns if not isinstance(name, str)]
    if odd:
        raise SourceError(f"column names are text; rename {odd[:5]} (frame.columns = frame.columns.astype(str))")
    columns = {name: wrapped[name] for name in wrapped.columns}
    objects = [name for name, column in columns.items() if _holds_objects(column)]  # the others take no time
    found = dict(zip(objects, each(lambda name: _column(columns[name]), objects, len(wrapped)), strict=True))
    return Table(
        {name: found[name] if name in found else _column(column) for name, column in columns.items()}, len(wrapped)
    )


def _column(series: Any) -> pa.ChunkedArray | Uncounted:
    try:
        array = _arrow(series)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        what = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return Uncounted(
            Fault.NOT_COMPARABLE,
            f"values of mixed or unknown types ({what}); make them one type, or exclude the column",
        )
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _holds_objects(series: Any) -> bool:
    return series.implementation.is_pandas() and bool(series.to_native().dtype == np.dtype(object))


def _arrow(series: Any) -> Any:
    if _holds_objects(series):
        return array_of(series.to_native().to_numpy())
    if series.implementation.is_pandas():
        held = series.to_native().dtype
        if isinstance(held, np.dtype) and held.kind in "fiu" and held.isnative:
            # Arrow would look for NaN and note each as null: 2 ns a value. It is missing either way.
            return pa.array(series.to_native().to_numpy(), from_pandas=False)
    return series.to_arrow()
