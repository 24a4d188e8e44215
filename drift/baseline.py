"""The frozen reference of a monitor: axes chosen once, and the counts on them."""

import hashlib
import json
from dataclasses import asdict, replace
from datetime import datetime

from drift.binning import lookalikes
from drift.errors import SourceError
from drift.histogram import MAX_KNOWN, CategoricalAxis, Fault, Profile
from drift.monitor import Columns, Monitor
from drift.sources import open_reference
from drift.store import Baseline, Definition, Draft, Store


def freeze_reference(store: Store, monitor: Monitor, definition: Definition, now: datetime) -> Baseline:
    """The monitor's frozen reference: from the store, or counted now, once.

    Raises
    ------
    SourceError
        Where the reference cannot be read, or holds no rows.
    """
    digest = reference_digest(monitor)
    if (known := store.baseline(definition.monitor_id, digest)) is not None:
        return known
    source, window = open_reference(monitor), monitor.reference.window
    names = monitor.columns.watched([n for n in source.columns() if n != monitor.timestamp])
    profiles = source.learn(names, monitor.columns, window, monitor.segments)
    profiles = {key: _without_unnamed(profile, monitor.columns) for key, profile in profiles.items()}
    if profiles[""].rows == 0:
        stretch = str(window) if window else str(monitor.reference.path)
        raise SourceError(f"the reference ({stretch}) holds no rows; the data spans {_told(source.span())}")
    written = monitor.document.get("reference") or {}
    note = {
        "window": [window.start.isoformat(), window.end.isoformat()] if window else None,
        "path": None if window else written.get("path", monitor.reference.path),  # as written: no secrets filled in
        "rows": profiles[""].rows,
        "source": source.provenance(),
        "warnings": warnings(profiles[""]),
    }
    return store.freeze(definition.monitor_id, digest, Draft(profiles, note), now)


def _without_unnamed(profile: Profile, columns: Columns) -> Profile:
    """Without the columns that only other files than the reference's have, unless the user named them."""
    named = {*(columns.include or ()), *columns.overrides}
    kept = {n: lost for n, lost in profile.uncounted.items() if lost.fault is not Fault.ABSENT or n in named}
    return replace(profile, uncounted=kept)


def _told(span: tuple[datetime, datetime] | None) -> str:
    return "no time at all" if span is None else f"{span[0].isoformat()} to {span[1].isoformat()}"


def reference_digest(monitor: Monitor) -> str:
    """What of a definition decides the frozen reference: a new threshold keeps it, new bins do not.

    Places are taken as written (``${NAME}`` and relative paths): a new password, or a folder that moved, is no
    other reference.
    """
    written, default = monitor.document, monitor.columns.default.bins
    parts = {
        "source": written.get("source"),
        "reference": written.get("reference"),
        "timestamp": monitor.timestamp,
        "timezone": str(monitor.timezone),
        "include": monitor.columns.include,
        "exclude": sorted(monitor.columns.exclude),
        "bins": asdict(default),
        "overrides": {n: asdict(r.bins) for n, r in monitor.columns.overrides.items() if r.bins != default},
        "segments": monitor.segments,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def warnings(whole: Profile) -> list[str]:
    """What a careful reader should know of the categories that were found."""
    told = []
    for name, axis in whole.axes.items():
        told += [f"{name}: {pair}" for pair in lookalikes(axis)]
        if isinstance(axis, CategoricalAxis) and axis.rare is None:
            told.append(f"{name}: more than {MAX_KNOWN} categories; rare and never-seen ones share the bin `other`")
    return told
