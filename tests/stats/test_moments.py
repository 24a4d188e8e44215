"""Moments of a divergence under no change, against all assignments of rows to the two sides."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from drift.stats.arrays import Floats
from drift.stats.divergence import DIVERGENCES
from drift.stats.moments import moments

quadratic = pytest.mark.parametrize("metric", sorted(n for n, d in DIVERGENCES.items() if d.curvature is not None))


def totals(metric: str, live: Floats, reference: Floats, alpha: float) -> Floats:
    """T in nats, from its definition."""
    p, q = ((side + alpha) / (side + alpha).sum(axis=-1, keepdims=True) for side in (live, reference))
    return DIVERGENCES[metric].terms(p, q).sum(axis=-1)


def assignments(pooled: list[int], n: int) -> tuple[Floats, Floats]:
    """Every assignment of n of the pooled rows to the live side, and its probability."""
    ways = [way for way in itertools.product(*(range(rows + 1) for rows in pooled)) if sum(way) == n]
    law = stats.multivariate_hypergeom(pooled, n)
    return np.array(ways, dtype=np.float64), np.array([law.pmf(way) for way in ways])


@quadratic
@pytest.mark.parametrize(("pooled", "n"), [([6, 4, 3, 1], 5), ([6, 4, 3, 1], 9), ([12, 0, 2, 2], 4), ([3, 3, 3, 3], 6)])
def test_the_mean_is_exact(metric: str, pooled: list[int], n: int) -> None:
    live, chance = assignments(pooled, n)
    exact = float((chance * totals(metric, live, np.array(pooled) - live, 0.5)).sum())
    result = moments(DIVERGENCES[metric], live[:1], np.array(pooled) - live[:1], 0.5, min_normal=60.0)
    assert result.mean[0] == pytest.approx(exact, rel=1e-12)


@quadratic
def test_moments_of_many_rows_are_those_of_chi_squared(metric: str) -> None:
    live, reference = np.full((1, 8), 1e7), np.full((1, 8), 3e7)
    scale = (DIVERGENCES[metric].curvature or 0.0) * (1 / 8e7 + 1 / 24e7)
    result = moments(DIVERGENCES[metric], live, reference, 0.0, min_normal=60.0)
    for got, exact in ((result.mean, 7 * scale), (result.variance, 14 * scale**2), (result.third, 56 * scale**3)):
        assert got[0] == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("metric", ["js", "kl", "jeffreys", "hellinger"])
@pytest.mark.parametrize(("n", "m"), [(1_000, 1_000), (1_000, 50_000), (50_000, 1_000), (10_000, 10_000)])
def test_moments_of_few_rows_match_simulated_draws(metric: str, n: int, m: int) -> None:
    shares = np.array([3e-4, *np.full(7, 0.14), 0.0185, 1e-3, 2e-4])
    rng = np.random.default_rng([n, m])
    pooled = rng.multinomial(n + m, shares / shares.sum())
    live = rng.multivariate_hypergeometric(pooled, n, size=20_000, method="marginals").astype(np.float64)
    alpha = {"none": 0.0, "jeffreys": 0.5}[DIVERGENCES[metric].smoothing]
    drawn = totals(metric, live, pooled - live, alpha)
    result = moments(DIVERGENCES[metric], live[:1], pooled - live[:1], alpha, min_normal=60.0)
    assert result.mean[0] == pytest.approx(drawn.mean(), abs=4 * drawn.std() / math.sqrt(len(drawn)), rel=0.01)
    assert result.variance[0] == pytest.approx(drawn.var(), rel=0.1)
    assert result.third[0] / result.variance[0] ** 1.5 == pytest.approx(stats.skew(drawn), rel=0.25)


def test_a_pair_does_not_depend_on_its_neighbours() -> None:
    rng = np.random.default_rng(3)
    live, reference = (rng.poisson([0.5, 3, 20, 300, 5_000], (400, 5)).astype(np.float64) for _ in range(2))
    whole = moments(DIVERGENCES["js"], live, reference, 0.0, min_normal=60.0)
    for i in range(0, 400, 7):
        alone = moments(DIVERGENCES["js"], live[i : i + 1], reference[i : i + 1], 0.0, min_normal=60.0)
        assert (alone.mean[0], alone.variance[0], alone.third[0]) == (
            whole.mean[i], whole.variance[i], whole.third[i],
        )  # fmt: skip
