"""Rows in memory, shared out among windows in one go."""

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


def by_window(
    table: Table, windows: Sequence[Window], timestamp: str, timezone: ZoneInfo
) -> Iterator[tuple[int, Table]]:
    """The rows of each window that has any, with the window's number; rows in none are left out.

    Parameters
    ----------
    table : Table
        The rows. They are copied only where they do not come in the order of time.
    windows : sequence of Window
        In the order of time; none overlaps another.
    timestamp, timezone
        As `Table.within` takes them.

    Raises
    ------
    SourceError
        As `Table.within`.
    """
    instants = table.instants(timestamp, timezone)
    if not windows or not table.rows:
        return
    ends = [[ticks_of(moment, instants.type.unit) for moment in (w.start, w.end)] for w in windows]
    starts, stops = np.array(ends, np.int64).T
    when = _numpy(instants.cast(pa.int64()).fill_null(0), np.dtype(np.int64))
    number = np.searchsorted(starts, when, side="right") - 1
    out = (number < 0) | (when >= stops[number])
    if instants.null_count:
        out |= _numpy(instants.is_null().cast(pa.int8()), np.dtype(np.bool_))
    number[out] = -1
    if (np.diff(number) < 0).any():
        order = np.argsort(number, kind="stable")
        number, table = number[order], _reordered(table, order)
    found, first = np.unique(number, return_index=True)
    for n, start, stop in zip(found.tolist(), first.tolist(), [*first[1:].tolist(), table.rows], strict=True):
        if n >= 0:
            yield n, _slice(table, start, stop - start)


def _reordered(table: Table, order: npt.NDArray[np.int64]) -> Table:
    # From a buffer: Arrow loads pandas to look at an array of NumPy's.
    places = pa.Array.from_buffers(pa.int64(), len(order), [None, pa.py_buffer(order)])
    return Table({n: c if isinstance(c, Uncounted) else c.take(places) for n, c in table.columns.items()}, table.rows)


def _slice(table: Table, start: int, rows: int) -> Table:
    return Table({n: c if isinstance(c, Uncounted) else c.slice(start, rows) for n, c in table.columns.items()}, rows)


def _numpy(column: pa.ChunkedArray, held: "np.dtype[Any]") -> npt.NDArray[Any]:
    """Values of fixed width, none of them null."""
    return np.concatenate(
        [np.frombuffer(c.buffers()[1], held, len(c), c.offset * held.itemsize) for c in column.chunks if len(c)]
    )
