"""Histograms: exact counts that can be added on equal axes only."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.errors import AxisError, InputError
from drift.histogram import CategoricalAxis, Histogram, NumericAxis

DOCUMENTS = Path(__file__).parent / "documents"
TENS = NumericAxis((0, 10, 20))
NAMES = CategoricalAxis(("a", "b", "c"), rare=("y", "z"))
MAX_ROWS = 2**63 - 1


def test_adds_on_equal_axes() -> None:
    one, other = Histogram(TENS, [1, 2, 3, 4, 5]), Histogram(NumericAxis((0.0, 10.0, 20.0)), [5, 4, 3, 2, 1])
    assert one + other == Histogram(TENS, [6, 6, 6, 6, 6])
    assert (one + other).rows == one.rows + other.rows == 30
    assert (one + other).missing == 6


def test_histograms_on_different_axes_cannot_be_added() -> None:
    other = NumericAxis((0, 10, 30))
    with pytest.raises(AxisError) as caught:
        Histogram(TENS, [0] * 5) + Histogram(other, [0] * 5)
    assert caught.value.code == "axis-mismatch"
    assert repr(TENS) in str(caught.value)
    assert repr(other) in str(caught.value)


def test_adds_to_histograms_only() -> None:
    with pytest.raises(TypeError):
        Histogram(TENS, [0] * 5) + 1  # type: ignore[operator]


def test_counts_are_exact_beyond_32_bits_and_floats() -> None:
    big = Histogram(TENS, [2**33, 2**53 + 1, 0, 1, 0])
    assert big.rows == 2**33 + 2**53 + 2
    assert (big + big).counts.tolist() == [2**34, 2**54 + 2, 0, 2, 0]


@pytest.mark.parametrize("counts", [[MAX_ROWS, 1, 0, 0, 0], [2**62] * 2 + [0] * 3, np.array([2**64 - 1] * 5)])
def test_more_rows_than_64_bits_are_refused(counts: Any) -> None:
    with pytest.raises(InputError, match=f"got {sum(map(int, counts))}"):
        Histogram(TENS, counts)


def test_a_sum_that_overflows_is_refused() -> None:
    full = Histogram(TENS, [MAX_ROWS, 0, 0, 0, 0])
    assert full.rows == MAX_ROWS
    for more in ([1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [MAX_ROWS, 0, 0, 0, 0]):
        with pytest.raises(InputError, match=f"got {MAX_ROWS + sum(more)}"):
            full + Histogram(TENS, more)


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ([1.0, 2, 3, 4, 5], "got float64"),
        ([True] * 5, "got bool"),
        (["1"] * 5, "got <U1"),
        ([1, 2, 3, 4], r"expected 5 counts.*got \(4,\)"),
        ([[1, 2, 3, 4, 5]], r"got \(1, 5\)"),
        ([1, 2, -3, 4, 5], "got -3"),
    ],
)
def test_invalid_counts_are_refused(counts: Any, shown: str) -> None:
    with pytest.raises(InputError, match=shown):
        Histogram(TENS, counts)


def test_counts_are_immutable_copies() -> None:
    given_counts = np.array([1, 2, 3, 4, 5])
    histogram = Histogram(TENS, given_counts)
    given_counts[0] = 99
    assert histogram.counts.tolist() == [1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="read-only"):
        histogram.counts[0] = 99
    with pytest.raises(AttributeError):
        histogram.counts = given_counts  # type: ignore[misc]


def test_equality_hash_and_repr() -> None:
    one, same = Histogram(TENS, [1, 2, 3, 4, 5]), Histogram(TENS, np.array([1, 2, 3, 4, 5], dtype=np.uint8))
    assert one == same
    assert hash(one) == hash(same)
    assert len({one, same, Histogram(TENS, [1, 2, 3, 4, 6])}) == 2
    assert one != Histogram(NumericAxis((0, 10, 21)), [1, 2, 3, 4, 5])
    assert one != [1, 2, 3, 4, 5]
    assert repr(one) == "Histogram(15 rows: below 1, [0, 10) 2, [10, 20) 3, above 4, missing 5)"


counts_of = st.lists(st.integers(0, 2**40), min_size=9, max_size=9)


@settings(max_examples=100, deadline=None)
@given(counts=counts_of, kept=st.sets(st.integers(0, 6)))
def test_merging_edges_equals_counting_on_the_coarser_axis(counts: list[int], kept: set[int]) -> None:
    axis = NumericAxis(tuple(range(7)))
    merged = Histogram(axis, counts).merge_bins(kept)
    # One value in the middle of each bin, counted by NumPy on the edges that stay.
    middles = np.arange(-0.5, 7)
    number_of = np.searchsorted(sorted(kept), middles, side="right")
    expected = np.zeros(len(kept) + 1, dtype=np.int64)
    np.add.at(expected, number_of, counts[:-1])
    assert merged.counts.tolist() == [*expected.tolist(), counts[-1]]
    assert merged.axis == NumericAxis(tuple(sorted(kept)))
    assert merged.rows == sum(counts)


@settings(max_examples=100, deadline=None)
@given(counts=st.lists(st.integers(0, 2**40), min_size=6, max_size=6), kept=st.sets(st.sampled_from("abc")))
def test_merging_categories_moves_the_others_to_rare(counts: list[int], kept: set[str]) -> None:
    merged = Histogram(NAMES, counts).merge_bins(kept)
    before = dict(zip(NAMES.labels, counts, strict=True))
    moved = {"a", "b", "c"} - kept
    expected = {name: before[name] for name in sorted(kept)} | {
        "rare": before["rare"] + sum(before[name] for name in moved),
        "unseen": before["unseen"],
        "missing": before["missing"],
    }
    assert dict(zip(merged.labels, merged.counts.tolist(), strict=True)) == expected
    assert merged.axis == CategoricalAxis(tuple(sorted(kept)), rare={"y", "z"} | moved)


def test_merging_without_rare_categories_moves_to_other() -> None:
    merged = Histogram(CategoricalAxis(("a", "b"), rare=None), [1, 2, 3, 4]).merge_bins(["b"])
    assert merged == Histogram(CategoricalAxis(("b",), rare=None), [2, 4, 4])


def test_edges_and_categories_not_on_the_axis_are_refused() -> None:
    with pytest.raises(AxisError, match=r"cannot keep \[5\]"):
        Histogram(TENS, [0] * 5).merge_bins([0, 5])
    with pytest.raises(AxisError, match=r"cannot keep \[1\]"):
        Histogram(CategoricalAxis((True, "1")), [0] * 5).merge_bins([1])


def test_merging_refuses_equal_keys_of_two_types() -> None:
    with pytest.raises(AxisError, match="1 and True"):
        Histogram(CategoricalAxis((1, True, "a")), [1] * 6).merge_bins(["a"])
    with pytest.raises(AxisError, match="1 and True"):
        Histogram(CategoricalAxis((True, "a"), rare=(1,)), [1] * 5).merge_bins(["a"])
    kept = Histogram(CategoricalAxis((1, True, "a")), [1] * 6).merge_bins([True])
    assert kept.counts.tolist() == [1, 3, 1, 1]


def test_survives_json() -> None:
    for histogram in (Histogram(TENS, [0, 2**60, 3, 2**53 + 1, 1]), Histogram(NAMES, [1, 2, 3, 4, 5, 6])):
        assert Histogram.from_dict(json.loads(json.dumps(histogram.to_dict()))) == histogram


def test_old_histogram_documents_load() -> None:
    document = json.loads((DOCUMENTS / "histogram_v1_categorical.json").read_text(encoding="utf-8"))
    axis = CategoricalAxis((1, True, "1"), rare=("rare", "z"))
    assert Histogram.from_dict(document) == Histogram(axis, [5_000_000_000, 0, 7, 2, 1, 2**53 + 1])


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"version": 7}, "version 7.*reads 1"),
        ({"counts": [1.5, 0, 0, 0, 0]}, "got 1.5"),
        ({"counts": [True, 0, 0, 0, 0]}, "got True"),
        ({"counts": [2**63, 0, 0, 0, 0]}, f"got {2**63}"),
        ({"counts": [-1, 0, 0, 0, 0]}, "got -1"),
        ({"counts": ["1", 0, 0, 0, 0]}, "got '1'"),
        ({"counts": [1]}, "expected 5 counts"),
        ({"counts": None}, "malformed"),
        ({"axis": {}}, "version None"),
    ],
)
def test_invalid_histogram_documents_are_refused(change: dict[str, Any], shown: str) -> None:
    with pytest.raises(InputError, match=shown):
        Histogram.from_dict({**Histogram(TENS, [0] * 5).to_dict(), **change})


def test_incomplete_histogram_documents_are_refused() -> None:
    with pytest.raises(InputError, match="counts"):
        Histogram.from_dict({"version": 1, "axis": TENS.to_dict()})
