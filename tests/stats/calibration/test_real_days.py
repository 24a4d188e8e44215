"""Real, shuffled days and weeks: drift keeps the level and detects more than a rule of mean + 3 deviations.

The comparison with all judges and data is ``python benchmarks/judges.py``.
"""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from benchmarks.judged import rules, trial, windows

LEVEL = 1e-3
SEEDS = 4


def flat(alarms: trial.Alarms) -> tuple[np.ndarray, np.ndarray]:
    """Alarms on unchanged column-windows, and on changed ones."""
    changed = [each for columns in alarms.changed.values() for each in columns.values()]
    return np.concatenate(list(alarms.unchanged.values())), np.concatenate(changed)


@pytest.mark.slow
@pytest.mark.parametrize("load", [windows.bike_days, windows.bike_weeks])
def test_calibration_beats_mean_plus_three_deviations_on_real_data(
    load: Callable[[], windows.Windows],
) -> None:
    every = load()
    ours: list[tuple[np.ndarray, np.ndarray]] = []
    theirs: list[tuple[np.ndarray, np.ndarray]] = []
    for seed in range(SEEDS):
        counts = trial.counted(trial.prepared(every, seed, reference=60, unchanged=200, changed=25))
        ours.append(flat(trial.by_calibration(counts, (LEVEL,))[LEVEL]))
        theirs.append(flat(trial.by_rule(counts, rules.js_three_deviations)))
    (false, found), (false_3sd, found_3sd) = (
        [np.concatenate(each) for each in zip(*s, strict=True)] for s in (ours, theirs)
    )
    assert stats.binomtest(int(false.sum()), len(false), 2 * LEVEL, alternative="greater").pvalue > 0.01
    assert false.mean() < false_3sd.mean()
    assert found.mean() > found_3sd.mean()
