"""Rows in memory, split among several windows in one pass."""

from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from drift.histogram import Uncounted
from drift.monitors.window import Window
from drift.sources.frames.instants import ticks_of
from drift.sources.frames.table import Table


def split_by_window(
    table: Table, windows: Sequence[Window], timestamp: str, timezone: ZoneInfo
) -> Iterator[tuple[int, Table]]:
    """Yield the index of each window that holds rows, and these rows. Rows outside all windows are left out.

    The windows are in order and do not overlap. Rows are copied only if they are not in order of time. Raises as
    `Table.within`.
    """
    instants = table.instants(timestamp, timezone)
    if not windows or not table.rows:
        return
    bounds = [[ticks_of(moment, instants.type.unit) for moment in (w.start, w.end)] for w in windows]
    starts, ends = np.array(bounds, np.int64).T
    ticks = _numpy(instants.cast(pa.int64()).fill_null(0), np.dtype(np.int64))
    indices = np.searchsorted(starts, ticks, side="right") - 1
    outside = (indices < 0) | (ticks >= ends[indices])
    if instants.null_count:
        outside |= _numpy(instants.is_null().cast(pa.int8()), np.dtype(np.bool_))
    indices[outside] = -1
    if (np.diff(indices) < 0).any():
        order = np.argsort(indices, kind="stable")
        indices, table = indices[order], _reorder(table, order)
    used, first = np.unique(indices, return_index=True)
    for index, start, stop in zip(used.tolist(), first.tolist(), [*first[1:].tolist(), table.rows], strict=True):
        if index >= 0:
            yield index, _slice(table, start, stop - start)


def _reorder(table: Table, order: npt.NDArray[np.int64]) -> Table:
    # From a buffer, because Arrow imports pandas to inspect a NumPy array.
    rows = pa.Array.from_buffers(pa.int64(), len(order), [None, pa.py_buffer(order)])
    return Table({n: c if isinstance(c, Uncounted) else c.take(rows) for n, c in table.columns.items()}, table.rows)


def _slice(table: Table, start: int, rows: int) -> Table:
    return Table({n: c if isinstance(c, Uncounted) else c.slice(start, rows) for n, c in table.columns.items()}, rows)


def _numpy(column: pa.ChunkedArray, dtype: "np.dtype[Any]") -> npt.NDArray[Any]:
    """Return values of fixed width, none of which is null."""
    return np.concatenate(
        [np.frombuffer(c.buffers()[1], dtype, len(c), c.offset * dtype.itemsize) for c in column.chunks if len(c)]
    )
