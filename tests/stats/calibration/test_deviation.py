"""Deviations: the closed forms against leaving out one window at a time."""

import numpy as np
import pytest
from scipy import stats

from drift.histogram import Counts
from drift.stats.arrays import Floats, Mask
from drift.stats.calibration.deviation import PRIOR_WINDOWS, TOLERATED_ROWS, _expected, fit_deviation_model
from tests.support.streams import counts_of, shares_of


def alike(counts: Floats, rows: float) -> Floats:
    """Anscombe's arcsine of a root."""
    return np.asarray(np.arcsin(np.sqrt((counts + 3 / 8) / (rows + 3 / 4))))


def odds(counts: Floats, rows: float) -> Floats:
    """Logit, half a row added to both sides."""
    return np.asarray(np.log((counts + 0.5) / (rows - counts + 0.5)))


def usual(share: float, rows: float, logit: bool) -> float:
    """What so many rows of that share give on the scale; Anscombe's and Haldane's limits."""
    x, y = rows * share, rows * (1 - share)
    if logit:
        return float(np.log((x + np.exp(-x) / 2) / (y + np.exp(-y) / 2)))
    near, far = (v + 1 / 8 + np.exp(-1.27 * v) / 4 for v in (x, y))
    return float(np.arcsin(np.sqrt(near / (near + far))))


def by_hand(others: Counts, window: Counts, every: Counts, skewed: Mask) -> Floats:
    """Deviation of each bin of a window from other windows, by definition; shapes (N, k), (k,), (M, k), (k,).

    The sampling variance is that of `every` reference window: it hardly depends on a single one.
    """
    result, pooled = [], every.sum(axis=0)
    share = np.clip(pooled / pooled.sum(), 0.5 / pooled.sum(), 1 - 0.5 / pooled.sum())
    for at, p in enumerate(share):
        scale = odds if skewed[at] else alike
        slope = 1 / (p * (1 - p)) if skewed[at] else 1 / (2 * np.sqrt(p * (1 - p)))  # of the scale, by the share

        logit, largest = bool(skewed[at]), float(every.sum(axis=1).max())

        def chance(rows: float, p: float = p, logit: bool = logit) -> float:
            return 1 / (rows * p * (1 - p) + 0.5) if logit else 1 / (4 * rows)

        y = [scale(c[at].astype(float), float(c.sum())) - usual(p, float(c.sum()), logit) for c in others]
        n, least, size = len(y), float(np.mean([chance(float(c.sum())) for c in every])), float(window.sum())
        variance = float(np.var(y, ddof=1))
        if variance < least:
            variance = (PRIOR_WINDOWS * least + (n - 1) * variance) / (PRIOR_WINDOWS + n - 1)
        grown = max(variance + (chance(min(size, largest)) - least) * min(1.0, variance / least), variance / 10)
        # Two rows, on the scale; a share below one row counts as one row.
        steep = slope if p * (1 - p) >= 1 / size else (size if skewed[at] else np.sqrt(size) / 2)
        grown += min((TOLERATED_ROWS / size * steep) ** 2, chance(min(size, largest)))
        away = scale(window[at].astype(float), size) - usual(p, size, logit) - np.mean(y)
        result.append(abs(away) / np.sqrt(grown + variance / n))
    return np.array(result)


@pytest.mark.parametrize("rows", [[1000] * 9, [100, 10_000] * 10, [50, 400, 3000] * 4, [200] * 20])
def test_deviations_match_the_definition(rows: list[int]) -> None:
    rng = np.random.default_rng(1)
    shares = shares_of(rng, 6, 6)
    reference, live = counts_of(rng, shares, rows, 200.0), counts_of(rng, shares, [700], 200.0)[:, 0]
    model = fit_deviation_model(reference.astype(float))
    assert model.skewed.any()
    assert not model.skewed.all()
    for column in range(6):
        expected = by_hand(reference[column], live[column], reference[column], model.skewed[column])
        np.testing.assert_allclose(model.bin_deviations(live.astype(float))[column], expected, rtol=1e-9)


@pytest.mark.parametrize("rows", [[1000] * 12, [100, 10_000] * 6])
def test_reference_deviations_match_leaving_one_window_out(rows: list[int]) -> None:
    rng = np.random.default_rng(2)
    shares = shares_of(rng, 6, 5)
    reference = counts_of(rng, shares, rows, 300.0)
    model = fit_deviation_model(reference.astype(float))
    for column, windows in enumerate(reference):
        skewed = model.skewed[column]
        expected = [by_hand(np.delete(windows, at, axis=0), windows[at], windows, skewed).max() for at in range(12)]
        np.testing.assert_allclose(model.deviations[column], expected, rtol=1e-9)
        np.testing.assert_array_equal(model.sorted_deviations[column], np.sort(model.deviations[column]))


@pytest.mark.parametrize(("logit", "close"), [(False, 0.004), (True, 0.013)])
def test_expected_transformed_share_matches_the_binomial_mean(logit: bool, close: float) -> None:
    """Against the exact mean under the binomial law: angles in standard deviations of a sample, odds as they are."""
    for rows in (50, 400, 10_000):
        counts = np.arange(rows + 1.0)
        y = odds(counts, rows) if logit else alike(counts, rows) * 2 * np.sqrt(rows)
        for mean in (0.0, 0.1, 0.5, 1, 2, 3, 10, 0.3 * rows):
            exact = float(stats.binom.pmf(counts, rows, mean / rows) @ y)
            result = _expected(np.array([float(rows)]), np.array([mean / rows]), np.array([logit]))[0]
            # A binomial law of few rows is not quite Poisson's.
            slack = close + 2 * mean / rows * (mean < 0.3 * rows) / 10
            assert (result if logit else result * 2 * np.sqrt(rows)) == pytest.approx(exact, abs=slack)


def test_an_empty_bin_does_not_deviate_in_larger_windows() -> None:
    """A bin that is empty in the reference's windows of 100 rows may be empty in one of 10,000 rows."""
    reference = counts_of(np.random.default_rng(5), shares_of(np.random.default_rng(6), 20, 5, 0.0), [100] * 60)
    live = counts_of(np.random.default_rng(7), shares_of(np.random.default_rng(6), 20, 5, 0.0), [10_000])[:, 0]
    result = fit_deviation_model(reference.astype(float)).bin_deviations(live.astype(float))
    assert result[live == 0].max() < 1


def test_sampling_variance_of_both_scales_matches_samples() -> None:
    """Delta method against the variance of 100,000 samples, of rows enough that it holds to a few percent."""
    rng = np.random.default_rng(3)
    rows, share = 2000, 0.1
    drawn = rng.binomial(rows, share, size=100_000).astype(float)
    assert alike(drawn, rows).var() == pytest.approx(1 / (4 * rows), rel=0.03)
    assert odds(drawn, rows).var() == pytest.approx(1 / (rows * share * (1 - share) + 0.5), rel=0.03)


def test_only_skewed_bins_use_the_logit_scale() -> None:
    rng = np.random.default_rng(4)
    often = np.exp(rng.normal(np.log(0.002), 1.5, size=(20, 60)))  # the share of a bad day is many times the usual
    counts = rng.binomial(10_000, np.minimum(often, 0.5))
    rest = rng.binomial(10_000 - counts, 0.5)
    reference = np.stack([counts, rest, 10_000 - counts - rest], axis=2).astype(float)
    model = fit_deviation_model(reference)
    assert model.skewed[:, 0].mean() > 0.5
    plain = fit_deviation_model(counts_of(rng, shares_of(rng, 200, 5), [1000] * 60).astype(float)).skewed
    # Skewness of 60 normal values has a deviation of sqrt(6 / 60): above 0.8 about once in 170.
    assert plain.mean() < 0.03


def test_the_mean_window_does_not_deviate_from_identical_windows() -> None:
    reference = np.tile([0.0, 300.0, 500.0, 200.0, 0.0, 0.0], (1, 10, 1))
    model = fit_deviation_model(reference)
    assert model.bin_deviations(reference[:, 0]).max() == pytest.approx(0, abs=1e-9)
    assert np.isfinite(model.bin_deviations(np.array([[1000.0, 0, 0, 0, 0, 0]]))).all()


def test_two_more_rows_do_not_deviate() -> None:
    """Of 60 windows of 1,000 rows none had a missing value; two in a window are within two deviations."""
    reference = np.tile([300.0, 500.0, 200.0, 0.0], (1, 60, 1))
    assert fit_deviation_model(reference).bin_deviations(np.array([[300.0, 500.0, 198.0, TOLERATED_ROWS]]))[0, 3] < 2
