"""Outliers among reference windows: incidents are found, and unchanged windows are hardly ever outliers."""

import numpy as np
import pytest
from scipy.stats import binom

from drift.histogram import History, NumericAxis
from drift.stats.calibration import Calibration

AXIS = NumericAxis(tuple(range(11)))
EVEN = np.r_[0, np.full(10, 0.1), 0, 0]


@pytest.mark.parametrize("windows", [8, 20, 60])
def test_unchanged_columns_rarely_have_outliers(windows: int) -> None:
    rng = np.random.default_rng(5)
    columns = {str(i): History(AXIS, rng.multinomial(500, EVEN, size=windows)) for i in range(500)}
    named = sum(bool(column.outliers) for column in Calibration(columns).calibration_windows().values())
    assert named <= binom.ppf(0.999, len(columns), 0.01)


def test_incidents_in_the_reference_do_not_mask_each_other() -> None:
    rng = np.random.default_rng(6)
    moved = EVEN.copy()
    moved[3] = 0.5
    moved /= moved.sum()
    counts = np.insert(rng.multinomial(2000, EVEN, size=100), 7, 0, axis=0)  # a window without rows keeps its place
    counts[[5, 40, 80]] = rng.multinomial(2000, moved, size=3)
    windows = Calibration({"x": History(AXIS, counts)}).calibration_windows()["x"]
    assert (windows.windows, windows.rows) == (100, 2000)
    assert {place for place, _ in windows.outliers} == {5, 40, 80}
    assert all(p < 1 / 100 for _, p in windows.outliers)
