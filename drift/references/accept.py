"""Accepting a stretch of live data as the new normal: who did, when and why are kept, and so is the old normal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from drift.errors import InputError, SourceError
from drift.histogram import Counts, Fault, Histogram, History, Profile, Uncounted
from drift.monitors.spec import Monitor, Reference
from drift.monitors.window import Window
from drift.references.freeze import current_reference, read_reference, reference_digest, reference_warnings
from drift.references.reference_windows import sample_windows, whole_windows
from drift.store import NewReference, Store, StoredReference, WindowHistories


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The word of somebody that a stretch of data is normal.

    Parameters
    ----------
    stretch : Window
        From when to when.
    by, why : str
        Who says so, and the reason.
    keep_bins : bool
        Stay with the bins there are, and sum up what the store holds; else the stretch is read anew from the source,
        and new bins are chosen.

    Raises
    ------
    InputError
        Where nobody says so, or without a reason.
    """

    stretch: Window
    by: str
    why: str
    keep_bins: bool = False

    def __post_init__(self) -> None:
        for what, text in (("by whom", self.by), ("why", self.why)):
            if not text.strip():
                raise InputError(f"a new normal is accepted by somebody, for a reason; say {what}; got {text!r}")


def accept_windows(store: Store, monitor: Monitor, acceptance: Acceptance, now: datetime) -> StoredReference:
    """Keep a stretch as what the monitor's windows are held against from now on.

    The reference there was remains, as do the verdicts of windows that were checked against it.

    Raises
    ------
    InputError
        Where the stretch is not over yet, the monitor was never checked, or nothing is stored of the stretch.
    SourceError
        Where the source cannot be read, or holds no rows there.
    """
    stretch = acceptance.stretch
    if stretch.end > now:
        raise InputError(f"a stretch is accepted once it is over; {stretch} ends after now ({now.isoformat()})")
    definition = store.monitors.find(monitor.name)
    if definition is None:
        raise InputError(
            f"monitor {monitor.name!r} was never checked; `drift run` freezes the reference that is configured"
        )
    replaced = current_reference(store, monitor, definition.monitor_id)
    if acceptance.keep_bins:
        draft = _stored(store, monitor, replaced, stretch, now)
    else:
        draft = _read_anew(monitor, stretch, now)
    accepted = {
        "by": acceptance.by,
        "at": now.isoformat(),
        "why": acceptance.why,
        "from": stretch.start.isoformat(),
        "to": stretch.end.isoformat(),
        "kept_bins": acceptance.keep_bins,
        "replaces": None if replaced is None else replaced.id,
    }
    draft = replace(draft, note={**draft.note, "accepted": accepted})
    return store.references.accept(definition.monitor_id, reference_digest(monitor), draft, now)


def _read_anew(monitor: Monitor, stretch: Window, now: datetime) -> NewReference:
    try:
        return read_reference(replace(monitor, reference=Reference(window=stretch)), now)
    except SourceError as error:
        told = f"{error}; where the data is gone, --keep-bins sums up what the store holds of that time"
        raise SourceError(told) from error


def _stored(
    store: Store, monitor: Monitor, replaced: StoredReference | None, stretch: Window, now: datetime
) -> NewReference:
    """The histograms of windows that were checked, on the bins of the reference they were checked against."""
    if replaced is None:
        raise InputError(
            f"monitor {monitor.name!r} has no reference for this configuration whose bins could be kept; leave out "
            "--keep-bins, or `drift run` first"
        )
    whole = whole_windows(monitor, stretch, now)
    past = store.history.windows(monitor.name, since=stretch.start, until=stretch.end)
    wanted = frozenset(whole)
    places = [i for i, window in enumerate(past.windows) if window in wanted]
    if not places:
        raise InputError(
            f"no window of {monitor.period} that lies in {stretch} was checked; `drift windows --monitor "
            f"{monitor.name}` lists those that were; without --keep-bins the stretch is read from the source"
        )
    windows = sample_windows([past.windows[i] for i in places], monitor.name)
    rows = [row for row, i in enumerate(places) if past.windows[i] in frozenset(windows)]
    profiles: dict[str, Profile] = {}
    histories: dict[str, dict[str, History]] = {}
    for segment, before in replaced.profiles.items():
        counts = _counts(past, segment, before, places)
        profiles[segment] = _summed(before, counts)
        histories[segment] = {name: History(before[name].axis, counts[name][rows]) for name in profiles[segment]}
    if profiles[""].rows == 0:
        raise InputError(f"no row of {stretch} is stored on the bins there are; leave out --keep-bins for new ones")
    told = [] if len(places) == len(whole) else [f"{len(whole) - len(places)} of {len(whole)} windows were not checked"]
    lost = [what.message for name, what in profiles[""].uncounted.items() if name in replaced.profiles[""]]
    note = {
        "window": [stretch.start.isoformat(), stretch.end.isoformat()],
        "path": None,
        "rows": profiles[""].rows,
        "source": {"stored windows": len(places), "bins of baseline": replaced.id},
        "warnings": [*reference_warnings(profiles[""]), *told, *lost],
    }
    return NewReference(profiles, note, windows, histories)


def _counts(past: WindowHistories, segment: str, before: Profile, places: Sequence[int]) -> dict[str, Counts]:
    """Of each column that has bins, shape (windows, bins): zeros where it was not counted on these."""
    counts = {}
    for name, histogram in before.items():
        known = past.histories.get(segment, {}).get(name)
        if known is not None and known.axis == histogram.axis:
            counts[name] = known.counts[list(places)]
        else:
            counts[name] = np.zeros((len(places), histogram.axis.n_bins), np.int64)
    return counts


def _summed(before: Profile, counts: Mapping[str, Counts]) -> Profile:
    """All windows together. Each column has all rows of a window, or none where it was not counted."""
    rows = {name: found.sum(axis=1) for name, found in counts.items()}
    most = np.max([*rows.values()], axis=0) if rows else np.zeros(0, np.int64)
    lost = dict(before.uncounted)
    for name, found in rows.items():
        if missing := int((found < most).sum()):
            told = (
                f"column {name!r} was not counted on these bins in {missing} of {len(found)} windows that were accepted"
            )
            lost[name] = Uncounted(Fault.NOT_COMPARABLE, told)
    kept = {n: Histogram(before[n].axis, found.sum(axis=0)) for n, found in counts.items() if n not in lost}
    return Profile(kept, int(most.sum()), lost)
