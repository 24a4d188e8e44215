"""Loading the stored windows that a moving reference needs."""

from datetime import datetime

from drift.monitors.spec import Monitor
from drift.references.seasons import history_start
from drift.store import Store, WindowHistories


def load_history(store: Store, monitor: Monitor, first: datetime, last: datetime) -> WindowHistories | None:
    """Return the stored windows for references of windows from `first` to `last`; None if the reference is fixed.

    For a rolling reference, twice its windows are read; all of them only if drifted windows leave too few.
    """
    reference, name = monitor.reference, monitor.name
    if reference.rolling is None:
        if reference.seasonal is None:
            return None
        return store.history.windows(name, since=history_start(monitor, first), until=last)
    wanted = 2 * monitor.rolling_windows + (last - first) // monitor.period.length + 1
    newest = store.history.windows(name, until=last, limit=wanted)
    usable = [
        int((history.counts.any(axis=1) & ~newest.drifted[segment][column]).sum())
        for segment, columns in newest.histories.items()
        for column, history in columns.items()
    ]
    enough = min(usable, default=0) >= wanted - monitor.rolling_windows
    return newest if enough or len(newest.windows) < wanted else store.history.windows(name, until=last)
