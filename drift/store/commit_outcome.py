"""The transaction that ends a check: the whole outcome is written, or nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from drift.errors import StoreError
from drift.failpoints import reach
from drift.monitors.alert_state import Fingerprint
from drift.monitors.comparison import ColumnResult
from drift.monitors.verdict import Verdict
from drift.store.alerts import write_alerts
from drift.store.dimension_keys import AxisCache, MethodKey, column_ids, method_ids, method_key
from drift.store.leases import end_claim
from drift.store.outcomes import Outcome, StorableEvent, StorableNotification
from drift.store.profiles import write_profiles
from drift.store.retention import reopen
from drift.store.tables import COUNTS_DTYPE, delivery, event, monitor, notification, revision, score_table, tally
from drift.store.work_items import BACKFILL, Claim


def write_outcome(connection: Connection, cache: AxisCache, claim: Claim, outcome: Outcome, now: datetime) -> None:
    """Write an outcome within the caller's transaction, and end the claim.

    Raises
    ------
    LeaseLost
        If the claim's token is no longer the newest.
    AlertConflict
        If another check of the monitor has changed its alerts.
    """
    _end_claim(connection, claim, outcome)
    reach("ending")
    # One outcome of a monitor at a time (SQLite has one writer anyway): no other process changes its alerts and names.
    # KEY SHARE stays available: planning new windows of the monitor need not wait.
    connection.execute(select(monitor.c.id).where(monitor.c.id == claim.monitor_id).with_for_update(key_share=True))
    reach("revision")
    revision_id = _write_revision(connection, claim, outcome, now)
    _update_tally(connection, claim.monitor_id, claim.previous_verdict, outcome.verdict)
    reach("profiles")
    profiles = {s.segment: s.live for s in outcome.segments}
    keys = write_profiles(connection, cache, claim.monitor_id, "revision_id", revision_id, profiles)
    reopen(connection, claim.monitor_id, claim.window.start)
    reach("scores")
    _write_scores(connection, claim.monitor_id, keys, outcome)
    reach("alerts")
    alert_ids = write_alerts(connection, claim.monitor_id, outcome.transitions)
    reach("events")
    _write_events(connection, revision_id, alert_ids, outcome.events, now)
    if outcome.notification is not None:
        reach("notification")
        _write_notification(connection, revision_id, outcome.notification, outcome.channels, now)


def is_written(connection: Connection, claim: Claim) -> bool:
    """Return whether exactly this claim has written its revision."""
    query = select(revision.c.id).where(revision.c.window_id == claim.window_id, revision.c.number == claim.revision)
    return connection.execute(query.where(revision.c.token == claim.token)).one_or_none() is not None


def _end_claim(connection: Connection, claim: Claim, outcome: Outcome) -> None:
    values: dict[str, Any] = {"revision": claim.revision, "last_error": None, "cause": None, "seen": None}
    if outcome.retry_at is None:
        end_claim(connection, claim, "done", **values)
        return
    if claim.is_backfill:  # stays a backfill until its data is read: an old window raises no alert then either
        values["cause"] = BACKFILL
    end_claim(connection, claim, "due", next_attempt_at=outcome.retry_at, **values)


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
    key: int = connection.execute(revision.insert().returning(revision.c.id), row).scalar_one()
    return key


def _update_tally(connection: Connection, monitor_id: int, before: Verdict | None, after: Verdict) -> None:
    """Count a window's new verdict instead of its previous one. The caller has locked the monitor's row."""
    if before is after:
        return
    changes = {after: 1} if before is None else {before: -1, after: 1}
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    new = insert(tally)
    added = new.on_conflict_do_update(
        index_elements=[tally.c.monitor_id, tally.c.verdict], set_={"windows": tally.c.windows + new.excluded.windows}
    )
    rows = [{"monitor_id": monitor_id, "verdict": verdict.value, "windows": by} for verdict, by in changes.items()]
    connection.execute(added, rows)


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
    connection.execute(score_table.insert(), rows)


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


def _write_events(
    connection: Connection,
    revision_id: int,
    alert_ids: Mapping[Fingerprint, int],
    events: Sequence[StorableEvent],
    now: datetime,
) -> None:
    rows: list[dict[str, Any]] = []
    for value in events:
        transition = value.transition
        if transition.fingerprint not in alert_ids:
            message = f"event {value.id} is about {transition.fingerprint}, but no transition of this outcome is"
            raise StoreError(message, code="internal-error")
        rows.append(
            {
                "id": value.id,
                "alert_id": alert_ids[transition.fingerprint],
                "revision_id": revision_id,
                "from_state": transition.before.state.value,
                "to_state": transition.after.state.value,
                "verdict": transition.verdict.value,
                "reason": transition.reason,
                "payload": dict(value.to_dict()),
                "at": now,
            }
        )
    if rows:
        connection.execute(event.insert(), rows)


def _write_notification(
    connection: Connection, revision_id: int, value: StorableNotification, channels: Sequence[str], now: datetime
) -> None:
    row = {"id": value.id, "revision_id": revision_id, "payload": dict(value.to_dict()), "created_at": now}
    connection.execute(notification.insert(), row)
    due = {"notification_id": value.id, "status": "pending", "attempts": 0, "next_attempt_at": now}
    if channels:
        connection.execute(delivery.insert(), [{"channel": channel, **due} for channel in channels])
