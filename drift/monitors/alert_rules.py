"""Alert rules of a monitor, and the alert transitions of a window. Pure; time is an argument."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from drift.monitors.alert_state import UNNAMED, AlertRule, AlertState, Decision, Fingerprint, State, Transition, decide
from drift.monitors.comparison import SegmentResult
from drift.monitors.spec import Alerting, Monitor
from drift.monitors.verdict import Verdict
from drift.monitors.window import Window

_CONCLUSIVE: Final = frozenset(v for v in Verdict if v.is_conclusive)
_COUNTED: Final = _CONCLUSIVE | {Verdict.INSUFFICIENT}

# Rules of columns: the verdict that fires a rule, its name, and the verdicts that clear it.
_COLUMN_RULES: Final[Mapping[Verdict, tuple[str, frozenset[Verdict]]]] = {
    Verdict.DRIFT: ("drift", frozenset({Verdict.OK, Verdict.WARN})),
    Verdict.WARN: ("warn", frozenset({Verdict.OK})),
    Verdict.SCHEMA_ERROR: ("schema", _COUNTED),
    Verdict.ERROR: ("error", _COUNTED),
    Verdict.NOT_COMPARABLE: ("not_comparable", _COUNTED),
    Verdict.INSUFFICIENT: ("insufficient", _CONCLUSIVE),
}

# Rules of the window as a whole.
_WINDOW_RULES: Final[Mapping[Verdict, str]] = {Verdict.NO_DATA: "no_data", Verdict.ERROR: "error"}


def column_rules(alerting: Alerting) -> tuple[AlertRule, ...]:
    """Return the rules of every column: one for each verdict that the user lists.

    `warn` fires on a warning and, if `drift` is not listed, on drift. If both are listed, drift does not change a
    warning: a column that goes from warn to drift neither resolves nor fires the rule `warn` again.
    """
    rules = []
    for verdict, (name, clears_on) in _COLUMN_RULES.items():
        if verdict in alerting.verdicts:
            fires_on = {verdict}
            if verdict is Verdict.WARN and Verdict.DRIFT not in alerting.verdicts:
                fires_on.add(Verdict.DRIFT)
            rules.append(_rule(name, frozenset(fires_on), clears_on, alerting))
    return tuple(rules)


def window_rules(alerting: Alerting) -> tuple[AlertRule, ...]:
    """Return the rules of the window as a whole: without rows, or not readable."""
    return tuple(
        _rule(name, frozenset({verdict}), _CONCLUSIVE, alerting)
        for verdict, name in _WINDOW_RULES.items()
        if verdict in alerting.verdicts
    )


def _rule(name: str, fires_on: frozenset[Verdict], clears_on: frozenset[Verdict], alerting: Alerting) -> AlertRule:
    return AlertRule(name, fires_on, clears_on, alerting.for_windows, alerting.keep_firing_for)


def window_verdict(segments: Sequence[SegmentResult]) -> Verdict:
    """Return the verdict of a counted window as a whole: `ok` if any column could be compared with its reference.

    If every column is `no_data` or `error`, so is the window: one cause gives one alert, not one for each column.
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
    changed: Sequence[SegmentResult] = (),
) -> tuple[Transition, ...]:
    """Return the transitions that one window causes in the alerts of its monitor.

    Parameters
    ----------
    outcome : sequence of SegmentResult, or Verdict
        Results of the window; a single verdict if it could not be counted at all.
    previous : mapping of Fingerprint to AlertState
        The current state of every alert of the monitor.
    overdue : bool
        The window was not evaluated when it was due, so no alert has taken it into account yet.
    changed : sequence of SegmentResult
        In a re-check: the columns whose verdict differs from the last revision.

    Returns
    -------
    tuple of Transition
        One for each alert that the window concerns, whether its state changes or not: the counters must be stored.
        Empty for a window older than the newest one decided on: a backfill of the past does not change the present
        state. The newest window itself may be re-checked (late rows, a retry). A verdict on the same side as before
        is then not counted twice; one on the opposite side is decided as one more window. An older window that is
        overdue, or a changed column of one, may still fire an alert (it counts as one more bad window), but resolves
        none: newer windows decide that.

    Notes
    -----
    A firing alert whose column or rule is no longer monitored is resolved with that reason. An alert of a segment
    without rows in this window stays as it is.
    """
    decisions = _WindowDecisions(monitor, window, previous, now)
    if is_superseded(window, previous):
        late = decisions.of_window(outcome, only_bad=True) if overdue else decisions.of_columns(changed, only_bad=True)
        return tuple(late)
    decided = list(decisions.of_window(outcome))
    if isinstance(outcome, Verdict):
        return tuple(decided)
    counted = window_verdict(outcome) is Verdict.OK
    return (*decided, *decisions.of_unmonitored(outcome, {t.fingerprint for t in decided}, counted=counted))


def is_superseded(window: Window, previous: Mapping[Fingerprint, AlertState]) -> bool:
    """Return whether a newer window has already been decided on."""
    return any(state.last_window and window.start < state.last_window for state in previous.values())


@dataclass(frozen=True, slots=True)
class _WindowDecisions:
    monitor: Monitor
    window: Window
    previous: Mapping[Fingerprint, AlertState]
    now: datetime

    def of_window(self, outcome: Sequence[SegmentResult] | Verdict, *, only_bad: bool = False) -> Iterator[Transition]:
        """Decide the alerts of the window as a whole, and of its columns if the window is `ok`."""
        whole = outcome if isinstance(outcome, Verdict) else window_verdict(outcome)
        for rule in window_rules(self.monitor.alerting):
            if not only_bad or whole in rule.fires_on:
                yield self._transition("", "", whole, rule)
        if whole is Verdict.OK and not isinstance(outcome, Verdict):
            yield from self.of_columns(outcome, only_bad=only_bad)

    def of_columns(self, segments: Sequence[SegmentResult], *, only_bad: bool = False) -> Iterator[Transition]:
        rules = column_rules(self.monitor.alerting)
        for segment in segments:
            for result in segment.columns:
                for rule in rules:
                    if not only_bad or result.verdict in rule.fires_on:
                        yield self._transition(result.column or UNNAMED, segment.segment, result.verdict, rule)

    def of_unmonitored(
        self, segments: Sequence[SegmentResult], decided: set[Fingerprint], *, counted: bool
    ) -> Iterator[Transition]:
        """Close the alerts whose column, segment or rule is no longer monitored."""
        present = {s.segment for s in segments}
        for fingerprint in sorted(self.previous.keys() - decided):
            before = self.previous[fingerprint]
            gone = fingerprint.column == "" or (fingerprint.segment and not self.monitor.segments)
            if before.state not in {State.PENDING, State.FIRING}:
                continue
            if gone or (counted and fingerprint.segment in present):
                state = State.RESOLVED if before.state is State.FIRING else State.OK
                after = AlertState(state, self.now, last_window=self.window.start)
                reason = "no longer monitored under this rule: closed"
                yield Transition(fingerprint, before, after, Verdict.NOT_COMPARABLE, reason)

    def _transition(self, column: str, segment: str, verdict: Verdict, rule: AlertRule) -> Transition:
        fingerprint = Fingerprint(self.monitor.name, column, segment, rule.name)
        before = self.previous.get(fingerprint, AlertState())
        if before.last_window == self.window.start and _counted(before, verdict, rule):
            decision = Decision(before, f"{verdict.value} again in a re-check: stays {before.state.value}")
        else:
            decision = decide(before, verdict, rule, self.now)
        after = replace(decision.state, last_window=max(before.last_window or self.window.start, self.window.start))
        return Transition(fingerprint, before, after, verdict, decision.reason)


def _counted(state: AlertState, verdict: Verdict, rule: AlertRule) -> bool:
    """Return whether the state already counts a window on the side of this verdict."""
    return (verdict in rule.fires_on and state.bad > 0) or (verdict in rule.clears_on and state.calm > 0)
