"""Stored windows for a backtest: counts, and the verdicts of columns without counts."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from drift.errors import StoreError
from drift.histogram import Histogram, Profile
from drift.monitors.comparison import ColumnResult
from drift.monitors.spec import Monitor
from drift.monitors.verdict import Verdict
from drift.monitors.window import Window
from drift.store import Store, WindowHistories

StoredVerdicts = Mapping[str, Mapping[str, tuple[Verdict, str, str]]]
"""By segment, then column: the stored verdict, its code (empty if none was stored) and its message."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredWindows:
    """Evaluated windows of one monitor, each in its newest revision.

    `histories` has the counts of these windows, and of earlier ones for references that move. `rows` has the windows to
    replay with their numbers of rows; 0 if one could not be read. `verdicts` are those stored; none for such a window.
    """

    histories: WindowHistories
    rows: Mapping[Window, int]
    verdicts: Mapping[Window, StoredVerdicts]

    def windows(self) -> Iterator[tuple[int, Window]]:
        """Yield the windows to replay with their indices in the histories, oldest first."""
        return ((i, window) for i, window in enumerate(self.histories.windows) if window in self.rows)

    def live(self, number: int, window: Window, segment: str, wanted: Mapping[str, Histogram]) -> Profile:
        """Return the columns of a window that were counted on the axes of the wanted histograms."""
        histories = self.histories.histories.get(segment, {})
        counted = {
            name: Histogram(history.axis, counts)
            for name, histogram in wanted.items()
            if (history := histories.get(name)) is not None
            and (history.axis is histogram.axis or history.axis == histogram.axis)
            and (counts := history.counts[number]).any()
        }
        if counted:
            return Profile(counted, next(iter(counted.values())).rows)
        empty = all(verdict is Verdict.NO_DATA for verdict, *_ in self.verdicts[window][segment].values())
        return Profile({}, 0 if empty else self.rows[window])

    def kept(self, window: Window, segment: str, live: Collection[str], known: Collection[str]) -> list[ColumnResult]:
        """Return the stored results of columns that cannot be judged again."""
        return [
            ColumnResult(name, verdict, code, message)
            for name, (verdict, code, message) in self.verdicts[window][segment].items()
            if name not in live and name in known
        ]


def load_stored_windows(
    store: Store, monitor: Monitor, since: datetime | None = None, until: datetime | None = None
) -> StoredWindows:
    """Return the evaluated windows of a monitor that start in [since, until) and have its present window length.

    Windows before `since` are read as well: a reference that moves may need them.

    Raises
    ------
    StoreError
        If no window in that range was evaluated, or their histograms were dropped.
    """
    histories = store.history.windows(monitor.name, until=until)
    rows = {}
    for row in store.queries.windows(monitor.name, since, until):
        if row["revision"] is not None:
            window = _window(row)
            if monitor.period.window_at(window.start, monitor.timezone) == window:
                rows[window] = row["rows"] or 0
    if not rows:
        when = f" from {since or 'the first'} to {until or 'the last'}" if since or until else ""
        message = f"monitor {monitor.name!r} has no evaluated window of {monitor.period}{when}; run `drift run` first"
        raise StoreError(message, code="no-evaluated-windows")
    counted = frozenset(histories.windows)
    rows = {window: number for window, number in rows.items() if window in counted}
    if not rows:
        raise StoreError(
            f"the histograms of these windows of monitor {monitor.name!r} were dropped (`keep` is {monitor.keep}); "
            "choose a later range, or run `drift backfill` for this one if its data still exists",
            code="histograms-dropped",
        )
    verdicts: dict[Window, dict[str, dict[str, tuple[Verdict, str, str]]]] = {window: {} for window in rows}
    at: dict[tuple[str, str], Window] = {}  # a window has hundreds of rows: its times are parsed once
    for row in store.queries.scores(monitor.name, since=since, until=until):
        key = row["window_start"], row["window_end"]
        window = at.get(key) or at.setdefault(key, _window(row))
        if window in verdicts:
            part = verdicts[window].setdefault(row["segment"], {})
            part[row["column"]] = (Verdict(row["verdict"]), row["code"] or "", row["message"])
    return StoredWindows(histories, rows, verdicts)


def _window(row: Mapping[str, str]) -> Window:
    return Window(datetime.fromisoformat(row["window_start"]), datetime.fromisoformat(row["window_end"]))
