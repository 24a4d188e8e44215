"""Minimum power: plain changes are detected with 60 reference windows of 1,000 independent rows.

At a level of 1e-4: a hundred columns by day, one false alarm in a hundred days. Each share of detected changes is that
of 500 columns; its lower 99 % bound (Clopper and Pearson 1934) is compared with the stated minimum. The margin for real
days costs power here: a bin has to be off by some 8 standard deviations; for independent rows, 4.5 would do.
"""

import numpy as np
import numpy.typing as npt
from scipy import stats

from drift.histogram import CategoricalAxis, Counts, NumericAxis
from drift.stats.calibration.group import Group, fit_group
from tests.support.streams import counts_of, group_of

LEVEL = 1e-4
COLUMNS, WINDOWS, ROWS = 500, 60, 1000


def at_least(group: Group, live: Counts) -> float:
    """Lower bound of the share of columns in which the change is detected; live of shape (columns, bins)."""
    detected = int((group.evidence(live.astype(np.float64))[0] < LEVEL).sum())
    return float(stats.binomtest(detected, len(live)).proportion_ci(0.98).low)


def even(bins: int, missing: float = 0.0) -> npt.NDArray[np.float64]:
    """Bins of equal shares, none of the rows beyond the edges."""
    shares = np.full((COLUMNS, bins + 3), (1 - missing) / bins)
    shares[:, [0, -2, -1]] = 0.0, 0.0, missing
    return shares


def reference_of(shares: npt.NDArray[np.float64], seed: int) -> tuple[np.random.Generator, Counts]:
    rng = np.random.default_rng(seed)
    return rng, counts_of(rng, shares, [ROWS] * WINDOWS)


def test_an_unseen_category_of_three_percent_is_detected() -> None:
    """Where 20 names are rare, and a few of them were seen once."""
    axis = CategoricalAxis(tuple("abcdefg"), rare=frozenset(f"r{i}" for i in range(20)))
    shares = np.tile([*[0.95 / 7] * 7, 0.05, 0.0, 0.0], (COLUMNS, 1))
    rng, reference = reference_of(shares, 1)
    changed = 0.97 * shares
    changed[:, 8] = 0.03
    assert at_least(fit_group([axis] * COLUMNS, reference), counts_of(rng, changed, [ROWS])[:, 0]) > 0.95


def test_the_first_five_percent_missing_are_detected() -> None:
    rng, reference = reference_of(even(10), 2)
    assert at_least(group_of(reference), counts_of(rng, 0.95 * even(10) + 0.05 * missing(10), [ROWS])[:, 0]) > 0.98


def missing(bins: int) -> npt.NDArray[np.float64]:
    """All of it in the last bin."""
    return np.asarray((np.arange(bins + 3) == bins + 2).astype(float))


def test_one_doubled_bin_is_detected() -> None:
    """From a tenth of the rows to a fifth; the others give way."""
    rng, reference = reference_of(even(10, 0.01), 3)
    usual = even(10, 0.01)
    changed = usual * (1 - 2 * usual[0, 4]) / (1 - usual[0, 4])
    changed[:, 4] = 2 * usual[0, 4]
    assert at_least(group_of(reference), counts_of(rng, changed, [ROWS])[:, 0]) > 0.7


def test_another_unit_is_detected() -> None:
    """Miles become kilometres: normal values of mean 20 and deviation 5, on the quantile edges of the reference."""
    edges = stats.norm(20, 5).ppf(np.arange(1, 10) / 10)
    axis = NumericAxis((-20.0, *edges.tolist(), 60.0))

    def counts(factor: float, windows: int, rng: np.random.Generator) -> Counts:
        cut = stats.norm(20 * factor, 5 * factor).cdf([-20.0, *edges, 60.0])
        shares = np.diff(np.concatenate([[0.0], cut, [1.0, 1.0]]))
        return counts_of(rng, np.tile(shares, (COLUMNS, 1)), [ROWS] * windows)

    rng = np.random.default_rng(4)
    group = fit_group([axis] * COLUMNS, counts(1.0, WINDOWS, rng))
    assert at_least(group, counts(1.609, 1, rng)[:, 0]) > 0.98


def test_a_shift_of_half_a_deviation_is_detected() -> None:
    edges = stats.norm.ppf(np.arange(1, 10) / 10)
    shares, shifted = (
        np.concatenate([[0.0], np.diff(np.concatenate([[0.0], stats.norm(by).cdf(edges), [1.0]])), [0.0, 0.0]])
        for by in (0.0, 0.5)
    )
    rng, reference = reference_of(np.tile(shares, (COLUMNS, 1)), 5)
    assert at_least(group_of(reference), counts_of(rng, np.tile(shifted, (COLUMNS, 1)), [ROWS])[:, 0]) > 0.9
