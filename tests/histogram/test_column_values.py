"""Columns reach the counting as they lie in memory, and are counted by several threads at once."""

from collections import Counter
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from drift.histogram import NumericAxis, Uncounted
from drift.histogram.column_values import CategoryCounts, OrderedValues
from drift.monitors.spec import Columns
from drift.sources.frames.arrow import values_of
from drift.sources.frames.read_frame import read_frame
from drift.sources.frames.table import SINGLE_THREAD_VALUES, Table
from tests.support.counting_oracle import expected


def data_of(table: Table, name: str) -> Any:
    """Where the values of a column lie."""
    column = table.columns[name]
    assert isinstance(column, pa.ChunkedArray)
    values = values_of(column)
    assert isinstance(values, OrderedValues)
    return values.chunks[0].data


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "int8", "uint32"])
def test_numbers_of_pandas_are_read_where_they_lie(dtype: str) -> None:
    frame = pd.DataFrame({"x": np.arange(10, dtype=dtype)})
    assert np.shares_memory(data_of(read_frame(frame), "x"), frame["x"].to_numpy())


def test_numbers_of_pandas_and_polars_are_not_copied() -> None:
    frame = pd.DataFrame({"x": pd.array([1, None, 3], dtype="Int64")})
    assert np.shares_memory(data_of(read_frame(frame), "x"), frame["x"].array._data)
    series = pl.Series("x", [1.0, 2.0])
    assert np.shares_memory(data_of(read_frame(series.to_frame()), "x"), series.to_numpy())


@pytest.mark.parametrize("dtype", [">f8", ">i4"])
def test_numbers_in_the_order_of_other_machines(dtype: str) -> None:
    result = read_frame(pd.DataFrame({"x": np.arange(4).astype(dtype)})).columns["x"]
    assert isinstance(result, Uncounted)
    assert "byte" in result.message.lower()


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"s": pd.Series(["b", "a", None, "b"], dtype="category")}),
        pl.DataFrame({"s": pl.Series(["b", "a", None, "b"]).cast(pl.Categorical)}),
        pa.table({"s": pa.array(["b", "a", None, "b"]).dictionary_encode()}),
    ],
    ids=["pandas", "polars", "pyarrow"],
)
def test_codes_stay_codes(frame: Any) -> None:
    table = read_frame(frame)
    column = table.columns["s"]
    assert isinstance(column, pa.ChunkedArray)
    assert pa.types.is_dictionary(column.type)
    profile = table.learn(["s"], Columns())
    assert profile["s"].counts.tolist() == expected(["b", "a", None, "b"], profile["s"].axis)


def test_codes_are_filtered_and_split_like_their_texts() -> None:
    texts = ["a", "b", None, "a", "c", "b", "b"]
    times = [f"2011-01-0{day}" for day in (1, 1, 2, 2, 3, 3, 3)]
    plain = pa.table({"s": texts, "t": times})
    coded = pa.table({n: pa.chunked_array([plain[n].combine_chunks().dictionary_encode()]) for n in ("s", "t")})
    halves = pa.concat_tables([coded.slice(0, 3), coded.slice(3)])
    utc, axes = ZoneInfo("UTC"), Table.from_arrow(plain).learn(["s", "t"], Columns()).axes
    for data in (coded, halves):
        table = Table.from_arrow(data)
        assert table.span("t", utc) == Table.from_arrow(plain).span("t", utc)
        parts, wanted = table.split(["s"]), Table.from_arrow(plain).split(["s"])
        assert list(parts) == list(wanted)
        for key, part in parts.items():
            assert part.count(axes) == wanted[key].count(axes)


def test_threads_count_what_one_counts() -> None:
    rng = np.random.default_rng(0)
    columns = {f"x{i}": pa.array(rng.normal(size=SINGLE_THREAD_VALUES // 4)) for i in range(5)}
    columns["text"] = pa.array(rng.choice(["a", "b", "c"], SINGLE_THREAD_VALUES // 4))
    columns["bytes"] = pa.array([b"cannot be cut"] * (SINGLE_THREAD_VALUES // 4))
    table = Table.from_arrow(pa.table(columns))
    names = ["gone", *columns]
    alone, together, usual = (table.learn(names, Columns(), threads=threads) for threads in (1, 3, None))
    assert alone == together == usual
    assert list(alone) == list(together) == [name for name in columns if name != "bytes"]
    assert set(together.uncounted) == {"gone", "bytes"}
    axes = {**together.axes, "gone": NumericAxis((0,)), "text": NumericAxis((0,))}
    assert table.count(axes, threads=1) == table.count(axes, threads=3)
    assert set(table.count(axes).uncounted) == {"gone", "text"}


@pytest.mark.parametrize("type_", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
@pytest.mark.parametrize("nulls", ["none", "from the start", "late"])
@pytest.mark.parametrize("late", [0, 3, 50_000], ids="{} names that come late".format)
def test_categories_that_first_occur_late_are_counted(type_: pa.DataType, nulls: str, late: int) -> None:
    rows = 100_000
    rng = np.random.default_rng(0)
    names = [f"né {code}" for code in rng.integers(40, size=rows // 2)]
    names += [f"late {code}" for code in rng.integers(late, size=rows // 2)] if late else names
    missing = rng.random(rows) < (0 if nulls == "none" else 0.1)
    if nulls == "late":
        missing[: rows // 2] = False
    cells = [None if gone else name for name, gone in zip(names, missing.tolist(), strict=True)]
    whole = pa.array(cells, type_)
    column = pa.chunked_array([whole.slice(0, 7), whole.slice(7, 60_001), whole.slice(60_008)])
    result = values_of(column)
    expected = Counter(cells)
    assert isinstance(result, CategoryCounts)
    assert result.rows - result.present == expected.pop(None, 0)
    assert dict(zip(result.keys, result.counts.tolist(), strict=True)) == expected


def test_a_column_of_texts_without_a_chunk_has_no_names() -> None:
    assert values_of(pa.chunked_array([], pa.string())).present == 0
