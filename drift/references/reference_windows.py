"""The windows of a reference, counted apart: from them is learned how much ordinary windows differ."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import numpy as np

from drift.errors import SourceError
from drift.histogram import History, Profile
from drift.monitors.spec import Monitor
from drift.monitors.window import Window
from drift.sources import Source
from drift.sources.files import Files

MAX_REFERENCE_WINDOWS: Final = 500
"""Windows of a reference that are counted apart; more would teach little more."""

Histories = dict[str, dict[str, History]]


def whole_windows(monitor: Monitor, stretch: Window, now: datetime) -> list[Window]:
    """The monitor's windows that have closed and lie wholly inside a stretch, in the order of time."""
    until = min(stretch.end, now)
    return [w for w in monitor.period.windows(stretch.start, until, monitor.timezone) if w.start >= stretch.start]


def sample_windows(windows: Sequence[Window], monitor: str) -> tuple[Window, ...]:
    """Those of a reference's windows that are counted apart.

    Of more than `MAX_REFERENCE_WINDOWS` a random choice, the same each time: every k-th would be the same hours of the
    day.
    """
    if len(windows) <= MAX_REFERENCE_WINDOWS:
        return tuple(windows)
    seed = hashlib.sha256(monitor.encode("utf-8", "surrogatepass")).digest()
    rng = np.random.default_rng(int.from_bytes(seed[:8], "little"))
    return tuple(windows[i] for i in np.sort(rng.choice(len(windows), MAX_REFERENCE_WINDOWS, replace=False)).tolist())


def placed_file(monitor: Monitor, names: Sequence[str]) -> tuple[Source | None, Window | None, list[str]]:
    """A reference in a file of its own: its rows by time, from when to when they are, and what is amiss with that.

    Its first and its last window are left out, since nothing says that they are whole.
    """
    if monitor.reference.path is None or monitor.timestamp not in names:
        return None, None, []
    placed = Files(monitor.reference.path, monitor.timestamp, monitor.timezone)
    try:
        span = placed.span()
    except SourceError as error:  # the file itself is read; it only tells nothing of windows
        return None, None, [f"the reference has no windows: {error}"]
    return placed, None if span is None or span[0] == span[1] else Window(*span), []


def count_reference_windows(
    source: Source, profiles: Mapping[str, Profile], windows: Sequence[Window], segments: Sequence[str]
) -> tuple[Histories, list[str]]:
    """The history of each segment and column, and what is to be said of columns that have none.

    Raises
    ------
    SourceError
        Where a window cannot be read.
    """
    if not windows:
        return {}, []
    each = source.count_each(profiles[""].axes, windows, segments, profiles)
    lost = {name: what.message for found in each for part in found.values() for name, what in part.uncounted.items()}
    histories = {
        segment: {
            name: History.of(h.axis, (found[segment][name] if segment in found else None for found in each))
            for name, h in whole.histograms.items()
            if name not in lost
        }
        for segment, whole in profiles.items()
    }
    told = [
        f"{name}: could not be counted in each window of the reference ({message}); how its windows vary is not known"
        for name, message in lost.items()
        if name in profiles[""]
    ]
    return histories, told
