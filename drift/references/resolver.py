"""The reference of each window: the frozen one, or windows that were evaluated before it.

A reference that moves (`rolling`, `seasonal`) is composed anew for each window, from stored histograms alone. In each
column, windows that drifted are left out: a lasting change never becomes normal by lasting.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from drift.histogram import Histogram, History, Profile
from drift.monitors.comparison import SegmentReference, SegmentResult
from drift.monitors.spec import Monitor
from drift.monitors.window import Window, format_instant
from drift.references.seasons import MAX_SEASONS, season_starts
from drift.references.window_history import WindowHistory
from drift.stats.calibration import Calibration
from drift.store import StoredReference, WindowHistories


@dataclass(frozen=True, slots=True)
class ResolvedReference:
    """The reference of one window by segment ("" is all rows), its windows, and what else is known of it."""

    segments: Mapping[str, SegmentReference]
    kind: str
    windows: Sequence[Window]
    facts: Mapping[str, Any]

    @property
    def note(self) -> dict[str, Any]:
        """Its provenance in strict JSON."""
        ends = (self.windows[0].start, self.windows[-1].end) if self.windows else ()
        first, last = map(format_instant, ends) if ends else (None, None)
        return {"reference": self.kind, "windows": len(self.windows), "from": first, "to": last, **self.facts}


class ReferenceResolver:
    """Resolve the references of the windows of a monitor, in any order.

    `evaluated` has the evaluated windows, for a reference that moves; those from before the end of the frozen one are
    not used.
    """

    def __init__(self, monitor: Monitor, frozen: StoredReference, evaluated: WindowHistories | None = None) -> None:
        self.monitor, self.frozen = monitor, frozen
        self._fixed: ResolvedReference | None = None
        self._history = WindowHistory(frozen, evaluated) if monitor.reference.moves else None

    def resolve(self, window: Window) -> ResolvedReference:
        """Return the reference of a window."""
        if self._history is not None and (moving := self._moving(self._history, window)) is not None:
            return moving
        windows = self.frozen.windows
        disjoint = [i for i, w in enumerate(windows) if w.end <= window.start or window.end <= w.start]
        if len(disjoint) < len(windows):
            return self._from_frozen(disjoint)
        if self._fixed is None:
            self._fixed = self._from_frozen(disjoint)
        return self._fixed

    def add_checked(self, window: Window, results: Sequence[SegmentResult]) -> None:
        """Add an evaluated window: references of later windows may contain it."""
        if self._history is not None:
            self._history.add(window, results)

    def _from_frozen(self, disjoint: Sequence[int]) -> ResolvedReference:
        """Return the frozen reference of its windows `disjoint`: a window is never compared with itself."""
        segments = {}
        for name, profile in self.frozen.profiles.items():
            histories = self.frozen.histories.get(name, {})
            kept = {column: History(h.axis, h.counts[list(disjoint)]) for column, h in histories.items()}
            pooled = {**profile.histograms}
            for column, history in histories.items():
                left_out = history.counts.sum(axis=0) - kept[column].counts.sum(axis=0)
                pooled[column] = Histogram(history.axis, profile[column].counts - left_out)
            segments[name] = _or_frozen(pooled, profile), Calibration(kept)
        return self._resolved(segments, "fixed", [self.frozen.windows[i] for i in disjoint])

    def _moving(self, history: WindowHistory, window: Window) -> ResolvedReference | None:
        """Return a reference of earlier evaluated windows; None if there are none."""
        kind = "rolling" if self.monitor.reference.rolling is not None else "seasonal"
        compose = self._rolling if kind == "rolling" else self._seasonal
        used: set[int] = set()  # by any column: if one drifted in a window, an older window replaces it there
        segments = {
            segment: compose(history, segment, profile, window, used)
            for segment, profile in self.frozen.profiles.items()
        }
        if not used:
            return None
        return self._resolved(segments, kind, [history.windows[i] for i in sorted(used)])

    def _rolling(
        self, history: WindowHistory, segment: str, profile: Profile, window: Window, used: set[int]
    ) -> tuple[Mapping[str, Histogram], Calibration]:
        before = history.before(window)
        histories = {}
        for name, axis in profile.axes.items():
            newest = np.flatnonzero(before & history.usable(segment, name))[-self.monitor.rolling_windows :]
            used.update(newest.tolist())
            histories[name] = History(axis, history.counts(segment, name, axis)[newest])
        pooled = {name: each.pooled for name, each in histories.items()}
        return _or_frozen(pooled, profile), Calibration(histories)

    def _seasonal(
        self, history: WindowHistory, segment: str, profile: Profile, window: Window, used: set[int]
    ) -> tuple[Mapping[str, Histogram], Calibration]:
        index = {other.start: i for i, other in enumerate(history.windows)}
        own = [i for start in season_starts(self.monitor, window) if (i := index.get(start)) is not None]
        newest = np.flatnonzero(history.before(window))[-MAX_SEASONS:]
        seasons = (season_starts(self.monitor, history.windows[i]) for i in newest)
        theirs = np.array([[index.get(start, -1) for start in starts] for starts in seasons], np.intp)
        theirs = theirs.reshape(len(newest), -1)
        pooled, histories, references = {}, {}, {}
        for name, axis in profile.axes.items():
            usable = history.usable(segment, name)
            counts = np.where(usable[:, None], history.counts(segment, name, axis), 0)
            used.update(i for i in own if usable[i])
            pooled[name] = Histogram(axis, counts[own].sum(axis=0))
            summed = np.where((theirs >= 0)[:, :, None], counts[theirs], 0).sum(axis=1)
            has_reference = summed.any(axis=1)  # counts of unusable windows are zeros, and so left out as well
            histories[name] = History(axis, counts[newest] * has_reference[:, None])
            references[name] = (History(axis, np.maximum(summed, ~has_reference[:, None])), pooled[name])
        known = {name: each for name, each in histories.items() if pooled[name].rows}
        return _or_frozen(pooled, profile), Calibration(known, references)

    def _resolved(
        self, segments: Mapping[str, tuple[Mapping[str, Histogram], Calibration]], kind: str, windows: Sequence[Window]
    ) -> ResolvedReference:
        monitor, whole = self.monitor, segments[""][1]
        checks = max(1, sum(len(pooled) for pooled, _ in segments.values()))
        autocorrelation = 0.0
        if monitor.alerting.for_windows > 1 and len(whole):
            inner = windows[-max(whole.windows.values()) :] if kind == "rolling" else windows
            autocorrelation = whole.autocorrelation(_seconds(w.start for w in inner), _seconds(w.end for w in inner))
        level = monitor.budget.level(checks, monitor.period.length, monitor.alerting.for_windows, autocorrelation)
        references = {
            name: SegmentReference(
                pooled, self.frozen.profiles[name].uncounted, calibration, level, monitor.period.length
            )
            for name, (pooled, calibration) in segments.items()
        }
        facts = {
            "budget": str(monitor.budget),
            "checks": checks,
            "carried_over": round(autocorrelation, 4),
            "level": level,
            "calibrated": sum(len(calibration) for _, calibration in segments.values()),
        }
        return ResolvedReference(references, kind, windows, facts)


def _or_frozen(pooled: Mapping[str, Histogram], profile: Profile) -> dict[str, Histogram]:
    """Use the whole frozen reference for a column without rows in other windows."""
    return {name: histogram if histogram.rows else profile[name] for name, histogram in pooled.items()}


def _seconds(moments: Iterable[datetime]) -> npt.NDArray[np.float64]:
    return np.array([moment.timestamp() for moment in moments])
