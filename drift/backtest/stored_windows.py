"""What is stored of a stretch of windows, as a backtest needs it: counts, and verdicts where there are none."""

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

Kept = Mapping[str, Mapping[str, tuple[Verdict, str, str]]]
"""By segment, then column: the stored verdict, its code (empty if none was stored) and its message."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredWindows:
    """Checked windows of one monitor, each by its newest revision.

    Parameters
    ----------
    past : Past
        Their counts; windows before the stretch itself as well, where a reference that moves needs them.
    rows : mapping of Window to int
        Of the windows to replay; 0 of one that could not be read.
    verdicts : mapping of Window to Kept
        As stored; a window that could not be read has none.
    """

    past: WindowHistories
    rows: Mapping[Window, int]
    verdicts: Mapping[Window, Kept]

    def windows(self) -> Iterator[tuple[int, Window]]:
        """Windows to replay with their numbers in the past, oldest first."""
        return ((i, window) for i, window in enumerate(self.past.windows) if window in self.rows)

    def live(self, number: int, window: Window, segment: str, wanted: Mapping[str, Histogram]) -> Profile:
        """The columns of a window that were counted on the axes wanted."""
        histories = self.past.histories.get(segment, {})
        found = {
            name: Histogram(history.axis, counts)
            for name, histogram in wanted.items()
            if (history := histories.get(name)) is not None
            and (history.axis is histogram.axis or history.axis == histogram.axis)
            and (counts := history.counts[number]).any()
        }
        if found:
            return Profile(found, next(iter(found.values())).rows)
        told = self.verdicts[window][segment].values()
        empty = all(verdict is Verdict.NO_DATA for verdict, *_ in told)
        return Profile({}, 0 if empty else self.rows[window])

    def kept(self, window: Window, segment: str, live: Collection[str], known: Collection[str]) -> list[ColumnResult]:
        """Columns that cannot be judged again, by their stored verdicts."""
        return [
            ColumnResult(name, verdict, code, message)
            for name, (verdict, code, message) in self.verdicts[window][segment].items()
            if name not in live and name in known
        ]


def load_stored_windows(
    store: Store, monitor: Monitor, since: datetime | None = None, until: datetime | None = None
) -> StoredWindows:
    """The checked windows of a monitor that start in [since, until), of the length that it has now.

    Everything before `since` is read as well: a reference that moves may be made of it.

    Raises
    ------
    StoreError
        Where no window of that stretch was checked, or none has its histograms any longer.
    """
    past = store.history.windows(monitor.name, until=until)
    rows = {}
    for row in store.queries.windows(monitor.name, since, until):
        if row["revision"] is not None:
            window = _window(row)
            if monitor.period.window_at(window.start, monitor.timezone) == window:
                rows[window] = row["rows"] or 0
    if not rows:
        when = f" from {since or 'the first'} to {until or 'the last'}" if since or until else ""
        raise StoreError(
            f"monitor {monitor.name!r} has no checked window of {monitor.period}{when}; `drift run` checks"
        )
    counted = frozenset(past.windows)
    rows = {window: number for window, number in rows.items() if window in counted}
    if not rows:
        raise StoreError(
            f"the histograms of these windows of monitor {monitor.name!r} are dropped (`keep` is {monitor.keep}): "
            "their verdicts are all that is left; try a later stretch, or backfill this one while its data is there"
        )
    verdicts: dict[Window, dict[str, dict[str, tuple[Verdict, str, str]]]] = {window: {} for window in rows}
    at: dict[tuple[str, str], Window] = {}  # one window has hundreds of rows: its times are read once
    for row in store.queries.scores(monitor.name, since=since, until=until):
        key = row["window_start"], row["window_end"]
        window = at.get(key) or at.setdefault(key, _window(row))
        if window in verdicts:
            part = verdicts[window].setdefault(row["segment"], {})
            part[row["column"]] = (Verdict(row["verdict"]), row["code"] or "", row["message"])
    return StoredWindows(past, rows, verdicts)


def _window(row: Mapping[str, str]) -> Window:
    return Window(datetime.fromisoformat(row["window_start"]), datetime.fromisoformat(row["window_end"]))
