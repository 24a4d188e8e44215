"""Data frames of any library: invalid ones are refused, an unusable column does not stop the others."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from drift.errors import SourceError
from drift.histogram import Fault, Uncounted
from drift.monitors.spec import Columns
from drift.sources.frames.read_frame import read_frame

UNUSABLE = {
    "mixed": pd.Series([1, "x", None], dtype=object),
    "numbers and booleans": pd.Series([True, 1, None], dtype=object),
    "mixed categories": pd.Series(pd.Categorical([1, "x", None])),
    "lists": pd.Series([[1], [2], None]),
    "bytes": pd.Series([b"a", b"b", None]),
    "complex": pd.Series([1j, 2j, 3j]),
    "long doubles": pd.Series(np.array([1, 2, 3], dtype=np.longdouble)),
    "sparse": pd.Series(pd.arrays.SparseArray([0, 1, 0])),
    "periods": pd.Series(pd.period_range("2011", periods=3, freq="M")),
    "intervals": pd.Series(pd.interval_range(0, 3)),
    "huge integers": pd.Series([10**30, 1, 2], dtype=object),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_column_of_pandas_does_not_stop_others(name: str) -> None:
    table = read_frame(pd.DataFrame({"bad": UNUSABLE[name], "x": [1, 2, 3]}))
    profile = table.learn(["bad", "x"], Columns())
    assert profile["x"].rows == 3
    assert profile.uncounted["bad"].fault is Fault.NOT_COMPARABLE
    assert profile.uncounted["bad"].message


@pytest.mark.parametrize(
    "type_", [pl.Object, pl.Int128, pl.List(pl.Int64), pl.Struct({"a": pl.Int64}), pl.Binary], ids=str
)
def test_an_unusable_column_of_polars_does_not_stop_others(type_: Any) -> None:
    series = {pl.Object: [object(), object()], pl.Binary: [b"a", b"b"], pl.Int128: [1, 2]}.get(type_)
    bad = pl.Series(series or [None, None], dtype=type_)
    profile = read_frame(pl.DataFrame({"bad": bad, "x": [1, 2]})).learn(["bad", "x"], Columns())
    assert profile["x"].rows == 2
    assert isinstance(profile.uncounted["bad"], Uncounted)


@pytest.mark.parametrize(
    "data", [{"a": [1]}, np.zeros(3), pl.Series([1]), pd.Series([1]), None, 5, pl.LazyFrame({"a": [1]})], ids=type
)
def test_other_data_is_refused_with_its_type(data: Any) -> None:
    with pytest.raises(SourceError, match=f"got {type(data).__name__}") as error:
        read_frame(data)
    assert error.value.code == "invalid-input"


@pytest.mark.parametrize(
    "data",
    [pd.DataFrame([[1, 2]], columns=["a", "a"]), pa.table([[1], [2]], names=["a", "a"])],
    ids=["pandas", "arrow"],
)
def test_duplicate_column_names_are_refused(data: Any) -> None:
    with pytest.raises(SourceError, match="'a'") as error:
        read_frame(data)
    assert error.value.code == "duplicate-column"


@pytest.mark.parametrize("names", [[0, 1], [("a", "b"), ("a", "c")]], ids=str)
def test_column_names_that_are_not_text_are_refused(names: list[Any]) -> None:
    frame = pd.DataFrame([[1, 2]])
    frame.columns = pd.MultiIndex.from_tuples(names) if isinstance(names[0], tuple) else names
    with pytest.raises(SourceError, match=r"astype\(str\)") as error:
        read_frame(frame)
    assert error.value.code == "invalid-input"


def test_a_frame_may_lack_columns_or_rows() -> None:
    assert read_frame(pd.DataFrame(index=range(3))).rows == 3
    assert read_frame(pl.DataFrame()).rows == 0
    assert read_frame(pd.DataFrame({"x": []})).learn(["x"], Columns())["x"].rows == 0
