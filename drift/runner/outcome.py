"""What becomes of a window: its verdict, its alerts, what is told, and whether it is tried again."""

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
"""How long after each failed attempt a window is tried again, at most; then its `error` verdict stands."""


def decide_outcome(
    standards: ReferenceResolver,
    claim: Claim,
    found: Evaluation,
    states: Mapping[Fingerprint, AlertState],
    now: datetime,
) -> Outcome:
    """What a window leaves behind: nothing is written yet.

    Parameters
    ----------
    standards : Standards
        What the window was held to.
    claim : Claim
        The right to write it.
    found : Found
        What counting and comparing gave.
    states : mapping of Fingerprint to AlertState
        Where the monitor's alerts stand.
    now : datetime
        When it is decided: alerts turn then, and the pause until another try begins.
    """
    monitor = standards.monitor
    turned = transitions(
        monitor,
        claim.window,
        found.results or Verdict.ERROR,
        states,
        now,
        overdue=_unheard(claim, found),
        news=found.turned if claim.late else (),
    )
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
            monitor.name,
            claim.window,
            claim.revision,
            events,
            labels=rules.labels,
            runbook=rules.runbook,
            page=rules.page,
        ),
        channels=rules.notify,
        retry_at=now + _pause(claim)
        if found.error and not found.final and claim.failures < len(RETRY_DELAYS)
        else None,
        judged=found.judged,
    )


def _unheard(claim: Claim, found: Evaluation) -> bool:
    """Whether nobody has heard yet what the window has to say: it was never read, though its turn has come."""
    if claim.asked:
        return False
    return claim.before is None or (claim.before is Verdict.ERROR and not found.error)


def _pause(claim: Claim) -> timedelta:
    """Until the next attempt: less up to a quarter by chance, lest all that failed together come again together.

    What has to differ are the windows and monitors that one source failed, and their draws do. Replicas would all draw
    the same for one window, which is no herd: it has one holder, who alone decides when it is due again, and that is
    kept in the store. A run that is repeated gives the same moments.
    """
    spread = window_rng(claim.monitor, claim.window, f"attempt {claim.failures + 1}").uniform(0.75, 1.0)
    return RETRY_DELAYS[claim.failures] * float(spread)


def _summary(results: tuple[SegmentResult, ...], new: tuple[str, ...]) -> str:
    """One line for a person: how many columns, how many drifted, the worst of them, what cannot be told."""
    columns = [column for part in results for column in part.columns]
    drifted = [column.column for column in columns if column.verdict is Verdict.DRIFT]
    untold = sum(not column.verdict.is_conclusive for column in columns)
    if columns and all(column.verdict is Verdict.NO_DATA for column in columns):
        return "no rows"
    told = f"{len(drifted)} of {len(columns)} columns drifted" + (f", most: {drifted[0]}" if drifted else "")
    told += f"; {untold} could not be told" if untold else ""
    return told + (f"; not in the reference: {', '.join(new)}" if new else "")
