"""One trial: shuffled windows; the first ones are the reference, the rest are live, and some of these are changed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

import drift
from drift.histogram import Axis

from . import changes, rules, windows


@dataclass(frozen=True, slots=True)
class Trial:
    """Windows of the reference and live ones; by kind of change, windows of the changed columns."""

    reference: windows.Windows
    live: windows.Windows
    changed: Mapping[str, windows.Windows]


@dataclass(frozen=True, slots=True)
class Alarms:
    """Alarms of a judge: by column for each unchanged window; by kind of change and column for each changed one."""

    unchanged: Mapping[str, rules.Alarms]
    changed: Mapping[str, Mapping[str, rules.Alarms]]


def prepared(all_windows: windows.Windows, seed: int, reference: int, unchanged: int, changed: int) -> Trial:
    """Return a trial of a number of reference windows and at most a number of live ones, the first of them changed."""
    order = windows.shuffled(all_windows, seed)
    reference_windows, live_windows = order[:reference], order[reference : reference + unchanged]
    known = changes.learn(pd.concat(reference_windows, ignore_index=True))
    rng = np.random.default_rng([seed, 1])
    changed_windows = {
        kind: [changes.changed(window, kind, known, rng) for window in live_windows[:changed]] for kind in changes.KINDS
    }
    return Trial(
        reference_windows,
        live_windows,
        {kind: frames for kind, frames in changed_windows.items() if len(frames[0].columns)},
    )


@dataclass(frozen=True, slots=True)
class Counted:
    """The trial in counts on axes that drift chose from the reference: by column, an array of windows by bins."""

    axes: Mapping[str, Axis]
    reference: Mapping[str, rules.Counts]
    live: Mapping[str, rules.Counts]
    changed: Mapping[str, Mapping[str, rules.Counts]]

    def visible(self) -> dict[str, float]:
        """Return the share of column-windows in which a bin's count differs from before, by kind of change."""
        return {
            kind: float(
                np.mean(
                    [
                        (live_windows != self.live[name][: len(live_windows)]).any(axis=1)
                        for name, live_windows in columns.items()
                    ]
                )
            )
            for kind, columns in self.changed.items()
        }


def counted(trial: Trial) -> Counted:
    """Count a trial by drift's public API: axes from the whole reference, and each window counted on them."""
    profile = drift.profile(pd.concat(trial.reference, ignore_index=True))
    axes = profile.axes

    def count(frames: windows.Windows) -> dict[str, rules.Counts]:
        present_axes = {name: axes[name] for name in frames[0].columns if name in axes}
        profiles = [drift.profile(frame, axes=present_axes) for frame in frames]
        return {name: np.stack([profile[name].counts for profile in profiles]) for name in present_axes}

    changed_windows = {kind: count(frames) for kind, frames in trial.changed.items()}
    return Counted(axes, count(trial.reference), count(trial.live), changed_windows)


def by_rule(counts: Counted, rule: rules.Rule) -> Alarms:
    """Return the alarms of a rule, column by column."""
    return Alarms(
        {name: rule(counts.reference[name], live) for name, live in counts.live.items()},
        {
            kind: {name: rule(counts.reference[name], live) for name, live in columns.items()}
            for kind, columns in counts.changed.items()
        },
    )


def by_calibration(counts: Counted, levels: tuple[float, ...] = rules.LEVELS) -> dict[float, Alarms]:
    """Return the alarms of drift's calibration at each level."""

    def judged(live: Mapping[str, rules.Counts]) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
        number = len(next(iter(live.values())))
        each = [{name: rows[at] for name, rows in live.items()} for at in range(number)]
        return rules.p_values({n: counts.axes[n] for n in live}, {n: counts.reference[n] for n in live}, each)

    unchanged = judged(counts.live)
    changed = {kind: judged(columns) for kind, columns in counts.changed.items()}
    return {
        level: Alarms(
            {name: p < level for name, p in unchanged.items()},
            {kind: {name: p < level for name, p in columns.items()} for kind, columns in changed.items()},
        )
        for level in levels
    }
