"""What each window is held to: the frozen reference, or windows that were checked before it.

A reference that moves (`rolling`, `seasonal`) is put together anew for each window, from stored histograms alone.
In each column, windows that drifted are left out: an incident never becomes the normal by being long enough.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from drift.calibration import Calibration
from drift.comparison import SegmentResult, Standard
from drift.histogram import Axis, Histogram, History, Profile
from drift.monitor import SHORT, WEEK, Monitor
from drift.store import Baseline, Past
from drift.window import Window, format_instant

NEWEST: Final = 400
"""Of windows with a reference each of their own, so many of the newest are learned from."""

Starts = npt.NDArray[np.float64]
Usable = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Held:
    """What one window is held to.

    Parameters
    ----------
    segments : mapping of str to Standard
        By segment; "" is all rows.
    note : mapping
        How it came about, in strict JSON: for the record.
    """

    segments: Mapping[str, Standard]
    note: Mapping[str, Any]


class Standards:
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

    def __init__(self, monitor: Monitor, baseline: Baseline, past: Past | None = None) -> None:
        self.monitor, self.baseline = monitor, baseline
        self._fixed: Held | None = None
        self._book = _Book(baseline, past) if monitor.reference.moves else None

    def of(self, window: Window) -> Held:
        """What a window is held to."""
        if self._book is not None and (moving := self._moving(self._book, window)) is not None:
            return moving
        if self._fixed is None:
            segments = {
                name: (profile.histograms, Calibration(self.baseline.histories.get(name, {})))
                for name, profile in self.baseline.profiles.items()
            }
            self._fixed = self._held(segments, "fixed", self.baseline.windows)
        return self._fixed

    def checked(self, window: Window, results: Sequence[SegmentResult]) -> None:
        """Remember a window that was checked: later ones may be held to it."""
        if self._book is not None:
            self._book.add(window, results)

    def _moving(self, book: "_Book", window: Window) -> Held | None:
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
        self, book: "_Book", segment: str, profile: Profile, window: Window, used: set[int]
    ) -> tuple[Mapping[str, Histogram], Calibration]:
        length = self.monitor.reference.rolling or timedelta(0)
        most = max(2, round(length / self.monitor.period.length))
        before = book.before(window)
        histories = {}
        for name, axis in profile.axes.items():
            chosen = np.flatnonzero(before & book.usable(segment, name))[-most:]
            used.update(chosen.tolist())
            histories[name] = History(axis, book.counts(segment, name, axis)[chosen])
        pooled = {name: history.pooled for name, history in histories.items()}
        return _or_frozen(pooled, profile), Calibration(histories)

    def _in_season(
        self, book: "_Book", segment: str, profile: Profile, window: Window, used: set[int]
    ) -> tuple[Mapping[str, Histogram], Calibration]:
        before = book.before(window)
        place = {other.start: i for i, other in enumerate(book.windows)}
        seasons = _Seasons(self.monitor)
        here = [i for start in seasons.starts(window) if (i := place.get(start)) is not None]
        newest = np.flatnonzero(before)[-NEWEST:]
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
    ) -> Held:
        monitor, whole = self.monitor, segments[""][1]
        checks = max(1, sum(len(pooled) for pooled, _ in segments.values()))
        carried = 0.0
        if monitor.alerting.for_windows > 1 and len(whole):
            inner = windows[-max(whole.windows.values()) :] if kind == "rolling" else windows
            carried = whole.carried_over(_seconds(w.start for w in inner), _seconds(w.end for w in inner))
        level = monitor.budget.level(checks, monitor.period.length, monitor.alerting.for_windows, carried)
        standards = {
            name: Standard(pooled, self.baseline.profiles[name].uncounted, calibration, level, monitor.period.length)
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
        return Held(standards, note)


def _or_frozen(pooled: Mapping[str, Histogram], profile: Profile) -> dict[str, Histogram]:
    """The frozen reference of a column of which every window is left out."""
    return {name: histogram if histogram.rows else profile[name] for name, histogram in pooled.items()}


def _seconds(moments: Iterable[datetime]) -> Starts:
    return np.array([moment.timestamp() for moment in moments])


@dataclass(frozen=True, slots=True)
class _Seasons:
    """When the windows are that one is held to by season."""

    monitor: Monitor

    def starts(self, window: Window) -> list[datetime]:
        reference = self.monitor.reference
        season, number = reference.seasonal or WEEK, reference.windows
        if season <= SHORT:
            return [self._earlier(window.start, season * j) for j in range(1, number + 1)]
        return [self._earlier(window.start, season - WEEK * k) for k in range(-(number // 2), number - number // 2)]

    def _earlier(self, start: datetime, length: timedelta) -> datetime:
        """Days and weeks by the monitor's calendar, minutes and hours by the clock in UTC, as its windows are."""
        if self.monitor.period.unit in {"m", "h"}:
            return start - length
        local = start.astimezone(self.monitor.timezone).replace(tzinfo=None) - length
        return local.replace(tzinfo=self.monitor.timezone).astimezone(UTC)


class _Book:
    """Counts of the baseline's windows and of those checked after it, column by column, in time order."""

    def __init__(self, baseline: Baseline, past: Past | None) -> None:
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
            self._drifted[key][at] = column is not None and column.incident
