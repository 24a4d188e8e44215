"""Judge stored windows again, oldest first, as `drift.runner.check` does, with alerts kept in memory."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from drift.backtest.results import Alert, Backtest, Cell, Place
from drift.backtest.rules import rules_from_monitor
from drift.backtest.stored_windows import StoredWindows
from drift.monitors.alert_rules import transitions
from drift.monitors.alert_state import AlertState, Fingerprint, State, Transition
from drift.monitors.comparison import ColumnResult, SegmentReference, SegmentResult, compare_profiles, importance_key
from drift.monitors.spec import Monitor
from drift.monitors.verdict import Verdict, worst
from drift.monitors.window import Window
from drift.references.resolver import ReferenceResolver
from drift.store import StoredReference, WindowHistories

Draws = Callable[[Window, str], np.random.Generator]
"""The random numbers of a window and segment."""


def replay_windows(monitor: Monitor, baseline: StoredReference, stretch: StoredWindows, draws: Draws) -> Backtest:
    """What a monitor would have told about windows that were checked.

    Parameters
    ----------
    monitor : Monitor
        With the rules to try; its windows, columns and segments are those of the stored ones.
    baseline : Baseline
        The frozen reference; where the reference moves, it begins with this.
    stretch : Stretch
        What is stored.
    draws : callable of (Window, str)
        The random numbers of a window and segment: `drift.runner.evaluate.window_rng` has those of the check.

    Returns
    -------
    Backtest
        With the rules of the monitor as it is, the stored verdicts and alerts, where the stretch begins with the
        first window checked and the reference is still the same.

    Notes
    -----
    Alerts begin at `ok`: what fired before the stretch is not known. A column of a window that was not counted on
    the reference's bins keeps its stored verdict; a window that could not be read stays `error`. Windows of a moving
    reference are left out by what is found here, not by what is stored.
    """
    standards = ReferenceResolver(monitor, baseline, _reopened(stretch) if monitor.reference.moves else None)
    ledger = _Ledger(monitor)
    level = None
    for number, window in stretch.windows():
        held = standards.resolve(window)
        parts = _judged(monitor, baseline, stretch, number, window, held.segments, draws)
        ledger.add(window, parts)
        standards.add_checked(window, parts)
        level = held.note["level"] if any(c.level for part in parts for c in part.columns) else None
    return ledger.closed(level)


def _reopened(stretch: StoredWindows) -> WindowHistories:
    """The past, of which nothing in the stretch is known as an incident yet."""
    past = stretch.past
    before = np.array([window not in stretch.rows for window in past.windows], bool)
    drifted = {s: {name: flags & before for name, flags in part.items()} for s, part in past.drifted.items()}
    return WindowHistories(past.windows, past.histories, drifted)


def _judged(
    monitor: Monitor,
    baseline: StoredReference,
    stretch: StoredWindows,
    number: int,
    window: Window,
    held: Mapping[str, SegmentReference],
    draws: Draws,
) -> tuple[SegmentResult, ...]:
    whole, parts = baseline.profiles[""], []
    known = {*whole.histograms, *whole.uncounted}
    nothing = SegmentReference({})
    for segment in stretch.verdicts[window]:
        standard = held.get(segment, nothing)
        live = stretch.live(number, window, segment, standard.histograms)
        wanted = {name: standard.histograms[name] for name in live}
        judged = compare_profiles(
            live, replace(standard, histograms=wanted, uncounted={}), monitor.columns, draws(window, segment)
        )
        kept = stretch.kept(window, segment, live, known)
        parts.append(SegmentResult(segment, live, tuple(sorted((*judged, *kept), key=importance_key))))
    return tuple(parts)


class _Ledger:
    """Alerts as they stand, and what became of every window."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._states: dict[Fingerprint, AlertState] = {}
        self._firing: dict[Fingerprint, Alert] = {}
        self._alerts: list[Alert] = []
        self._windows: dict[Window, Verdict] = {}
        self._columns: dict[Place, None] = {}
        self._cells: list[Cell] = []
        self._kept = 0

    def add(self, window: Window, parts: tuple[SegmentResult, ...]) -> None:
        results = {(part.segment, c.column): c for part in parts for c in part.columns}
        turned = transitions(self._monitor, window, parts or Verdict.ERROR, self._states, window.end)
        for turn in turned:
            self._states[turn.fingerprint] = turn.after
            self._turn(window, turn, results)
        self._firing = {key: replace(alert, windows=alert.windows + 1) for key, alert in self._firing.items()}
        self._windows[window] = worst([c.verdict for c in results.values()]) if parts else Verdict.ERROR
        self._columns |= dict.fromkeys(results)
        self._kept += sum(c.scored is None and (c.verdict.is_conclusive or c.verdict is Verdict.INSUFFICIENT)
                          for c in results.values())  # fmt: skip
        firing = {(key.segment, key.column) for key in self._firing}
        self._cells += [
            Cell(*place, window, c.verdict, place in firing)
            for place, c in results.items()
            if c.verdict is not Verdict.OK or place in firing
        ]

    def _turn(self, window: Window, turn: Transition, results: Mapping[Place, ColumnResult]) -> None:
        about = turn.fingerprint
        if turn.after.state is State.FIRING and about not in self._firing:
            found = results.get((about.segment, about.column))
            message = turn.reason if found is None else found.message
            self._firing[about] = Alert(about.column, about.segment, about.rule, window, None, 0, message)
        elif turn.after.state is not State.FIRING and about in self._firing:
            self._alerts.append(replace(self._firing.pop(about), resolved=window))

    def closed(self, level: float | None) -> Backtest:
        alerts = sorted([*self._alerts, *self._firing.values()], key=lambda a: (a.fired, a.segment, a.column, a.rule))
        return Backtest(
            monitor=self._monitor.name,
            rules=rules_from_monitor(self._monitor),
            windows=self._windows,
            alerts=tuple(alerts),
            cells=tuple(self._cells),
            columns=tuple(self._columns),
            kept=self._kept,
            level=level,
        )
