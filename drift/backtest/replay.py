"""Judging stored windows again, oldest first, as `drift.runner.check` does, with alerts in memory."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from drift.backtest.results import Alert, Backtest, Cell, ColumnKey
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
"""Random numbers of a window and segment."""


def replay_windows(monitor: Monitor, frozen: StoredReference, stored: StoredWindows, draws: Draws) -> Backtest:
    """Return what a monitor would have reported for evaluated windows under its rules.

    `monitor` has the rules to try; its windows, columns and segments must be the stored ones. A reference that moves
    begins with the frozen one. `draws` returns the random numbers of a window and segment; those of the evaluation are
    `drift.runner.evaluate.window_rng`.

    Returns
    -------
    Backtest
        With unchanged rules, the stored verdicts and alerts, if the first window is the first one evaluated and the
        reference is still the same.

    Notes
    -----
    Alerts begin at `ok`: the alerts before the first window are not known. A column that was not counted on the bins
    of the reference keeps its stored verdict; a window that could not be read stays `error`. A moving reference
    leaves out the windows that drift in the replay, not those that drifted in the store.
    """
    resolver = ReferenceResolver(monitor, frozen, _without_exclusions(stored) if monitor.reference.moves else None)
    ledger = _Ledger(monitor)
    level = None
    for number, window in stored.windows():
        reference = resolver.resolve(window)
        parts = _judged(monitor, frozen, stored, number, window, reference.segments, draws)
        ledger.add(window, parts)
        resolver.add_checked(window, parts)
        level = reference.note["level"] if any(c.level for part in parts for c in part.columns) else None
    return ledger.closed(level)


def _without_exclusions(stored: StoredWindows) -> WindowHistories:
    """Return the histories in which no replayed window is marked as drifted yet."""
    histories = stored.histories
    before = np.array([window not in stored.rows for window in histories.windows], bool)
    drifted = {s: {name: flags & before for name, flags in part.items()} for s, part in histories.drifted.items()}
    return WindowHistories(histories.windows, histories.histories, drifted)


def _judged(
    monitor: Monitor,
    frozen: StoredReference,
    stored: StoredWindows,
    number: int,
    window: Window,
    references: Mapping[str, SegmentReference],
    draws: Draws,
) -> tuple[SegmentResult, ...]:
    whole, parts = frozen.profiles[""], []
    known = {*whole.histograms, *whole.uncounted}
    empty = SegmentReference({})
    for segment in stored.verdicts[window]:
        reference = references.get(segment, empty)
        live = stored.live(number, window, segment, reference.histograms)
        reference = replace(reference, histograms={name: reference.histograms[name] for name in live}, uncounted={})
        judged = compare_profiles(live, reference, monitor.columns, draws(window, segment))
        kept = stored.kept(window, segment, live, known)
        parts.append(SegmentResult(segment, live, tuple(sorted((*judged, *kept), key=importance_key))))
    return tuple(parts)


class _Ledger:
    """The current alerts, and the results of the windows so far."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._states: dict[Fingerprint, AlertState] = {}
        self._firing: dict[Fingerprint, Alert] = {}
        self._alerts: list[Alert] = []
        self._windows: dict[Window, Verdict] = {}
        self._columns: dict[ColumnKey, None] = {}
        self._cells: list[Cell] = []
        self._kept = 0

    def add(self, window: Window, parts: tuple[SegmentResult, ...]) -> None:
        results = {(part.segment, c.column): c for part in parts for c in part.columns}
        for transition in transitions(self._monitor, window, parts or Verdict.ERROR, self._states, window.end):
            self._states[transition.fingerprint] = transition.after
            self._update_alert(window, transition, results)
        self._firing = {key: replace(alert, windows=alert.windows + 1) for key, alert in self._firing.items()}
        self._windows[window] = worst(c.verdict for c in results.values()) if parts else Verdict.ERROR
        self._columns |= dict.fromkeys(results)
        self._kept += sum(c.scored is None and (c.verdict.is_conclusive or c.verdict is Verdict.INSUFFICIENT)
                          for c in results.values())  # fmt: skip
        firing = {(key.segment, key.column) for key in self._firing}
        self._cells += [
            Cell(*key, window, c.verdict, key in firing)
            for key, c in results.items()
            if c.verdict is not Verdict.OK or key in firing
        ]

    def _update_alert(self, window: Window, transition: Transition, results: Mapping[ColumnKey, ColumnResult]) -> None:
        key, is_firing = transition.fingerprint, transition.after.state is State.FIRING
        if is_firing and key not in self._firing:
            result = results.get((key.segment, key.column))
            message = transition.reason if result is None else result.message
            self._firing[key] = Alert(key.column, key.segment, key.rule, window, None, 0, message)
        elif not is_firing and key in self._firing:
            self._alerts.append(replace(self._firing.pop(key), resolved=window))

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
