"""Lazy frames are counted where they are, as the same rows in memory would be."""

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
from drift.sources import lazy
from drift.sources.frames.table import Table
from drift.sources.lazy import LazyTable, sums
from drift.sources.lazy import dask as by_partitions
from tests.support import spark
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
def test_axes_of_few_rows_are_those_in_memory(convert: Callable[[pa.Table], Any]) -> None:
    assert dict(drift.profile(convert(rows()))) == dict(drift.profile(rows()))


@every_engine
def test_of_many_rows_a_sample_gives_edges_and_all_rows_the_ends_names_and_counts(
    convert: Callable[[pa.Table], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (lazy, by_partitions):
        monkeypatch.setattr(module, "SAMPLE", 500)
    held, whole = convert(rows()), drift.profile(rows())
    found = drift.profile(held)
    assert found == drift.profile(rows(), axes=found)  # counts of all rows, as in memory on the same axes
    for name, axis in whole.axes.items():
        chosen = found[name].axis
        if isinstance(axis, CategoricalAxis):
            assert chosen == axis
        else:
            assert isinstance(chosen, NumericAxis)
            assert (chosen.edges[0], chosen.edges[-1]) == (axis.edges[0], axis.edges[-1])
            # A decile of 500 rows is off by 1.4 % of the rows in one standard error; this allows five.
            inner = found[name].counts[1:-2] / found.rows
            assert len(inner) == 10
            assert np.all(np.abs(inner - whole[name].counts[1:-2] / whole.rows) < 0.07)


@every_engine
def test_a_seed_draws_the_same_sample_again(
    convert: Callable[[pa.Table], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (lazy, by_partitions):
        monkeypatch.setattr(module, "SAMPLE", 500)
    held = convert(rows())
    assert drift.profile(held) == drift.profile(held)


@every_engine
def test_compared_as_in_memory(convert: Callable[[pa.Table], Any]) -> None:
    reference, live = rows(seed=1), rows(seed=2)
    lazily, eagerly = drift.compare(reference, convert(live)), drift.compare(reference, live)
    assert lazily.live == eagerly.live
    assert lazily.to_dict() == eagerly.to_dict()


@every_engine
def test_a_column_that_is_gone_new_or_of_another_kind_is_told_and_stops_no_other(
    convert: Callable[[pa.Table], Any],
) -> None:
    reference = drift.profile(pa.table({"a": ["x"], "b": [1], "c": [2]}))
    live = pa.table({"a": [1.5], "c": [2], "d": [3], "list": [[1]]})
    report = drift.compare(reference, convert(live))
    assert report.live.uncounted["a"] == drift.compare(reference, live).live.uncounted["a"]
    assert report.live.uncounted["b"].fault is Fault.SCHEMA_ERROR
    assert report["c"].live is not None
    assert report.live.uncounted["d"].fault is Fault.NOT_COMPARABLE
    assert drift.profile(convert(live)).uncounted["list"].fault is Fault.NOT_COMPARABLE


@every_lazy_engine
@pytest.mark.parametrize("limit", ["FEW", "MAX_GROUPS", "MAX_SUMS"])
def test_names_are_counted_alike_by_sums_by_grouping_and_by_what_is_known(
    convert: Callable[[pa.Table], Any], limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sums, limit, {"FEW": 1_000, "MAX_GROUPS": 10, "MAX_SUMS": 5}[limit])
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
def test_segments_are_those_in_memory(convert: Callable[[pa.Table], Any], by: tuple[str, ...]) -> None:
    table = rows().set_column(1, "n", pa.array([i % 30 if i % 5 else None for i in range(3_000)]))
    names, columns = ["x", "city", "at"], Columns()
    parts = Table.from_arrow(table).split(by)
    whole = parts[""].learn(names, columns)
    found = LazyTable(convert(table)).learn_by(names, columns, by)
    assert found == {key: part.count(whole.axes) if key else whole for key, part in parts.items()}
    known = [*list(found)[1:4], f"{by[0]}=17"]
    again = LazyTable(convert(table)).count_by(whole.axes, by, known)
    assert again == {key: part.count(whole.axes) for key, part in Table.from_arrow(table).split(by, known).items()}


@every_lazy_engine
def test_a_column_that_cannot_name_segments_is_refused(convert: Callable[[pa.Table], Any]) -> None:
    table = LazyTable(convert(rows()))
    with pytest.raises(SourceError, match="segment column 'x' holds Float64 values"):
        table.learn_by(["n"], Columns(), ["x"])
    with pytest.raises(SourceError, match="segment column 'nope': is not in the data"):
        table.learn_by(["n"], Columns(), ["nope"])


def test_edges_named_for_text_are_refused_for_that_column_only() -> None:
    columns = Columns(overrides={"plan": ColumnRule(Bins("edges", edges=(0, 1)))})
    found = LazyTable(pl.LazyFrame(rows())).learn(["x", "plan"], columns)
    assert set(found) == {"x"}
    assert "edges cut ordered values" in found.uncounted["plan"].message


def test_rows_that_change_between_two_queries_end_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "FEW", 0)
    turn = itertools.count(5)
    # Another row each time it is asked.
    moving = pl.LazyFrame({"plan": ["a"] * 100}).map_batches(lambda held: held.head(next(turn)))
    with pytest.raises(SourceError, match="rows changed while they were counted"):
        LazyTable(moving).count({"plan": CategoricalAxis(("a",))})


def test_integers_wider_than_arrow_s_and_infinite_instants_of_duckdb() -> None:
    duckdb = spark.needs("duckdb")
    held = duckdb.sql("""SELECT * FROM (VALUES
        (170141183460469231731687303715884105727::HUGEINT, 'infinity'::TIMESTAMP, '2011-01-01 00:00:00.000000001'::TIMESTAMP_NS),
        (-5, '-infinity', NULL),
        (9007199254740993, '2011-01-01', '1969-12-31')) AS t(n, instant, ns)""")  # noqa: E501
    year = int((datetime(2011, 1, 1) - datetime(1970, 1, 1)).total_seconds()) * 10**9  # noqa: DTZ001
    axes = {
        "n": NumericAxis((0, 2**53 + 1, 2**126, 2**127)),
        "instant": NumericAxis((0, year), Kind.DATETIME),
        "ns": NumericAxis((0, year, year + 1), Kind.DATETIME),
    }
    found = drift.profile(held, axes=axes)
    assert found["n"].counts.tolist() == [1, 0, 1, 1, 0, 0]
    assert found["instant"].counts.tolist() == [1, 0, 2, 0]
    assert found["ns"].counts.tolist() == [1, 0, 0, 1, 1]


# Narwhals warns the caller who wraps a Dask frame (from 2.29 on); drift itself never hands it one.
@pytest.mark.filterwarnings("ignore:Dask support is moving out of Narwhals:FutureWarning")
@every_engine
def test_narwhals_own_frames_are_taken_too(convert: Callable[[pa.Table], Any]) -> None:
    assert drift.profile(nw.from_native(convert(rows(50)))) == drift.profile(convert(rows(50)))


def test_what_the_backend_says_is_told() -> None:
    duckdb = spark.needs("duckdb")
    with pytest.raises(SourceError, match=r"cannot read the data in duckdb: .*Could not convert string 'x'"):
        drift.profile(duckdb.sql("SELECT CAST(t AS INTEGER) AS n FROM (VALUES ('1'), ('x')) AS v(t)"))
    with pytest.raises(SourceError, match=r"cannot read the data in polars: .*[Nn]o such file"):
        drift.profile(pl.scan_parquet("no such file.parquet"))
