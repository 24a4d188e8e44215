"""Counts on an axis equal the definition, row by row, whatever the types of values and edges."""

import sys
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drift.errors import AxisError
from drift.histogram import Axis, CategoricalAxis, Edge, Kind, NumericAxis
from drift.histogram.counting import histogram_of_values
from drift.sources.frames.arrow import values_of
from tests.support.counting_oracle import exact, expected

MAX, TINY = sys.float_info.max, 5e-324
INF, NAN = float("inf"), float("nan")
many = settings(max_examples=150, deadline=None)


def column(rows: list[Any], type_: pa.DataType | None = None) -> pa.ChunkedArray:
    """Rows in three chunks, one of them empty: no engine promises a single one."""
    half = len(rows) // 2
    array = pa.array(rows, type_)
    return pa.chunked_array([array.slice(0, half), array.slice(0, 0), array.slice(half)], array.type)


def counted(rows: list[Any], axis: Axis, type_: pa.DataType | None = None) -> list[int]:
    histogram = histogram_of_values(values_of(column(rows, type_)), axis)
    assert histogram.rows == len(rows)
    return list(histogram.counts.tolist())


def counted_array(array: pa.Array, axis: Axis) -> list[int]:
    return list(histogram_of_values(values_of(pa.chunked_array([array])), axis).counts.tolist())


def axes(*edges: st.SearchStrategy[Any]) -> st.SearchStrategy[NumericAxis]:
    """Axes on distinct edges of mixed types: 1 and 1.0 are one edge."""
    return st.lists(st.one_of(*edges), max_size=6, unique_by=exact).map(
        lambda e: NumericAxis(tuple(sorted(e, key=exact)))
    )


BIG = [0, 1, -1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 2**63, 2**64 - 1, 2**64, 10**400, -(10**400)]
HOSTILE_FLOATS = [0.0, -0.0, 0.1, 0.3, TINY, -TINY, 2.2250738585072014e-308, 2.0**53, 2.0**63, MAX, -MAX, 1e300]
integers = st.one_of(st.sampled_from(BIG), st.integers(-5, 5), st.integers(-300, 70000))
floats = st.one_of(
    st.sampled_from(HOSTILE_FLOATS),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-4, 4).map(lambda i: i / 2),
)
decimals = st.one_of(
    st.sampled_from([Decimal("0.1"), Decimal("0.10"), Decimal("1E+400"), Decimal("-1E+400"), Decimal("1E-400")]),
    st.decimals(-1000, 1000, allow_nan=False, places=3),
)
any_axis = axes(integers, floats, decimals)


@many
@given(st.lists(st.one_of(st.none(), st.just(NAN), st.just(INF), st.just(-INF), floats)), any_axis)
@example([float(2**53), float(2**53 + 2), None], NumericAxis((2**53 + 1,)))
@example([0.1, 0.30000000000000004, 0.3], NumericAxis((Decimal("0.1"), Decimal("0.3"))))
@example([-INF, -MAX, MAX, INF], NumericAxis((-(10**400), 10**400)))
@example([-INF, -MAX, MAX, INF], NumericAxis((Decimal("-1E+400"), Decimal("1E+400"))))
@example([-0.0, 0.0, TINY, -TINY], NumericAxis((0.0,)))
@example([-0.0, 0.0, TINY, -TINY], NumericAxis((-0.0, TINY)))
def test_doubles_on_edges_of_any_type(rows: list[float | None], axis: NumericAxis) -> None:
    assert counted(rows, axis, pa.float64()) == expected(rows, axis)


@many
@given(st.lists(st.one_of(st.none(), st.floats(width=32))), any_axis)
def test_single_precision(rows: list[float | None], axis: NumericAxis) -> None:
    assert counted(rows, axis, pa.float32()) == expected(rows, axis)


@many
@given(st.lists(st.floats(width=16)), any_axis)
def test_half_precision(rows: list[float], axis: NumericAxis) -> None:
    halves = pa.array(np.array(rows, dtype=np.float16))
    assert counted_array(halves, axis) == expected(rows, axis)


WIDTHS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64, "uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64}


@pytest.mark.parametrize("name", WIDTHS)
@settings(max_examples=60, deadline=None)
@given(data=st.data(), axis=any_axis)
def test_integers_of_every_width(name: str, data: st.DataObject, axis: NumericAxis) -> None:
    low, high = (0, 2 ** WIDTHS[name]) if name[0] == "u" else (-(2 ** (WIDTHS[name] - 1)), 2 ** (WIDTHS[name] - 1))
    ends = st.sampled_from([low, low + 1, high - 1])
    near = [int(e) for e in axis.edges if abs(e) < 2**65 and low <= int(e) < high]
    value = st.one_of(st.none(), ends, st.integers(low, high - 1), st.sampled_from(near or [low]))
    rows = data.draw(st.lists(value))
    assert counted(rows, axis, pa.type_for_alias(name)) == expected(rows, axis)


@pytest.mark.parametrize(
    ("type_", "digits"),
    [
        (pa.decimal32(7, 2), 7),
        (pa.decimal64(16, 2), 16),
        (pa.decimal128(18, 2), 18),
        (pa.decimal128(19, 2), 19),
        (pa.decimal128(38, 2), 38),
        (pa.decimal256(76, 2), 76),
    ],
    ids=str,
)
@settings(max_examples=40, deadline=None)
@given(data=st.data(), axis=any_axis)
def test_decimals_of_every_width(type_: pa.DataType, digits: int, data: st.DataObject, axis: NumericAxis) -> None:
    largest = 10**digits - 1
    unscaled = st.one_of(st.integers(-500, 500), st.integers(-largest, largest), st.sampled_from([largest, -largest]))
    rows = data.draw(st.lists(st.one_of(st.none(), unscaled.map(lambda n: Decimal(f"{n}E-2")))))
    assert counted(rows, axis, type_) == expected(rows, axis)


@pytest.mark.parametrize("scale", [-3, 0, 5, 38])
def test_decimals_of_every_scale(scale: int) -> None:
    unscaled = [-(10**37), -1, 0, 1, 7, 10**37]
    # From bytes: Arrow itself cannot make decimals of a negative scale out of Python's.
    values = pa.py_buffer(b"".join(n.to_bytes(16, "little", signed=True) for n in unscaled))
    array = pa.Array.from_buffers(pa.decimal128(38, scale), len(unscaled), [None, values])
    rows = [Decimal(f"{n}E{-scale}") for n in unscaled]
    axis = NumericAxis((Decimal(f"-1E{-scale}"), 0, Decimal(f"7E{-scale}"), 10**30))
    assert counted_array(array, axis) == expected(rows, axis)


def test_a_slice_of_decimals_counts_its_own_rows() -> None:
    array = pa.array([Decimal(n) for n in range(10)], pa.decimal128(38, 0)).slice(3, 4)
    axis = NumericAxis((0, 4, 6, 20))
    assert counted_array(array, axis) == expected([3, 4, 5, 6], axis)


INSTANTS = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2011, 3, 13, 2, 30, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
    datetime(9999, 12, 31, tzinfo=UTC),
]
nanoseconds = st.one_of(
    st.sampled_from([0, -1, 1, 10**9, -(10**9), 2**63, -(2**63), 10**30]),
    st.integers(-(10**18), 10**18),
    st.sampled_from([int(exact(instant)) for instant in INSTANTS]),
)
instant_axes = st.lists(nanoseconds, unique=True, max_size=6).map(
    lambda e: NumericAxis(tuple(sorted(e)), Kind.DATETIME)
)
duration_axes = st.lists(nanoseconds, unique=True, max_size=6).map(
    lambda e: NumericAxis(tuple(sorted(e)), Kind.DURATION)
)


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York", "+05:45"])
@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.one_of(st.none(), st.sampled_from(INSTANTS))), axis=instant_axes)
def test_instants_of_every_unit_and_zone(unit: str, zone: str | None, rows: list[Any], axis: NumericAxis) -> None:
    rows = rows if zone else [row and row.replace(tzinfo=None) for row in rows]
    assert counted(rows, axis, pa.timestamp(unit, zone)) == expected(rows, axis)


@many
@given(
    st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))),
    instant_axes,
    st.sampled_from(["s", "ms", "us", "ns"]),
)
def test_instants_beyond_any_calendar(ticks: list[int | None], axis: NumericAxis, unit: str) -> None:
    per_tick = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[unit]
    rows = [None if t is None else t * per_tick for t in ticks]
    result = histogram_of_values(
        values_of(pa.chunked_array([pa.array(ticks, pa.int64()).cast(pa.timestamp(unit))])), axis
    )
    assert result.counts.tolist() == expected(rows, axis)


@many
@given(st.lists(st.one_of(st.none(), st.dates())), instant_axes)
def test_dates(rows: list[date | None], axis: NumericAxis) -> None:
    assert counted(rows, axis, pa.date32()) == expected(rows, axis)
    assert counted(rows, axis, pa.date64()) == expected(rows, axis)


@many
@given(st.lists(st.one_of(st.none(), st.timedeltas(timedelta(days=-(10**5)), timedelta(days=10**5)))), duration_axes)
def test_durations(rows: list[timedelta | None], axis: NumericAxis) -> None:
    assert counted(rows, axis, pa.duration("us")) == expected(rows, axis)


@many
@given(st.lists(st.one_of(st.none(), st.times())), duration_axes)
def test_times_of_day_are_durations_since_midnight(rows: list[time | None], axis: NumericAxis) -> None:
    assert counted(rows, axis, pa.time64("us")) == expected(rows, axis)
    whole = [row and row.replace(microsecond=0) for row in rows]
    assert counted(whole, axis, pa.time32("s")) == expected(whole, axis)


def test_an_instant_is_the_same_in_every_zone() -> None:
    offset = timezone(timedelta(hours=-5))
    rows = [datetime(2011, 3, 13, 5, tzinfo=UTC), datetime(2011, 3, 13, 0, tzinfo=offset)]
    axis = NumericAxis((int(exact(rows[0])),), Kind.DATETIME)
    assert counted(rows, axis, pa.timestamp("us", "UTC")) == expected(rows, axis) == [0, 2, 0]


NAMES = [
    "",
    " ",
    "nan",
    "NaN",
    "null",
    "None",
    "1",
    "True",
    "caf\u00e9",
    "cafe\u0301",
    "a",
    "A",
    "a ",
    "\U0001f6b2",
    "\n",
    "\x00",
]
names = st.one_of(st.sampled_from(NAMES), st.text(max_size=3))
ARROW_TEXTS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]


@pytest.mark.parametrize("type_", ARROW_TEXTS, ids=str)
@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.one_of(st.none(), names)),
    listed=st.lists(names, unique=True, max_size=5),
    rare=st.one_of(st.none(), st.frozensets(names, max_size=5)),
)
def test_texts_are_compared_exactly(
    type_: pa.DataType, rows: list[str | None], listed: list[str], rare: frozenset[str] | None
) -> None:
    axis = CategoricalAxis(tuple(listed), None if rare is None else rare - set(listed))
    text = type_.value_type if pa.types.is_dictionary(type_) else type_
    array = pa.array(rows, text)
    array = array.dictionary_encode() if pa.types.is_dictionary(type_) else array
    assert counted_array(array, axis) == expected(rows, axis)


def test_truth_values() -> None:
    rows = [True, None, False, True]
    axis = CategoricalAxis((False,), frozenset({True}), Kind.BOOLEAN)
    assert counted(rows, axis) == expected(rows, axis) == [1, 2, 0, 1]


def test_dictionary_codes_may_repeat_or_be_null() -> None:
    entries = pa.array(["a", None, "b", "a", "unused"])
    codes = pa.array([0, 1, 2, 3, None, 0], pa.int8())
    coded = pa.chunked_array([pa.DictionaryArray.from_arrays(codes, entries)])
    axis = CategoricalAxis(("a", "unused"), frozenset({"b"}))
    assert histogram_of_values(values_of(coded), axis).counts.tolist() == expected(
        ["a", None, "b", "a", None, "a"], axis
    )


def test_chunks_may_have_different_dictionaries() -> None:
    chunks = [pa.array(["a", "b"]).dictionary_encode(), pa.array(["b", "c", None]).dictionary_encode()]
    axis = CategoricalAxis(("b", "a"))
    assert histogram_of_values(values_of(pa.chunked_array(chunks)), axis).counts.tolist() == expected(
        ["a", "b", "b", "c", None], axis
    )


def test_numbers_in_a_dictionary_are_numbers() -> None:
    coded = pa.chunked_array([pa.array([1.5, 3.0, NAN, None]).dictionary_encode()])
    axis = NumericAxis((1.0, 2.0))
    assert histogram_of_values(values_of(coded), axis).counts.tolist() == expected([1.5, 3.0, NAN, None], axis)


@pytest.mark.parametrize("axis", [NumericAxis((0.5,)), CategoricalAxis(("a",)), NumericAxis((), Kind.EMPTY)], ids=str)
@pytest.mark.parametrize("type_", [pa.null(), pa.float64(), pa.string(), pa.bool_(), pa.timestamp("us")], ids=str)
def test_a_column_without_a_value_fits_every_axis(axis: Axis, type_: pa.DataType) -> None:
    assert counted([None, None], axis, type_) == expected([None, None], axis)


@pytest.mark.parametrize(
    "rows", [[1, None], ["a", None], [True, None], [datetime(2011, 1, 1, tzinfo=UTC), None]], ids=str
)
def test_any_value_counts_on_an_empty_axis(rows: list[Any]) -> None:
    assert counted(rows, NumericAxis((), Kind.EMPTY)) == [1, 1]


@pytest.mark.parametrize(
    ("rows", "axis"),
    [
        (["1"], NumericAxis((0, 1))),
        ([1], CategoricalAxis(("1",))),
        ([True], CategoricalAxis(("True",))),
        (["True"], CategoricalAxis((True,), kind=Kind.BOOLEAN)),
        ([1], NumericAxis((0, 1), Kind.DATETIME)),
        ([timedelta(1)], NumericAxis((0, 1), Kind.DATETIME)),
    ],
    ids=str,
)
def test_a_kind_other_than_the_references_is_refused(rows: list[Any], axis: Axis) -> None:
    values = values_of(column(rows))
    with pytest.raises(AxisError, match=f"expected {axis.kind.value} values.* got {values.kind.value}"):
        histogram_of_values(values, axis)


@pytest.mark.parametrize(
    ("rows", "edges", "counts"),
    [
        # Written by hand from the definition: below | [e0, e1) | above | missing.
        ([-INF, -1.0, 0.0, 0.5, 1.0, INF, NAN, None], (0, 1), [2, 2, 2, 2]),
        ([2**53, 2**53 + 1, 2**53 + 2], (2**53 + 1, 2**53 + 2), [1, 1, 1, 0]),
        ([1, 2, 3, 4], (2.5, 3.0), [2, 0, 2, 0]),
    ],
)
def test_by_hand(rows: list[Any], edges: tuple[Edge, ...], counts: list[int]) -> None:
    axis = NumericAxis(edges)
    assert counted(rows, axis) == counts == expected(rows, axis)
