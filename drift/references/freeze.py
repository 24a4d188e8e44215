"""Freezing a reference: axes are chosen once, and the whole and each of its windows are counted on them."""

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
from drift.references.reference_windows import (
    complete_windows,
    count_reference_windows,
    sample_windows,
    timestamped_file,
)
from drift.sources import open_reference
from drift.store import Definition, NewReference, Store, StoredReference


def freeze_reference(store: Store, monitor: Monitor, definition: Definition, now: datetime) -> StoredReference:
    """Return the reference of a monitor: the last accepted or frozen one, else one that is counted and stored now.

    Raises
    ------
    SourceError
        If the reference cannot be read, or has no rows.
    """
    if (reference := current_reference(store, monitor, definition.monitor_id)) is not None:
        return reference
    new = read_reference(monitor, now)
    reach("freezing")
    reference = store.references.freeze(definition.monitor_id, reference_digest(monitor), new, now)
    reach("frozen")
    return reference


def current_reference(store: Store, monitor: Monitor, monitor_id: int) -> StoredReference | None:
    """Return the stored reference of a monitor as it is configured; None if there is none yet.

    A reference that was frozen before its windows were counted one by one has a digest without their length.
    """
    digests = (reference_digest(monitor), _digest(_parts(monitor)))
    references = (store.references.find(monitor_id, digest) for digest in digests)
    return next((reference for reference in references if reference is not None), None)


def read_reference(monitor: Monitor, now: datetime) -> NewReference:
    """Choose the axes, and count the whole reference and each of its windows on them.

    Raises
    ------
    SourceError
        If the reference cannot be read, or has no rows.
    """
    source = open_reference(monitor)
    needs_span = monitor.reference.moves and monitor.start is None
    window = monitor.reference_range(source.span() if needs_span else None)
    available = source.columns()
    names = monitor.columns.watched([n for n in available if n != monitor.timestamp])
    profiles = source.learn(names, monitor.columns, window, monitor.segments)
    profiles = {key: _without_unnamed(profile, monitor.columns) for key, profile in profiles.items()}
    if profiles[""].rows == 0:
        place = window or monitor.reference.path or monitor.source
        message = f"the reference ({place}) has no rows; the data spans {_span_text(source.span())}"
        raise SourceError(message, code="no-rows")
    by_time, within, warnings = (source, window, []) if window else timestamped_file(monitor, available)
    windows = () if within is None else sample_windows(complete_windows(monitor, within, now), monitor.name)
    histories, uncounted = (
        ({}, []) if by_time is None else count_reference_windows(by_time, profiles, windows, monitor.segments)
    )
    written = monitor.document.get("reference") or {}
    note = {
        "window": [window.start.isoformat(), window.end.isoformat()] if window else None,
        "path": None if window else written.get("path", monitor.reference.path),  # as written: without secrets
        "rows": profiles[""].rows,
        "source": source.provenance(),
        "warnings": [*reference_warnings(profiles[""]), *warnings, *uncounted],
    }
    return NewReference(profiles, note, windows, histories)


def _without_unnamed(profile: Profile, columns: Columns) -> Profile:
    """Drop columns that the reference's files do not have but others do, unless the user named them."""
    named = {*(columns.include or ()), *columns.overrides}
    kept = {n: lost for n, lost in profile.uncounted.items() if lost.fault is not Fault.ABSENT or n in named}
    return replace(profile, uncounted=kept)


def _span_text(span: tuple[datetime, datetime] | None) -> str:
    return "no time at all" if span is None else f"{span[0].isoformat()} to {span[1].isoformat()}"


def reference_digest(monitor: Monitor) -> str:
    """Return a digest of what determines the frozen reference: new bins change it, a new threshold does not.

    Places count as written (``${NAME}`` and relative paths): a new password or a moved folder does not make another
    reference. The length of windows counts, because it determines the windows of the reference.
    """
    parts = {**_parts(monitor), "window": str(monitor.period)}
    if monitor.reference.moves:  # then the reference begins before the first window that is evaluated
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
    """Return warnings about the categories of a reference: near-duplicates, and too many to remember."""
    warnings = []
    for name, axis in whole.axes.items():
        warnings += [f"{name}: {pair}" for pair in near_duplicates(axis)]
        if isinstance(axis, CategoricalAxis) and axis.rare is None:
            warnings.append(f"{name}: more than {MAX_KNOWN} categories; rare and unseen ones share the bin `other`")
    return warnings
