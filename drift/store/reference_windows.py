"""The windows of a reference, and the counts of each column in them, in and out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from drift.histogram import History
from drift.monitors.window import Window
from drift.store.dimension_keys import AxisCache, axes_by_id, axis_ids, column_ids
from drift.store.tables import COUNTS_DTYPE, reference_history, reference_window, watched_column


def write_histories(
    connection: Connection,
    book: AxisCache,
    monitor_id: int,
    baseline_id: int,
    windows: Sequence[Window],
    histories: Mapping[str, Mapping[str, History]],
) -> None:
    """Write the windows of a reference and what was counted in them."""
    intervals = [
        {"baseline_id": baseline_id, "number": number, "start_at": window.start, "end_at": window.end}
        for number, window in enumerate(windows)
    ]
    if intervals:
        connection.execute(reference_window.insert(), intervals)
    parts = histories.values()
    axes = axis_ids(connection, book, (h.axis for part in parts for h in part.values()))
    columns = column_ids(connection, monitor_id, (name for part in parts for name in part))
    rows = [
        {
            "baseline_id": baseline_id,
            "column_id": columns[name],
            "segment": segment,
            "axis_id": axes[book.digest(history.axis)],
            "counts": history.counts.astype(COUNTS_DTYPE).tobytes(),
        }
        for segment, part in histories.items()
        for name, history in part.items()
    ]
    if rows:
        connection.execute(reference_history.insert(), rows)


def read_windows(connection: Connection, baseline_id: int) -> tuple[Window, ...]:
    """The windows of a reference."""
    query = select(reference_window).where(reference_window.c.baseline_id == baseline_id)
    rows = connection.execute(query.order_by(reference_window.c.number))
    return tuple(Window(row.start_at, row.end_at) for row in rows)


def read_histories(
    connection: Connection, book: AxisCache, baseline_id: int, windows: int
) -> Mapping[str, Mapping[str, History]]:
    """What was counted in the windows of a reference, by segment, then column."""
    query = (
        select(watched_column.c.name, reference_history)
        .join(watched_column, watched_column.c.id == reference_history.c.column_id)
        .where(reference_history.c.baseline_id == baseline_id)
        .order_by(reference_history.c.column_id)
    )
    found: list[Any] = list(connection.execute(query))
    axes = axes_by_id(connection, book, (row.axis_id for row in found))
    histories: dict[str, dict[str, History]] = {}
    for row in found:
        axis = axes[row.axis_id]
        counts = np.frombuffer(row.counts, COUNTS_DTYPE).reshape(windows, axis.n_bins)
        histories.setdefault(row.segment, {})[row.name] = History(axis, counts)
    return histories
