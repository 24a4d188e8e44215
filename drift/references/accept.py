"""Accepting a range of live data as the new reference. Who, when and why is stored; the old reference remains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from drift.errors import InputError, SourceError
from drift.histogram import Counts, Fault, Histogram, History, Profile, Uncounted
from drift.monitors.spec import Monitor, Reference
from drift.monitors.window import Window
from drift.references.freeze import current_reference, read_reference, reference_digest, reference_warnings
from drift.references.reference_windows import complete_windows, sample_windows
from drift.store import NewReference, Store, StoredReference, WindowHistories


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The decision of a person (`by`), for a reason (`why`), that a range of data is normal.

    `keep_bins` keeps the present bins and adds up the stored windows; else the range is read from the source and new
    bins are chosen.

    Raises
    ------
    InputError
        If the person or the reason is missing.
    """

    window: Window
    by: str
    why: str
    keep_bins: bool = False

    def __post_init__(self) -> None:
        for field, text in (("by", self.by), ("why", self.why)):
            if not text.strip():
                message = f"accepting a reference needs a person and a reason; `{field}` is empty: {text!r}"
                raise InputError(message, code="missing-value")


def accept_windows(store: Store, monitor: Monitor, acceptance: Acceptance, now: datetime) -> StoredReference:
    """Store a range of data as the reference of the monitor from now on.

    The old reference remains in the store, as do the verdicts of windows that were compared with it.

    Raises
    ------
    InputError
        If the range has not ended, the monitor has never run, or the store has no window in the range.
    SourceError
        If the source cannot be read, or has no rows in the range.
    """
    window = acceptance.window
    if window.end > now:
        message = f"{window} has not ended: it is now {now.isoformat()}; accept a range of the past"
        raise InputError(message, code="range-not-ended")
    definition = store.monitors.find(monitor.name)
    if definition is None:
        message = f"monitor {monitor.name!r} has never run; `drift run` freezes the configured reference"
        raise InputError(message, code="never-run")
    replaced = current_reference(store, monitor, definition.monitor_id)
    if acceptance.keep_bins:
        new = _from_store(store, monitor, replaced, window, now)
    else:
        new = _from_source(monitor, window, now)
    accepted = {
        "by": acceptance.by,
        "at": now.isoformat(),
        "why": acceptance.why,
        "from": window.start.isoformat(),
        "to": window.end.isoformat(),
        "kept_bins": acceptance.keep_bins,
        "replaces": None if replaced is None else replaced.id,
    }
    new = replace(new, note={**new.note, "accepted": accepted})
    return store.references.accept(definition.monitor_id, reference_digest(monitor), new, now)


def _from_source(monitor: Monitor, window: Window, now: datetime) -> NewReference:
    try:
        return read_reference(replace(monitor, reference=Reference(window=window)), now)
    except SourceError as error:
        message = f"{error}; if the data no longer exists, --keep-bins adds up the stored windows of that range"
        raise SourceError(message, code=error.code) from error


def _from_store(
    store: Store, monitor: Monitor, replaced: StoredReference | None, window: Window, now: datetime
) -> NewReference:
    """Return the stored histograms of evaluated windows, on the bins of the present reference."""
    if replaced is None:
        raise InputError(
            f"monitor {monitor.name!r} has no reference for this configuration, so there are no bins to keep; "
            "omit --keep-bins, or run `drift run` first",
            code="no-reference",
        )
    complete = complete_windows(monitor, window, now)
    histories = store.history.windows(monitor.name, since=window.start, until=window.end)
    wanted = frozenset(complete)
    evaluated = [i for i, each in enumerate(histories.windows) if each in wanted]
    if not evaluated:
        raise InputError(
            f"no window of {monitor.period} within {window} was evaluated; `drift windows --monitor {monitor.name}` "
            "lists those that were; without --keep-bins the range is read from the source",
            code="no-evaluated-windows",
        )
    windows = sample_windows([histories.windows[i] for i in evaluated], monitor.name)
    sampled = [row for row, i in enumerate(evaluated) if histories.windows[i] in frozenset(windows)]
    profiles: dict[str, Profile] = {}
    sampled_histories: dict[str, dict[str, History]] = {}
    for segment, before in replaced.profiles.items():
        counts = _counts(histories, segment, before, evaluated)
        profile = profiles[segment] = _sum(before, counts)
        sampled_histories[segment] = {name: History(before[name].axis, counts[name][sampled]) for name in profile}
    whole = profiles[""]
    if whole.rows == 0:
        message = f"no row of {window} is stored on the present bins; omit --keep-bins to choose new ones"
        raise InputError(message, code="no-rows")
    missing = len(complete) - len(evaluated)
    warnings = [*reference_warnings(whole)]
    warnings += [f"{missing} of {len(complete)} windows were not evaluated"] if missing else []
    warnings += [lost.message for name, lost in whole.uncounted.items() if name in replaced.profiles[""]]
    note = {
        "window": [window.start.isoformat(), window.end.isoformat()],
        "path": None,
        "rows": whole.rows,
        "source": {"stored windows": len(evaluated), "bins of baseline": replaced.id},
        "warnings": warnings,
    }
    return NewReference(profiles, note, windows, sampled_histories)


def _counts(histories: WindowHistories, segment: str, before: Profile, windows: Sequence[int]) -> dict[str, Counts]:
    """Return the counts of each column, shape (windows, bins): zeros if it was not counted on the present bins."""
    counts = {}
    for name, histogram in before.items():
        history = histories.histories.get(segment, {}).get(name)
        if history is not None and history.axis == histogram.axis:
            counts[name] = history.counts[list(windows)]
        else:
            counts[name] = np.zeros((len(windows), histogram.axis.n_bins), np.int64)
    return counts


def _sum(before: Profile, counts: Mapping[str, Counts]) -> Profile:
    """Add up all windows. A column has all rows of a window, or none if it was not counted."""
    rows = {name: column.sum(axis=1) for name, column in counts.items()}
    whole = np.max([*rows.values()], axis=0) if rows else np.zeros(0, np.int64)
    uncounted = dict(before.uncounted)
    for name, column_rows in rows.items():
        if missing := int((column_rows < whole).sum()):
            message = f"column {name!r} was not counted on these bins in {missing} of {len(column_rows)} windows"
            uncounted[name] = Uncounted(Fault.NOT_COMPARABLE, message)
    histograms = {n: Histogram(before[n].axis, c.sum(axis=0)) for n, c in counts.items() if n not in uncounted}
    return Profile(histograms, int(whole.sum()), uncounted)
