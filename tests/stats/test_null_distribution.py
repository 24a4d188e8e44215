"""The noise of a score, against SciPy's tests and against simulated unchanged data."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats

from drift.histogram import Counts
from drift.stats import null_distribution
from drift.stats.arrays import Floats
from drift.stats.divergence import DIVERGENCES, divergence
from drift.stats.intervals import interval
from drift.stats.null_distribution import Noise, PairBatch, fit_null_distribution, measure_noise
from drift.stats.smoothing import Smoothing, smooth

EVEN = np.full(8, 1 / 8)
SKEWED = 1 / np.arange(1, 15) / (1 / np.arange(1, 15)).sum()
every = pytest.mark.parametrize("metric", sorted(DIVERGENCES))
by_formula = pytest.mark.parametrize("metric", sorted(n for n, d in DIVERGENCES.items() if d.curvature is not None))


def value_of(metric: str, live: Counts, reference: Counts, smoothing: Smoothing | None = None) -> Floats:
    """Scores as `drift.stats.scoring` takes them, over leading axes."""
    how = DIVERGENCES[metric].smoothing if smoothing is None else smoothing
    return divergence(metric, smooth(live, how), smooth(reference, how))


def batch_of(
    metric: str, live: Counts, reference: Counts, smoothing: Smoothing | None = None, *, seed: int = 0
) -> PairBatch:
    """Pairs of counts, shape (pairs, k) or (k,), as `scoring` hands them over; seeds count up from `seed`."""
    known = DIVERGENCES[metric]
    how = known.smoothing if smoothing is None else smoothing
    live, reference = np.atleast_2d(live), np.atleast_2d(reference)
    return PairBatch(metric, how, known.base, live, reference, range(seed, seed + len(live)))


def noises(batch: PairBatch) -> Noise:
    return measure_noise(batch, fit_null_distribution(batch))


class PairNoise(NamedTuple):
    """The noise of one pair."""

    floor: float
    p_value: float
    detectable: float


def noise_of(
    metric: str, live: Counts, reference: Counts, smoothing: Smoothing | None = None, *, seed: int = 0
) -> PairNoise:
    measured = noises(batch_of(metric, live, reference, smoothing, seed=seed))
    return PairNoise(float(measured.floor[0]), float(measured.p_value[0]), float(measured.detectable[0]))


def p_values_of(metric: str, live: Counts, reference: Counts) -> Floats:
    return noises(batch_of(metric, live, reference)).p_value


def unchanged(shares: Floats, n: int, m: int, pairs: int, seed: int) -> tuple[Counts, Counts]:
    rng = np.random.default_rng(seed)
    return rng.multinomial(n, shares, size=pairs), rng.multinomial(m, shares, size=pairs)


# By formula: enough expected rows in every bin -----------------------------------------------------


def test_the_p_value_of_js_is_a_chi_squared_tail() -> None:
    live, reference = np.array([520, 480, 510, 490]), np.array([990, 1010, 1060, 940])
    n, m = live.sum(), reference.sum()
    for metric, power in (("js", 1), ("js_distance", 2)):
        nats = float(value_of(metric, live, reference)) ** power * math.log(2)
        expected = stats.chi2.sf(8 * n * m / (n + m) * nats, df=3)
        assert noise_of(metric, live, reference).p_value == pytest.approx(expected, rel=1e-9)


@by_formula
def test_p_values_agree_with_scipys_tests_of_homogeneity(metric: str) -> None:
    rng = np.random.default_rng(4)
    for shift in (0.0, 0.004, 0.008):
        changed = EVEN + np.array([shift, -shift] * 4)
        live, reference = rng.multinomial(8_000, changed), rng.multinomial(20_000, EVEN)
        table = np.array([live, reference])
        got = noise_of(metric, live, reference).p_value
        for kind in ("pearson", "log-likelihood"):
            oracle = stats.chi2_contingency(table, correction=False, lambda_=kind).pvalue
            assert got == pytest.approx(oracle, rel=0.15)


def test_floor_and_detectable_of_the_formula() -> None:
    live, reference = np.full(5, 1000), np.full(5, 4000)
    scale = 1 / 5000 + 1 / 20000
    js = noise_of("js", live, reference)
    assert js.floor == pytest.approx(4 / 8 * scale / math.log(2), rel=1e-12)
    assert js.detectable == pytest.approx(stats.chi2.isf(0.001, 4) / 8 * scale / math.log(2), rel=1e-9)
    distance = noise_of("js_distance", live, reference)
    assert distance.floor == pytest.approx(stats.chi(4).mean() * math.sqrt(scale / 8 / math.log(2)), rel=1e-9)
    assert distance.detectable == pytest.approx(math.sqrt(js.detectable), rel=1e-12)
    assert noise_of("kl", live, reference, "none").floor == pytest.approx(4 * js.floor, rel=1e-12)


def test_bins_empty_on_both_sides_are_no_degrees_of_freedom() -> None:
    live, reference = np.array([300, 280, 310]), np.array([900, 950, 920])
    wider = [np.concatenate([side, np.zeros(20, dtype=np.int64)]) for side in (live, reference)]
    assert noise_of("js", *wider) == noise_of("js", live, reference)


# By simulation: too few expected rows --------------------------------------------------------------------


def test_a_simulated_p_value_agrees_with_the_hypergeometric_distribution() -> None:
    # Two bins: the score grows with |live share - expected|, so p is Fisher's exact sum over both tails.
    live, reference = np.array([13, 17]), np.array([10, 50])
    exact_law = stats.hypergeom(90, 23, 30)
    heads = np.arange(24)
    scores = value_of("total_variation", np.stack([heads, 30 - heads], 1), np.stack([23 - heads, 37 + heads], 1))
    exact = exact_law.pmf(heads)[scores >= scores[13] * (1 - 1e-12)].sum()
    got = [noise_of("total_variation", live, reference, seed=seed).p_value for seed in range(5)]
    assert np.mean(got) == pytest.approx(exact, abs=4 * math.sqrt(exact / 10_000) + 1 / 2001)


def test_a_simulated_p_value_is_small_but_never_zero() -> None:
    live, reference = np.array([0, 0, 20]), np.array([300, 300, 0])
    for metric in DIVERGENCES:
        assert noise_of(metric, live, reference).p_value == pytest.approx(1 / 2001, rel=1e-9)


def test_equal_shares_have_p_value_one() -> None:
    small, large = np.array([2, 3, 5, 0]), np.array([2000, 3000, 5000, 0])
    for counts in (small, large):
        for metric in DIVERGENCES:
            assert noise_of(metric, counts, counts).p_value == pytest.approx(1)


def test_identical_single_bins_are_no_difference() -> None:
    for metric, known in DIVERGENCES.items():
        for rows in (3, 3000):
            measured = noise_of(metric, np.array([rows, 0, 0]), np.array([50_000, 0, 0]))
            assert measured.p_value == 1
            if known.smoothing == "none":
                assert (measured.floor, measured.detectable) == (0, 0)


def test_more_rows_than_numpy_draws_hypergeometrically() -> None:
    live, reference = np.array([1_000_000, 1_000_500]), np.array([3_000_000_000, 3_000_600_000])
    measured = noise_of("total_variation", live, reference)
    expected = math.sqrt(0.25 / 2_000_000) * math.sqrt(2 / math.pi)  # mean of |normal|
    assert measured.floor == pytest.approx(expected, rel=0.15)
    assert 0.05 < measured.p_value <= 1


def test_an_infinite_draw_leaves_finite_numbers() -> None:
    live, reference = np.array([5, 5, 2]), np.array([6, 6, 1])
    measured = noise_of("kl", live, reference, "none")
    batch = batch_of("kl", live, reference, "none")
    ends = np.ravel(interval(batch, fit_null_distribution(batch), measure_noise(batch, fit_null_distribution(batch))))
    assert all(math.isfinite(x) for x in (measured.floor, measured.detectable, measured.p_value, *ends))


def test_the_same_seed_gives_the_same_noise() -> None:
    live, reference = np.array([3, 4, 9, 1]), np.array([50, 40, 30, 20])
    assert noise_of("ks", live, reference, seed=5) == noise_of("ks", live, reference, seed=5)
    assert noise_of("ks", live, reference, seed=5) != noise_of("ks", live, reference, seed=6)


def test_p_values_by_moments_agree_with_simulation() -> None:
    # Two rows beyond the reference's ends: no formula, but what most scores need is no drawing either.
    shares = np.array([1e-4, *np.full(8, 0.12475), 1e-4, 0.0018])
    live, reference = unchanged(shares, 5_000, 20_000, 60, seed=1)
    by_moments = p_values_of("js", live, reference)
    null = np.random.default_rng(2)
    for p, counts, others in zip(by_moments, live, reference, strict=True):
        dealt = null.multivariate_hypergeometric(counts + others, 5_000, size=2_000, method="marginals")
        drawn = np.mean(value_of("js", dealt, counts + others - dealt) >= value_of("js", counts, others))
        assert p == pytest.approx(drawn, abs=4 * math.sqrt(drawn * (1 - drawn) / 2_000) + 0.01)


# Against simulated unchanged data -----------------------------------------------------------------------

LAWS = {
    "plenty": (EVEN, 4_000, 20_000),
    "empty bins": (np.concatenate([EVEN, np.zeros(4)]), 1_000, 50_000),  # with pseudo-counts only
    "few": (EVEN, 40, 5_000),
    "skewed": (SKEWED, 100, 2_000),
    "balanced": (SKEWED, 150, 150),
    "edges": (np.array([1e-4, *np.full(10, 0.0994), 5e-4, 5.4e-3]), 10_000, 10_000),
}


def binomial_bounds(trials: int, rate: float) -> tuple[float, float]:
    """Bounds of the share of `trials` with that rate, which a binomial share exceeds once in 100,000."""
    low, high = stats.binom(trials, rate).interval(1 - 1e-5)
    return low / trials, high / trials


def check_uniform(metric: str, law: str, pairs: int, levels: tuple[float, ...], slack: float) -> None:
    live, reference = unchanged(*LAWS[law], pairs, seed=hash_of(metric, law))
    p_values = p_values_of(metric, live, reference)
    for level in levels:
        _, high = binomial_bounds(pairs, min(1.0, level * slack))
        low, _ = binomial_bounds(pairs, level / slack / 1.5)  # drawn scores tie, which lets p be large
        assert low <= np.mean(p_values <= level) <= high, (level, np.mean(p_values <= level))


def hash_of(*names: str) -> int:
    """A seed for each case, the same in every process."""
    return sum(ord(letter) * 31**i for i, letter in enumerate("/".join(names))) % 2**32


@every
@pytest.mark.parametrize("law", LAWS)
def test_p_values_of_unchanged_data_are_uniform(metric: str, law: str) -> None:
    check_uniform(metric, law, pairs=250, levels=(0.1, 0.5), slack=1.15)


@pytest.mark.slow
@every
@pytest.mark.parametrize("law", LAWS)
def test_p_values_of_unchanged_data_are_uniform_in_the_tail(metric: str, law: str) -> None:
    check_uniform(metric, law, pairs=3_000, levels=(0.001, 0.01, 0.1, 0.5), slack=1.3)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["js_distance", "kl"])
@pytest.mark.parametrize("k", [2, 5, 20, 200])
@pytest.mark.parametrize("n", [20, 100, 1_000, 100_000, 10_000_000])
def test_p_values_are_uniform_for_any_rows_and_bins(metric: str, n: int, k: int) -> None:
    shares, pairs = 1 / np.arange(1.0, k + 1), 4_000 if n >= 1_000 * k else 400
    live, reference = unchanged(shares / shares.sum(), n, 3 * n, pairs, seed=n + k)
    p_values = p_values_of(metric, live, reference)
    for level in (0.01, 0.05, 0.25, 0.5):
        assert np.mean(p_values <= level) <= binomial_bounds(pairs, level * 1.15)[1]
        # With few rows there are few distinct scores: p may be too large by the probability of one.
        ties = stats.binom(n, shares[0] / shares.sum()).pmf(np.arange(n + 1)).max() if k == 2 and n <= 1_000 else 0
        assert np.mean(p_values <= level) >= binomial_bounds(pairs, max(0.0, level / 1.15 - 2 * ties))[0]


def null_scores(metric: str, law: str, draws: int) -> tuple[Floats, PairNoise]:
    """Scores of the exact permutation null of one unchanged pair, and the noise that drift reports for it."""
    shares, n, m = LAWS[law]
    live, reference = (side[0] for side in unchanged(shares, n, m, 1, seed=hash_of(metric, law)))
    rng = np.random.default_rng(1)
    dealt = rng.multivariate_hypergeometric(live + reference, n, size=draws, method="marginals")
    return value_of(metric, dealt, live + reference - dealt), noise_of(metric, live, reference)


@every
@pytest.mark.parametrize("law", LAWS)
def test_the_floor_is_the_mean_score_of_unchanged_data(metric: str, law: str) -> None:
    scores, measured = null_scores(metric, law, 4_000)
    error = scores.std() * math.sqrt(1 / len(scores) + 1 / 250)  # both sides are means, one of 250 draws or more
    assert measured.floor == pytest.approx(scores.mean(), abs=4 * error, rel=0.02)


@pytest.mark.parametrize("smoothing", ["none", "jeffreys", "laplace", 20])
@pytest.mark.parametrize("metric", ["kl", "js_distance", "psi"])
def test_the_floor_is_that_mean_for_any_smoothing(metric: str, smoothing: Smoothing) -> None:
    live, reference = unchanged(SKEWED, 3_000, 30_000, 2_000, seed=hash_of(metric))
    scores = value_of(metric, live, reference, smoothing)
    floor = noises(batch_of(metric, live[:10], reference[:10], smoothing)).floor.mean()
    assert floor == pytest.approx(scores.mean(), rel=0.05)


@every
@pytest.mark.parametrize("law", LAWS)
def test_one_unchanged_window_in_a_thousand_exceeds_the_detectable_score(metric: str, law: str) -> None:
    scores, measured = null_scores(metric, law, 20_000)
    # Fitted to as few as 250 draws, so "about": a third more or less of the score is a factor of ten in rarity.
    assert 0 <= np.mean(scores >= measured.detectable) < 0.01
    assert measured.detectable < np.quantile(scores, 0.999) * 1.35
    assert measured.detectable > measured.floor


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["js_distance", "kl", "hellinger", "psi"])
@pytest.mark.parametrize("k", [14, 54])
@pytest.mark.parametrize("n", [20, 50, 200])
def test_small_windows_keep_the_false_alarm_rate(metric: str, k: int, n: int) -> None:
    shares = 1 / np.arange(1, k + 1)
    live, reference = unchanged(shares / shares.sum(), n, 10_000, 3_000, seed=k * n)
    p_values = p_values_of(metric, live, reference)
    assert np.mean(p_values < null_distribution.SIGNIFICANCE) <= binomial_bounds(3_000, 0.001)[1]


def test_the_formula_is_not_used_if_it_fails() -> None:
    # Measured: by the chi-squared law, Hellinger scores of 200 rows over 54 skewed bins pass 0.001 in 31 % of pairs.
    shares = 1 / np.arange(1, 55)
    live, reference = unchanged(shares / shares.sum(), 200, 10_000, 120, seed=3)
    formula = stats.chi2.sf(8 * (1 / (1 / 200 + 1 / 10_000)) * value_of("hellinger", live, reference) ** 2, df=53)
    got = p_values_of("hellinger", live, reference)
    assert np.mean(formula < 0.001) > 0.1
    assert np.mean(got < 0.001) <= binomial_bounds(120, 0.001)[1]
