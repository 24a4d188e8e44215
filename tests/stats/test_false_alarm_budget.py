"""The false-alarm budget: what it asks of each check, against normal orthants and a simulated stream."""

import math
from datetime import timedelta

import numpy as np
import pytest
from scipy import stats

from drift.errors import InputError
from drift.stats.false_alarm_budget import MAX_LEVEL, Budget, _run_probability

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
QUARTER = Budget(1, timedelta(days=90))


@pytest.mark.parametrize(
    ("budget", "checks", "period", "expected"),
    [
        (QUARTER, 1, DAY, 1 / 90),
        (QUARTER, 200, DAY, 1 / 18_000),
        (QUARTER, 10, HOUR, 1 / 21_600),
        (Budget(3, timedelta(days=30)), 10, DAY, 3 / 300),
        (Budget(1, timedelta(weeks=52)), 4, timedelta(weeks=1), 1 / 208),
    ],
)
def test_the_budget_is_shared_by_all_checks(budget: Budget, checks: int, period: timedelta, expected: float) -> None:
    assert budget.level(checks, period) == pytest.approx(min(MAX_LEVEL, expected))


@pytest.mark.parametrize("windows", [2, 3, 5])
def test_probabilities_of_independent_windows_multiply(windows: int) -> None:
    level = QUARTER.level(100_000, DAY, windows)
    assert level == pytest.approx(min(MAX_LEVEL, (1 / 9_000_000) ** (1 / windows)), rel=1e-9)


@pytest.mark.parametrize("rho", [0.1, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("level", [0.05, 0.01, 1e-3])
def test_two_bad_windows_match_the_bivariate_normal(rho: float, level: float) -> None:
    z = stats.norm.isf(level)
    expected = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]]).cdf([-z, -z])
    assert _run_probability(level, 2, rho) == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6, 0.9])
def test_three_bad_windows_match_an_ar1_approximately(rho: float) -> None:
    """A Markov chain of bad and good is not quite the AR(1): the second bad window tells of a still higher level."""
    z, at = stats.norm.isf(0.01), np.arange(3)
    exact = stats.multivariate_normal(np.zeros(3), rho ** np.abs(at[:, None] - at)).cdf(np.full(3, -z))
    probability = _run_probability(0.01, 3, rho)
    assert exact / 2 < probability < exact * 1.1


@pytest.mark.parametrize(("rho", "windows"), [(0.0, 1), (0.3, 2), (0.6, 2), (0.9, 2), (0.3, 3), (0.6, 3)])
def test_a_correlated_stream_keeps_the_budget(rho: float, windows: int) -> None:
    """Standard normal AR(1) columns, bad above the level's quantile; an alarm is a run that becomes long enough."""
    rng, columns, length = np.random.default_rng(1), 200, 20_000
    budget = Budget(1, timedelta(days=30))
    cut = stats.norm.isf(budget.level(10, DAY, windows, rho))
    y, run, fired = rng.normal(size=columns), np.zeros(columns, int), 0
    for _ in range(length):
        y = rho * y + math.sqrt(1 - rho * rho) * rng.normal(size=columns)
        run = np.where(y > cut, run + 1, 0)
        fired += int((run == windows).sum())
    allowed = 1 / 300
    # The chain of neighbours asks a little too little of three in a row: up to twice, as the orthants above show.
    slack = 1.0 if windows < 3 else 2.0
    assert stats.binomtest(fired, columns * length, allowed * slack, "greater").pvalue > 0.01


def test_correlation_and_more_checks_never_raise_the_level() -> None:
    by_rho = [QUARTER.level(10, DAY, 2, rho) for rho in np.linspace(0, 0.99, 30)]
    by_checks = [QUARTER.level(checks, HOUR, 2, 0.3) for checks in (1, 2, 10, 100, 10_000)]
    assert (np.diff(by_rho) <= 1e-15).all()
    assert (np.diff(by_checks) <= 1e-15).all()
    assert QUARTER.level(10, DAY, 2, 0.99) >= QUARTER.level(10, DAY)


def test_a_large_budget_does_not_raise_the_maximum_level() -> None:
    assert Budget(1000, DAY).level(1, DAY) == MAX_LEVEL
    assert Budget(1000, DAY).level(1, DAY, 3, 0.5) == MAX_LEVEL


@pytest.mark.parametrize("checks", [1, 200, 1_000_000])
@pytest.mark.parametrize("windows", [1, 2, 10])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.99])
def test_extreme_budgets_give_a_usable_level(checks: int, windows: int, rho: float) -> None:
    for budget in (Budget(1e-6, timedelta(days=3650)), QUARTER, Budget(1e6, HOUR)):
        level = budget.level(checks, timedelta(minutes=1), windows, rho)
        assert 0 < level <= MAX_LEVEL <= 0.05
        assert math.isfinite(level)


@pytest.mark.parametrize(
    ("alarms", "per"),
    [(0.0, DAY), (-1.0, DAY), (math.inf, DAY), (math.nan, DAY), (1.0, timedelta(0)), (1.0, -DAY)],
)
def test_an_invalid_budget_is_refused(alarms: float, per: timedelta) -> None:
    with pytest.raises(InputError) as error:
        Budget(alarms, per)
    assert error.value.code == "invalid-value"


@pytest.mark.parametrize(
    ("checks", "period", "windows", "rho"),
    [(0, DAY, 1, 0.0), (1, timedelta(0), 1, 0.0), (1, DAY, 0, 0.0), (1, DAY, 2, 1.0), (1, DAY, 2, -0.1)],
)
def test_arguments_out_of_range_are_refused(checks: int, period: timedelta, windows: int, rho: float) -> None:
    with pytest.raises(InputError) as error:
        QUARTER.level(checks, period, windows, rho)
    assert error.value.code == "invalid-input"


def test_a_budget_is_formatted_as_configured() -> None:
    assert str(QUARTER) == "1 per 90d"
    assert str(Budget(0.5, timedelta(hours=12))) == "0.5 per 0.5d"
