"""Intervals, by their coverage of the true divergence."""

import itertools

import numpy as np
import pytest
from scipy import stats

from drift.stats.arrays import Floats
from drift.stats.divergence import DIVERGENCES, divergence
from drift.stats.intervals import interval
from drift.stats.null_distribution import PairBatch, fit_null_distribution, measure_noise

BEFORE = np.array([0.3, 0.2, 0.2, 0.15, 0.1, 0.05])
AFTER = np.array([0.15, 0.15, 0.2, 0.2, 0.15, 0.15])
every = pytest.mark.parametrize("metric", sorted(DIVERGENCES))
CHANGES = {"none": 0.0, "small": 0.08, "medium": 0.4, "large": 2.5}
SIZES = [(1_000, 1_000), (1_000, 100_000), (10_000, 10_000), (1_000_000, 10_000), (1_000_000, 1_000_000)]


def ends(metric: str, live: Floats, reference: Floats) -> tuple[Floats, Floats]:
    known = DIVERGENCES[metric]
    batch = PairBatch(metric, known.smoothing, known.base, live, reference, range(len(live)))
    unchanged = fit_null_distribution(batch)
    return interval(batch, unchanged, measure_noise(batch, unchanged))


def coverage(metric: str, before: Floats, after: Floats, n: int, m: int, pairs: int) -> float:
    rng = np.random.default_rng([n, m, len(before)])
    low, high = ends(metric, rng.multinomial(n, after, pairs), rng.multinomial(m, before, pairs))
    truth = float(divergence(metric, after, before))
    assert (low >= 0).all()
    assert (low <= high).all()
    return float(np.mean((low <= truth) & (truth <= high)))


def shares_of(kind: str, k: int) -> Floats:
    """Even; skewed; or with hardly a row at either end."""
    made = {"even": np.ones(k), "skewed": 1 / np.arange(1.0, k + 1), "edges": np.ones(k)}[kind]
    if kind == "edges":
        made[[0, -2, -1]] = 1e-3, 1e-3, 1e-4
    return made / made.sum()


def changed(shares: Floats, size: float) -> Floats:
    made = shares * np.exp(size * np.cos(2.1 * np.arange(len(shares))))
    return np.asarray(made / made.sum())


@every
def test_coverage_of_a_moderate_change_is_about_95_percent(metric: str) -> None:
    assert 0.89 <= coverage(metric, BEFORE, AFTER, 1_000, 4_000, pairs=400) <= 0.995


@every
def test_intervals_contain_zero_without_change(metric: str) -> None:
    assert coverage(metric, BEFORE, BEFORE, 300, 4_000, pairs=200) >= 0.95


@pytest.mark.parametrize("metric", ["js_distance", "kl"])
@pytest.mark.parametrize("change", CHANGES)
def test_coverage_by_formula_is_about_95_percent(metric: str, change: str) -> None:
    for k in (3, 13, 50):
        before = shares_of("even", k)
        covered = coverage(metric, before, changed(before, CHANGES[change]), 100_000, 30_000, pairs=1_500)
        assert 0.93 <= covered <= (0.995 if CHANGES[change] else 1)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["js_distance", "kl", "hellinger"])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["even", "skewed", "edges"])
def test_coverage_by_size_of_change_and_rows(metric: str, change: str, kind: str) -> None:
    # A bin that a large change all but empties has too few rows to tell how large: of fewer rows they are too short.
    least = 1_000 if change != "large" else 1_000_000 if metric == "kl" else 10_000
    lowest = stats.binom(200, 0.93).ppf(1e-4) / 200
    for k, (n, m) in itertools.product((13, 50) if metric == "js_distance" else (20,), SIZES):
        if min(n, m) >= least:
            before = shares_of(kind, k)
            covered = coverage(metric, before, changed(before, CHANGES[change]), n, m, pairs=200)
            assert covered >= lowest, (k, n, m, covered)


def test_intervals_shrink_as_rows_grow() -> None:
    widths = []
    for rows in (1_000, 100_000, 10_000_000):
        low, high = ends("js_distance", np.array([AFTER * rows], np.int64), np.array([BEFORE * rows], np.int64))
        truth = float(divergence("js_distance", AFTER, BEFORE))
        assert low[0] <= truth <= high[0]
        widths.append(high[0] - low[0])
    assert widths[0] / widths[1] == pytest.approx(10, rel=0.1)  # as 1 / sqrt(rows)
    assert widths[1] / widths[2] == pytest.approx(10, rel=0.01)
