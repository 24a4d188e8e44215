"""Columns of many blocks, chunks and edges: counted as each of their values is, one by one."""

import itertools
import sys
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from drift.histogram import NumericAxis
from drift.histogram.counting import histogram_of_values
from drift.histogram.kernels import BLOCK_SIZE, MANY_LIMITS, Chunk, count_at_least
from drift.sources.frames.arrow import values_of
from tests.support.counting_oracle import expected

INF, NAN, MAX, TINY = float("inf"), float("nan"), sys.float_info.max, 5e-324
FLOATS = [NAN, None, INF, -INF, 0.0, -0.0, TINY, -TINY, MAX, -MAX, 0.1, 0.3, 0.1 + 0.2, 1.0, 2.0**53, -7.5]
ROWS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "doubles": (pa.float64(), FLOATS),
    "doubles without nulls": (pa.float64(), [row for row in FLOATS if row is not None]),
    "singles": (pa.float32(), [NAN, None, INF, -INF, 0.0, 0.5, 2.0**24, float(np.float32(0.1)), 1e-45, -3.0]),
    "halves": (pa.float16(), [np.float16(x) for x in (NAN, INF, -INF, 0.0, 0.5, 65504.0, -6e-8, 0.1)]),
    "integers": (pa.int64(), [None, -(2**63), 2**63 - 1, 2**53, 2**53 + 1, 0, -1, 7]),
    "unsigned": (pa.uint64(), [None, 0, 1, 2**63, 2**63 + 1, 2**64 - 1]),
    "bytes": (pa.int8(), [None, -128, -1, 0, 1, 127]),
    "decimals": (pa.decimal128(38, 2), [None, Decimal("0.10"), Decimal("0.09"), Decimal("9" * 36 + ".99")]),
    "small decimals": (pa.decimal128(38, 2), [None, Decimal("0.10"), Decimal("0.09"), Decimal("-3.00")]),
}
FEW = (-(2**63), -1, TINY, 0.1, Decimal("0.3"), 1, 2**53 + 1, 2**63 + 1)
AXES = {
    "no edge at all inside": NumericAxis((10**400,)),
    "few edges": NumericAxis(FEW),
    "many edges": NumericAxis((*FEW[:2], *(i / 1000 for i in range(1, 200)), *FEW[5:])),
    "as many whole edges": NumericAxis((-(2**63), *range(-100, MANY_LIMITS), 2**53, 2**53 + 1, 2**64 - 1, 10**40)),
}


def drawn(name: str, n: int) -> tuple[pa.Array, list[Any], list[int]]:
    """A long column of few values, which they are, and how often each occurs."""
    type_, rows = ROWS[name]
    codes = np.random.default_rng(7).integers(0, len(rows), n)
    return pa.array(rows, type_).take(pa.array(codes)), rows, np.bincount(codes, minlength=len(rows)).tolist()


def as_defined(rows: list[Any], times: list[int], axis: NumericAxis) -> list[int]:
    each = [np.array(expected([row if row is None else _python(row)], axis)) for row in rows]
    return np.sum([counts * n for counts, n in zip(each, times, strict=True)], axis=0).tolist()


def _python(row: Any) -> Any:
    return row.item() if isinstance(row, np.generic) else row


@pytest.mark.parametrize("axis", AXES.values(), ids=AXES)
@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("n", [BLOCK_SIZE - 1, 2 * BLOCK_SIZE + 5])
def test_blocks_add_up(name: str, n: int, axis: NumericAxis) -> None:
    column, rows, times = drawn(name, n)
    result = histogram_of_values(values_of(pa.chunked_array([column])), axis)
    assert result.counts.tolist() == as_defined(rows, times, axis)


@pytest.mark.parametrize("name", ROWS)
def test_slices_at_any_bit_of_a_validity_bitmap(name: str) -> None:
    column, rows, times = drawn(name, 300)
    cuts = [0, 1, 1, 8, 17, 100, 103, 299, 300]
    chunks = [column.slice(a, b - a) for a, b in itertools.pairwise(cuts)]
    values = values_of(pa.chunked_array(chunks))
    for axis in AXES.values():
        assert histogram_of_values(values, axis).counts.tolist() == as_defined(rows, times, axis)


@pytest.mark.parametrize("value", [5, None])
def test_counters_of_eight_bits_do_not_overflow(value: int | None) -> None:
    n = 256 * BLOCK_SIZE + 3
    values = np.full(n, 5, np.int8)
    column = pa.array(values) if value else pa.array(values, mask=np.ones(n, bool))
    result = histogram_of_values(values_of(pa.chunked_array([column])), NumericAxis((4, 5, 6)))
    assert result.counts.tolist() == ([0, 0, n, 0, 0] if value else [0, 0, 0, 0, n])


def test_the_content_of_a_null_is_ignored() -> None:
    values = pa.array(np.array([1.0, 99.0, 2.0]), mask=np.array([False, True, False]))
    assert histogram_of_values(values_of(pa.chunked_array([values])), NumericAxis((0, 50))).counts.tolist() == [
        0,
        2,
        0,
        1,
    ]


def test_columns_are_not_copied() -> None:
    data = np.arange(10.0)
    values = values_of(pa.chunked_array([pa.array(data).slice(2, 5)]))
    assert np.shares_memory(values.chunks[0].data, data)  # type: ignore[union-attr]


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint32, np.uint64])
@pytest.mark.parametrize("bits", [5, 23, 24, 25, 52, 53, 54, 62])
def test_integers_are_compared_exactly_with_limits(dtype: type[np.integer[Any]], bits: int) -> None:
    """Whatever type they are compared in: around each power where floats of some width stop being exact."""
    info = np.iinfo(dtype)
    near = {sign * 2**power + step for sign in (-1, 1) for power in range(64) for step in range(-3, 4)}
    values = sorted({value for value in {*near, info.min, info.max} if info.min <= value <= info.max})
    limits = sorted(value for value in values if abs(value) <= 2**bits and (value & 1 or abs(value) in {0, 2**bits}))
    for some in (limits, limits[-12:], limits[:12]):
        result = count_at_least([Chunk(np.array(values * 3, dtype))], np.array(some, dtype))
        assert result.tolist() == [3 * sum(value >= limit for value in values) for limit in some]
