"""The way of the data, on one screen: plan, claim, count, compare, decide, and one transaction a window.

    source --count on axes--> profile --compare with reference--> scores --judge--> verdicts
           --one transaction--> store (profile, scores, verdicts, alert events)

Kill it anywhere: what is planned stays planned, what was not finished is claimed again.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from drift.errors import DriftError, SourceError
from drift.failpoints import reach
from drift.monitors.spec import Monitor
from drift.monitors.verdict import Verdict
from drift.monitors.window import Window, format_instant
from drift.references.load_history import load_history
from drift.references.resolver import ReferenceResolver
from drift.runner.evaluate import Evaluation, abandoned_evaluation, evaluate_window
from drift.runner.isolation import ISOLATE_AFTER_CRASHES, MAX_TURN_SECONDS, exclusive_turn
from drift.runner.lease import LEASE_TTL, hold_lease, reclaim_expired
from drift.runner.load_reference import load_reference
from drift.runner.outcome import decide_outcome
from drift.runner.plan import plan, plan_rechecks
from drift.runner.timeout import run_with_timeout
from drift.runner.worker import Worker
from drift.sources import Source, open_source
from drift.store import AlertConflict, Claim, Definition, LeaseLost, Outcome, PlannedWindow, Store

log = logging.getLogger(__name__)

MAX_DECISIONS: Final = 5
"""How often alerts are decided on where other windows keep moving them."""


@dataclass(frozen=True, slots=True)
class WindowResult:
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
class RecheckSkipped:
    """A second look, which left its window as it was.

    Parameters
    ----------
    monitor : str
        Whose window.
    window : Window or None
        Which; None where it could not be seen of any window of the `lookback` whether rows came since.
    problem : str
        Why it came to nothing, in words; empty where it did not.
    """

    monitor: str
    window: Window | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class MonitorFailure:
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
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[WindowResult | RecheckSkipped | MonitorFailure]:
    """Check the due windows (up to `limit`) of every monitor once; one that fails never stops the next."""
    for monitor in monitors:
        try:
            yield from run_monitor(
                store, monitor, worker=worker, now=now, limit=limit, look_back=look_back, stopping=stopping
            )
        except DriftError as error:
            yield MonitorFailure(monitor.name, str(error))
        except Exception as error:  # nor may one monitor stop the others
            log.exception("monitor %s met a defect of drift", monitor.name)
            yield MonitorFailure(monitor.name, f"a defect of drift ({type(error).__name__}: {error}); please report it")


def run_monitor(
    store: Store,
    monitor: Monitor,
    *,
    worker: Worker,
    now: Callable[[], datetime],
    limit: int | None = None,
    look_back: bool = True,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[WindowResult | RecheckSkipped]:
    """Check every due window of a monitor once, oldest first; yields each as soon as it is stored.

    With `look_back`, those of the monitor's `lookback` are due as well, after the others, where rows came since. A
    window that closes while second looks are taken ends them for now: it comes first, the next time. Where `stopping`
    says yes, none is begun.

    Raises
    ------
    DriftError
        Where no window of this monitor can be checked: the reference cannot be read, the store is gone.
    """
    source, definition, unseen = run_with_timeout(
        monitor.deadline, monitor.name, "planning", lambda: _planned(store, monitor, now(), look_back=look_back)
    )
    if unseen:
        yield RecheckSkipped(monitor.name, None, unseen)
    reclaim_expired(store, definition.monitor_id, worker, now())
    due = store.due(definition, now(), limit)
    if not due:
        return
    baseline = load_reference(store, monitor, definition, worker=worker, now=now, stopping=stopping)
    if baseline is None:
        return
    starts = [planned.window.start for planned in due]
    standards = ReferenceResolver(monitor, baseline, load_history(store, monitor, min(starts), max(starts)))
    looked = False
    for planned in due:
        if planned.late and looked and _new_waits(store, monitor, source, now()):
            return
        looked = planned.late
        with exclusive_turn(alone=planned.lost >= ISOLATE_AFTER_CRASHES, stopping=stopping) as mine:
            if not mine and not stopping():  # to be told: nobody is at it, nor at later ones
                raise SourceError(_put_off(planned))
            claim = store.claim(planned.id, definition, worker.name, now(), LEASE_TTL) if mine else None
            if claim is None:  # another replica has it: alerts are decided in order, so later ones wait for it
                return
            try:
                checked = check_window(store, source, standards, claim, now)
            except LeaseLost as error:  # it took longer than the lease, and another replica has it by now
                log.warning("%s", error)
                return
        yield checked


def _put_off(planned: PlannedWindow) -> str:
    return (
        f"window {planned.window} waits, and later ones: {planned.lost} attempts on it came to no end, so it is worked "
        f"on with nothing else in hand, and other monitors' work has taken longer than {MAX_TURN_SECONDS:g} s"
    )


def _planned(store: Store, monitor: Monitor, now: datetime, *, look_back: bool) -> tuple[Source, Definition, str]:
    """With why no second looks could be planned: no reason not to check what is new."""
    source = open_source(monitor)
    definition = plan(store, monitor, source, now)
    try:
        if look_back:
            plan_rechecks(store, monitor, source, definition, now)
    except SourceError as error:
        told = f"cannot see whether rows came late: {error}"
        log.warning("%s: %s", monitor.name, told)
        return source, definition, told
    return source, definition, ""


def _new_waits(store: Store, monitor: Monitor, source: Source, now: datetime) -> bool:
    """Whether a window that was never checked is due by now."""
    return any(not first.late for first in store.due(plan(store, monitor, source, now), now, 1))


def check_window(
    store: Store, source: Source, standards: ReferenceResolver, claim: Claim, now: Callable[[], datetime]
) -> WindowResult | RecheckSkipped:
    """Count, compare, decide and store one claimed window."""
    with hold_lease(store, claim, now):
        reach("claimed")
        if claim.late:
            found = _second_look(store, source, standards, claim)
            if isinstance(found, RecheckSkipped):
                return found
        else:
            found = abandoned_evaluation(claim) or evaluate_window(source, standards, claim.window)
        outcome = _finish(store, standards, claim, found, now)
    standards.checked(claim.window, outcome.segments)
    checked = WindowResult(claim.monitor, claim.window, claim.revision, outcome)
    _log(checked)
    return checked


def _second_look(
    store: Store, source: Source, standards: ReferenceResolver, claim: Claim
) -> Evaluation | RecheckSkipped:
    """What is to be written of a window that was checked before, unless it stays as it was."""
    before = store.results(claim.monitor, claim.window.start)
    if not before and claim.before is not Verdict.ERROR:  # thinned out since: all of it would seem to be new
        store.settle(claim)
        return RecheckSkipped(claim.monitor, claim.window)
    found = replace(abandoned_evaluation(claim) or evaluate_window(source, standards, claim.window), before=before)
    told = f"window {claim.window} cannot be looked at again: {found.error}" if found.error else ""
    if told:
        log.warning("%s: %s", claim.monitor, told)
    if told or found.nothing_new:
        store.settle(claim, again=bool(told) and not found.final)
        return RecheckSkipped(claim.monitor, claim.window, told)
    return found


def _finish(
    store: Store, standards: ReferenceResolver, claim: Claim, found: Evaluation, now: Callable[[], datetime]
) -> Outcome:
    """Decide on the alerts as they stand and write it all; decide again where another window moved them."""
    for _ in range(MAX_DECISIONS):
        outcome = decide_outcome(standards, claim, found, store.alert_states(claim.monitor_id), now())
        try:
            store.finish(claim, outcome, now())
        except AlertConflict as error:
            moved = error
        else:
            return outcome
    raise moved


def _log(one: WindowResult) -> None:
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
