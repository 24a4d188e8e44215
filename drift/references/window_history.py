"""What is known of a monitor's earlier windows: counts, column by column, in time order."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from drift.histogram import Axis
from drift.monitors.comparison import SegmentResult
from drift.monitors.window import Window
from drift.store import StoredReference, WindowHistories

Usable = npt.NDArray[np.bool_]


class WindowHistory:
    """Counts of the baseline's windows and of those checked after it, column by column, in time order."""

    def __init__(self, baseline: StoredReference, past: WindowHistories | None) -> None:
        end = max((window.end for window in baseline.windows), default=None)
        later = [i for i, w in enumerate(past.windows) if end is None or w.start >= end] if past else []
        self.windows: list[Window] = (
            [*baseline.windows, *(past.windows[i] for i in later)] if past else [*baseline.windows]
        )
        self._starts = [window.start for window in self.windows]
        self._axes: dict[tuple[str, str], Axis] = {}
        self._counts: dict[tuple[str, str], npt.NDArray[np.int64]] = {}
        self._drifted: dict[tuple[str, str], Usable] = {}
        first = len(baseline.windows)
        for segment, profile in baseline.profiles.items():
            for name, axis in profile.axes.items():
                frozen = baseline.histories.get(segment, {}).get(name)
                counts = np.zeros((len(self.windows), axis.n_bins), np.int64)
                drifted = np.zeros(len(self.windows), bool)
                if frozen is not None:
                    counts[:first] = frozen.counts
                known = past.histories.get(segment, {}).get(name) if past else None
                if past is not None and known is not None and known.axis == axis:
                    counts[first:], drifted[first:] = known.counts[later], past.drifted[segment][name][later]
                self._axes[segment, name], self._counts[segment, name] = axis, counts
                self._drifted[segment, name] = drifted

    def before(self, window: Window) -> Usable:
        """Which windows ended when this one began."""
        return np.array([other.end <= window.start for other in self.windows], bool)

    def counts(self, segment: str, column: str, axis: Axis) -> npt.NDArray[np.int64]:
        """Counts of all windows, shape (windows, bins)."""
        return self._counts.get((segment, column), np.zeros((len(self.windows), axis.n_bins), np.int64))

    def usable(self, segment: str, column: str) -> Usable:
        """Which windows hold rows and did not drift."""
        key = (segment, column)
        if key not in self._counts:
            return np.zeros(len(self.windows), bool)
        return self._counts[key].any(axis=1) & ~self._drifted[key]

    def add(self, window: Window, results: Sequence[SegmentResult]) -> None:
        """A window that was just checked, or checked again."""
        found = {(part.segment, c.column): c for part in results for c in part.columns}
        if window.start in self._starts:
            at = self._starts.index(window.start)
        else:
            at = int(np.searchsorted([s.timestamp() for s in self._starts], window.start.timestamp()))
            self.windows.insert(at, window)
            self._starts.insert(at, window.start)
            for key, counts in self._counts.items():
                self._counts[key] = np.insert(counts, at, 0, axis=0)
                self._drifted[key] = np.insert(self._drifted[key], at, False)
        for key, counts in self._counts.items():
            column = found.get(key)
            told = column is not None and column.live is not None and column.live.axis == self._axes[key]
            counts[at] = column.live.counts if told and column is not None and column.live is not None else 0
            self._drifted[key][at] = column is not None and column.excluded_from_reference
