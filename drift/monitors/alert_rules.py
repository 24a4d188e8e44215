"""From verdicts to alerts: which rules a monitor has, and what a window turns. Pure; time is passed in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from drift.monitors.alert_state import UNNAMED, AlertRule, AlertState, Decision, Fingerprint, State, Transition, decide
from drift.monitors.comparison import SegmentResult
from drift.monitors.spec import Alerting, Monitor
from drift.monitors.verdict import Verdict
from drift.monitors.window import Window

_TOLD: Final = frozenset(v for v in Verdict if v.is_conclusive)
_SEEN: Final = _TOLD | {Verdict.INSUFFICIENT}

# Per column: which verdict has a rule of which name, and what shows that its cause is gone.
_COLUMN: Final[Mapping[Verdict, tuple[str, frozenset[Verdict]]]] = {
    Verdict.DRIFT: ("drift", frozenset({Verdict.OK, Verdict.WARN})),
    Verdict.WARN: ("warn", frozenset({Verdict.OK})),
    Verdict.SCHEMA_ERROR: ("schema", _SEEN),
    Verdict.ERROR: ("error", _SEEN),
    Verdict.NOT_COMPARABLE: ("not_comparable", _SEEN),
    Verdict.INSUFFICIENT: ("insufficient", _TOLD),
}

# Of the window as a whole.
_WHOLE: Final[Mapping[Verdict, str]] = {
    Verdict.NO_DATA: "no_data",
    Verdict.ERROR: "error",
}


def column_rules(alerting: Alerting) -> tuple[AlertRule, ...]:
    """The rules every column is held against: one for each verdict that the user lists.

    `warn` fires on a warning; where `drift` is not listed, on drift as well. Where both are listed, drift
    leaves a warning as it stands: a column that goes from warn to drift neither resolves nor fires it twice.
    """
    found = []
    for verdict, (name, clears_on) in _COLUMN.items():
        if verdict in alerting.verdicts:
            fires_on = {verdict}
            if verdict is Verdict.WARN and Verdict.DRIFT not in alerting.verdicts:
                fires_on.add(Verdict.DRIFT)
            found.append(_rule(name, frozenset(fires_on), clears_on, alerting))
    return tuple(found)


def window_rules(alerting: Alerting) -> tuple[AlertRule, ...]:
    """The rules a window as a whole is held against: no rows at all, or not to be read at all."""
    return tuple(
        _rule(name, frozenset({verdict}), _TOLD, alerting)
        for verdict, name in _WHOLE.items()
        if verdict in alerting.verdicts
    )


def _rule(name: str, fires_on: frozenset[Verdict], clears_on: frozenset[Verdict], alerting: Alerting) -> AlertRule:
    return AlertRule(name, fires_on, clears_on, alerting.for_windows, alerting.keep_firing_for)


def whole_verdict(segments: Sequence[SegmentResult]) -> Verdict:
    """What a counted window says as a whole: `ok` where any column could be held against its reference.

    `no_data` or `error` where that became of every column: one cause, one alert, not one for each column.
    """
    verdicts = {c.verdict for s in segments for c in s.columns}
    if Verdict.ERROR in verdicts and verdicts <= {Verdict.NO_DATA, Verdict.ERROR}:
        return Verdict.ERROR
    if verdicts == {Verdict.NO_DATA} or not any(s.live.rows for s in segments):
        return Verdict.NO_DATA
    return Verdict.OK


def transitions(
    monitor: Monitor,
    window: Window,
    outcome: Sequence[SegmentResult] | Verdict,
    previous: Mapping[Fingerprint, AlertState],
    now: datetime,
    *,
    overdue: bool = False,
    news: Sequence[SegmentResult] = (),
) -> tuple[Transition, ...]:
    """What one window makes of every alert of its monitor.

    Parameters
    ----------
    monitor : Monitor
        Whose rules count.
    window : Window
        The window that was checked.
    outcome : sequence of SegmentResult, or Verdict
        What became of it; a bare verdict where it could not be counted at all.
    previous : mapping of Fingerprint to AlertState
        Where every alert of this monitor stands.
    now : datetime
        The time of the decision.
    overdue : bool
        The window was not read when its turn came; nobody has heard yet what it has to say.
    news : sequence of SegmentResult
        Of a window that was read before: the columns that say now what they did not say then.

    Returns
    -------
    tuple of Transition
        One for each alert that the window speaks of, whether it turns or not: their counters are to be
        kept. Empty for a window older than the newest one decided on: a backfill of the past never turns
        what is true now. The newest window itself may be checked again (late rows, a retry). Then a verdict
        on the side that stands already is not counted a second time, and one that says the opposite is
        decided as one more window. What later windows have overtaken and is overdue, or news, may still fire an
        alert (it counts as one more bad window), but calms none: newer windows know better.

    Notes
    -----
    A firing alert whose column or rule is no longer watched is resolved, and says so. One of a segment
    that merely has no rows in this window is left alone.
    """
    desk = _Desk(monitor, window, previous, now)
    if is_overtaken(window, previous):
        return tuple(desk.turns(outcome, only_bad=True) if overdue else desk.column_turns(news, only_bad=True))
    turns = list(desk.turns(outcome))
    if isinstance(outcome, Verdict):
        return tuple(turns)
    whole = whole_verdict(outcome)
    return (*turns, *desk.retired(outcome, {t.fingerprint for t in turns}, counted=whole is Verdict.OK))


def is_overtaken(window: Window, previous: Mapping[Fingerprint, AlertState]) -> bool:
    """Whether a newer window was decided on already."""
    return any(state.last_window and window.start < state.last_window for state in previous.values())


@dataclass(frozen=True, slots=True)
class _Desk:
    """What every decision on one window shares."""

    monitor: Monitor
    window: Window
    previous: Mapping[Fingerprint, AlertState]
    now: datetime

    def turns(self, outcome: Sequence[SegmentResult] | Verdict, *, only_bad: bool = False) -> Iterator[Transition]:
        """Of the window as a whole, and of its columns where that is well."""
        whole = outcome if isinstance(outcome, Verdict) else whole_verdict(outcome)
        for rule in window_rules(self.monitor.alerting):
            if not only_bad or whole in rule.fires_on:
                yield self._turn("", "", whole, rule)
        if whole is Verdict.OK and not isinstance(outcome, Verdict):
            yield from self.column_turns(outcome, only_bad=only_bad)

    def column_turns(self, segments: Sequence[SegmentResult], *, only_bad: bool = False) -> Iterator[Transition]:
        rules = column_rules(self.monitor.alerting)
        for segment in segments:
            for result in segment.columns:
                for rule in rules:
                    if not only_bad or result.verdict in rule.fires_on:
                        yield self._turn(result.column or UNNAMED, segment.segment, result.verdict, rule)

    def retired(
        self, segments: Sequence[SegmentResult], decided: set[Fingerprint], *, counted: bool
    ) -> Iterator[Transition]:
        """Close what nothing will ever speak of again."""
        present = {s.segment for s in segments}
        for fingerprint in sorted(self.previous.keys() - decided):
            before = self.previous[fingerprint]
            gone = fingerprint.column == "" or (fingerprint.segment and not self.monitor.segments)
            if before.state not in {State.PENDING, State.FIRING}:
                continue
            if gone or (counted and fingerprint.segment in present):
                state = State.RESOLVED if before.state is State.FIRING else State.OK
                after = AlertState(state, self.now, last_window=self.window.start)
                reason = "no longer watched under this rule: closed"
                yield Transition(fingerprint, before, after, Verdict.NOT_COMPARABLE, reason)

    def _turn(self, column: str, segment: str, verdict: Verdict, rule: AlertRule) -> Transition:
        fingerprint = Fingerprint(self.monitor.name, column, segment, rule.name)
        before = self.previous.get(fingerprint, AlertState())
        if before.last_window == self.window.start and _counted(before, verdict, rule):
            decision = Decision(before, f"{verdict.value} again in a re-check: stays {before.state.value}")
        else:
            decision = decide(before, verdict, rule, self.now)
        after = replace(decision.state, last_window=max(before.last_window or self.window.start, self.window.start))
        return Transition(fingerprint, before, after, verdict, decision.reason)


def _counted(state: AlertState, verdict: Verdict, rule: AlertRule) -> bool:
    """Whether a row of windows on this verdict's side stands already."""
    return (verdict in rule.fires_on and state.bad > 0) or (verdict in rule.clears_on and state.calm > 0)
