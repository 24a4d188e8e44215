"""Check the due windows of monitors: plan, claim, evaluate, decide, and store each in one transaction.

    source --count on axes--> profile --compare with reference--> scores --judge--> verdicts
           --one transaction--> store (profile, scores, verdicts, alert events)

The process may be killed at any point: planned windows stay planned, and unfinished ones are claimed again.
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
from drift.runner.isolation import ISOLATE_AFTER_CRASHES, MAX_EXCLUSIVE_SECONDS, work_slot
from drift.runner.lease import LEASE_TTL, hold_lease, reclaim_expired
from drift.runner.load_reference import load_reference
from drift.runner.outcome import decide_outcome
from drift.runner.plan import plan_rechecks, plan_windows
from drift.runner.timeout import run_with_timeout
from drift.runner.worker import Worker
from drift.sources import Source, open_source
from drift.store import AlertConflict, Claim, Definition, LeaseLost, Outcome, PlannedWindow, Store

log = logging.getLogger(__name__)

MAX_DECISIONS: Final = 5
"""Decisions on the alerts of one window if other windows change the alerts in between."""


@dataclass(frozen=True, slots=True)
class WindowResult:
    """A window that was evaluated and stored."""

    monitor: str
    window: Window
    revision: int
    outcome: Outcome

    @property
    def verdicts(self) -> list[Verdict]:
        """The verdict of each column of each segment, or the window's own if there are none."""
        verdicts = [column.verdict for part in self.outcome.segments for column in part.columns]
        return verdicts or [self.outcome.verdict]


@dataclass(frozen=True, slots=True)
class RecheckSkipped:
    """A re-check that left its window unchanged."""

    monitor: str
    window: Window | None  # None if it is unknown whether rows arrived late in any window of the `lookback`
    problem: str = ""  # why the re-check failed; empty if it found no new rows
    code: str = ""  # of the problem; empty without one


@dataclass(frozen=True, slots=True)
class MonitorFailure:
    """A monitor whose windows could not be checked."""

    monitor: str
    message: str  # the reason
    code: str  # of the `DriftError`, or ``internal-error``


def run_all(
    store: Store,
    monitors: Iterable[Monitor],
    *,
    worker: Worker,
    now: Callable[[], datetime],
    limit: int | None = None,
    recheck: bool = True,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[WindowResult | RecheckSkipped | MonitorFailure]:
    """Check the due windows (up to `limit`) of every monitor once; one that fails never stops the next."""
    for monitor in monitors:
        try:
            yield from run_monitor(
                store, monitor, worker=worker, now=now, limit=limit, recheck=recheck, stopping=stopping
            )
        except DriftError as error:
            yield MonitorFailure(monitor.name, str(error), error.code)
        except Exception as error:  # a defect in one monitor must not stop the others either
            log.exception(
                "monitor %s failed because of a defect in drift", monitor.name, extra={"code": "internal-error"}
            )
            reason = f"a defect in drift ({type(error).__name__}: {error}); please report it"
            yield MonitorFailure(monitor.name, reason, "internal-error")


def run_monitor(
    store: Store,
    monitor: Monitor,
    *,
    worker: Worker,
    now: Callable[[], datetime],
    limit: int | None = None,
    recheck: bool = True,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[WindowResult | RecheckSkipped]:
    """Check every due window of a monitor once, oldest first, and yield each as soon as it is stored.

    With `recheck`, windows of the monitor's `lookback` whose source has changed are due as well, after all others. A
    window that closes during the re-checks ends them for now: it is checked first, in the next run. No window is
    started once `stopping` is true.

    Raises
    ------
    DriftError
        If no window of this monitor can be checked: the reference or the store cannot be read.
    """
    source, definition, skipped = run_with_timeout(
        monitor.deadline, monitor.name, "planning", lambda: _plan(store, monitor, now(), recheck=recheck)
    )
    if skipped is not None:
        yield skipped
    reclaim_expired(store, definition.monitor_id, worker, now())
    due = store.windows.due(definition, now(), limit)
    if not due:
        return
    reference = load_reference(store, monitor, definition, worker=worker, now=now, stopping=stopping)
    if reference is None:
        return
    starts = [planned.window.start for planned in due]
    resolver = ReferenceResolver(monitor, reference, load_history(store, monitor, min(starts), max(starts)))
    rechecking = False
    for planned in due:
        if planned.is_recheck and rechecking and _is_new_window_due(store, monitor, source, now()):
            return
        rechecking = planned.is_recheck
        with work_slot(exclusive=planned.crashes >= ISOLATE_AFTER_CRASHES, stopping=stopping) as granted:
            if not granted and not stopping():  # an error, because this window and later ones wait
                raise SourceError(_postponed_message(planned), code="isolation-postponed")
            claim = store.windows.claim(planned.id, definition, worker.name, now(), LEASE_TTL) if granted else None
            if claim is None:  # another replica has it; alerts are decided in order, so later windows wait
                return
            try:
                result = check_window(store, source, resolver, claim, now)
            except LeaseLost as error:  # the evaluation outlasted the lease, and another replica took the window
                log.warning("%s: %s", monitor.name, error, extra={"code": error.code})
                return
        yield result


def _postponed_message(planned: PlannedWindow) -> str:
    return (
        f"window {planned.window} and later ones are postponed: it crashed the worker {planned.crashes} times, so it "
        "is evaluated only while nothing else runs, and other monitors were busy for more than "
        f"{MAX_EXCLUSIVE_SECONDS:g} s"
    )


def _plan(
    store: Store, monitor: Monitor, now: datetime, *, recheck: bool
) -> tuple[Source, Definition, RecheckSkipped | None]:
    """Plan new windows and re-checks; if re-checks cannot be planned, new windows are checked all the same."""
    source = open_source(monitor)
    definition = plan_windows(store, monitor, source, now)
    try:
        if recheck:
            plan_rechecks(store, monitor, source, definition, now)
    except SourceError as error:
        problem = f"cannot see whether rows arrived late: {error}"
        log.warning("%s: %s", monitor.name, problem, extra={"code": error.code})
        return source, definition, RecheckSkipped(monitor.name, None, problem, error.code)
    return source, definition, None


def _is_new_window_due(store: Store, monitor: Monitor, source: Source, now: datetime) -> bool:
    """Return whether a window that was never checked is due by now."""
    definition = plan_windows(store, monitor, source, now)
    return any(not planned.is_recheck for planned in store.windows.due(definition, now, 1))


def check_window(
    store: Store, source: Source, resolver: ReferenceResolver, claim: Claim, now: Callable[[], datetime]
) -> WindowResult | RecheckSkipped:
    """Evaluate one claimed window, decide its outcome and store it."""
    with hold_lease(store, claim, now):
        reach("claimed")
        if claim.is_recheck:
            evaluation = _recheck(store, source, resolver, claim)
            if isinstance(evaluation, RecheckSkipped):
                return evaluation
        else:
            evaluation = abandoned_evaluation(claim) or evaluate_window(source, resolver, claim.window)
        outcome = _commit(store, resolver, claim, evaluation, now)
    resolver.add_checked(claim.window, outcome.segments)
    result = WindowResult(claim.monitor, claim.window, claim.revision, outcome)
    _log_result(result)
    return result


def _recheck(store: Store, source: Source, resolver: ReferenceResolver, claim: Claim) -> Evaluation | RecheckSkipped:
    """Evaluate a window again; if its rows have not changed or cannot be read, the stored revision stays."""
    previous = store.history.results(claim.monitor, claim.window.start)
    if not previous and claim.previous_verdict is not Verdict.ERROR:  # pruned meanwhile: everything would seem new
        store.windows.close_recheck(claim)
        return RecheckSkipped(claim.monitor, claim.window)
    evaluation = abandoned_evaluation(claim) or evaluate_window(source, resolver, claim.window)
    evaluation = replace(evaluation, previous=previous)
    problem = f"window {claim.window} cannot be re-checked: {evaluation.error}" if evaluation.error else ""
    if problem:
        log.warning("%s: %s", claim.monitor, problem, extra={"code": "recheck-failed"})
    if problem or evaluation.is_unchanged:
        store.windows.close_recheck(claim, retry=bool(problem) and not evaluation.final)
        return RecheckSkipped(claim.monitor, claim.window, problem, evaluation.code)
    return evaluation


def _commit(
    store: Store, resolver: ReferenceResolver, claim: Claim, evaluation: Evaluation, now: Callable[[], datetime]
) -> Outcome:
    """Decide on the current alerts and store the outcome; decide again if another window changed them meanwhile."""
    for _ in range(MAX_DECISIONS):
        outcome = decide_outcome(resolver, claim, evaluation, store.monitors.alert_states(claim.monitor_id), now())
        try:
            store.windows.commit(claim, outcome, now())
        except AlertConflict as error:
            conflict = error
        else:
            return outcome
    raise conflict


def _log_result(result: WindowResult) -> None:
    outcome, verdict = result.outcome, result.outcome.verdict.value
    columns = [column for part in outcome.segments for column in part.columns]
    fields = {
        "event": "window",
        "monitor": result.monitor,
        "window": str(result.window),
        "window_start": format_instant(result.window.start),
        "window_end": format_instant(result.window.end),
        "revision": result.revision,
        "verdict": verdict,
        "code": outcome.code,
        "rows": outcome.rows,
        "columns": len(columns),
        "drifted": sum(column.verdict is Verdict.DRIFT for column in columns),
        "alerts": len(outcome.events),
    }
    log.info("%s %s: %s, %s", result.monitor, result.window, verdict, outcome.message, extra={"fields": fields})
