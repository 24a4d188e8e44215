"""Divergences against other people's numbers: SciPy, closed forms, the literature's examples."""

import math

import numpy as np
import pytest
from scipy import special, stats
from scipy.spatial.distance import jensenshannon

from drift.errors import InputError
from drift.stats import divergence as d
from drift.stats.arrays import Floats
from drift.stats.divergence import DIVERGENCES, contributions, divergence
from drift.stats.smoothing import smooth


def pairs() -> list[tuple[Floats, Floats]]:
    rng = np.random.default_rng(5)
    drawn = [(rng.dirichlet(np.full(k, a)), rng.dirichlet(np.full(k, a))) for k in (2, 5, 40) for a in (0.3, 1, 20)]
    return [*drawn, (np.array([0.0, 0.5, 0.5]), np.array([0.25, 0.25, 0.5]))]


each_pair = pytest.mark.parametrize(("p", "q"), pairs())
each_base = pytest.mark.parametrize("base", [2, math.e, 10])


@each_pair
@each_base
def test_entropy_and_kl_agree_with_scipy_stats_entropy(p: Floats, q: Floats, base: float) -> None:
    assert float(d.entropy(p, base)) == pytest.approx(stats.entropy(p, base=base), rel=1e-10)
    assert float(d.kl(p, q, base)) == pytest.approx(stats.entropy(p, q, base=base), rel=1e-10, abs=1e-14)


@each_pair
def test_kl_family_agrees_with_scipy_rel_entr(p: Floats, q: Floats) -> None:
    forward, backward = special.rel_entr(p, q).sum(), special.rel_entr(q, p).sum()
    assert float(d.kl(p, q, math.e)) == pytest.approx(forward, rel=1e-10)
    assert float(d.kl_reverse(p, q, math.e)) == pytest.approx(backward, rel=1e-10)
    assert float(d.jeffreys(p, q, math.e)) == pytest.approx(forward + backward, rel=1e-10)
    assert float(d.psi(p, q)) == pytest.approx(forward + backward, rel=1e-10)


@each_pair
def test_terms_of_kl_agree_with_scipy_kl_div(p: Floats, q: Floats) -> None:
    np.testing.assert_allclose(contributions("kl", p, q, math.e), special.kl_div(p, q), rtol=1e-9, atol=1e-15)


@each_pair
@each_base
def test_js_distance_agrees_with_scipy_jensenshannon(p: Floats, q: Floats, base: float) -> None:
    oracle = jensenshannon(p, q, base=base)
    assert float(d.js_distance(p, q, base)) == pytest.approx(oracle, rel=1e-9)
    assert float(d.js(p, q, base)) == pytest.approx(oracle**2, rel=1e-9)


@each_pair
def test_wasserstein_and_ks_agree_with_scipy_on_bin_numbers(p: Floats, q: Floats) -> None:
    bins = np.arange(len(p))
    assert float(d.wasserstein(p, q)) == pytest.approx(stats.wasserstein_distance(bins, bins, p, q), rel=1e-9)


def test_ks_agrees_with_scipy_ks_2samp() -> None:
    rng = np.random.default_rng(2)
    live, reference = rng.integers(0, 8, 300), rng.integers(1, 9, 500)
    p, q = (np.bincount(side, minlength=9) / len(side) for side in (live, reference))
    assert float(d.ks(p, q)) == pytest.approx(stats.ks_2samp(live, reference).statistic, rel=1e-12)


def test_chi2_agrees_with_scipy_chisquare() -> None:
    live, expected = np.array([18, 33, 40, 9]), np.array([25.0, 25, 35, 15])
    statistic = stats.chisquare(live, expected).statistic
    assert float(d.chi2(live / 100, expected / 100)) * 100 == pytest.approx(statistic, rel=1e-12)


def test_kl_agrees_with_scipy_power_divergence() -> None:
    live, expected = np.array([18, 33, 40, 9]), np.array([25.0, 25, 35, 15])
    g = stats.power_divergence(live, expected, lambda_="log-likelihood").statistic
    assert float(d.kl(live / 100, expected / 100, math.e)) * 200 == pytest.approx(g, rel=1e-12)


@each_pair
def test_hellinger_total_variation_and_linf_have_closed_forms(p: Floats, q: Floats) -> None:
    bhattacharyya = np.sqrt(p * q).sum()
    assert float(d.hellinger(p, q)) == pytest.approx(math.sqrt(1 - bhattacharyya), rel=1e-7)
    assert float(d.total_variation(p, q)) == pytest.approx(np.clip(p - q, 0, None).sum(), rel=1e-9)
    assert float(d.linf(p, q)) == pytest.approx(np.linalg.norm(p - q, np.inf), rel=1e-12)


# Worked examples in circulation; nats, the last column in bits. Copies of the grades' example that print
# 0.057 and 0.048 for its two KL divergences are wrong: both are 0.098083.
LITERATURE = {
    "ad clicks": ([0.2, 0.8], [0.3, 0.7], 0.500402, 0.526135, 0.025732, 0.028168, 0.009669),
    "fruit": ([0.3, 0.2, 0.4, 0.1], [0.25, 0.25, 0.35, 0.15], 1.279854, 1.302788, 0.022934, 0.024289, 0.008484),
    "spam": ([0.8, 0.2], [0.6, 0.4], 0.500402, 0.591919, 0.091516, 0.104650, 0.034852),
    "images": ([0.4, 0.2, 0.3, 0.1], [0.3, 0.3, 0.2, 0.2], 1.279854, 1.366159, 0.086305, 0.092871, 0.031950),
    "grades": ([0.2, 0.3, 0.4, 0.1], [0.1, 0.4, 0.3, 0.2], 1.279854, 1.377937, 0.098083, 0.098083, 0.034852),
    "weather": ([0.6, 0.3, 0.1], [0.3, 0.3, 0.4], 0.897946, 1.175205, 0.277259, 0.346574, 0.106285),
}


@pytest.mark.parametrize("example", LITERATURE)
def test_the_literatures_examples(example: str) -> None:
    p, q, entropy, cross, forward, backward, js_bits = LITERATURE[example]
    got = [
        d.entropy(p, math.e),
        d.cross_entropy(p, q, math.e),
        d.kl(p, q, math.e),
        d.kl(q, p, math.e),
        d.js(p, q),
    ]
    assert [float(x) for x in got] == pytest.approx([entropy, cross, forward, backward, js_bits], abs=5.1e-7)


def test_binned_kl_of_normals_approaches_the_closed_form() -> None:
    mean, spread = 0.5, 1.2  # of P; Q is the standard normal
    closed = math.log(1 / spread) + (spread**2 + mean**2) / 2 - 0.5
    rng = np.random.default_rng(8)
    errors = []
    for rows, bins in ((1_000, 4), (20_000, 16), (1_000_000, 64)):
        edges = np.concatenate([[-np.inf], np.linspace(-4, 4.5, bins - 1), [np.inf]])
        live, _ = np.histogram(rng.normal(mean, spread, rows), edges)
        reference, _ = np.histogram(rng.normal(0, 1, rows), edges)
        p, q = smooth(live, "jeffreys"), smooth(reference, "jeffreys")
        errors.append(abs(float(d.kl(p, q, math.e)) - closed) / closed)
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.03


@pytest.mark.parametrize(
    ("p", "q", "code", "shown"),
    [
        ([0.5, 0.5], [0.2, 0.3, 0.5], "axis-mismatch", r"2 bins.*3"),
        ([0.5, 0.4], [0.5, 0.5], "invalid-input", "off by 0.1"),
        ([1.5, -0.5], [0.5, 0.5], "invalid-input", "-0.5"),
        ([0.5, float("nan")], [0.5, 0.5], "invalid-input", "nan"),
        (1.0, [0.5, 0.5], "invalid-input", r"shape \(\)"),
        ([], [], "invalid-input", r"shape \(0,\)"),
    ],
)
def test_vectors_that_are_not_distributions_are_refused(p: object, q: object, code: str, shown: str) -> None:
    for metric in DIVERGENCES:
        for function in (divergence, contributions):
            with pytest.raises(InputError, match=shown) as error:
                function(metric, p, q)
            assert error.value.code == code


@pytest.mark.parametrize("base", [1, 0.5, 0, -2, math.inf, math.nan])
def test_an_invalid_base_is_refused(base: float) -> None:
    for function in (d.kl, d.kl_reverse, d.jeffreys, d.psi, d.js, d.js_distance, d.cross_entropy):
        with pytest.raises(InputError, match=f": {base};") as error:
            function([0.5, 0.5], [0.4, 0.6], base)
        assert error.value.code == "invalid-value"
    with pytest.raises(InputError, match=f": {base};"):
        d.entropy([0.5, 0.5], base)


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'kld'.*js_distance, .*chi2") as error:
        divergence("kld", [1.0], [1.0])
    assert error.value.code == "unknown-metric"
