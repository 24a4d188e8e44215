"""Smoothing: pseudo-counts on every bin, then normalised."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from drift.errors import InputError
from drift.stats.smoothing import NAMED, Smoothing, pseudo_count, smooth

ANY = [*NAMED, "perks", 0, 0.25, 3]


@pytest.mark.parametrize(
    ("smoothing", "alpha"), [("none", 0), ("jeffreys", 0.5), ("laplace", 1), ("perks", 0.125), (0.3, 0.3), (2, 2)]
)
def test_named_and_free_pseudo_counts(smoothing: Smoothing, alpha: float) -> None:
    assert pseudo_count(smoothing, 8) == alpha


@pytest.mark.parametrize("smoothing", [*NAMED, "perks", 0.25])
def test_shares_are_the_mean_of_the_dirichlet_posterior(smoothing: Smoothing) -> None:
    counts = np.array([7, 1, 3, 12])
    posterior = stats.dirichlet(counts + pseudo_count(smoothing, 4))
    np.testing.assert_allclose(smooth(counts, smoothing), posterior.mean(), rtol=1e-12)


@pytest.mark.parametrize("smoothing", ANY)
@settings(max_examples=50, deadline=None)
@given(counts=st.lists(st.integers(0, 2**53), min_size=1, max_size=30).filter(any))
def test_shares_sum_to_one_and_are_never_negative(smoothing: Smoothing, counts: list[int]) -> None:
    shares = smooth(counts, smoothing)
    assert shares.sum() == pytest.approx(1, abs=1e-12)
    assert (shares >= 0).all()
    if pseudo_count(smoothing, len(counts)) > 0:
        assert (shares > 0).all()


@pytest.mark.parametrize("smoothing", ANY)
def test_vectorised_over_leading_axes_equals_a_loop(smoothing: Smoothing) -> None:
    counts = np.random.default_rng(3).integers(1, 50, size=(2, 3, 6))
    whole = smooth(counts, smoothing)
    for at in np.ndindex(2, 3):
        assert whole[at].tolist() == smooth(counts[at], smoothing).tolist()


def test_empty_counts_are_refused_unless_smoothed() -> None:
    for counts, smoothing in (([0, 0, 0], "none"), ([[1, 2], [0, 0]], 0)):
        with pytest.raises(InputError) as error:
            smooth(counts, smoothing)
        assert error.value.code == "no-rows"
    assert smooth([0, 0, 0, 0], "laplace").tolist() == [0.25] * 4


@pytest.mark.parametrize("wrong", [-1, math.nan, math.inf, True, "epsilon", ""])
def test_an_invalid_smoothing_is_refused(wrong: Smoothing) -> None:
    with pytest.raises(InputError, match=repr(wrong)):
        smooth([1, 2], wrong)


@pytest.mark.parametrize("wrong", [-3, math.nan, math.inf])
def test_invalid_counts_are_refused(wrong: float) -> None:
    with pytest.raises(InputError, match=f"got {float(wrong)}"):
        smooth([1, wrong])


@pytest.mark.parametrize("wrong", [5, []])
def test_counts_without_bins_are_refused(wrong: object) -> None:
    with pytest.raises(InputError, match="shape"):
        smooth(wrong)
