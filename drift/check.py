"""The way of the data, on one screen: plan, claim, count, compare, decide, and one transaction a window.

    source --count on axes--> profile --compare with reference--> scores --judge--> verdicts
           --one transaction--> store (profile, scores, verdicts, alert events)

Kill it anywhere: what is planned stays planned, what was not finished is claimed again.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from drift.alert import AlertState, Fingerprint
from drift.alerting import overtaken, transitions
from drift.baseline import freeze_reference
from drift.comparison import SegmentResult, Standard, compare_profiles
from drift.errors import DriftError, SourceError
from drift.histogram import Fault, Uncounted
from drift.holding import LEASE, Overdue, holding, in_hand, within
from drift.monitor import Monitor
from drift.notification import make_events, make_notification
from drift.planning import plan, plan_late
from drift.sources import Source, open_source
from drift.standards import Standards, load_past
from drift.steps import step
from drift.store import AlertsMoved, Claim, Definition, LeaseLost, Outcome, Store
from drift.verdict import Verdict, worst
from drift.window import Window, format_instant
from drift.worker import Worker

log = logging.getLogger(__name__)

DECISIONS: Final = 5
RETRIES: Final = tuple(timedelta(minutes=m) for m in (1, 5, 30, 120))
"""How long after each failed attempt a window is tried again, at most; then its `error` verdict stands."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one window."""

    monitor: str
    window: Window
    revision: int
    outcome: Outcome

    @property
    def verdicts(self) -> list[Verdict]:
        """The verdict of each column of each segment; the window's own where there are none."""
        found = [column.verdict for part in self.outcome.segments for column in part.columns]
        return found or [self.outcome.verdict]


@dataclass(frozen=True, slots=True)
class Failed:
    """A monitor of which no window could be checked, and why."""

    monitor: str
    message: str


def run_all(
    store: Store,
    monitors: Iterable[Monitor],
    *,
    worker: Worker,
    now: Callable[[], datetime],
    limit: int | None = None,
    look_back: bool = True,
) -> Iterator[Checked | Failed]:
    """Check the due windows (up to `limit`) of every monitor once; one that fails never stops the next."""
    for monitor in monitors:
        try:
            yield from run_monitor(store, monitor, worker=worker, now=now, limit=limit, look_back=look_back)
        except DriftError as error:
            yield Failed(monitor.name, str(error))
        except Exception as error:  # nor may one monitor stop the others
            log.exception("monitor %s met a defect of drift", monitor.name)
            yield Failed(monitor.name, f"a defect of drift ({type(error).__name__}: {error}); please report it")


def run_monitor(
    store: Store,
    monitor: Monitor,
    *,
    worker: Worker,
    now: Callable[[], datetime],
    limit: int | None = None,
    look_back: bool = True,
) -> Iterator[Checked]:
    """Check every due window of a monitor once, oldest first; yields each as soon as it is stored.

    With `look_back`, those of the monitor's `lookback` are due as well where the source has changed since.

    Raises
    ------
    DriftError
        Where no window of this monitor can be checked: the reference cannot be read, the store is gone.
    """
    source, definition = within(
        monitor.deadline, monitor.name, "planning", lambda: _planned(store, monitor, now(), look_back=look_back)
    )
    free_abandoned(store, definition.monitor_id, worker, now())
    due = store.due(definition, now(), limit)
    if not due:
        return
    baseline = within(
        monitor.deadline,
        monitor.name,
        "reading the reference",
        lambda: freeze_reference(store, monitor, definition, now()),
    )
    standards = Standards(monitor, baseline, load_past(store, monitor, due[0].window.start, due[-1].window.start))
    for planned in due:
        claim = store.claim(planned.id, definition, worker.name, now(), LEASE)
        if claim is None:  # another replica has it: alerts are decided in order, so later ones wait for it
            return
        try:
            checked = check_window(store, source, standards, claim, now)
        except LeaseLost as error:  # it took longer than the lease, and another replica has it by now
            log.warning("%s", error)
            return
        if checked is not None:
            yield checked


def _planned(store: Store, monitor: Monitor, now: datetime, *, look_back: bool) -> tuple[Source, Definition]:
    source = open_source(monitor)
    definition = plan(store, monitor, source, now)
    if look_back:
        plan_late(store, monitor, source, definition, now)
    return source, definition


def free_abandoned(store: Store, monitor_id: int, worker: Worker, now: datetime) -> None:
    """Take windows back without waiting for their leases: from workers of this host that were killed, and from itself.

    A process may hold what it is not at work on: it could not give it back while the store was gone.
    """
    for held in store.held(monitor_id, now):
        if held.owner == worker.name and not in_hand(held):
            log.warning("window %s was not given back when it should have been: it is due again", held.window)
            store.free(held, now)
        elif worker.knows_gone(held.owner):
            log.warning("window %s was left by %s, which is no more: it is due again", held.window, held.owner)
            store.free(held, now)


def check_window(
    store: Store, source: Source, standards: Standards, claim: Claim, now: Callable[[], datetime]
) -> Checked | None:
    """Count, compare, decide and store one claimed window; None where a second look found nothing new."""
    with holding(store, claim, now):
        step("claimed")
        found = _find(source, standards, claim.window)
        if claim.late:
            found = replace(found, before=store.results(claim.monitor, claim.window.start))
            if found.error:
                log.warning("window %s of %s cannot be looked at again: %s", claim.window, claim.monitor, found.error)
            if found.error or found.nothing_new:
                store.settle(claim)
                return None
        outcome = _finish(store, standards, claim, found, now)
    standards.checked(claim.window, outcome.segments)
    checked = Checked(claim.monitor, claim.window, claim.revision, outcome)
    _log(checked)
    return checked


def _log(one: Checked) -> None:
    """One line a window."""
    outcome, verdict = one.outcome, one.outcome.verdict.value
    fields = {
        "event": "window",
        "monitor": one.monitor,
        "window": str(one.window),
        "window_start": format_instant(one.window.start),
        "window_end": format_instant(one.window.end),
        "revision": one.revision,
        "verdict": verdict,
        "rows": outcome.rows,
        "columns": sum(len(part.columns) for part in outcome.segments),
        "drifted": sum(column.verdict is Verdict.DRIFT for part in outcome.segments for column in part.columns),
        "alerts": len(outcome.events),
    }
    log.info("%s %s: %s, %s", one.monitor, one.window, verdict, outcome.message, extra={"fields": fields})


def _finish(store: Store, standards: Standards, claim: Claim, found: "_Found", now: Callable[[], datetime]) -> Outcome:
    """Decide on the alerts as they stand and write it all; decide again where another window moved them."""
    for _ in range(DECISIONS):
        outcome = _outcome(standards, claim, found, store.alert_states(claim.monitor_id), now())
        try:
            store.finish(claim, outcome, now())
        except AlertsMoved as error:
            moved = error
        else:
            return outcome
    raise moved


@dataclass(frozen=True, slots=True)
class _Found:
    """What counting and comparing gave: results, or the message of what went wrong."""

    results: tuple[SegmentResult, ...]
    error: str
    source: Mapping[str, Any]
    new: tuple[str, ...] = ()  # columns that came after the reference was frozen
    judged: Mapping[str, Any] | None = None
    before: tuple[SegmentResult, ...] = ()  # of a window that is looked at again: what it gave then

    @property
    def nothing_new(self) -> bool:
        """Whether the window has the rows it had."""
        return {part.segment: part.live for part in self.results} == {part.segment: part.live for part in self.before}

    @property
    def turned(self) -> tuple[SegmentResult, ...]:
        """The columns whose verdict is not what it was."""
        then = {(part.segment, c.column): c.verdict for part in self.before for c in part.columns}
        return tuple(
            replace(part, columns=tuple(c for c in part.columns if then.get((part.segment, c.column)) is not c.verdict))
            for part in self.results
        )

    @property
    def verdict(self) -> Verdict:
        return Verdict.ERROR if self.error else worst([part.verdict for part in self.results])


def _find(source: Source, standards: Standards, window: Window) -> _Found:
    monitor = standards.monitor
    try:
        return within(monitor.deadline, monitor.name, "counting", lambda: _count(source, standards, window))
    except Overdue as error:
        return _Found((), str(error), {})
    except Exception as error:  # a defect met by one window must not stop the next, nor pass in silence
        log.exception("window %s of %s met a defect of drift", window, standards.monitor.name)
        return _Found((), f"a defect of drift ({type(error).__name__}: {error}); please report it with the log", {})


def _count(source: Source, standards: Standards, window: Window) -> _Found:
    seen = _provenance(source)  # before counting: rows that come meanwhile show as a change later on
    try:
        held = standards.of(window)
        results = _results(source, standards, held.segments, window)
        step("compared")
        return _Found(results, "", seen, _new_columns(source, standards), held.note)
    except SourceError as error:
        return _Found((), str(error), seen)


def _results(
    source: Source, standards: Standards, held: Mapping[str, Standard], window: Window
) -> tuple[SegmentResult, ...]:
    monitor, reference = standards.monitor, standards.baseline.profiles
    counted = source.count(reference[""].axes, window, monitor.segments, reference)
    step("counted")
    unknown = _unknown(held[""])
    return tuple(
        SegmentResult(
            key,
            live,
            compare_profiles(live, held.get(key, unknown), monitor.columns, stream(monitor.name, window, key)),
        )
        for key, live in counted.items()
    )


def _unknown(whole: Standard) -> Standard:
    """The reference of a segment that it does not have: no column of it can be compared."""
    told = Uncounted(Fault.NOT_COMPARABLE, "no row of the reference is of this segment")
    return Standard({}, dict.fromkeys([*whole.histograms, *whole.uncounted], told))


def stream(monitor: str, window: Window, segment: str = "") -> np.random.Generator:
    """The same draws for the same window and segment, whoever checks it and when."""
    named = (monitor, window.start.isoformat(), *([segment] if segment else []))
    seed = hashlib.sha256("\x1f".join(named).encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(seed[:8], "little"))


def _outcome(
    standards: Standards,
    claim: Claim,
    found: _Found,
    states: Mapping[Fingerprint, AlertState],
    now: datetime,
) -> Outcome:
    monitor = standards.monitor
    # Newer windows were decided on since: what this one said before has had its say already.
    told = found.turned if claim.late and overtaken(claim.window, states) else found.results
    overdue = claim.late or claim.before is Verdict.ERROR
    turned = transitions(monitor, claim.window, told or Verdict.ERROR, states, now, overdue=overdue)
    by_column = {(part.segment, c.column): c for part in found.results for c in part.columns}
    events = make_events(turned, by_column, monitor.name, claim.window, claim.revision, found.error)
    rules = monitor.alerting
    return Outcome(
        rows=found.results[0].live.rows if found.results else 0,
        verdict=found.verdict,
        message=found.error or _summary(found.results, found.new),
        source=found.source,
        baseline_id=standards.baseline.id,
        segments=found.results,
        transitions=turned,
        events=events,
        notification=make_notification(
            monitor.name, claim.window, claim.revision, events, labels=rules.labels, runbook=rules.runbook
        ),
        channels=rules.notify,
        retry_at=now + _pause(claim) if found.error and claim.attempt <= len(RETRIES) else None,
        judged=found.judged,
    )


def _pause(claim: Claim) -> timedelta:
    """Until the next attempt: less up to a quarter by chance, lest all that failed together come again together."""
    spread = stream(claim.monitor, claim.window, f"attempt {claim.attempt}").uniform(0.75, 1.0)
    return RETRIES[claim.attempt - 1] * float(spread)


def _provenance(source: Source) -> dict[str, Any]:
    try:
        return source.provenance()
    except SourceError as error:
        return {"error": str(error)}


def _new_columns(source: Source, standards: Standards) -> tuple[str, ...]:
    """Columns to watch that the reference does not have: they cannot be checked, and are told."""
    monitor, whole = standards.monitor, standards.baseline.profiles[""]
    known = {*whole, *whole.uncounted, monitor.timestamp}
    return tuple(name for name in monitor.columns.watched(source.columns()) if name not in known)


def _summary(results: tuple[SegmentResult, ...], new: tuple[str, ...]) -> str:
    """One line for a person: how many columns, how many drifted, the worst of them, what cannot be told."""
    columns = [column for part in results for column in part.columns]
    drifted = [column.column for column in columns if column.verdict is Verdict.DRIFT]
    untold = sum(not column.verdict.told for column in columns)
    told = f"{len(drifted)} of {len(columns)} columns drifted" + (f", most: {drifted[0]}" if drifted else "")
    told += f"; {untold} could not be told" if untold else ""
    return told + (f"; not in the reference: {', '.join(new)}" if new else "")
