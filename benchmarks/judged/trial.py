"""One trial: shuffled windows, the first of them the reference, the rest live, some of these changed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

import drift
from drift.histogram import Axis

from . import changes, rules, windows


@dataclass(frozen=True, slots=True)
class Trial:
    """Frames of the reference's windows and the live ones, and by kind of change the columns that it concerns."""

    reference: windows.Windows
    live: windows.Windows
    changed: Mapping[str, windows.Windows]


@dataclass(frozen=True, slots=True)
class Alarms:
    """What a judge said: by column, an alarm or none for each unchanged window; by kind, for each changed one."""

    unchanged: Mapping[str, rules.Alarms]
    changed: Mapping[str, Mapping[str, rules.Alarms]]


def prepared(every: windows.Windows, seed: int, reference: int, unchanged: int, changed: int) -> Trial:
    """A reference of so many shuffled windows; at most so many live ones, and of these the first few changed."""
    order = windows.shuffled(every, seed)
    then, now = order[:reference], order[reference : reference + unchanged]
    known = changes.learn(pd.concat(then, ignore_index=True))
    rng = np.random.default_rng([seed, 1])
    made = {kind: [changes.changed(window, kind, known, rng) for window in now[:changed]] for kind in changes.KINDS}
    return Trial(then, now, {kind: frames for kind, frames in made.items() if len(frames[0].columns)})


@dataclass(frozen=True, slots=True)
class Counted:
    """The same trial in counts on axes that drift chose from the reference; windows by bins, by column."""

    axes: Mapping[str, Axis]
    reference: Mapping[str, rules.Counts]
    live: Mapping[str, rules.Counts]
    changed: Mapping[str, Mapping[str, rules.Counts]]

    def visible(self) -> dict[str, float]:
        """By kind of change: in which share of the column-windows any bin holds other counts than before."""
        return {
            kind: float(np.mean([(now != self.live[name][: len(now)]).any(axis=1) for name, now in columns.items()]))
            for kind, columns in self.changed.items()
        }


def counted(trial: Trial) -> Counted:
    """Through drift's public path: axes from the whole reference, each window counted on them."""
    profile = drift.profile(pd.concat(trial.reference, ignore_index=True))
    axes = profile.axes

    def count(frames: windows.Windows) -> dict[str, rules.Counts]:
        here = {name: axes[name] for name in frames[0].columns if name in axes}
        found = [drift.profile(frame, axes=here) for frame in frames]
        return {name: np.stack([each[name].counts for each in found]) for name in here}

    made = {kind: count(frames) for kind, frames in trial.changed.items()}
    return Counted(axes, count(trial.reference), count(trial.live), made)


def by_rule(counts: Counted, rule: rules.Rule) -> Alarms:
    """One rule, column by column."""
    return Alarms(
        {name: rule(counts.reference[name], live) for name, live in counts.live.items()},
        {
            kind: {name: rule(counts.reference[name], live) for name, live in columns.items()}
            for kind, columns in counts.changed.items()
        },
    )


def by_calibration(counts: Counted, levels: tuple[float, ...] = rules.LEVELS) -> dict[float, Alarms]:
    """drift's own judge, at each level."""

    def judged(live: Mapping[str, rules.Counts]) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
        number = len(next(iter(live.values())))
        each = [{name: rows[at] for name, rows in live.items()} for at in range(number)]
        return rules.p_values({n: counts.axes[n] for n in live}, {n: counts.reference[n] for n in live}, each)

    unchanged = judged(counts.live)
    changed = {kind: judged(columns) for kind, columns in counts.changed.items()}
    return {
        level: Alarms(
            {name: found < level for name, found in unchanged.items()},
            {kind: {name: found < level for name, found in columns.items()} for kind, columns in changed.items()},
        )
        for level in levels
    }
