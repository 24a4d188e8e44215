"""False alarms without any change do not exceed the budget, by simulation (binomial test at 1 %).

Each case is 100 monitors of 10 columns, each with its own reference and 100 live windows: 10,000 windows, on which
a budget of 1 per 30 days allows 333 alarms; monitors of 200 columns are fewer.

Kept for: independent rows, and clustered ones of concentration 300 and more, up to 50 bins; concentration 50 (a window
of 1,000 rows is worth 49 independent rows) up to 10 bins. The last test measures the excess beyond.
"""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest
from scipy import stats

from drift.stats.false_alarm_budget import Budget
from tests.support.calibrated_values import group_and_live, of_names, of_numbers
from tests.support.streams import (
    DAILY,
    DAY,
    HOUR,
    Monitor,
    alarms,
    counts_of,
    group_of,
    p_values,
    shares_of,
    simulated_alarms,
    wandering,
)

NIGHT_AND_DAY = (100, 10_000)


def assert_kept(result: tuple[int, int], monitor: Monitor = DAILY, times: float = 1.0) -> None:
    count, chances = result
    allowed = monitor.allowed_rate * chances
    assert stats.binomtest(count, chances, times * monitor.allowed_rate, "greater").pvalue > 0.01, (
        f"{count} alarms, {allowed:.0f} allowed"
    )


@pytest.mark.parametrize("concentration", [None, 50, 300])
def test_few_windows_keep_the_budget(concentration: float | None) -> None:
    """The only one of these cases that is not slow."""
    assert_kept(simulated_alarms(windows=12, concentration=concentration, monitors=100))


@pytest.mark.slow
@pytest.mark.parametrize("rows", [50, 200, 10_000, 1_000_000])
@pytest.mark.parametrize("concentration", [None, 50, 3000])
def test_windows_of_any_size_keep_the_budget(rows: int, concentration: float | None) -> None:
    assert_kept(simulated_alarms(rows=(rows,), concentration=concentration))


@pytest.mark.slow
@pytest.mark.parametrize("windows", [8, 12, 20, 30])
@pytest.mark.parametrize("concentration", [None, 50, 300])
def test_references_of_any_length_keep_the_budget(windows: int, concentration: float | None) -> None:
    assert_kept(simulated_alarms(windows=windows, concentration=concentration))


@pytest.mark.slow
@pytest.mark.parametrize("bins", [5, 20, 50])
@pytest.mark.parametrize("concentration", [None, 300])
@pytest.mark.parametrize("windows", [12, 60])
def test_any_number_of_bins_keeps_the_budget(bins: int, concentration: float | None, windows: int) -> None:
    assert_kept(simulated_alarms(bins=bins, concentration=concentration, windows=windows))


@pytest.mark.slow
@pytest.mark.parametrize("concentration", [None, 50, 300])
@pytest.mark.parametrize(
    ("rows", "live_rows"),
    [
        pytest.param(NIGHT_AND_DAY, None, id="alternating"),
        pytest.param((100,) * 30 + (10_000,) * 30, NIGHT_AND_DAY, id="sorted"),
        pytest.param((100,), (10_000,), id="larger than any of the reference"),
        pytest.param((10_000,), (100,), id="smaller than any of the reference"),
        pytest.param(tuple(np.geomspace(50, 1e6, 60).astype(int)), None, id="growing from 50 to a million"),
    ],
)
def test_windows_of_wildly_unequal_sizes_keep_the_budget(
    rows: Sequence[int], live_rows: Sequence[int] | None, concentration: float | None
) -> None:
    assert_kept(simulated_alarms(rows=rows, live_rows=live_rows, concentration=concentration))


@pytest.mark.slow
@pytest.mark.parametrize("concentration", [None, 50])
@pytest.mark.parametrize("windows", [20, 60])
def test_two_hundred_hourly_columns_keep_the_budget(concentration: float | None, windows: int) -> None:
    hourly = Monitor(200, HOUR, Budget(1, timedelta(days=30)))
    assert_kept(simulated_alarms(hourly, concentration=concentration, windows=windows, monitors=10), hourly)


@pytest.mark.slow
@pytest.mark.parametrize("period", [DAY, HOUR])
@pytest.mark.parametrize("for_windows", [1, 2])
@pytest.mark.parametrize("windows", [8, 60])
def test_bad_windows_in_a_row_keep_the_budget(period: timedelta, for_windows: int, windows: int) -> None:
    """One alarm in 90 days; the level depends on the autocorrelation in the monitor's own reference."""
    monitor = Monitor(10, period, Budget(1, timedelta(days=90)), for_windows)
    assert_kept(simulated_alarms(monitor, concentration=300, windows=windows), monitor)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [200, 2000])
@pytest.mark.parametrize("concentration", [None, 50, 300])
@pytest.mark.parametrize("windows", [12, 60])
def test_values_beyond_the_edges_keep_the_budget(rows: int, concentration: float | None, windows: int) -> None:
    """Edges are the reference's own extremes, as in production: 2 x 100 columns, 50 windows."""
    rng, count, chances = np.random.default_rng(2), 0, 0
    for _ in range(2):
        group, live = group_and_live(of_numbers(rng, 100, (windows, 50), rows, concentration), windows)
        p = p_values(group, live)
        count, chances = count + alarms(p < DAILY.budget.level(10, DAY)), chances + p.size
    assert_kept((count, chances))


@pytest.mark.slow
@pytest.mark.parametrize("rows", [200, 2000])
@pytest.mark.parametrize("concentration", [None, 50, 300])
@pytest.mark.parametrize("windows", [12, 60])
def test_unseen_categories_keep_the_budget(rows: int, concentration: float | None, windows: int) -> None:
    """Zipf's law: every few windows have categories that the reference lacks; clustered rows have many at once.

    With twelve windows of clustered rows, up to twice the budget is spent.
    """
    rng, count, chances = np.random.default_rng(3), 0, 0
    for _ in range(2):
        group, live = of_names(rng, 100, (windows, 50), rows, concentration)
        p = p_values(group, live)
        count, chances = count + alarms(p < DAILY.budget.level(10, DAY)), chances + p.size
    assert_kept((count, chances), times=2.0 if concentration and windows < 20 else 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.3, 0.6])
def test_autocorrelated_windows_keep_the_budget(rho: float) -> None:
    """Log-odds are an AR(1) with a deviation of 0.1 (10 %); the live windows continue the reference."""
    rng = np.random.default_rng(4)
    counts = counts_of(rng, wandering(rng, shares_of(rng, 1000, 10), 160, rho, 0.1), [10_000] * 160)
    p = p_values(group_of(counts[:, :60]), counts[:, 60:])
    assert_kept((alarms(p < DAILY.budget.level(10, DAY)), p.size))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bins", "windows", "rows", "live_rows", "times"),
    [
        (20, 60, NIGHT_AND_DAY, None, 1.5),
        (50, 60, (1_000_000,), None, 2.0),
        (50, 12, (1000,), None, 6.0),
        (50, 60, (100,), (10_000,), 10.0),
    ],
)
def test_the_budget_is_exceeded_by_a_known_factor(
    bins: int, windows: int, rows: Sequence[int], live_rows: Sequence[int] | None, times: float
) -> None:
    """With many bins of very large clusters, alarms exceed the budget by at most this factor."""
    assert_kept(
        simulated_alarms(bins=bins, concentration=50, windows=windows, rows=rows, live_rows=live_rows), times=times
    )
