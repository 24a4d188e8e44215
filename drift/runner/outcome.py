"""Decide the outcome of an evaluated window: verdict, alerts, notification, and whether it is retried."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from drift.monitors.alert_rules import transitions
from drift.monitors.alert_state import AlertState, Fingerprint
from drift.monitors.comparison import SegmentResult
from drift.monitors.verdict import Verdict
from drift.notify.message import make_events, make_notification
from drift.references.resolver import ReferenceResolver
from drift.runner.evaluate import Evaluation, window_rng
from drift.store import Claim, Outcome

RETRY_DELAYS: Final = tuple(timedelta(minutes=m) for m in (1, 5, 30, 120))
"""Longest delay after each failed attempt until a window is retried; after the last, its `error` verdict is final."""

VERDICT_CODES: Final[Mapping[Verdict, str]] = {
    Verdict.OK: "ok",
    Verdict.WARN: "warn",
    Verdict.DRIFT: "drift",
    Verdict.INSUFFICIENT: "insufficient",
    Verdict.NO_DATA: "no-rows",
    Verdict.NOT_COMPARABLE: "not-comparable",
    Verdict.SCHEMA_ERROR: "schema-error",
    Verdict.ERROR: "column-unreadable",
}
"""Code of an evaluated window, by its verdict, the worst of its columns."""


def decide_outcome(
    resolver: ReferenceResolver,
    claim: Claim,
    evaluation: Evaluation,
    states: Mapping[Fingerprint, AlertState],
    now: datetime,
) -> Outcome:
    """Return the outcome of a window; writes nothing.

    The code of the outcome is that of the error if the window could not be evaluated, else that of the window's verdict
    (`VERDICT_CODES`). `now` is the time of the decision: alerts change state then, and the delay of a retry starts.
    """
    monitor = resolver.monitor
    changes = transitions(
        monitor,
        claim.window,
        evaluation.results or Verdict.ERROR,
        states,
        now,
        overdue=_is_unreported(claim, evaluation),
        changed=evaluation.changed_columns if claim.is_recheck else (),
    )
    by_column = {(part.segment, c.column): c for part in evaluation.results for c in part.columns}
    events = make_events(changes, by_column, monitor.name, claim.window, claim.revision, evaluation.error)
    rules = monitor.alerting
    notification = make_notification(
        monitor.name, claim.window, claim.revision, events, labels=rules.labels, runbook=rules.runbook, page=rules.page
    )
    retries = bool(evaluation.error) and not evaluation.final and claim.failures < len(RETRY_DELAYS)
    return Outcome(
        rows=evaluation.results[0].live.rows if evaluation.results else 0,
        verdict=evaluation.verdict,
        message=evaluation.error or _summary(evaluation.results, evaluation.new_columns),
        source=evaluation.source,
        baseline_id=resolver.frozen.id,
        segments=evaluation.results,
        transitions=changes,
        events=events,
        notification=notification,
        channels=rules.notify,
        retry_at=now + _retry_delay(claim) if retries else None,
        judged=evaluation.judged,
        code=evaluation.code or VERDICT_CODES[evaluation.verdict],
    )


def _is_unreported(claim: Claim, evaluation: Evaluation) -> bool:
    """Return whether this is the first scheduled evaluation: its alerts are new, however late it is."""
    if claim.is_backfill:
        return False
    return claim.previous_verdict is None or (claim.previous_verdict is Verdict.ERROR and not evaluation.error)


def _retry_delay(claim: Claim) -> timedelta:
    """Return the delay until the next attempt, shortened by up to a quarter at random.

    The jitter spreads the windows and monitors that failed because of one source. It follows from monitor, window and
    attempt: a window has one worker at a time, so replicas cannot collide, and a repeated run gives the same instants.
    """
    jitter = window_rng(claim.monitor, claim.window, f"attempt {claim.failures + 1}").uniform(0.75, 1.0)
    return RETRY_DELAYS[claim.failures] * float(jitter)


def _summary(results: tuple[SegmentResult, ...], new_columns: tuple[str, ...]) -> str:
    """Return one line: how many columns drifted, the worst of them, and how many could not be evaluated."""
    columns = [column for part in results for column in part.columns]
    if columns and all(column.verdict is Verdict.NO_DATA for column in columns):
        return "no rows"
    drifted = [column.column for column in columns if column.verdict is Verdict.DRIFT]
    inconclusive = sum(not column.verdict.is_conclusive for column in columns)
    summary = f"{len(drifted)} of {len(columns)} columns drifted" + (f", most: {drifted[0]}" if drifted else "")
    summary += f"; {inconclusive} could not be evaluated" if inconclusive else ""
    return summary + (f"; not in the reference: {', '.join(new_columns)}" if new_columns else "")
