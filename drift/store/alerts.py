"""Alerts of a monitor: their states, written only if they are still those that were decided on."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select, update

from drift.errors import StoreError
from drift.monitors.alert_state import AlertState, Fingerprint, State, Transition
from drift.store.tables import alert, monitor
from drift.store.types import SafeText

_STATE: Final = ("state", "since", "bad", "calm", "last_window")


class AlertConflict(StoreError):  # noqa: N818 - names the event
    """The alerts have changed since they were decided on: read them again and decide again."""

    default_code = "alert-conflict"


def read_alerts(connection: Connection, monitor_id: int) -> dict[Fingerprint, tuple[int, AlertState]]:
    """Return key and state of each of a monitor's alerts."""
    name = connection.execute(select(monitor.c.name).where(monitor.c.id == monitor_id)).scalar_one()
    rows = connection.execute(select(alert).where(alert.c.monitor_id == monitor_id).order_by(alert.c.id))
    return {
        Fingerprint(name, row.column_name, row.segment, row.rule): (
            row.id,
            AlertState(State(row.state), row.since, row.bad, row.calm, row.last_window),
        )
        for row in rows
    }


def write_alerts(connection: Connection, monitor_id: int, transitions: Sequence[Transition]) -> dict[Fingerprint, int]:
    """Write the new state of each alert; return the keys of all.

    Raises
    ------
    AlertConflict
        If the state of an alert is not the one its transition begins with.
    """
    known = read_alerts(connection, monitor_id)
    changed: list[dict[str, Any]] = []
    new: list[dict[str, Any]] = []
    for transition in transitions:
        key, state = known.get(transition.fingerprint, (None, AlertState()))
        if state != transition.before:
            raise AlertConflict(
                f"the alert on {transition.fingerprint} was decided on as {transition.before}, but is {state}: "
                "another check has changed it; read the alerts again and decide again",
                code="alert-conflict",
            )
        if transition.after == transition.before:
            continue  # the verdict says nothing about this alert
        if key is None:
            new.append(_new_row(monitor_id, transition))
        else:
            changed.append({"key": key, "new_reason": _reason(transition), **_state(transition.after, prefix="new_")})
    if changed:
        connection.execute(_update_by_key(), changed)
    ids = {fingerprint: key for fingerprint, (key, _) in known.items()}
    if new:
        fingerprints = {transition.fingerprint.digest: transition.fingerprint for transition in transitions}
        inserted = connection.execute(alert.insert().returning(alert.c.fingerprint, alert.c.id), new)
        ids |= {fingerprints[row.fingerprint]: row.id for row in inserted}
    return ids


def _reason(transition: Transition) -> str | None:
    """Return the new reason; None if the verdict leaves the counts, and with them the reason for the state."""
    before, after = transition.before, transition.after
    counted = (after.bad, after.calm) != (before.bad, before.calm)
    return transition.reason if counted or transition.changed else None


def _update_by_key() -> Any:
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _STATE}
    return (
        update(alert)
        .where(alert.c.id == bindparam("key"))
        .values(
            version=alert.c.version + 1,
            reason=func.coalesce(bindparam("new_reason", type_=SafeText), alert.c.reason),
            **values,
        )
    )


def _state(value: AlertState, prefix: str = "") -> dict[str, Any]:
    return {prefix + name: getattr(value, name) for name in _STATE}


def _new_row(monitor_id: int, transition: Transition) -> dict[str, Any]:
    fingerprint = transition.fingerprint
    return {
        "monitor_id": monitor_id,
        "fingerprint": fingerprint.digest,
        "column_name": fingerprint.column,
        "segment": fingerprint.segment,
        "rule": fingerprint.rule,
        "reason": transition.reason,
        "version": 1,
        **_state(transition.after),
    }
