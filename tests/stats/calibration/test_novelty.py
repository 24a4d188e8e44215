"""Rows in bins that no reference window filled: against the exact law of ranks and the negative binomial."""

from math import comb

import numpy as np
import pytest
from scipy import stats

from drift.histogram import CategoricalAxis, Histogram, History, NumericAxis
from drift.stats.calibration import Calibration
from drift.stats.calibration.group import count_singletons, fit_group
from drift.stats.calibration.novelty import MAX_DRAWS, Novelty, design_effect, mean_design_effect


def one_bin(reference_rows: float, once: float = 0.0, cluster: float = 1.0, categorical: bool = False) -> Novelty:
    """A column of two bins, the last of which no reference window filled."""
    return Novelty((1,), np.array([[True]]), *(np.array([[x]]) for x in (reference_rows, cluster, once)), categorical)


def p_of(novelty: Novelty, new: int, rows: int) -> float:
    return float(novelty.p_value(np.array([[float(rows - new), float(new)]]))[0][0])


@pytest.mark.parametrize(("n", "m"), [(100, 6000), (1000, 60_000), (50, 400), (1000, 8000)])
def test_rows_beyond_the_reference_match_the_precedence_test(n: int, m: int) -> None:
    """C(n, j) / C(n + m, j): that the j largest of n + m rows in random order are all among the n."""
    for j in (1, 2, 3, 5):
        exact = comb(n, j) / comb(n + m, j)
        p_value = p_of(one_bin(m), j, n)
        assert exact <= p_value, "never rarer than it is"
        # (n / (n + m))^j leaves out that rows are not put back: a factor of about exp(j (j - 1) / 2 x (1/n - 1/(n+m))).
        assert p_value == pytest.approx(exact * np.exp(j * (j - 1) / 2 * (1 / n - 1 / (n + m))), rel=0.02)


def test_the_precedence_test_matches_a_simulation() -> None:
    rng, n, m, runs = np.random.default_rng(1), 50, 400, 40_000
    beyond = [int((rng.random(n) > rng.random(m).max()).sum()) for _ in range(runs)]
    for j in (1, 2):
        seen = sum(b >= j for b in beyond)
        assert stats.binomtest(seen, runs, comb(n, j) / comb(n + m, j)).pvalue > 0.001


@pytest.mark.parametrize("once", [0, 1, 7, 300])
def test_new_categories_match_the_negative_binomial(once: int) -> None:
    """f names in m rows, rate unknown: in n rows more, j or more come as the negative binomial (1 + f, m / (n + m))."""
    n, m = 1000, 60_000
    for j in (1, 2, 5, 20):
        expected = stats.nbinom(1 + once, m / (n + m)).sf(j - 1)
        assert p_of(one_bin(m, once), j, n) == pytest.approx(expected, rel=1e-9)


def test_clustered_rows_count_as_fewer_draws() -> None:
    alone, together = p_of(one_bin(60_000), 2, 1000), p_of(one_bin(60_000, cluster=5.0), 10, 1000)
    assert together == pytest.approx(alone)


@pytest.mark.parametrize("size", [1.0, 3.0, 20.0])
def test_new_category_rows_match_geometric_clusters(size: float) -> None:
    rng, runs, n, m = np.random.default_rng(3), 300_000, 1000, 4000
    clusters = rng.geometric(1 - n / (n + m), size=runs) - 1  # k or more: q^k
    rows = np.array(clusters)  # a sum of k geometric sizes: k, and the failures before the k-th success
    some = clusters > 0
    if size > 1:
        rows[some] += rng.negative_binomial(clusters[some], 1 / size)
    for j in (1, 2, 5, 30):
        p_value = p_of(one_bin(m, cluster=size, categorical=True), j, n)
        if p_value * runs > 20:
            assert stats.binomtest(int((rows >= j).sum()), runs, p_value).pvalue > 0.001


def test_a_window_counts_for_a_limited_number_of_draws() -> None:
    rows = int(100 * MAX_DRAWS)
    assert p_of(one_bin(60.0 * rows), 100, rows) == pytest.approx(1 / 61)


def test_several_new_bins_are_corrected_for() -> None:
    both = Novelty((1, 2), np.array([[True, True]]), np.array([[6000.0]]), np.ones((1, 2)), np.zeros((1, 2)))
    p_value, which = both.p_value(np.array([[95.0, 1.0, 4.0]]))
    assert p_value[0] == pytest.approx(2 * (100 / 6100) ** 4)
    assert which[0] == 2
    assert both.p_value(np.array([[100.0, 0.0, 0.0]]))[0][0] == 1


def test_a_bin_filled_in_the_reference_is_not_new() -> None:
    filled = Novelty((1,), np.array([[False]]), np.array([[6000.0]]), np.ones((1, 1)), np.zeros((1, 1)))
    assert filled.p_value(np.array([[5.0, 95.0]]))[0][0] == 1


@pytest.mark.parametrize("categorical", [True, False])
def test_the_p_value_at_the_limit_is_the_level(categorical: bool) -> None:
    novelty = one_bin(60_000, once=3.0, cluster=4.0, categorical=categorical)
    for level in (1e-2, 1e-4, 1e-8):
        share = novelty.limit(level, np.array([[1000.0]]))[0, 0]
        at = np.array([[1000 * (1 - share), 1000 * share]])
        assert novelty.p_value(at)[0][0] == pytest.approx(level, rel=1e-6)


def test_the_design_effect_matches_its_definition() -> None:
    counts, rows = np.array([[10.0, 30.0, 20.0, 40.0]]), np.full((1, 4), 100.0)
    shares = [0.1, 0.3, 0.2, 0.4]
    mean = sum(shares) / 4
    variance = sum((s - mean) ** 2 for s in shares) / 3
    assert design_effect(counts, rows)[0] == pytest.approx(variance / (mean * (1 - mean) / 100))


@pytest.mark.parametrize(("within", "size"), [(0.1, 20), (0.5, 8), (0.0, 10)])
def test_the_design_effect_of_clusters_matches_kish(within: float, size: int) -> None:
    """Kish 1965: 1 + (size - 1) x correlation within clusters. Beta-binomial clusters have that correlation exactly."""
    rng, clusters, share, windows = np.random.default_rng(2), 50, 0.3, 4000
    mean = np.full((windows, clusters), share)
    if within:
        mean = rng.beta(share * (1 / within - 1), (1 - share) * (1 / within - 1), size=(windows, clusters))
    counts = rng.binomial(size, mean).sum(axis=1)[None, :].astype(float)
    p_value = design_effect(counts, np.full((1, windows), float(clusters * size)))[0]
    assert p_value == pytest.approx(1 + (size - 1) * within, rel=5 * np.sqrt(2 / windows))


def test_the_design_effect_is_between_one_and_the_rows() -> None:
    rows = np.full((1, 10), 100.0)
    assert design_effect(np.full((1, 10), 30.0), rows)[0] == 1
    assert design_effect(np.zeros((1, 10)), rows)[0] == 1
    assert design_effect(np.array([[0.0, 100.0] * 5]), rows)[0] == 100


def test_singletons_are_counted_if_listed_and_estimated_if_rare() -> None:
    axis = CategoricalAxis(("a", "b", "c"), rare=frozenset(f"r{i}" for i in range(10)))
    rare = np.array([[30, 5, 0, 20, 0, 3], [20, 0, 9, 20, 0, 0]])  # b and c in one window each
    assert count_singletons(axis, rare, 1.0) == pytest.approx(2 + 2 * 100 / 40)
    assert count_singletons(axis, rare, 1.6) == pytest.approx(2 + 2 * 100 / 25), "of rows that come together, more did"
    assert count_singletons(axis, rare, 20.0) == pytest.approx(2 + 10), "no more than there are"
    assert count_singletons(NumericAxis((0, 1, 2)), np.array([[0, 1, 1, 0, 0]]), 1.0) == 0


def test_first_missing_values_are_new() -> None:
    windows = np.tile([0, 300, 700, 0, 0], (1, 20, 1))
    group = fit_group([NumericAxis((0, 1, 2))], windows)
    p_value, which, new = group.evidence(np.array([[0.0, 290.0, 690.0, 0.0, 20.0]]))
    assert (which[0], new[0]) == (4, True)
    assert p_value[0] < 1e-6


def test_the_mean_design_effect_of_random_and_clustered_windows() -> None:
    rng = np.random.default_rng(3)
    random = rng.multinomial(500, [0.1, 0.2, 0.3, 0.4], size=(50, 400)).astype(float)
    p_value = mean_design_effect(random, random.sum(axis=2))
    assert p_value.min() == 1, "never below"
    assert p_value.mean() == pytest.approx(1, abs=0.03)
    whole = 500.0 * rng.multinomial(1, [0.1, 0.2, 0.3, 0.4], size=(1, 4000))
    # Of shares 0 or 1 the variance is p (1 - p): n times that of n random rows, in each bin.
    assert mean_design_effect(whole, whole.sum(axis=2))[0] == pytest.approx(500, rel=0.02)


def test_a_new_category_is_common_among_windows_of_one_category() -> None:
    rng = np.random.default_rng(4)
    names = CategoricalAxis(tuple("abcdefgh"))
    windows = np.zeros((60, names.n_bins), np.int64)
    windows[np.arange(60), rng.integers(8, size=60)] = rng.integers(50, 200, 60)
    live = np.zeros(names.n_bins, np.int64)
    live[names.labels.index("unseen")] = 120
    calibration = Calibration({"x": History(names, windows)})
    assert calibration.evidence({"x": Histogram(names, live)})["x"].p_value > 1e-3
    mixed = rng.multinomial(120, np.full(8, 1 / 8), size=60)
    history = History(names, np.pad(mixed, ((0, 0), (0, 3))))
    assert Calibration({"x": history}).evidence({"x": Histogram(names, live)})["x"].p_value < 1e-9
