"""Counting each window of a reference: how much they differ shows how much unchanged windows differ."""

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
"""Windows of a reference that are counted one by one; more would add little."""

Histories = dict[str, dict[str, History]]


def complete_windows(monitor: Monitor, within: Window, now: datetime) -> list[Window]:
    """Return the closed windows of a monitor that lie wholly within a range, in order of time."""
    until = min(within.end, now)
    return [w for w in monitor.period.windows(within.start, until, monitor.timezone) if w.start >= within.start]


def sample_windows(windows: Sequence[Window], monitor: str) -> tuple[Window, ...]:
    """Return the windows of a reference to count one by one, in the same order.

    From more than `MAX_REFERENCE_WINDOWS` a random sample, the same each time: every k-th window would always be at
    the same hours of the day.
    """
    if len(windows) <= MAX_REFERENCE_WINDOWS:
        return tuple(windows)
    seed = hashlib.sha256(monitor.encode("utf-8", "surrogatepass")).digest()
    rng = np.random.default_rng(int.from_bytes(seed[:8], "little"))
    return tuple(windows[i] for i in np.sort(rng.choice(len(windows), MAX_REFERENCE_WINDOWS, replace=False)).tolist())


def timestamped_file(monitor: Monitor, names: Sequence[str]) -> tuple[Source | None, Window | None, list[str]]:
    """Return a separate reference file as a source by time, the range of its rows, and warnings.

    The first and the last window in the range are not used, because nothing shows that they are complete.
    """
    if monitor.reference.path is None or monitor.timestamp not in names:
        return None, None, []
    file = Files(monitor.reference.path, monitor.timestamp, monitor.timezone)
    try:
        span = file.span()
    except SourceError as error:  # the rows can be read; only their timestamps cannot
        return None, None, [f"the reference has no windows: {error}"]
    return file, None if span is None or span[0] == span[1] else Window(*span), []


def count_reference_windows(
    source: Source, profiles: Mapping[str, Profile], windows: Sequence[Window], segments: Sequence[str]
) -> tuple[Histories, list[str]]:
    """Return the history of each segment and column, and a warning for each column without one.

    Raises
    ------
    SourceError
        If a window cannot be read.
    """
    if not windows:
        return {}, []
    counted = source.count_each(profiles[""].axes, windows, segments, profiles)
    uncounted = {
        name: lost.message for window in counted for part in window.values() for name, lost in part.uncounted.items()
    }
    histories = {
        segment: {
            name: History.of(h.axis, (window[segment][name] if segment in window else None for window in counted))
            for name, h in whole.histograms.items()
            if name not in uncounted
        }
        for segment, whole in profiles.items()
    }
    warnings = [
        f"{name}: could not be counted in each window of the reference ({message}); how its windows vary is unknown"
        for name, message in uncounted.items()
        if name in profiles[""]
    ]
    return histories, warnings
