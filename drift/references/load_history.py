"""How much of the past a reference that moves needs."""

from datetime import datetime

from drift.monitors.spec import Monitor
from drift.references.seasons import history_span
from drift.store import Store, WindowHistories


def load_history(store: Store, monitor: Monitor, first: datetime, last: datetime) -> WindowHistories | None:
    """The past that windows from `first` to `last` are held to; None where the reference does not move.

    Of a rolling reference twice its windows are read, and all there are only where incidents leave too few.
    """
    reference, name = monitor.reference, monitor.name
    if reference.rolling is None:
        return (
            store.history.windows(name, since=history_span(monitor, first), before=last) if reference.seasonal else None
        )
    wanted = 2 * monitor.rolling_windows + (last - first) // monitor.period.length + 1
    some = store.history.windows(name, before=last, limit=wanted)
    usable = [
        int((history.counts.any(axis=1) & ~some.drifted[segment][column]).sum())
        for segment, columns in some.histories.items()
        for column, history in columns.items()
    ]
    enough = min(usable, default=0) >= wanted - monitor.rolling_windows
    return some if enough or len(some.windows) < wanted else store.history.windows(name, before=last)
