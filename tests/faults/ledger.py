"""The ledger: what the store and the receiver hold, counted against what must be. Plain SQL, none of drift's code."""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final, Self

import psycopg

from tests.faults.receiver import Message, Receiver
from tests.faults.world import Truth

_WINDOWS: Final = 'SELECT m.name, w.start_at, w.end_at, w.status FROM "window" w JOIN monitor m ON m.id = w.monitor_id'
_REVISIONS: Final = """SELECT m.name, w.start_at, w.end_at FROM revision r JOIN "window" w ON w.id = r.window_id
    JOIN monitor m ON m.id = w.monitor_id"""
_SCORES: Final = """SELECT m.name, w.start_at, c.name, s.value, s.verdict FROM score s
    JOIN profile p ON p.id = s.profile_id JOIN revision r ON r.id = p.revision_id JOIN "window" w ON w.id = r.window_id
    JOIN monitor m ON m.id = w.monitor_id JOIN watched_column c ON c.id = s.column_id"""
_TURNS: Final = """SELECT m.name, w.start_at, a.column_name, e.to_state FROM event e JOIN alert a ON a.id = e.alert_id
    JOIN revision r ON r.id = e.revision_id JOIN "window" w ON w.id = r.window_id JOIN monitor m ON m.id = w.monitor_id
    WHERE e.to_state IN ('firing', 'resolved')"""


@dataclass(frozen=True)
class Counts:
    """What went wrong, and one thing that may happen.

    Parameters
    ----------
    windows_lost, windows_doubled : int
        Windows that were not checked; that stand or were checked more than once, or that nobody should have checked.
    alerts_lost, alerts_doubled : int
        Turns of an alert that the store does not hold or no message brought; that stand twice, or came under two ids.
    wrong_scores : int
        Scores or verdicts that differ from the reference computation, are missing, or should not be.
    repeats : int
        Messages that came once more under the same id: allowed between sending and marking, and told here.
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
        """The five that must be zero."""
        return astuple(self)[:5]

    def __str__(self) -> str:
        return ", ".join(f"{f.name.replace('_', ' ')} {n}" for f, n in zip(fields(self), astuple(self), strict=True))


def query(store: str, statement: str) -> list[tuple[Any, ...]]:
    """Rows of a store, by its URL; changes are committed."""
    if store.startswith("sqlite"):
        with closing(sqlite3.connect(store.removeprefix("sqlite:///"), timeout=30)) as lite, lite:
            return lite.execute(statement).fetchall()
    with psycopg.connect(store) as server:
        found = server.execute(statement)
        return found.fetchall() if found.description else []


def _moment(value: str | datetime) -> datetime:
    """SQLite keeps UTC as text without a zone."""
    read = datetime.fromisoformat(value) if isinstance(value, str) else value
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def audit(store: str, truth: Truth, receiver: Receiver | None, *, refused: bool = False) -> Counts:
    """Count what went wrong.

    Parameters
    ----------
    store : str
        URL of the store.
    truth : Truth
        What must be there.
    receiver : Receiver or None
        Where the messages went; None where none was asked for.
    refused : bool
        Messages count that were refused as well: a receiver that says 400 has been told.
    """
    planned = Counter((name, _moment(start), _moment(end)) for name, start, end, _ in query(store, _WINDOWS))
    done = Counter((name, _moment(start), _moment(end)) for name, start, end in query(store, _REVISIONS))
    open_still = sum(status != "done" for *_, status in query(store, _WINDOWS))
    turns = Counter((name, _moment(start), column, to) for name, start, column, to in query(store, _TURNS))
    wanted = Counter(truth.turns)
    lost, doubled = wanted - turns, turns - wanted
    repeats = 0
    if receiver is not None:
        told, repeats = _told(receiver, refused=refused)
        lost |= wanted - told
        doubled |= told - wanted
    return Counts(
        windows_lost=max(len(truth.windows - done.keys()), open_still),
        windows_doubled=max((planned - Counter(truth.windows)).total(), (done - Counter(truth.windows)).total()),
        alerts_lost=lost.total(),
        alerts_doubled=doubled.total(),
        wrong_scores=_wrong(store, truth),
        repeats=repeats,
    )


def _told(receiver: Receiver, *, refused: bool) -> tuple["Counter[tuple[str, datetime, str, str]]", int]:
    """Turns that messages brought, each id once; and how many messages came again."""
    with receiver.lock:
        heard = [message for message in receiver.messages if message.taken or refused]
    by_id = {message.id: message for message in heard}
    told = Counter((*m.place, event["column"], event["state"]) for m in by_id.values() for event in m.payload["events"])
    return told, len(heard) - len(by_id)


def repeated(store: str, receiver: Receiver, log: str) -> str:
    """Each message that came again, in words: which, when, how its receiver answered, what sender and store say.

    A sender that heard no answer in time says so in the log, and its attempt is counted; one that was too slow to mark
    the message logs that it "is sent by another process"; one that died says nothing, and its attempt is not counted.
    """
    by_id: dict[str, list[Message]] = {}
    with receiver.lock:
        for message in receiver.messages:
            if message.taken:
                by_id.setdefault(message.id, []).append(message)
    told = []
    for name, (first, *others) in by_id.items():
        for again in others:
            monitor, start = again.place
            took = "never" if first.answered is None else f"{first.answered - first.came:.2f} s after it came"
            rows = query(store, f"SELECT attempts, last_error FROM delivery WHERE notification_id = '{name}'")
            said = [line.partition(name)[2].strip() for line in log.splitlines() if name in line]
            told.append(
                f"{monitor} {start:%m-%dT%H} again after {again.came - first.came:.1f} s: first answered {took}, "
                f"attempts and error {rows}, log {said}"
            )
    return "; ".join(told)


def _wrong(store: str, truth: Truth) -> int:
    found: dict[tuple[str, datetime, str], list[tuple[float | None, str]]] = {}
    for name, start, column, value, verdict in query(store, _SCORES):
        found.setdefault((name, _moment(start), column), []).append((value, verdict))
    wrong = len(found.keys() - truth.scores.keys())
    for key, (score, drifted) in truth.scores.items():
        for value, verdict in found.get(key, [(None, "")]):
            right = value is not None and abs(value - score) <= 1e-9 and verdict == ("drift" if drifted else "ok")
            wrong += not right
    return wrong


def pass_time(store: str, seconds: float, *, leases: bool = True) -> None:
    """Let time pass for the store: whatever waits until some moment waits so much less.

    The same as waiting, for all that asks only "is it due by now?": retries, and what other senders and (with `leases`)
    other workers hold.
    """
    if store.startswith("sqlite") and not query(store, "SELECT 1 FROM sqlite_master WHERE name = 'delivery'"):
        return  # not made yet: nothing waits
    moved = {"delivery": ["next_attempt_at"], '"window"': ["next_attempt_at"], "reference_attempt": list[str]()}
    if leases:
        for held in ('"window"', "reference_attempt"):
            moved[held].append("lease_until")
    for table, columns in moved.items():
        for column in columns:
            earlier = (
                f"strftime('%Y-%m-%d %H:%M:%f', {column}, '-{seconds} seconds') || '000'"
                if store.startswith("sqlite")
                else f"{column} - interval '{seconds} seconds'"
            )
            query(store, f"UPDATE {table} SET {column} = {earlier} WHERE {column} IS NOT NULL")
