"""The windows of a reference, and the counts of each column in them."""

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
    cache: AxisCache,
    monitor_id: int,
    baseline_id: int,
    windows: Sequence[Window],
    histories: Mapping[str, Mapping[str, History]],
) -> None:
    """Write the windows of a reference and their counts."""
    intervals = [
        {"baseline_id": baseline_id, "number": number, "start_at": window.start, "end_at": window.end}
        for number, window in enumerate(windows)
    ]
    if intervals:
        connection.execute(reference_window.insert(), intervals)
    segments = histories.values()
    axes = axis_ids(connection, cache, (h.axis for columns in segments for h in columns.values()))
    column_keys = column_ids(connection, monitor_id, (name for columns in segments for name in columns))
    rows = [
        {
            "baseline_id": baseline_id,
            "column_id": column_keys[name],
            "segment": segment,
            "axis_id": axes[cache.digest(history.axis)],
            "counts": history.counts.astype(COUNTS_DTYPE).tobytes(),
        }
        for segment, columns in histories.items()
        for name, history in columns.items()
    ]
    if rows:
        connection.execute(reference_history.insert(), rows)


def read_windows(connection: Connection, baseline_id: int) -> tuple[Window, ...]:
    """Return the windows of a reference, in the order of time."""
    query = select(reference_window).where(reference_window.c.baseline_id == baseline_id)
    rows = connection.execute(query.order_by(reference_window.c.number))
    return tuple(Window(row.start_at, row.end_at) for row in rows)


def read_histories(
    connection: Connection, cache: AxisCache, baseline_id: int, windows: int
) -> Mapping[str, Mapping[str, History]]:
    """Return the counts in the windows of a reference, by segment, then column."""
    query = (
        select(watched_column.c.name, reference_history)
        .join(watched_column, watched_column.c.id == reference_history.c.column_id)
        .where(reference_history.c.baseline_id == baseline_id)
        .order_by(reference_history.c.column_id)
    )
    rows: list[Any] = list(connection.execute(query))
    axes = axes_by_id(connection, cache, (row.axis_id for row in rows))
    histories: dict[str, dict[str, History]] = {}
    for row in rows:
        axis = axes[row.axis_id]
        counts = np.frombuffer(row.counts, COUNTS_DTYPE).reshape(windows, axis.n_bins)
        histories.setdefault(row.segment, {})[row.name] = History(axis, counts)
    return histories
