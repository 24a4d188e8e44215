"""States of an alert, and the pure decision on the next one. Time is an argument."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from drift.errors import InputError
from drift.monitors.verdict import Verdict

UNNAMED: Final = '""'
"""Name of a column whose own name is empty: in alerts, the empty name is the window as a whole."""


class State(StrEnum):
    """State of an alert, named as in Prometheus Alertmanager."""

    OK = "ok"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, order=True)
class Fingerprint:
    """Identity of an alert. `column` is empty if it concerns the whole window; `segment` is empty for all rows."""

    monitor: str
    column: str
    segment: str
    rule: str

    @property
    def digest(self) -> str:
        """A stable short key, for receivers that deduplicate by text."""
        # JSON, because names may hold any separator, and lone surrogates that UTF-8 refuses.
        parts = json.dumps([self.monitor, self.column, self.segment, self.rule])
        return hashlib.sha256(parts.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class AlertState:
    """The state of an alert, when it entered that state (`since`), and its counters.

    `bad` and `calm` count consecutive windows that fire and clear the rule. `last_window` is the start of the newest
    window that was decided on.
    """

    state: State = State.OK
    since: datetime | None = None
    bad: int = 0
    calm: int = 0
    last_window: datetime | None = None


@dataclass(frozen=True, slots=True)
class AlertRule:
    """The verdicts that fire and clear an alert, and the number of windows required.

    Raises
    ------
    InputError
        If a verdict both fires and clears, or a number of windows is out of range.
    """

    name: str  # `drift`, `warn`, `schema`, `no_data`, `error`, `not_comparable` or `insufficient`
    # fires_on, clears_on: a verdict in neither leaves the alert as it is
    fires_on: frozenset[Verdict]
    clears_on: frozenset[Verdict]
    for_windows: int = 1  # consecutive bad windows before it fires
    keep_firing_for: int = 0  # consecutive calm windows during which it keeps firing; the next one resolves it

    def __post_init__(self) -> None:
        if both := self.fires_on & self.clears_on:
            message = f"rule {self.name!r}: {', '.join(sorted(both))} must not both fire and clear it"
            raise InputError(message, code="invalid-value")
        if self.for_windows < 1:
            message = f"rule {self.name!r}: `for` must be 1 window or more; got {self.for_windows}"
            raise InputError(message, code="invalid-value")
        if self.keep_firing_for < 0:
            message = f"rule {self.name!r}: `keep_firing_for` must be 0 windows or more; got {self.keep_firing_for}"
            raise InputError(message, code="invalid-value")


@dataclass(frozen=True, slots=True)
class Decision:
    """The next state of an alert, and its reason."""

    state: AlertState
    reason: str


def decide(previous: AlertState, verdict: Verdict, rule: AlertRule, now: datetime) -> Decision:
    """Return the state of an alert after one more window. `AlertState()` is the state of a new alert.

    ok -> pending -> firing -> resolved, and from resolved as from ok. A verdict that fires the rule resets the count
    of calm windows, one that clears it the count of bad windows; any other verdict changes neither.
    """
    if verdict in rule.fires_on:
        return _bad(replace(previous, bad=previous.bad + 1, calm=0), verdict, rule, now)
    if verdict in rule.clears_on:
        return _calm(replace(previous, bad=0, calm=previous.calm + 1), verdict, rule, now)
    return Decision(previous, f"{verdict.value} does not affect rule {rule.name}: stays {previous.state.value}")


def _bad(counted: AlertState, verdict: Verdict, rule: AlertRule, now: datetime) -> Decision:
    if counted.state is State.FIRING:
        return Decision(counted, f"{verdict.value}{_in_a_row(counted.bad)}: still firing")
    if counted.bad >= rule.for_windows:
        return Decision(replace(counted, state=State.FIRING, since=now), f"{verdict.value}{_in_a_row(counted.bad)}")
    reason = f"{verdict.value} in {counted.bad} of {rule.for_windows} required windows: pending"
    if counted.state is State.PENDING:
        return Decision(counted, reason)
    return Decision(replace(counted, state=State.PENDING, since=now), reason)


def _calm(counted: AlertState, verdict: Verdict, rule: AlertRule, now: datetime) -> Decision:
    if counted.state is State.FIRING:
        if counted.calm <= rule.keep_firing_for:
            windows = f"{counted.calm} of {rule.keep_firing_for + 1} windows required to resolve"
            return Decision(counted, f"{verdict.value} in {windows}: still firing")
        resolved = replace(counted, state=State.RESOLVED, since=now)
        return Decision(resolved, f"{verdict.value}{_in_a_row(counted.calm)}")
    if counted.state is State.PENDING:
        return Decision(replace(counted, state=State.OK, since=now), f"{verdict.value} before it fired: ok")
    return Decision(counted, f"{verdict.value}: stays {counted.state.value}")


def _in_a_row(windows: int) -> str:
    return "" if windows == 1 else f" in {windows} windows in a row"


@dataclass(frozen=True, slots=True)
class Transition:
    """One alert before and after a window. A change of state becomes an event."""

    fingerprint: Fingerprint
    before: AlertState
    after: AlertState
    verdict: Verdict
    reason: str

    @property
    def changed(self) -> bool:
        return self.before.state is not self.after.state

    @property
    def notifies(self) -> bool:
        """Whether a notification is due: the alert began to fire, or is resolved."""
        return self.changed and self.after.state in {State.FIRING, State.RESOLVED}
