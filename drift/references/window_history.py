"""The earlier windows of a monitor: counts of each column in order of time."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from drift.histogram import Axis
from drift.monitors.comparison import SegmentResult
from drift.monitors.window import Window
from drift.store import StoredReference, WindowHistories

Usable = npt.NDArray[np.bool_]


class WindowHistory:
    """Counts of the windows of the frozen reference and of those evaluated after it, in order of time.

    The axes are those of the frozen reference. Evaluated windows that start before its end are not used.
    """

    def __init__(self, frozen: StoredReference, evaluated: WindowHistories | None) -> None:
        end = max((window.end for window in frozen.windows), default=None)
        later = [i for i, w in enumerate(evaluated.windows) if end is None or w.start >= end] if evaluated else []
        self.windows: list[Window] = [*frozen.windows]
        if evaluated is not None:
            self.windows += [evaluated.windows[i] for i in later]
        self._starts = [window.start for window in self.windows]
        self._axes: dict[tuple[str, str], Axis] = {}
        self._counts: dict[tuple[str, str], npt.NDArray[np.int64]] = {}
        self._drifted: dict[tuple[str, str], Usable] = {}
        first = len(frozen.windows)
        for segment, profile in frozen.profiles.items():
            for name, axis in profile.axes.items():
                counts = np.zeros((len(self.windows), axis.n_bins), np.int64)
                drifted = np.zeros(len(self.windows), bool)
                if (before := frozen.histories.get(segment, {}).get(name)) is not None:
                    counts[:first] = before.counts
                after = evaluated.histories.get(segment, {}).get(name) if evaluated else None
                if evaluated is not None and after is not None and after.axis == axis:
                    counts[first:] = after.counts[later]
                    drifted[first:] = evaluated.drifted[segment][name][later]
                self._axes[segment, name], self._counts[segment, name] = axis, counts
                self._drifted[segment, name] = drifted

    def before(self, window: Window) -> Usable:
        """Return which windows had ended when `window` began, shape (windows,)."""
        return np.array([other.end <= window.start for other in self.windows], bool)

    def counts(self, segment: str, column: str, axis: Axis) -> npt.NDArray[np.int64]:
        """Return the counts of all windows, shape (windows, bins)."""
        return self._counts.get((segment, column), np.zeros((len(self.windows), axis.n_bins), np.int64))

    def usable(self, segment: str, column: str) -> Usable:
        """Return which windows have rows and did not drift, shape (windows,)."""
        key = (segment, column)
        if key not in self._counts:
            return np.zeros(len(self.windows), bool)
        return self._counts[key].any(axis=1) & ~self._drifted[key]

    def add(self, window: Window, results: Sequence[SegmentResult]) -> None:
        """Add an evaluated window, or replace it after a re-check."""
        columns = {(part.segment, column.column): column for part in results for column in part.columns}
        i = self._index(window)
        for key, counts in self._counts.items():
            column = columns.get(key)
            live = None if column is None else column.live
            counts[i] = live.counts if live is not None and live.axis == self._axes[key] else 0
            self._drifted[key][i] = column is not None and column.excluded_from_reference

    def _index(self, window: Window) -> int:
        """Return the index of a window; insert it if it is new."""
        if window.start in self._starts:
            return self._starts.index(window.start)
        i = int(np.searchsorted([start.timestamp() for start in self._starts], window.start.timestamp()))
        self.windows.insert(i, window)
        self._starts.insert(i, window.start)
        for key, counts in self._counts.items():
            self._counts[key] = np.insert(counts, i, 0, axis=0)
            self._drifted[key] = np.insert(self._drifted[key], i, False)
        return i
