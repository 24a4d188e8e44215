"""P-values of deviations: Gumbel's distribution by SciPy, the rank rule by counting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from drift.stats.calibration.tail import PRIOR_WEIGHT, Tail, fit_tail


def gumbel(centre: float, width: float) -> "stats.rv_frozen":
    """Of that mean and standard deviation, by SciPy: mean = loc + Euler's gamma x scale, sd = pi scale / sqrt 6."""
    scale = width * np.sqrt(6) / np.pi
    return stats.gumbel_r(loc=centre - np.euler_gamma * scale, scale=scale)


def test_the_fitted_p_value_matches_gumbel() -> None:
    fitted = Tail(np.full((3, 60), 0.1), np.array([2.0, 2.1, 2.3]), np.array([0.1, 0.2, 0.05]))
    for deviation in (1.0, 4.0, 10.0, 40.0):
        got = fitted.p_value(np.full(3, deviation))
        for column in range(3):
            law = gumbel(fitted.centre[column], fitted.width[column])
            assert law.mean() == pytest.approx(fitted.centre[column])
            assert law.std() == pytest.approx(fitted.width[column])
            assert got[column] == pytest.approx(law.sf(np.log(deviation + 5)), rel=1e-9, abs=1e-300)


def test_a_p_value_is_not_below_the_rank() -> None:
    deviations = np.sort(np.random.default_rng(1).gamma(4.0, size=(1, 20)), axis=1)
    narrow = Tail(deviations, np.array([-20.0]), np.array([0.01]))  # the fit says: impossible
    for deviation in (*deviations[0], 0.0, float(deviations.max()) + 1):
        counted = sum(float(other) >= deviation for other in deviations[0]) / 21
        assert narrow.p_value(np.array([deviation]))[0] == pytest.approx(counted)


def test_moments_are_widened_for_the_number_of_windows() -> None:
    """Where reference windows differ more than chance has it, the law is theirs: with the variance of a prediction."""
    deviations = np.sort(np.exp(np.random.default_rng(2).gumbel(3.0, 0.4, size=(5, 40))), axis=1)
    fitted, logs = fit_tail(deviations, np.full(5, 10)), np.log(deviations + 5)
    np.testing.assert_allclose(fitted.centre, logs.mean(axis=1))
    predicted = np.sqrt(logs.var(axis=1, ddof=1) * (1 + 1 / 40))
    assert (fitted.width >= predicted).all()
    np.testing.assert_allclose(fitted.width / predicted, 1 + 5 / 40)


@pytest.mark.parametrize("windows", [8, 20, 60])
def test_identical_reference_windows_are_mixed_with_chance(windows: int) -> None:
    """What chance would give counts as so many windows: the law of the largest of some |t|, by simulation."""
    bins = 12
    fitted = fit_tail(np.zeros((1, windows)), np.array([bins]))
    drawn = stats.t(windows - 1).rvs(size=(200_000, bins // 2), random_state=np.random.default_rng(3))
    logs = np.log(np.abs(drawn).max(axis=1) + 5)
    expected = (PRIOR_WEIGHT * logs.mean() + windows * np.log(5)) / (PRIOR_WEIGHT + windows)
    assert fitted.centre[0] == pytest.approx(expected, abs=0.005)
    squares = windows * (np.log(5) - expected) ** 2  # about the centre that was mixed, not about their own
    variance = max(squares / (windows - 1), (PRIOR_WEIGHT * logs.var() + squares) / (PRIOR_WEIGHT + windows - 1))
    assert fitted.width[0] == pytest.approx(np.sqrt(variance * (1 + 1 / windows)) * (1 + 5 / windows), rel=0.05)


@given(
    deviations=st.lists(st.floats(0, 50), min_size=8, max_size=40),
    level=st.floats(-12, np.log10(0.05)).map(lambda x: 10**x),
)
def test_the_p_value_falls_to_the_level_at_the_limit(deviations: list[float], level: float) -> None:
    fitted = fit_tail(np.sort(np.array([deviations])), np.array([8]))
    limit = fitted.limit(level)
    assert fitted.p_value(limit * (1 + 1e-9) + 1e-9)[0] <= level * (1 + 1e-6)
    if limit[0] > 1e-6:
        assert fitted.p_value(limit * (1 - 1e-6))[0] >= level * (1 - 1e-6)


def test_p_values_never_rise_with_the_deviation() -> None:
    fitted = fit_tail(np.sort(np.random.default_rng(4).gamma(4.0, size=(1, 30)), axis=1), np.array([10]))
    p_values = [fitted.p_value(np.array([s]))[0] for s in np.linspace(0, 60, 500)]
    assert (np.diff(p_values) <= 0).all()
