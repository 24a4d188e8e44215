"""Axes chosen from a reference: never an exception for odd data, and every finite value lies inside."""

import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drift.errors import InputError
from drift.histogram import MAX_KNOWN, CategoricalAxis, Histogram, Kind, NumericAxis, axis_from_dict
from drift.histogram.binning import MAX_RULE_BINS, METHODS, SAMPLE, Bins, RowSampler, choose_axis, near_duplicates
from drift.histogram.counting import histogram_of_values
from drift.sources.frames.arrow import values_of
from tests.support.counting_oracle import expected

MAX, TINY = sys.float_info.max, 5e-324
INF, NAN = float("inf"), float("nan")
RULES = sorted(set(METHODS) - {"edges"})
every_rule = pytest.mark.parametrize("method", RULES)


def binned(rows: Any, bins: Bins, type_: pa.DataType | None = None) -> Histogram:
    values = values_of(pa.chunked_array([pa.array(rows, type_)]))
    return histogram_of_values(values, choose_axis(values, bins))


def inner(histogram: Histogram) -> list[int]:
    """The counts of the bins between edges."""
    return list(histogram.counts[1:-2].tolist())


ODD: dict[str, Any] = {
    "nothing": [],
    "all missing": [None, None],
    "all nan": [NAN, NAN],
    "all inf": [INF, INF, -INF],
    "inf among numbers": [INF, 1.0, 2.0, -INF, None],
    "one row": [3.5],
    "two rows": [1, 2],
    "two equal rows": [1.5, 1.5],
    "constant": [0.1] * 100,
    "constant zero": [0.0] * 50 + [-0.0] * 50,
    "three values": [1, 2, 3] * 40,
    "heavy ties": [0.0] * 950 + [float(i) for i in range(1, 51)],
    "ties at the top": [*range(50), *([99] * 950)],
    "largest double": [MAX],
    "both largest doubles": [-MAX, 0.0, 1.0, MAX],
    "subnormals": [TINY, 2 * TINY, -TINY, 0.0],
    "neighbouring doubles": [1.0, float(np.nextafter(1.0, 2.0)), float(np.nextafter(1.0, 0.0))] * 9,
    "int64 extremes": [-(2**63), 0, 1, 2**63 - 1],
    "uint64 extremes": np.array([0, 1, 2**64 - 1], dtype=np.uint64),
    "large ints side by side": [2**62 + i for i in range(40)],
    "a huge outlier": [*(i / 100 for i in range(300)), 1e300],
    "truth values": [True, False, None],
    "one text": ["a"],
    "decimals": [Decimal("0.10"), Decimal("0.20"), Decimal("9" * 38 + ".99")],
    "instants": [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)],
    "durations": [timedelta(0), timedelta(microseconds=1), timedelta(days=-3)],
}


@every_rule
@pytest.mark.parametrize("count_of_bins", [1, 10, 200])
@pytest.mark.parametrize("rows", ODD.values(), ids=ODD)
def test_odd_data_have_an_axis_around_all_finite_values(rows: Any, count_of_bins: int, method: str) -> None:
    h = binned(rows, Bins(method, count_of_bins))
    rows = rows if isinstance(rows, list) else rows.tolist()
    assert h.counts.tolist() == expected(rows, h.axis)
    if isinstance(h.axis, NumericAxis) and h.axis.kind is not Kind.EMPTY:
        assert h.counts[0] == sum(row == -INF for row in rows)
        assert h.counts[-2] == sum(row == INF for row in rows)
    assert axis_from_dict(h.axis.to_dict()) == h.axis


finite = st.floats(allow_nan=False, allow_infinity=False)
ordered_rows = st.one_of(
    st.lists(finite, min_size=1),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1),
    st.lists(st.integers(-3, 3), min_size=1),
    st.lists(st.floats(-10, 10, width=16), min_size=1),
)


@every_rule
@settings(max_examples=80, deadline=None)
@given(rows=ordered_rows, n=st.integers(1, 30))
@example(rows=[0.1] * 7, n=10)  # 0.1 * 0.7 + 0.1 * 0.3 is more than 0.1
@example(rows=[1e-320, 3e-320], n=7)
def test_every_value_is_inside_the_bins_asked_for(method: str, rows: list[Any], n: int) -> None:
    h = binned(rows, Bins(method, n))
    assert sum(inner(h)) == len(rows)
    if method in {"quantile", "uniform"}:
        assert 1 <= len(inner(h)) <= n


@pytest.mark.parametrize("method", ["quantile", "distinct"])
@settings(max_examples=80, deadline=None)
@given(rows=st.lists(st.integers(-3, 3), min_size=1))
def test_few_distinct_values_get_a_bin_each(method: str, rows: list[int]) -> None:
    assert inner(binned(rows, Bins(method))) == [rows.count(value) for value in sorted(set(rows))]


@pytest.mark.parametrize("n", [10, 100, 1000, 2000])
def test_quantile_edges_are_numpys_quantiles(n: int) -> None:
    rows = np.random.default_rng(0).normal(size=n)
    axis = binned(rows, Bins()).axis
    assert isinstance(axis, NumericAxis)
    # "higher" is the smallest value with a share of i/10 below it, where ten divides n.
    assert list(axis.edges[:-1]) == np.quantile(rows, np.arange(10) / 10, method="higher").tolist()


@settings(max_examples=80, deadline=None)
@given(st.lists(finite, min_size=11, unique=True), st.integers(1, 10))
def test_quantile_bins_without_ties_differ_by_one_row(rows: list[float], n: int) -> None:
    counts = inner(binned(rows, Bins(count=n)))
    assert len(counts) == n
    assert max(counts) - min(counts) <= 1


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1), st.integers(1, 20))
def test_a_frequent_value_shares_no_bin_with_larger_ones(rows: list[int], n: int) -> None:
    h = binned(rows, Bins(count=n))
    assert isinstance(h.axis, NumericAxis)
    heavy = [v for v in set(rows) if rows.count(v) >= 2 * len(rows) / n]
    for value in heavy:
        following = [v for v in rows if v > value]
        if following and n > len(heavy) + 1:
            assert any(value < edge <= min(following) for edge in h.axis.edges), value


def test_other_values_are_separate_from_many_zeros() -> None:
    rows = [0.0] * 9500 + np.random.default_rng(1).lognormal(size=500).tolist()
    counts = inner(binned(rows, Bins()))
    assert counts[0] == 9500
    assert len(counts) == 10
    assert max(counts[1:]) - min(counts[1:]) <= 1  # 500 rows over nine bins


@pytest.mark.parametrize("n", [4, 10])
def test_uniform_edges_are_numpys(n: int) -> None:
    rows = np.random.default_rng(2).normal(size=500)
    axis = binned(rows, Bins("uniform", n)).axis
    assert isinstance(axis, NumericAxis)
    assert np.allclose([float(e) for e in axis.edges], np.histogram_bin_edges(rows, n), rtol=1e-12)
    assert axis.edges[-1] == np.nextafter(rows.max(), np.inf)


def test_uniform_bins_of_whole_numbers_are_equally_wide() -> None:
    h = binned(list(range(100)), Bins("uniform", 10))
    assert h.axis == NumericAxis(tuple(range(0, 101, 10)))
    assert inner(binned(list(range(10)), Bins("uniform", 10))) == [1] * 10


SHAPES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "skewed": lambda rng, n: rng.gamma(1.0, size=n),
    "shifted": lambda rng, n: rng.normal(1e6, 1e-3, size=n),
    "tiny": lambda rng, n: rng.normal(size=n) * 1e-200,
    "large": lambda rng, n: rng.normal(size=n) * 1e200,
    "integers": lambda rng, n: rng.integers(-(10**6), 10**6, size=n),
}


@pytest.mark.parametrize("rule", ["fd", "doane"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [20, 500, 10_000])
def test_rules_of_thumb_agree_with_numpy(rule: Any, shape: str, n: int) -> None:
    rows = SHAPES[shape](np.random.default_rng(3), n)
    usual = rows if shape not in {"tiny", "large"} else SHAPES["normal"](np.random.default_rng(3), n)  # NumPy overflows
    wanted = len(np.histogram_bin_edges(usual, rule)) - 1
    assert len(inner(binned(rows, Bins(rule)))) == min(wanted, MAX_RULE_BINS)


def test_rules_of_thumb_ignore_large_offsets_of_integers() -> None:
    steps = np.random.default_rng(4).integers(0, 1000, size=5000)
    here, far = (binned(steps + offset, Bins("doane")) for offset in (0, 2**62))
    assert inner(here) == inner(far)
    assert len(inner(here)) > 1


def test_fd_cuts_values_with_equal_quartiles() -> None:
    rows = [0.0] * 800 + [float(i) for i in range(200)]  # both quartiles are 0: a width of 0
    assert len(inner(binned(rows, Bins("fd")))) == len(inner(binned(rows, Bins("doane")))) > 1


def test_a_rule_of_thumb_is_limited() -> None:
    rows = [*(i / 100 for i in range(1000)), 1e300]
    assert len(inner(binned(rows, Bins("fd")))) <= MAX_RULE_BINS


def test_distinct_values_beyond_a_thousand_are_cut_by_quantiles() -> None:
    rows = list(range(1001))
    assert binned(rows, Bins("distinct")).axis == binned(rows, Bins("quantile")).axis


def test_given_edges_are_the_edges() -> None:
    bins = Bins("edges", edges=(0, 0.5, Decimal("1.0")))
    for rows in ([3, 4], [0.1], [None], [NAN], []):
        assert binned(rows, bins).axis == NumericAxis((0, 0.5, Decimal("1.0")))


def test_given_edges_cannot_cut_text() -> None:
    with pytest.raises(InputError, match="string"):
        binned(["a"], Bins("edges", edges=(0, 1)))


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({"method": "sturges"}, "sturges.*quantile"),
        ({"method": "edges"}, "edges"),
        ({"edges": (0, 1)}, "edges"),
        ({"method": "edges", "edges": (1, 0)}, "increase"),
        ({"count": 0}, "1 to 1000.*got 0"),
        ({"count": 1001}, "got 1001"),
        ({"top": 0}, "1 to 10000.*got 0"),
    ],
)
def test_invalid_bins_are_refused(arguments: dict[str, Any], shown: str) -> None:
    with pytest.raises(InputError, match=shown):
        Bins(**arguments)


def test_the_most_frequent_categories_are_listed() -> None:
    axis = binned(["b", "a", "d", "d", "c", None], Bins(top=3)).axis
    assert axis == CategoricalAxis(("d", "a", "b"), frozenset({"c"}))


@pytest.mark.parametrize(("names", "rare"), [(MAX_KNOWN, MAX_KNOWN - 50), (MAX_KNOWN + 1, None)])
def test_at_most_ten_thousand_categories_are_remembered(names: int, rare: int | None) -> None:
    rows = [f"name {i}" for i in range(names)]
    h = binned(rows, Bins())
    assert isinstance(h.axis, CategoricalAxis)
    assert len(h.axis.categories) == 50
    assert (None if h.axis.rare is None else len(h.axis.rare)) == rare
    assert h.rows == names
    live = histogram_of_values(values_of(pa.chunked_array([["name 0", "name 9999", "new"]])), h.axis)
    special = {"rare": 1, "unseen": 1, "missing": 0} if rare else {"other": 2, "missing": 0}
    assert dict(list(zip(live.labels, live.counts.tolist(), strict=True))[50:]) == special


def test_categories_that_look_alike_give_warnings() -> None:
    axis = binned(["caf\u00e9", "cafe\u0301", "A", "a", "a ", "b"], Bins(top=2)).axis
    warnings = near_duplicates(axis)
    assert len(warnings) == 3
    assert sum("caf" in warning for warning in warnings) == 1
    assert near_duplicates(axis, limit=1) == warnings[:1]
    assert near_duplicates(binned(["a", "b"], Bins()).axis) == []
    assert near_duplicates(NumericAxis((0, 1))) == []


MANY_ROWS = 3 * SAMPLE


def chosen(rows: Any, bins: Bins, seed: int = 0) -> NumericAxis:
    values = values_of(pa.chunked_array([pa.array(rows)]))
    axis = choose_axis(values, bins, RowSampler(seed))
    assert isinstance(axis, NumericAxis)
    return axis


def counted(rows: Any, axis: NumericAxis) -> list[int]:
    return list(histogram_of_values(values_of(pa.chunked_array([pa.array(rows)])), axis).counts.tolist())


def test_edges_of_many_rows_are_quantiles_of_a_sample() -> None:
    rows = np.random.default_rng(5).lognormal(size=MANY_ROWS)
    rows[[7, 70_001]] = [-1e6, 1e6]  # hardly ever in a sample
    axis = chosen(rows, Bins())
    assert axis != binned(rows, Bins()).axis  # a sample indeed
    assert (axis.edges[0], axis.edges[-1]) == (-1e6, np.nextafter(1e6, np.inf))
    ranks = np.searchsorted(np.sort(rows), [float(edge) for edge in axis.edges[1:-1]]) / MANY_ROWS
    # 0.16 % is one standard deviation of a quantile in the middle, of 100,000 rows drawn at random.
    assert np.abs(ranks - np.arange(1, 10) / 10).max() < 5 * 0.0016
    result = counted(rows, axis)
    assert result[0] == result[-2] == 0
    assert sum(result) == MANY_ROWS  # counts are of all rows


def test_the_same_seed_chooses_the_same_edges() -> None:
    rows = np.random.default_rng(6).normal(size=MANY_ROWS)
    assert chosen(rows, Bins(), 1) == chosen(rows, Bins(), 1) != chosen(rows, Bins(), 2)


@every_rule
def test_a_table_no_larger_than_a_sample_is_not_sampled(method: str) -> None:
    rows = np.random.default_rng(6).normal(size=SAMPLE)
    assert chosen(rows, Bins(method), 1) == chosen(rows, Bins(method), 2) == binned(rows, Bins(method)).axis


@pytest.mark.parametrize("type_", [np.float64, np.float32, np.int64, np.int8], ids=str)
def test_few_distinct_values_are_all_found_despite_sampling(type_: Any) -> None:
    rows = np.random.default_rng(7).integers(0, 5, size=MANY_ROWS).astype(type_)
    few = chosen(rows, Bins())
    assert counted(rows, few)[1:-2] == np.bincount(rows.astype(int)).tolist()
    for at in range(5):  # wherever it stands
        rows[at * SAMPLE // 2 + 11] = 100 + at
    more = counted(rows, chosen(rows, Bins()))[1:-2]
    assert more == [*np.bincount(rows.astype(int))[:5].tolist(), 1, 1, 1, 1, 1]


@every_rule
@pytest.mark.parametrize(
    "rows",
    [
        pa.array(np.arange(MANY_ROWS), mask=np.arange(MANY_ROWS) % 1000 > 1),
        pa.array([None] * (MANY_ROWS - 1) + [2.5]),
        pa.array(np.where(np.arange(MANY_ROWS) % 3 > 0, np.nan, np.arange(MANY_ROWS) % 7)),
        pa.array([INF, -INF, NAN] * SAMPLE),
        pa.array([2**63 - 1, -(2**63), 0] * SAMPLE),
        pa.array([Decimal("0.1"), Decimal("9" * 36), None] * SAMPLE),
    ],
    ids=["mostly missing", "one value", "many NaN", "infinities", "int64 extremes", "large decimals"],
)
def test_many_odd_rows_have_an_axis_around_all_values(rows: pa.Array, method: str) -> None:
    values = values_of(pa.chunked_array([rows.slice(0, 12_345), rows.slice(12_345)]))
    axis = choose_axis(values, Bins(method), RowSampler(0))
    result = histogram_of_values(values, axis)
    infinite = 2 * SAMPLE if pa.types.is_floating(rows.type) and rows[0].as_py() == INF else 0
    assert result.counts[0] + result.counts[-2] == infinite
    assert result.rows == MANY_ROWS


@pytest.mark.parametrize("rule", ["fd", "doane"])
def test_rules_of_thumb_use_the_number_of_all_rows(rule: Any) -> None:
    rows = np.random.default_rng(8).gamma(1.0, size=MANY_ROWS)
    wanted = len(np.histogram_bin_edges(rows, rule)) - 1
    assert len(counted(rows, chosen(rows, Bins(rule)))) - 3 == pytest.approx(min(wanted, MAX_RULE_BINS), rel=0.02)
