"""The life of an alert: one pure decision that returns its reason; time is passed in."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from drift.errors import InputError
from drift.monitors.verdict import Verdict

UNNAMED: Final = '""'
"""How alerts call a column whose name is empty: the empty name is the window as a whole."""


class State(StrEnum):
    """Alertmanager's words."""

    OK = "ok"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, order=True)
class Fingerprint:
    """What an alert is about. `column` is empty for what concerns the whole window, `segment` for all rows."""

    monitor: str
    column: str
    segment: str
    rule: str

    @property
    def digest(self) -> str:
        """A stable short key of this fingerprint, for receivers that deduplicate by text."""
        # As JSON: names may hold any separator, and lone surrogates that UTF-8 refuses.
        parts = json.dumps([self.monitor, self.column, self.segment, self.rule])
        return hashlib.sha256(parts.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class AlertState:
    """Where an alert stands.

    Parameters
    ----------
    state : State
        Its state.
    since : datetime or None
        When it entered that state.
    bad, calm : int
        Windows in a row that spoke for and against it.
    last_window : datetime or None
        Start of the newest window that was decided on; older ones never turn the state.
    """

    state: State = State.OK
    since: datetime | None = None
    bad: int = 0
    calm: int = 0
    last_window: datetime | None = None


@dataclass(frozen=True, slots=True)
class AlertRule:
    """Which verdicts fire and clear an alert, and how many windows in a row it takes.

    Parameters
    ----------
    name : str
        `drift`, `schema`, `no_data` or `error`.
    fires_on, clears_on : frozenset of Verdict
        Verdicts in neither leave the alert as it is: what could not be told is no news.
    for_windows : int
        Bad windows in a row before it fires.
    keep_firing_for : int
        Calm windows in a row that it goes on firing; the next one resolves it.

    Raises
    ------
    InputError
        Where a verdict both fires and clears, or a number of windows is out of range.
    """

    name: str
    fires_on: frozenset[Verdict]
    clears_on: frozenset[Verdict]
    for_windows: int = 1
    keep_firing_for: int = 0

    def __post_init__(self) -> None:
        if both := self.fires_on & self.clears_on:
            raise InputError(f"rule {self.name!r}: {', '.join(sorted(both))} cannot both fire and clear it")
        if self.for_windows < 1:
            raise InputError(f"rule {self.name!r}: `for` is a number of windows from 1; got {self.for_windows}")
        if self.keep_firing_for < 0:
            raise InputError(
                f"rule {self.name!r}: `keep_firing_for` is a number of windows from 0; got {self.keep_firing_for}"
            )


@dataclass(frozen=True, slots=True)
class Decision:
    """The next state of an alert, and why."""

    state: AlertState
    reason: str


def decide(previous: AlertState, verdict: Verdict, rule: AlertRule, now: datetime) -> Decision:
    """The next state of an alert after one more window.

    ok -> pending -> firing -> resolved, and from resolved anew. Every verdict counts once: a bad one
    ends a row of calm ones and the reverse; one that tells nothing ends neither.

    Parameters
    ----------
    previous : AlertState
        Where it stood; a new alert stands at `ok`.
    verdict : Verdict
        What the window said.
    rule : AlertRule
        What fires, what clears, after how many windows.
    now : datetime
        The time of the decision.
    """
    if verdict in rule.fires_on:
        return _bad(replace(previous, bad=previous.bad + 1, calm=0), verdict, rule, now)
    if verdict in rule.clears_on:
        return _calm(replace(previous, bad=0, calm=previous.calm + 1), verdict, rule, now)
    return Decision(previous, f"{verdict.value} tells nothing about {rule.name}: stays {previous.state.value}")


def _bad(counted: AlertState, verdict: Verdict, rule: AlertRule, now: datetime) -> Decision:
    if counted.state is State.FIRING:
        return Decision(counted, f"{verdict.value}{_in_a_row(counted.bad)}: still firing")
    if counted.bad >= rule.for_windows:
        return Decision(replace(counted, state=State.FIRING, since=now), f"{verdict.value}{_in_a_row(counted.bad)}")
    told = f"{verdict.value} in {counted.bad} of the {rule.for_windows} windows it takes: pending"
    if counted.state is State.PENDING:
        return Decision(counted, told)
    return Decision(replace(counted, state=State.PENDING, since=now), told)


def _calm(counted: AlertState, verdict: Verdict, rule: AlertRule, now: datetime) -> Decision:
    if counted.state is State.FIRING:
        if counted.calm <= rule.keep_firing_for:
            told = f"{counted.calm} of the {rule.keep_firing_for + 1} windows it takes to resolve"
            return Decision(counted, f"{verdict.value} in {told}: still firing")
        resolved = replace(counted, state=State.RESOLVED, since=now)
        return Decision(resolved, f"{verdict.value}{_in_a_row(counted.calm)}")
    if counted.state is State.PENDING:
        return Decision(replace(counted, state=State.OK, since=now), f"{verdict.value} before it fired: ok")
    return Decision(counted, f"{verdict.value}: stays {counted.state.value}")


def _in_a_row(windows: int) -> str:
    return "" if windows == 1 else f" in {windows} windows in a row"


@dataclass(frozen=True, slots=True)
class Transition:
    """One alert before and after a window. Where the state differs, it becomes an event row."""

    fingerprint: Fingerprint
    before: AlertState
    after: AlertState
    verdict: Verdict
    reason: str

    @property
    def changed(self) -> bool:
        """Whether the state itself turned."""
        return self.before.state is not self.after.state

    @property
    def notifies(self) -> bool:
        """Whether somebody is to be told: it began to fire, or it is resolved."""
        return self.changed and self.after.state in {State.FIRING, State.RESOLVED}
