"""The frozen reference of a monitor: axes chosen once, and the counts on them."""

import hashlib
import json
from datetime import datetime
from typing import Any

from drift.errors import SourceError
from drift.monitor import Monitor
from drift.sources import open_reference
from drift.store import Baseline, Definition, Store


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
    if profiles[""].rows == 0:
        stretch = str(window) if window else str(monitor.reference.path)
        raise SourceError(f"the reference ({stretch}) holds no rows; the data spans {_told(source.span())}")
    note = {
        "window": [window.start.isoformat(), window.end.isoformat()] if window else None,
        "path": monitor.reference.path,
        "rows": profiles[""].rows,
        "source": source.provenance(),
    }
    return store.freeze(definition.monitor_id, digest, profiles, note, now)


def _told(span: tuple[datetime, datetime] | None) -> str:
    return "no time at all" if span is None else f"{span[0].isoformat()} to {span[1].isoformat()}"


def reference_digest(monitor: Monitor) -> str:
    """What of a definition decides the frozen reference: a new threshold keeps it, new bins do not."""
    document = monitor.document
    columns = document.get("columns") or {}
    overrides = columns.get("overrides") or {}
    parts: dict[str, Any] = {
        key: document.get(key) for key in ("source", "timestamp", "timezone", "reference", "bins", "segments")
    }
    parts["columns"] = [columns.get("include"), columns.get("exclude")]
    parts["overrides"] = {name: (rule or {}).get("bins") for name, rule in overrides.items()}
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
