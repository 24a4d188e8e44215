"""Scores: a divergence with its provenance."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.errors import AxisError, InputError
from drift.histogram import CategoricalAxis, Histogram, NumericAxis
from drift.stats.divergence import DIVERGENCES, divergence
from drift.stats.scoring import Method, Pair, Score, score_all, score_pair
from drift.stats.smoothing import smooth

AXIS = NumericAxis((0, 10, 20))
LIVE, REFERENCE = Histogram(AXIS, [5, 30, 45, 10, 10]), Histogram(AXIS, [40, 400, 400, 100, 60])
every = pytest.mark.parametrize("metric", sorted(DIVERGENCES))


def rng() -> np.random.Generator:
    return np.random.default_rng(17)


@every
def test_the_value_is_the_divergence_of_live_from_reference(metric: str) -> None:
    method = Method(metric)
    scored = score_pair(LIVE, REFERENCE, method, rng())
    p, q = (smooth(side.counts, DIVERGENCES[metric].smoothing) for side in (LIVE, REFERENCE))
    assert scored.value == float(divergence(metric, p, q))
    assert sum(scored.contributions) == pytest.approx(scored.value, rel=1e-12)
    assert (scored.live_rows, scored.reference_rows) == (100, 1000)
    assert scored.excess == max(0.0, scored.value - scored.noise_floor)
    assert scored.method.base == DIVERGENCES[metric].base
    assert scored.method.smoothing == DIVERGENCES[metric].smoothing


@every
def test_the_same_seed_gives_the_same_score(metric: str) -> None:
    assert score_pair(LIVE, REFERENCE, Method(metric), rng()) == score_pair(LIVE, REFERENCE, Method(metric), rng())


@every
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_odd_counts_give_finite_numbers(metric: str, data: st.DataObject) -> None:
    counts = st.lists(st.sampled_from([0, 0, 1, 7, 500, 2**40]), min_size=5, max_size=5).filter(any)
    live, reference = Histogram(AXIS, data.draw(counts)), Histogram(AXIS, data.draw(counts))
    scored = score_pair(live, reference, Method(metric), rng())
    low, high = scored.interval
    assert 0 <= scored.value < math.inf
    assert 0 <= scored.noise_floor < math.inf
    assert 0 <= scored.detectable < math.inf
    assert 0 <= low <= high < math.inf
    assert 0 <= scored.p_value <= 1
    assert {type(x) for x in (scored.value, low, high, *scored.contributions)} == {float}


# Many at once -------------------------------------------------------------------------------------------

NAMES = CategoricalAxis(("a", "b"))  # as many bins as AXIS has
WIDE = NumericAxis(tuple(range(20)))
counts_of_five = st.lists(st.sampled_from([0, 1, 7, 500, 9_000, 2**40]), min_size=5, max_size=5)


def some_pairs() -> list[Pair]:
    """Few rows and many, changed and not, of several methods and numbers of bins."""
    draw, pairs = rng(), []
    for i, rows in enumerate([20, 500, 20_000, 3_000_000] * 6):
        axis = (AXIS, NAMES, WIDE)[i % 3]
        shares = draw.dirichlet(np.full(axis.n_bins, 5.0))
        sides = [Histogram(axis, draw.multinomial(rows, shares)), Histogram(axis, draw.multinomial(50_000, shares))]
        method = Method(("js_distance", "js_distance", "kl", "total_variation", "chi2")[i % 5])
        pairs.append(Pair(*sides, method, (3, i)))
    return pairs


def test_scores_of_a_batch_equal_single_scores() -> None:
    pairs = some_pairs()
    assert score_all(pairs) == [score_pair(p.live, p.reference, p.method, p.rng) for p in pairs]


def test_a_score_does_not_depend_on_its_neighbours() -> None:
    pairs = some_pairs()
    whole = score_all(pairs)
    assert score_all(pairs[::-1]) == whole[::-1]
    assert score_all(pairs[5:9]) == whole[5:9]


def test_a_seed_and_its_generator_give_the_same_score() -> None:
    for metric in ("js_distance", "ks"):
        method = Method(metric)
        assert score_pair(LIVE, REFERENCE, method, 17) == score_pair(LIVE, REFERENCE, method, rng())


@settings(max_examples=30, deadline=None)
@given(live=st.lists(counts_of_five, min_size=1, max_size=6), metric=st.sampled_from(sorted(DIVERGENCES)))
def test_any_counts_are_scored_alike_in_a_batch(live: list[list[int]], metric: str) -> None:
    method = Method(metric, smoothing="none")
    pairs = [Pair(Histogram(AXIS, side), REFERENCE, method, i) for i, side in enumerate(live)]
    for pair, result in zip(pairs, score_all(pairs), strict=True):
        if isinstance(result, Score):
            assert result == score_pair(pair.live, pair.reference, method, pair.rng)
        else:
            with pytest.raises(type(result), match=re.escape(str(result))):
                score_pair(pair.live, pair.reference, method, pair.rng)


def test_an_invalid_pair_does_not_affect_the_others() -> None:
    nothing, lacking = Histogram(AXIS, [0] * 5), Histogram(AXIS, [1000, 0, 0, 0, 0])
    kl = Method("kl", smoothing="none")
    pairs = [
        Pair(LIVE, REFERENCE, kl, 0),
        Pair(LIVE, lacking, kl, 1),
        Pair(nothing, REFERENCE, kl, 2),
        Pair(LIVE, Histogram(NAMES, REFERENCE.counts), kl, 3),
        Pair(LIVE, REFERENCE, Method("ks"), 4),
        Pair(REFERENCE, LIVE, kl, 5),
    ]
    results = score_all(pairs)
    assert [type(result) for result in results] == [Score, InputError, InputError, AxisError, Score, Score]
    codes = [getattr(result, "code", None) for result in results]
    assert codes == [None, "not-comparable", "no-rows", "axis-mismatch", None, None]
    assert score_all([]) == []
    assert [type(result) for result in score_all([Pair(LIVE, lacking, kl, 1)] * 2)] == [InputError, InputError]


def test_counts_beyond_32_bits() -> None:
    big = Histogram(AXIS, (REFERENCE.counts * 10**12).tolist())
    scored = score_pair(big, REFERENCE, Method("js_distance"), rng())
    assert scored.value == pytest.approx(0, abs=1e-7)
    assert scored.reference_rows == 1000
    assert scored.live_rows == 10**15


def test_different_axes_are_refused() -> None:
    other = Histogram(NumericAxis((0, 10, 21)), [1] * 5)
    with pytest.raises(AxisError, match=r"\[10, 21\).*\[10, 20\)") as error:
        score_pair(other, REFERENCE, Method(), rng())
    assert error.value.code == "axis-mismatch"


@pytest.mark.parametrize("metric", ["ks", "wasserstein"])
def test_metrics_of_ordered_bins_refuse_categories(metric: str) -> None:
    names = Histogram(CategoricalAxis(("a", "b")), [1] * 5)
    with pytest.raises(AxisError, match=f"{metric}.*string") as error:
        score_pair(names, names, Method(metric), rng())
    assert error.value.code == "not-comparable"


def test_a_side_without_rows_is_refused() -> None:
    nothing = Histogram(AXIS, [0] * 5)
    for name, live, reference in (("live", nothing, REFERENCE), ("reference", LIVE, nothing)):
        for method in (Method(), Method("kl")):
            with pytest.raises(InputError, match=name) as error:
                score_pair(live, reference, method, rng())
            assert error.value.code == "no-rows"


@pytest.mark.parametrize("metric", ["kl", "psi", "chi2"])
def test_an_infinite_score_is_refused(metric: str) -> None:
    lacking = Histogram(AXIS, [1000, 0, 0, 0, 0])
    with pytest.raises(InputError, match=f"{metric}.*smoothing: jeffreys") as error:
        score_pair(LIVE, lacking, Method(metric, smoothing="none"), rng())
    assert error.value.code == "not-comparable"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"metric": "jsd"}, "unknown-metric"),
        ({"smoothing": "eps"}, "invalid-value"),
        ({"smoothing": -1}, "invalid-value"),
        ({"base": 1}, "invalid-value"),
        ({"base": math.nan}, "invalid-value"),
    ],
)
def test_an_invalid_method_is_refused(arguments: dict[str, str | float], code: str) -> None:
    (value,) = arguments.values()
    with pytest.raises(InputError, match=repr(value)) as error:
        Method(**arguments)  # type: ignore[arg-type]
    assert error.value.code == code


def test_a_method_fills_in_defaults() -> None:
    assert Method("psi") == Method("psi", smoothing="jeffreys", base=math.e)
    assert Method() == Method("js_distance", smoothing="none", base=2)
    assert Method("kl", smoothing=0, base=10).pseudo == 0
