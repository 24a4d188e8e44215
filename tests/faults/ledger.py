"""The ledger: contents of store and receiver compared with the expected ones, by plain SQL, without drift's code."""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final, Self

import psycopg

from tests.faults.receiver import ReceivedNotification, Receiver
from tests.faults.world import Truth

_WINDOWS: Final = 'SELECT m.name, w.start_at, w.end_at, w.status FROM "window" w JOIN monitor m ON m.id = w.monitor_id'
_REVISIONS: Final = """SELECT m.name, w.start_at, w.end_at FROM revision r JOIN "window" w ON w.id = r.window_id
    JOIN monitor m ON m.id = w.monitor_id"""
_SCORES: Final = """SELECT m.name, w.start_at, c.name, s.value, s.verdict FROM score s
    JOIN profile p ON p.id = s.profile_id JOIN revision r ON r.id = p.revision_id JOIN "window" w ON w.id = r.window_id
    JOIN monitor m ON m.id = w.monitor_id JOIN watched_column c ON c.id = s.column_id"""
_TRANSITIONS: Final = """SELECT m.name, w.start_at, a.column_name, e.to_state
    FROM event e JOIN alert a ON a.id = e.alert_id JOIN revision r ON r.id = e.revision_id
    JOIN "window" w ON w.id = r.window_id JOIN monitor m ON m.id = w.monitor_id
    WHERE e.to_state IN ('firing', 'resolved')"""


@dataclass(frozen=True)
class Counts:
    """Number of faults of each kind, and of permitted repeats.

    Parameters
    ----------
    windows_lost, windows_doubled : int
        Windows that were not checked; that are stored or were checked more than once, or should not have been checked.
    alerts_lost, alerts_doubled : int
        Transitions of an alert that are missing in the store or in the notifications; that are stored twice, or arrived
        under two ids.
    wrong_scores : int
        Scores or verdicts that differ from the reference computation, are missing, or are surplus.
    repeats : int
        Notifications repeated with the same id: permitted, and only reported.
    """

    windows_lost: int = 0
    windows_doubled: int = 0
    alerts_lost: int = 0
    alerts_doubled: int = 0
    wrong_scores: int = 0
    repeats: int = 0

    def __add__(self, other: "Counts") -> Self:
        return type(self)(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def faults(self) -> tuple[int, ...]:
        """The five counters that must be zero."""
        return astuple(self)[:5]

    def __str__(self) -> str:
        return ", ".join(f"{f.name.replace('_', ' ')} {n}" for f, n in zip(fields(self), astuple(self), strict=True))


def query(store: str, statement: str) -> list[tuple[Any, ...]]:
    """Execute a statement on the store with this URL, commit, and return the rows."""
    if store.startswith("sqlite"):
        with closing(sqlite3.connect(store.removeprefix("sqlite:///"), timeout=30)) as lite, lite:
            return lite.execute(statement).fetchall()
    with psycopg.connect(store) as server:
        cursor = server.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _moment(value: str | datetime) -> datetime:
    """Parse an instant; SQLite stores UTC as text without a zone."""
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def audit(store: str, truth: Truth, receiver: Receiver | None, *, refused: bool = False) -> Counts:
    """Count the faults.

    Parameters
    ----------
    store : str
        URL of the store.
    truth : Truth
        The expected contents.
    receiver : Receiver or None
        Receiver of the notifications; None if none is configured.
    refused : bool
        Whether refused notifications count as delivered.
    """
    planned = Counter((name, _moment(start), _moment(end)) for name, start, end, _ in query(store, _WINDOWS))
    done = Counter((name, _moment(start), _moment(end)) for name, start, end in query(store, _REVISIONS))
    unfinished = sum(status != "done" for *_, status in query(store, _WINDOWS))
    stored = Counter((name, _moment(start), column, to) for name, start, column, to in query(store, _TRANSITIONS))
    expected = Counter(truth.transitions)
    lost, doubled = expected - stored, stored - expected
    repeats = 0
    if receiver is not None:
        delivered, repeats = _delivered(receiver, refused=refused)
        lost |= expected - delivered
        doubled |= delivered - expected
    return Counts(
        windows_lost=max(len(truth.windows - done.keys()), unfinished),
        windows_doubled=max((planned - Counter(truth.windows)).total(), (done - Counter(truth.windows)).total()),
        alerts_lost=lost.total(),
        alerts_doubled=doubled.total(),
        wrong_scores=_wrong_scores(store, truth),
        repeats=repeats,
    )


def _delivered(receiver: Receiver, *, refused: bool) -> tuple["Counter[tuple[str, datetime, str, str]]", int]:
    """Return the transitions in the notifications, each id counted once, and the number of repeated notifications."""
    with receiver.lock:
        received = [notification for notification in receiver.notifications if notification.accepted or refused]
    by_id = {notification.id: notification for notification in received}
    transitions = Counter(
        (*m.subject, event["column"], event["state"]) for m in by_id.values() for event in m.payload["events"]
    )
    return transitions, len(received) - len(by_id)


def describe_repeats(store: str, receiver: Receiver, log: str) -> str:
    """Describe each repeated notification: its window, times, and the records of sender and store.

    A sender without an answer in time logs that, and its attempt is counted. One that marked the notification too late
    logs "is sent by another process". One that died logs nothing, and its attempt is not counted.
    """
    by_id: dict[str, list[ReceivedNotification]] = {}
    with receiver.lock:
        for notification in receiver.notifications:
            if notification.accepted:
                by_id.setdefault(notification.id, []).append(notification)
    descriptions = []
    for id_, (first, *others) in by_id.items():
        for repeat in others:
            monitor, start = repeat.subject
            answer = (
                "never"
                if first.answered_at is None
                else f"{first.answered_at - first.received_at:.2f} s after it arrived"
            )
            rows = query(store, f"SELECT attempts, last_error FROM delivery WHERE notification_id = '{id_}'")
            lines = [line.partition(id_)[2].strip() for line in log.splitlines() if id_ in line]
            descriptions.append(
                f"{monitor} {start:%m-%dT%H} again after {repeat.received_at - first.received_at:.1f} s: "
                f"first answered {answer}, attempts and error {rows}, log {lines}"
            )
    return "; ".join(descriptions)


def _wrong_scores(store: str, truth: Truth) -> int:
    stored: dict[tuple[str, datetime, str], list[tuple[float | None, str]]] = {}
    for name, start, column, value, verdict in query(store, _SCORES):
        stored.setdefault((name, _moment(start), column), []).append((value, verdict))
    wrong = len(stored.keys() - truth.scores.keys())
    for key, (score, drifted) in truth.scores.items():
        for value, verdict in stored.get(key, [(None, "")]):
            correct = value is not None and abs(value - score) <= 1e-9 and verdict == ("drift" if drifted else "ok")
            wrong += not correct
    return wrong


def pass_time(store: str, seconds: float, *, leases: bool = True) -> None:
    """Let time pass for the store: move the instants it waits for into the past.

    Equivalent to waiting for everything that compares such an instant with the current time: retries, leases of senders
    and, with `leases`, leases of workers.
    """
    if store.startswith("sqlite") and not query(store, "SELECT 1 FROM sqlite_master WHERE name = 'delivery'"):
        return  # not created yet: nothing waits
    moved = {"delivery": ["next_attempt_at"], '"window"': ["next_attempt_at"], "reference_attempt": list[str]()}
    if leases:
        for table in ('"window"', "reference_attempt"):
            moved[table].append("lease_until")
    for table, columns in moved.items():
        for column in columns:
            earlier = (
                f"strftime('%Y-%m-%d %H:%M:%f', {column}, '-{seconds} seconds') || '000'"
                if store.startswith("sqlite")
                else f"{column} - interval '{seconds} seconds'"
            )
            query(store, f"UPDATE {table} SET {column} = {earlier} WHERE {column} IS NOT NULL")
