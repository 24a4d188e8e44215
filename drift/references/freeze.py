"""Freezing a reference: axes are chosen once, the whole is counted on them, and each of its windows."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from drift.errors import SourceError
from drift.failpoints import reach
from drift.histogram import MAX_KNOWN, CategoricalAxis, Fault, Profile
from drift.histogram.binning import near_duplicates
from drift.monitors.spec import Columns, Monitor
from drift.references.reference_windows import count_reference_windows, placed_file, sample_windows, whole_windows
from drift.sources import open_reference
from drift.store import Definition, NewReference, Store, StoredReference


def freeze_reference(store: Store, monitor: Monitor, definition: Definition, now: datetime) -> StoredReference:
    """The monitor's reference: the one accepted last, the one frozen before, or one counted now, once.

    Raises
    ------
    SourceError
        Where the reference cannot be read, or holds no rows.
    """
    if (known := current_reference(store, monitor, definition.monitor_id)) is not None:
        return known
    draft = read_reference(monitor, now)
    reach("freezing")
    frozen = store.references.freeze(definition.monitor_id, reference_digest(monitor), draft, now)
    reach("frozen")
    return frozen


def current_reference(store: Store, monitor: Monitor, monitor_id: int) -> StoredReference | None:
    """What the monitor's windows are held against as it is configured; None where nothing is frozen yet.

    A reference frozen before windows were counted apart is known by a digest without their length.
    """
    digests = (reference_digest(monitor), _digest(_parts(monitor)))
    found = (store.references.find(monitor_id, digest) for digest in digests)
    return next((known for known in found if known is not None), None)


def read_reference(monitor: Monitor, now: datetime) -> NewReference:
    """Choose the axes, count the whole reference on them, and each of its windows.

    Raises
    ------
    SourceError
        Where the reference cannot be read, or holds no rows.
    """
    source = open_reference(monitor)
    looks = monitor.reference.moves and monitor.start is None
    stretch = monitor.reference_range(source.span() if looks else None)
    available = source.columns()
    names = monitor.columns.watched([n for n in available if n != monitor.timestamp])
    profiles = source.learn(names, monitor.columns, stretch, monitor.segments)
    profiles = {key: _without_unnamed(profile, monitor.columns) for key, profile in profiles.items()}
    if profiles[""].rows == 0:
        told = str(stretch or monitor.reference.path or monitor.source)
        raise SourceError(f"the reference ({told}) holds no rows; the data spans {_told(source.span())}")
    placed, within, amiss = (source, stretch, []) if stretch else placed_file(monitor, available)
    windows = () if within is None else sample_windows(whole_windows(monitor, within, now), monitor.name)
    histories, lost = (
        ({}, []) if placed is None else count_reference_windows(placed, profiles, windows, monitor.segments)
    )
    written = monitor.document.get("reference") or {}
    note = {
        "window": [stretch.start.isoformat(), stretch.end.isoformat()] if stretch else None,
        "path": None if stretch else written.get("path", monitor.reference.path),  # as written: no secrets filled in
        "rows": profiles[""].rows,
        "source": source.provenance(),
        "warnings": [*reference_warnings(profiles[""]), *amiss, *lost],
    }
    return NewReference(profiles, note, windows, histories)


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
    other reference. The length of windows decides what its own windows are.
    """
    parts = {**_parts(monitor), "window": str(monitor.period)}
    if monitor.reference.moves:  # then it begins before the first window watched
        parts["start"] = None if monitor.start is None else monitor.start.isoformat()
    return _digest(parts)


def _parts(monitor: Monitor) -> dict[str, Any]:
    written, default = monitor.document, monitor.columns.default.bins
    return {
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


def _digest(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def reference_warnings(whole: Profile) -> list[str]:
    """What a careful reader should know of the categories that were found."""
    told = []
    for name, axis in whole.axes.items():
        told += [f"{name}: {pair}" for pair in near_duplicates(axis)]
        if isinstance(axis, CategoricalAxis) and axis.rare is None:
            told.append(f"{name}: more than {MAX_KNOWN} categories; rare and never-seen ones share the bin `other`")
    return told
