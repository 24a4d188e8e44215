"""Axes: what they accept, how they name their bins, when two are the same, how they are kept."""

import enum
import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.errors import AxisError
from drift.histogram import MAX_KNOWN, Axis, CategoricalAxis, Category, Edge, Kind, NumericAxis, axis_from_dict

DOCUMENTS = Path(__file__).parent / "documents"
BILLION = 1_000_000_000

numbers = st.one_of(
    st.integers(-(2**80), 2**80),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False),
)
keys = st.one_of(st.text(), st.integers(), st.booleans())


def typed(names: list[Category]) -> list[Category]:
    """Each key once; 1 and True are two."""
    return [key for _, key in dict.fromkeys((type(key), key) for key in names)]


@st.composite
def axes(draw: st.DrawFn) -> Axis:
    if draw(st.booleans()):
        return NumericAxis(tuple(sorted(set(draw(st.lists(numbers, max_size=8))))))
    names = typed(draw(st.lists(keys, max_size=10)))
    cut = draw(st.integers(0, len(names)))
    rare = frozenset(n for n in names[cut:] if isinstance(n, str))
    return CategoricalAxis(tuple(names[:cut]), draw(st.sampled_from([None, rare])))


@settings(max_examples=300, deadline=None)
@given(axis=axes())
def test_survives_json(axis: Axis) -> None:
    again = axis_from_dict(json.loads(json.dumps(axis.to_dict(), allow_nan=False)))
    assert again == axis
    assert hash(again) == hash(axis)
    assert again.labels == axis.labels
    if isinstance(axis, NumericAxis) and isinstance(again, NumericAxis):
        assert [(type(e), str(e)) for e in again.edges] == [(type(e), str(e)) for e in axis.edges]


@settings(max_examples=300, deadline=None)
@given(axis=axes())
def test_labels_are_unique(axis: Axis) -> None:
    assert len(axis.labels) == axis.n_bins == len(set(axis.labels))
    assert all(label in repr(axis) for label in axis.labels)


OLD_AXES: dict[str, Axis] = {
    "axis_v1_numeric.json": NumericAxis((-1.5, 0, Decimal("1.10"), 2**53 + 1, 2**64 + 1)),
    "axis_v1_datetime.json": NumericAxis((1_293_840_000 * BILLION, 1_301_616_000 * BILLION + 1), Kind.DATETIME),
    "axis_v1_boolean.json": CategoricalAxis((False, True), kind=Kind.BOOLEAN),
    "axis_v1_other.json": CategoricalAxis(("Łódź", "1", " a", "😀"), rare=None),
}


@pytest.mark.parametrize("name", sorted(path.name for path in DOCUMENTS.glob("axis_v*.json")))
def test_old_documents_load(name: str) -> None:
    document = json.loads((DOCUMENTS / name).read_text(encoding="utf-8"))
    assert axis_from_dict(document) == OLD_AXES[name]


@pytest.mark.parametrize(
    ("edges", "kind", "shown"),
    [
        ((1, 1), Kind.NUMBER, "1 follows 1"),
        ((2.5, 1), Kind.NUMBER, "1 follows 2.5"),
        ((2**53, float(2**53)), Kind.NUMBER, "9007199254740992.0 follows 9007199254740992"),
        ((0, math.nan), Kind.NUMBER, "got nan"),
        ((0, math.inf), Kind.NUMBER, "got inf"),
        ((Decimal("-Infinity"),), Kind.NUMBER, "got Decimal"),
        ((Decimal("sNaN"),), Kind.NUMBER, "got Decimal"),
        ((True,), Kind.NUMBER, "True is bool"),
        (("1",), Kind.NUMBER, "'1' is str"),
        ((0.5,), Kind.DATETIME, "got 0.5"),
        ((0.5,), Kind.DURATION, "got 0.5"),
        ((0,), Kind.STRING, "'string'"),
    ],
)
def test_invalid_edges_are_refused(edges: Any, kind: Kind, shown: str) -> None:
    with pytest.raises(AxisError, match=shown) as error:
        NumericAxis(edges, kind)
    assert error.value.code == "invalid-axis"


def test_neighbouring_numbers_of_any_type_are_edges() -> None:
    edges: tuple[Edge, ...] = (2**53, 2**53 + 1, Decimal(2**53) + Decimal("1.5"), 1e300, Decimal("1e400"), 10**500)
    assert NumericAxis(edges).edges == edges
    after = math.nextafter(0.1, 1)
    assert NumericAxis((0.1, Decimal("0.1000000000000000055511151231257827021181583404541015626"), after)).n_bins == 5


def test_numpy_floats_become_plain_ones() -> None:
    axis = NumericAxis((np.float64(0.5), np.float64(30.000000000000004)))
    assert [type(edge) for edge in axis.edges] == [float, float]
    assert axis.labels == ("below", "[0.5, 30]", "above", "missing")


@pytest.mark.parametrize(
    ("axis", "labels"),
    [
        (NumericAxis(()), ("any value", "missing")),
        (NumericAxis((5,)), ("below", "above", "missing")),
        (NumericAxis((0.1, 0.25, 1e6)), ("below", "[0.1, 0.25)", "[0.25, 1e+06)", "above", "missing")),
        (NumericAxis((1234567.25, 1234567.5)), ("below", "[1234567.25, 1234567.5)", "above", "missing")),
        (NumericAxis((0.3, math.nextafter(0.3, 1))), ("below", "[0.3, 0.3]", "above", "missing")),
        (
            NumericAxis((1234567.0, 1234568.0, math.nextafter(1234569.5, 2e6))),
            ("below", "[1234567, 1234568)", "[1234568, 1234569.5]", "above", "missing"),
        ),
        (
            NumericAxis((0, 86_400 * BILLION, 86_400 * BILLION + 1), Kind.DATETIME),
            (
                "below",
                "[1970-01-01, 1970-01-02)",
                "[1970-01-02, 1970-01-02]",
                "above",
                "missing",
            ),
        ),
        (
            NumericAxis((-(10**30), 3600 * BILLION, 3600 * BILLION + 5), Kind.DURATION),
            ("below", f"[{-(10**30)} ns, 1:00:00)", "[1:00:00, 1:00:00+5ns)", "above", "missing"),
        ),
        (
            NumericAxis((10**30, 10**30 + 1), Kind.DATETIME),
            ("below", f"[{10**30} ns, {10**30} ns]", "above", "missing"),
        ),
        (
            CategoricalAxis((1, "1", True, "True", "rare", "", " a", '"rare"', "a\nb")),
            (
                *("1", '"1"', "True", '"True"', '"rare"', '""', '" a"', r'"\"rare\""', r'"a\nb"'),
                *("rare", "unseen", "missing"),
            ),
        ),
        (CategoricalAxis(("a",), rare=None), ("a", "other", "missing")),
    ],
)
def test_labels(axis: Axis, labels: tuple[str, ...]) -> None:
    assert axis.labels == labels


def test_equal_axes_hash_alike_and_unequal_ones_differ() -> None:
    assert NumericAxis((1, 2)) == NumericAxis((1.0, Decimal(2)))
    assert hash(NumericAxis((1, 2))) == hash(NumericAxis((1.0, Decimal(2))))
    assert NumericAxis((1, 2)) != NumericAxis((1, 3))
    assert NumericAxis((1, 2)) != NumericAxis((1, 2), Kind.DURATION)
    assert NumericAxis(()) != CategoricalAxis(())
    assert CategoricalAxis(("a", "b")) != CategoricalAxis(("b", "a"))
    assert CategoricalAxis(("a",), rare=("b", "c")) == CategoricalAxis(("a",), rare=("c", "b"))
    assert CategoricalAxis(("a",), rare=("b",)) != CategoricalAxis(("a",), rare=None)


def test_keys_keep_their_type() -> None:
    axis = CategoricalAxis((1, True, "1"), rare=("True",))
    assert [axis.bin_of(key) for key in (1, True, "1", "True", 0, False, "0")] == [0, 1, 2, 3, 4, 4, 4]
    assert CategoricalAxis((1,)) != CategoricalAxis((True,))
    assert CategoricalAxis((1,), rare=(0,)) != CategoricalAxis((1,), rare=(False,))


def test_subclasses_of_str_and_int_are_the_same_categories() -> None:
    class Colour(enum.StrEnum):
        RED = "red"

    class Size(enum.IntEnum):
        BIG = 3

    axis = CategoricalAxis((np.str_("a"), Colour.RED, Size.BIG))
    assert [type(c) for c in axis.categories] == [str, str, int]
    assert axis == CategoricalAxis(("a", "red", 3))
    assert [axis.bin_of(key) for key in (np.str_("a"), Colour.RED, Size.BIG, np.str_("b"))] == [0, 1, 2, 4]


def test_rare_and_unseen_are_other_without_rare_categories() -> None:
    separate, merged = CategoricalAxis(("a",), rare=("z",)), CategoricalAxis(("a",), rare=None)
    assert [separate.labels[separate.bin_of(key)] for key in ("a", "z", "new")] == ["a", "rare", "unseen"]
    assert [merged.labels[merged.bin_of(key)] for key in ("a", "z", "new")] == ["a", "other", "other"]


@pytest.mark.parametrize(
    ("categories", "rare", "kind", "shown"),
    [
        (("a", "b", "a"), (), Kind.STRING, "'a' twice"),
        (("a", "b"), ("b",), Kind.STRING, "'b'"),
        ((1.5,), (), Kind.STRING, "1.5 is float"),
        ((None,), (), Kind.STRING, "None is NoneType"),
        ((("a",),), (), Kind.STRING, "is tuple"),
        (("a",), (), Kind.NUMBER, "'number'"),
        ((), range(MAX_KNOWN + 1), Kind.STRING, f"got {MAX_KNOWN + 1}; pass rare=None"),
    ],
)
def test_invalid_categories_are_refused(categories: Any, rare: Any, kind: Kind, shown: str) -> None:
    with pytest.raises(AxisError, match=shown) as error:
        CategoricalAxis(categories, rare, kind)
    assert error.value.code == "invalid-axis"


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"version": 2}, "version 2.*reads 1"),
        ({"version": None}, "version None"),
        ({"type": "spline"}, "'spline'"),
        ({"kind": "colour"}, "colour"),
        ({"edges": [2, 1]}, "1 follows 2"),
        ({"edges": ["1"]}, "'1' is str"),
        ({"edges": [{"decimal": "one"}]}, "InvalidOperation"),
        ({"edges": 5}, "TypeError"),
    ],
)
def test_invalid_documents_are_refused(change: dict[str, Any], shown: str) -> None:
    document = {**NumericAxis((1, 2)).to_dict(), **change}
    with pytest.raises(AxisError, match=shown) as error:
        axis_from_dict(document)
    assert error.value.code == "invalid-input"


def test_incomplete_documents_are_refused() -> None:
    with pytest.raises(AxisError, match="edges"):
        axis_from_dict({"version": 1, "type": "numeric", "kind": "number"})
    with pytest.raises(AxisError, match="rare"):
        axis_from_dict({"version": 1, "type": "categorical", "kind": "string", "categories": ["a"]})


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000])
def test_the_last_bin_of_times_shows_its_largest_value(unit: int) -> None:
    second = 10**9
    axis = NumericAxis((0, 5 * second + unit), Kind.DATETIME)
    assert axis.labels[1] == "[1970-01-01, 1970-01-01T00:00:05Z]"


def test_common_numbers_have_four_digits_if_unique() -> None:
    assert NumericAxis((-0.5280941, 0.2383321, 1.5)).labels[1:3] == ("[-0.5281, 0.2383)", "[0.2383, 1.5)")
    assert NumericAxis((1.00001, 1.00002, 3.0)).labels[1] == "[1.00001, 1.00002)"
    assert NumericAxis((12345.6, 23456.7)).labels[1] == "[12345.6, 23456.7)"
