"""Lazy and distributed frames are counted by their own engines, with the results of the same rows in memory."""

import itertools
from collections.abc import Callable
from datetime import datetime
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import drift
from drift.errors import SourceError
from drift.histogram import CategoricalAxis, Fault, Kind, NumericAxis
from drift.histogram.binning import Bins
from drift.monitors.spec import ColumnRule, Columns
from drift.sources.frames.table import Table
from drift.sources.lazy import dask as dask_source
from drift.sources.lazy import lazy_table, sums
from drift.sources.lazy.lazy_table import LazyTable
from tests.support import optional
from tests.support.engines import to_dask, to_duckdb

ENGINES: dict[str, Callable[[pa.Table], Any]] = {"polars": pl.LazyFrame, "duckdb": to_duckdb, "dask": to_dask}
every_engine = pytest.mark.parametrize("convert", ENGINES.values(), ids=ENGINES)
every_lazy_engine = pytest.mark.parametrize("convert", [pl.LazyFrame, to_duckdb], ids=["polars", "duckdb"])


def rows(n: int = 3_000, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    numbers = rng.lognormal(size=n)
    numbers[:3] = [np.nan, np.inf, -np.inf]
    return pa.table(
        {
            "x": numbers,
            "n": pa.array(rng.integers(-50, 10**15, n), mask=rng.random(n) < 0.1),
            "cents": pa.array([None if i % 7 == 0 else i for i in range(n)], pa.decimal128(21, 0)),
            "at": pa.array(rng.integers(0, 10**15, n), pa.timestamp("us", "UTC")),
            "took": pa.array(rng.integers(-5, 10**9, n), pa.duration("us")),
            "ok": pa.array([None if i % 11 == 0 else i % 3 == 0 for i in range(n)]),
            "plan": [("free", "pro", None, "caf\u00e9")[i % 4] for i in range(n)],
            "city": [f"c{i}" for i in rng.geometric(0.02, n)],
            "id": [f"row {i}" for i in range(n)],
        }
    )


@every_engine
def test_axes_of_few_rows_equal_those_in_memory(convert: Callable[[pa.Table], Any]) -> None:
    assert dict(drift.profile(convert(rows()))) == dict(drift.profile(rows()))


@every_engine
def test_large_frames_get_edges_from_a_sample_and_exact_counts(
    convert: Callable[[pa.Table], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (lazy_table, dask_source):
        monkeypatch.setattr(module, "SAMPLE", 500)
    frame, whole = convert(rows()), drift.profile(rows())
    profile = drift.profile(frame)
    assert profile == drift.profile(rows(), axes=profile)  # counts of all rows, as in memory on the same axes
    for name, axis in whole.axes.items():
        chosen = profile[name].axis
        if isinstance(axis, CategoricalAxis):
            assert chosen == axis
        else:
            assert isinstance(chosen, NumericAxis)
            assert (chosen.edges[0], chosen.edges[-1]) == (axis.edges[0], axis.edges[-1])
            # A decile of 500 rows is off by 1.4 % of the rows in one standard error; this allows five.
            inner = profile[name].counts[1:-2] / profile.rows
            assert len(inner) == 10
            assert np.all(np.abs(inner - whole[name].counts[1:-2] / whole.rows) < 0.07)


@every_engine
def test_a_seed_draws_the_same_sample_twice(
    convert: Callable[[pa.Table], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (lazy_table, dask_source):
        monkeypatch.setattr(module, "SAMPLE", 500)
    frame = convert(rows())
    assert drift.profile(frame) == drift.profile(frame)


@every_engine
def test_comparisons_equal_those_in_memory(convert: Callable[[pa.Table], Any]) -> None:
    reference, live = rows(seed=1), rows(seed=2)
    lazily, eagerly = drift.compare(reference, convert(live)), drift.compare(reference, live)
    assert lazily.live == eagerly.live
    assert lazily.to_dict() == eagerly.to_dict()


@every_engine
def test_missing_new_and_retyped_columns_stop_no_other(convert: Callable[[pa.Table], Any]) -> None:
    reference = drift.profile(pa.table({"a": ["x"], "b": [1], "c": [2]}))
    live = pa.table({"a": [1.5], "c": [2], "d": [3], "list": [[1]]})
    report = drift.compare(reference, convert(live))
    assert report.live.uncounted["a"] == drift.compare(reference, live).live.uncounted["a"]
    assert report.live.uncounted["b"].fault is Fault.SCHEMA_ERROR
    assert report["c"].live is not None
    assert report.live.uncounted["d"].fault is Fault.NOT_COMPARABLE
    assert drift.profile(convert(live)).uncounted["list"].fault is Fault.NOT_COMPARABLE


@every_lazy_engine
@pytest.mark.parametrize("limit", ["MAX_EQUALITY_NAMES", "MAX_FETCHED_GROUPS", "MAX_SUMS"])
def test_names_are_counted_alike_by_sums_and_by_grouping(
    convert: Callable[[pa.Table], Any], limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sums, limit, {"MAX_EQUALITY_NAMES": 1_000, "MAX_FETCHED_GROUPS": 10, "MAX_SUMS": 5}[limit])
    axes = {
        "city": CategoricalAxis(tuple(f"c{i}" for i in range(40)), frozenset(f"c{i}" for i in range(40, 60))),
        "id": CategoricalAxis(tuple(f"row {i}" for i in range(0, 60, 3)), None),
        "plan": CategoricalAxis(("pro",), frozenset({"free"})),
        "x": NumericAxis((0.5, 1.0, 2.0)),
        "n": NumericAxis((0, 10**14)),
    }
    assert drift.profile(convert(rows()), axes=axes) == drift.profile(rows(), axes=axes)


@every_lazy_engine
@pytest.mark.parametrize("by", [("plan",), ("city", "ok"), ("n",)], ids=str)
def test_segments_equal_those_in_memory(convert: Callable[[pa.Table], Any], by: tuple[str, ...]) -> None:
    table = rows().set_column(1, "n", pa.array([i % 30 if i % 5 else None for i in range(3_000)]))
    names, columns = ["x", "city", "at"], Columns()
    parts = Table.from_arrow(table).split(by)
    whole = parts[""].learn(names, columns)
    learned = LazyTable(convert(table)).learn_by(names, columns, by)
    assert learned == {key: part.count(whole.axes) if key else whole for key, part in parts.items()}
    known = [*list(learned)[1:4], f"{by[0]}=17"]
    counted = LazyTable(convert(table)).count_by(whole.axes, by, known)
    assert counted == {key: part.count(whole.axes) for key, part in Table.from_arrow(table).split(by, known).items()}


@every_lazy_engine
@pytest.mark.parametrize(
    ("name", "code", "text"), [("x", "not-comparable", "'x' holds Float64"), ("nope", "column-missing", "'nope'")]
)
def test_columns_that_cannot_name_segments_are_errors(
    convert: Callable[[pa.Table], Any], name: str, code: str, text: str
) -> None:
    with pytest.raises(SourceError, match=text) as error:
        LazyTable(convert(rows())).learn_by(["n"], Columns(), [name])
    assert error.value.code == code


def test_explicit_edges_for_text_affect_that_column_only() -> None:
    columns = Columns(overrides={"plan": ColumnRule(Bins("edges", edges=(0, 1)))})
    profile = LazyTable(pl.LazyFrame(rows())).learn(["x", "plan"], columns)
    assert set(profile) == {"x"}
    assert profile.uncounted["plan"].fault is Fault.NOT_COMPARABLE
    assert "edges" in profile.uncounted["plan"].message


def test_rows_that_change_between_two_queries_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "MAX_EQUALITY_NAMES", 0)
    sizes = itertools.count(5)  # one more row in each query
    growing = pl.LazyFrame({"plan": ["a"] * 100}).map_batches(lambda frame: frame.head(next(sizes)))
    with pytest.raises(SourceError, match=r"\d at first, then \d") as error:
        LazyTable(growing).count({"plan": CategoricalAxis(("a",))})
    assert error.value.code == "source-changed"


def test_duckdb_hugeints_and_infinite_instants() -> None:
    duckdb = optional.require("duckdb")
    relation = duckdb.sql("""SELECT * FROM (VALUES
        (170141183460469231731687303715884105727::HUGEINT, 'infinity'::TIMESTAMP, '2011-01-01 00:00:00.000000001'::TIMESTAMP_NS),
        (-5, '-infinity', NULL),
        (9007199254740993, '2011-01-01', '1969-12-31')) AS t(n, instant, ns)""")  # noqa: E501
    year = int((datetime(2011, 1, 1) - datetime(1970, 1, 1)).total_seconds()) * 10**9  # noqa: DTZ001
    axes = {
        "n": NumericAxis((0, 2**53 + 1, 2**126, 2**127)),
        "instant": NumericAxis((0, year), Kind.DATETIME),
        "ns": NumericAxis((0, year, year + 1), Kind.DATETIME),
    }
    profile = drift.profile(relation, axes=axes)
    assert profile["n"].counts.tolist() == [1, 0, 1, 1, 0, 0]
    assert profile["instant"].counts.tolist() == [1, 0, 2, 0]
    assert profile["ns"].counts.tolist() == [1, 0, 0, 1, 1]


# From 2.29 on, Narwhals warns if a Dask frame is wrapped, as this test does; drift itself never wraps one.
@pytest.mark.filterwarnings("ignore:Dask support is moving out of Narwhals:FutureWarning")
@every_engine
def test_narwhals_frames_are_counted_as_native_ones(convert: Callable[[pa.Table], Any]) -> None:
    assert drift.profile(nw.from_native(convert(rows(50)))) == drift.profile(convert(rows(50)))


def test_backend_errors_contain_their_message() -> None:
    duckdb = optional.require("duckdb")
    with pytest.raises(SourceError, match=r"duckdb: .*Could not convert string 'x'") as error:
        drift.profile(duckdb.sql("SELECT CAST(t AS INTEGER) AS n FROM (VALUES ('1'), ('x')) AS v(t)"))
    assert error.value.code == "source-unreadable"
    with pytest.raises(SourceError, match=r"polars: .*[Nn]o such file") as error:
        drift.profile(pl.scan_parquet("no such file.parquet"))
    assert error.value.code == "source-unreadable"
