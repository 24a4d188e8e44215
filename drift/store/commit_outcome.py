"""The one transaction that ends a check: all of its outcome is written, or nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select, update

from drift.errors import StoreError
from drift.failpoints import reach
from drift.monitors.alert_state import AlertState, Fingerprint, State, Transition
from drift.monitors.comparison import ColumnResult
from drift.monitors.verdict import Verdict
from drift.store.claims import Claim, end_claim
from drift.store.dimension_keys import AxisCache, MethodKey, column_ids, method_ids, method_key
from drift.store.monitor_status import count
from drift.store.outcomes import Event, Outcome
from drift.store.plan import BACKFILL
from drift.store.profiles import write_profiles
from drift.store.retention import reopen
from drift.store.tables import COUNTS_DTYPE, alert, delivery, event, monitor, notification, revision, score
from drift.store.types import SafeText


class AlertConflict(StoreError):  # noqa: N818 - reads as what happened
    """Alerts stand otherwise than they did when they were decided on: read them again and decide again."""


def finish(connection: Connection, book: AxisCache, claim: Claim, outcome: Outcome, now: datetime) -> None:
    """Write an outcome within the caller's transaction.

    Raises
    ------
    LeaseLost
        Where the claim's token is no longer the newest.
    AlertsMoved
        Where another check of this monitor decided on its alerts meanwhile.
    """
    ended: dict[str, Any] = {"revision": claim.revision, "last_error": None, "cause": None, "seen": None}
    if outcome.retry_at is None:
        end_claim(connection, claim, "done", **ended)
    else:
        if claim.asked:  # so it remains until it is read: what it says then is no more news than it is now
            ended["cause"] = BACKFILL
        end_claim(connection, claim, "due", next_attempt_at=outcome.retry_at, **ended)
    reach("ending")
    # One outcome of a monitor at a time (SQLite has one writer anyway): alerts and names are then ours alone.
    # KEY SHARE is left to others: planning new windows of this monitor need not wait.
    connection.execute(select(monitor.c.id).where(monitor.c.id == claim.monitor_id).with_for_update(key_share=True))
    reach("revision")
    revision_id = _write_revision(connection, claim, outcome, now)
    count(connection, claim.monitor_id, claim.before, outcome.verdict)
    reach("profiles")
    profiles = {s.segment: s.live for s in outcome.segments}
    keys = write_profiles(connection, book, claim.monitor_id, "revision_id", revision_id, profiles)
    reopen(connection, claim.monitor_id, claim.window.start)
    reach("scores")
    _write_scores(connection, claim.monitor_id, keys, outcome)
    reach("alerts")
    alert_ids = _write_alerts(connection, claim.monitor_id, outcome.transitions)
    reach("events")
    _write_events(connection, revision_id, alert_ids, outcome.events, now)
    if outcome.notification is not None:
        reach("notification")
        _write_notification(connection, revision_id, outcome, now)


def _write_revision(connection: Connection, claim: Claim, outcome: Outcome, now: datetime) -> int:
    verdicts = [column.verdict for segment in outcome.segments for column in segment.columns]
    row = {
        "window_id": claim.window_id,
        "number": claim.revision,
        "definition_id": claim.definition_id,
        "baseline_id": outcome.baseline_id,
        "rows": outcome.rows,
        "columns": len(verdicts),
        "drifted": verdicts.count(Verdict.DRIFT),
        "verdict": outcome.verdict.value,
        "message": outcome.message,
        "source": dict(outcome.source),
        "counted_at": now,
        "judged": None if outcome.judged is None else dict(outcome.judged),
        "token": claim.token,
        "code": outcome.code or None,
    }
    made: int = connection.execute(revision.insert().returning(revision.c.id), row).scalar_one()
    return made


def _write_scores(connection: Connection, monitor_id: int, profiles: Mapping[str, int], outcome: Outcome) -> None:
    results = [(profiles[segment.segment], column) for segment in outcome.segments for column in segment.columns]
    if not results:
        return
    columns = column_ids(connection, monitor_id, (column.column for _, column in results))
    methods = method_ids(connection, (column.scored.method for _, column in results if column.scored is not None))
    moves = outcome.reference_moves
    rows = [
        {
            "profile_id": profile_id,
            "column_id": columns[column.column],
            "held": column.reference.counts.astype(COUNTS_DTYPE).tobytes() if moves and column.reference else None,
            **_score_row(column, methods),
        }
        for profile_id, column in results
    ]
    connection.execute(score.insert(), rows)


def _score_row(column: ColumnResult, methods: Mapping[MethodKey, int]) -> dict[str, Any]:
    scored, threshold = column.scored, column.threshold
    low, high = (None, None) if scored is None else scored.interval
    return {
        "method_id": None if scored is None else methods[method_key(scored.method)],
        "value": column.score,
        "noise_floor": column.noise_floor,
        "p_value": column.p_value,
        "low": low,
        "high": high,
        "detectable": None if scored is None else scored.detectable,
        "threshold_drift": None if threshold is None else threshold.drift,
        "threshold_warn": None if threshold is None else threshold.warn,
        "customary": None if threshold is None else bool(threshold.is_default),
        "verdict": column.verdict.value,
        "message": column.message,
        "windows": column.windows,
        "level": column.level,
        "code": column.code or None,
    }


def alert_states(connection: Connection, monitor_id: int) -> dict[Fingerprint, AlertState]:
    """Where every alert of a monitor stands."""
    return {known: state for known, (_, state) in _alerts(connection, monitor_id).items()}


def _alerts(connection: Connection, monitor_id: int) -> dict[Fingerprint, tuple[int, AlertState]]:
    name = connection.execute(select(monitor.c.name).where(monitor.c.id == monitor_id)).scalar_one()
    rows = connection.execute(select(alert).where(alert.c.monitor_id == monitor_id).order_by(alert.c.id))
    return {
        Fingerprint(name, row.column_name, row.segment, row.rule): (
            row.id,
            AlertState(State(row.state), row.since, row.bad, row.calm, row.last_window),
        )
        for row in rows
    }


def _write_alerts(connection: Connection, monitor_id: int, transitions: Sequence[Transition]) -> dict[Fingerprint, int]:
    """Set each alert to its new state; gives the key of each."""
    known = _alerts(connection, monitor_id)
    changed: list[dict[str, Any]] = []
    new: list[dict[str, Any]] = []
    for turn in transitions:
        key, stands = known.get(turn.fingerprint, (None, AlertState()))
        if stands != turn.before:
            raise AlertConflict(
                f"the alert on {turn.fingerprint} was decided on as {turn.before}, but stands at {stands}: "
                "another check came between; read the alerts again and decide again"
            )
        if turn.after == turn.before:
            continue  # nothing was told
        if key is None:
            new.append(_new_alert(monitor_id, turn))
        else:
            # A verdict that says nothing of this alert leaves the reason why it stands where it does.
            news = (turn.after.bad, turn.after.calm) != (turn.before.bad, turn.before.calm)
            told = turn.reason if news or turn.changed else None
            changed.append({"key": key, "told": told, **_state(turn.after, prefix="new_")})
    if changed:
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _STATE}
        swap = update(alert).where(alert.c.id == bindparam("key"))
        swap = swap.values(
            version=alert.c.version + 1,
            reason=func.coalesce(bindparam("told", type_=SafeText), alert.c.reason),
            **values,
        )
        connection.execute(swap, changed)
    ids = {fingerprint: key for fingerprint, (key, _) in known.items()}
    if new:
        about = {turn.fingerprint.digest: turn.fingerprint for turn in transitions}
        made = connection.execute(alert.insert().returning(alert.c.fingerprint, alert.c.id), new)
        ids |= {about[row.fingerprint]: row.id for row in made}
    return ids


_STATE: Final = ("state", "since", "bad", "calm", "last_window")


def _state(value: AlertState, prefix: str = "") -> dict[str, Any]:
    return {prefix + name: getattr(value, name) for name in _STATE}


def _new_alert(monitor_id: int, turn: Transition) -> dict[str, Any]:
    about = turn.fingerprint
    return {
        "monitor_id": monitor_id,
        "fingerprint": about.digest,
        "column_name": about.column,
        "segment": about.segment,
        "rule": about.rule,
        "reason": turn.reason,
        "version": 1,
        **_state(turn.after),
    }


def _write_events(
    connection: Connection,
    revision_id: int,
    alert_ids: Mapping[Fingerprint, int],
    events: Sequence[Event],
    now: datetime,
) -> None:
    rows: list[dict[str, Any]] = []
    for value in events:
        turn = value.transition
        if turn.fingerprint not in alert_ids:
            raise StoreError(f"event {value.id} is about {turn.fingerprint}, which no transition of this outcome set")
        rows.append(
            {
                "id": value.id,
                "alert_id": alert_ids[turn.fingerprint],
                "revision_id": revision_id,
                "from_state": turn.before.state.value,
                "to_state": turn.after.state.value,
                "verdict": turn.verdict.value,
                "reason": turn.reason,
                "payload": dict(value.to_dict()),
                "at": now,
            }
        )
    if rows:
        connection.execute(event.insert(), rows)


def _write_notification(connection: Connection, revision_id: int, outcome: Outcome, now: datetime) -> None:
    told = outcome.notification
    assert told is not None  # noqa: S101 - for the type checker; finish() asked
    row = {"id": told.id, "revision_id": revision_id, "payload": dict(told.to_dict()), "created_at": now}
    connection.execute(notification.insert(), row)
    due = {"notification_id": told.id, "status": "pending", "attempts": 0, "next_attempt_at": now}
    if outcome.channels:
        connection.execute(delivery.insert(), [{"channel": channel, **due} for channel in outcome.channels])
