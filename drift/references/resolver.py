"""What each window is held to: the frozen reference, or windows that were checked before it.

A reference that moves (`rolling`, `seasonal`) is put together anew for each window, from stored histograms alone.
In each column, windows that drifted are left out: an incident never becomes the normal by being long enough.
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
from drift.references.seasons import MAX_SEASONS, Seasons
from drift.references.window_history import WindowHistory
from drift.stats.calibration import Calibration
from drift.store import StoredReference, WindowHistories


@dataclass(frozen=True, slots=True)
class ResolvedReference:
    """What one window is held to.

    Parameters
    ----------
    segments : mapping of str to Standard
        By segment; "" is all rows.
    note : mapping
        How it came about, in strict JSON: for the record.
    """

    segments: Mapping[str, SegmentReference]
    note: Mapping[str, Any]


class ReferenceResolver:
    """The standards of a monitor's windows, asked for in any order.

    Parameters
    ----------
    monitor : Monitor
        As configured.
    baseline : Baseline
        The frozen reference, with the windows it was counted in.
    past : Past or None
        Windows checked before, for a reference that moves; those from before the end of the baseline are not used.
    """

    def __init__(self, monitor: Monitor, baseline: StoredReference, past: WindowHistories | None = None) -> None:
        self.monitor, self.baseline = monitor, baseline
        self._fixed: ResolvedReference | None = None
        self._book = WindowHistory(baseline, past) if monitor.reference.moves else None

    def of(self, window: Window) -> ResolvedReference:
        """What a window is held to."""
        if self._book is not None and (moving := self._moving(self._book, window)) is not None:
            return moving
        apart = [i for i, other in enumerate(self.baseline.windows) if not _overlap(window, other)]
        if len(apart) < len(self.baseline.windows):
            return self._frozen(apart)
        if self._fixed is None:
            self._fixed = self._frozen(apart)
        return self._fixed

    def checked(self, window: Window, results: Sequence[SegmentResult]) -> None:
        """Remember a window that was checked: later ones may be held to it."""
        if self._book is not None:
            self._book.add(window, results)

    def _frozen(self, apart: Sequence[int]) -> ResolvedReference:
        """The frozen reference, of its windows only those `apart` from the one checked: it is not held to itself."""
        segments = {}
        for name, profile in self.baseline.profiles.items():
            known = self.baseline.histories.get(name, {})
            kept = {column: History(h.axis, h.counts[list(apart)]) for column, h in known.items()}
            pooled = {**profile.histograms}
            for column, history in known.items():
                left = profile[column].counts - (history.counts.sum(axis=0) - kept[column].counts.sum(axis=0))
                pooled[column] = Histogram(history.axis, left)
            segments[name] = _or_frozen(pooled, profile), Calibration(kept)
        return self._held(segments, "fixed", [self.baseline.windows[i] for i in apart])

    def _moving(self, book: WindowHistory, window: Window) -> ResolvedReference | None:
        """From windows checked before; None where there is none."""
        reference = self.monitor.reference
        kind = "rolling" if reference.rolling is not None else "seasonal"
        segments: dict[str, tuple[Mapping[str, Histogram], Calibration]] = {}
        used: set[int] = set()  # in any column: where one drifted, an older window takes its place
        for segment, profile in self.baseline.profiles.items():
            if kind == "rolling":
                pooled, calibration = self._rolled(book, segment, profile, window, used)
            else:
                pooled, calibration = self._in_season(book, segment, profile, window, used)
            segments[segment] = pooled, calibration
        if not used:
            return None
        return self._held(segments, kind, [book.windows[i] for i in sorted(used)])

    def _rolled(
        self, book: WindowHistory, segment: str, profile: Profile, window: Window, used: set[int]
    ) -> tuple[Mapping[str, Histogram], Calibration]:
        most = self.monitor.rolling_windows
        before = book.before(window)
        histories = {}
        for name, axis in profile.axes.items():
            chosen = np.flatnonzero(before & book.usable(segment, name))[-most:]
            used.update(chosen.tolist())
            histories[name] = History(axis, book.counts(segment, name, axis)[chosen])
        pooled = {name: history.pooled for name, history in histories.items()}
        return _or_frozen(pooled, profile), Calibration(histories)

    def _in_season(
        self, book: WindowHistory, segment: str, profile: Profile, window: Window, used: set[int]
    ) -> tuple[Mapping[str, Histogram], Calibration]:
        before = book.before(window)
        place = {other.start: i for i, other in enumerate(book.windows)}
        seasons = Seasons(self.monitor)
        here = [i for start in seasons.starts(window) if (i := place.get(start)) is not None]
        newest = np.flatnonzero(before)[-MAX_SEASONS:]
        there = np.array(
            [[place.get(start, -1) for start in seasons.starts(book.windows[i])] for i in newest], np.intp
        ).reshape(len(newest), -1)
        pooled, histories, own = {}, {}, {}
        for name, axis in profile.axes.items():
            usable = book.usable(segment, name)
            counts = np.where(usable[:, None], book.counts(segment, name, axis), 0)
            used.update(i for i in here if usable[i])
            pooled[name] = Histogram(axis, counts[here].sum(axis=0))
            theirs = np.where((there >= 0)[:, :, None], counts[there], 0).sum(axis=1)
            told = theirs.any(axis=1)  # counts of windows that are left out are zeros, and so left out as well
            histories[name] = History(axis, counts[newest] * told[:, None])
            own[name] = (History(axis, np.maximum(theirs, ~told[:, None])), pooled[name])
        frozen = _or_frozen(pooled, profile)
        known = {name: history for name, history in histories.items() if pooled[name].rows}
        return frozen, Calibration(known, own)

    def _held(
        self,
        segments: Mapping[str, tuple[Mapping[str, Histogram], Calibration]],
        kind: str,
        windows: Sequence[Window],
    ) -> ResolvedReference:
        monitor, whole = self.monitor, segments[""][1]
        checks = max(1, sum(len(pooled) for pooled, _ in segments.values()))
        carried = 0.0
        if monitor.alerting.for_windows > 1 and len(whole):
            inner = windows[-max(whole.windows.values()) :] if kind == "rolling" else windows
            carried = whole.autocorrelation(_seconds(w.start for w in inner), _seconds(w.end for w in inner))
        level = monitor.budget.level(checks, monitor.period.length, monitor.alerting.for_windows, carried)
        standards = {
            name: SegmentReference(
                pooled, self.baseline.profiles[name].uncounted, calibration, level, monitor.period.length
            )
            for name, (pooled, calibration) in segments.items()
        }
        note = {
            "reference": kind,
            "windows": len(windows),
            "from": format_instant(windows[0].start) if windows else None,
            "to": format_instant(windows[-1].end) if windows else None,
            "budget": str(monitor.budget),
            "checks": checks,
            "carried_over": round(carried, 4),
            "level": level,
            "calibrated": sum(len(calibration) for _, calibration in segments.values()),
        }
        return ResolvedReference(standards, note)


def _or_frozen(pooled: Mapping[str, Histogram], profile: Profile) -> dict[str, Histogram]:
    """The whole frozen reference for a column of which no other window is left."""
    return {name: histogram if histogram.rows else profile[name] for name, histogram in pooled.items()}


def _overlap(one: Window, other: Window) -> bool:
    return one.start < other.end and other.start < one.end


def _seconds(moments: Iterable[datetime]) -> npt.NDArray[np.float64]:
    return np.array([moment.timestamp() for moment in moments])
