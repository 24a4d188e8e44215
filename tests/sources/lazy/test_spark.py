"""Spark as a source, on a real cluster of two workers, by classic sessions and Spark Connect."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

import drift
from drift.errors import SourceError
from drift.histogram import CategoricalAxis, NumericAxis
from drift.monitors.spec import Columns, SparkSource
from drift.monitors.window import Window
from drift.sources.files import Files
from drift.sources.lazy import lazy_table
from drift.sources.lazy.spark import Spark
from tests.support import spark

NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2011, 3, 13, tzinfo=NEW_YORK)


def rows(n: int = 2_000) -> pa.Table:
    """Return rows five minutes apart, around the night in which clocks were set forward in New York."""
    rng = np.random.default_rng(0)
    first = datetime(2011, 3, 11, tzinfo=UTC)
    instants = [first + timedelta(minutes=5 * i) for i in range(n - 1)]
    local = [datetime(2011, 3, 11) + timedelta(minutes=5 * i) for i in range(n - 1)]  # noqa: DTZ001
    return pa.table(
        {
            "ts": pa.array([*instants, None], pa.timestamp("us", "UTC")),
            "local": pa.array([*local, None], pa.timestamp("us")),
            "took": pa.array([*(time - datetime(1970, 1, 1) for time in local), None], pa.duration("us")),  # noqa: DTZ001
            "day": pa.array([*(time.date() for time in local), None], pa.date32()),
            "x": pa.array(rng.normal(size=n), mask=rng.random(n) < 0.1),
            "odd `name`. with, \n\U0001f6b2": rng.integers(0, 9, n),
            "plan": [("free", "pro", None)[i] for i in rng.integers(0, 3, n)],
            "city": [f"c{i}" for i in rng.geometric(0.1, n)],
        }
    )


OpenSpark = Callable[[str, str | None], Spark]


@pytest.fixture(params=["classic", "connect"])
def open_spark(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenSpark]:
    """Write the same rows to a table and a file; return a function that opens the table by either kind of session."""
    pyarrow.parquet.write_table(rows(), tmp_path / "rows.parquet")
    name = f"rows_{uuid.uuid4().hex}"
    spark.frame(spark.classic(), rows()).createOrReplaceGlobalTempView(name)
    remote = spark.address() if request.param == "connect" else None

    def open_table(timestamp: str, query: str | None = None) -> Spark:
        table = None if query else f"global_temp.{name}"
        return Spark(SparkSource(table, query and query.format(f"global_temp.{name}"), remote), timestamp, NEW_YORK)

    yield open_table
    spark.classic().catalog.dropGlobalTempView(name)


@pytest.mark.spark
@pytest.mark.filterwarnings(spark.QUIET)
@pytest.mark.parametrize("timestamp", ["ts", "local", "day"])
def test_windows_and_segments_equal_those_of_a_file(open_spark: OpenSpark, timestamp: str, tmp_path: Path) -> None:
    source, file = open_spark(timestamp, None), Files(str(tmp_path / "rows.parquet"), timestamp, NEW_YORK)
    assert source.columns() == file.columns()
    assert source.span() == file.span()
    names = ["x", "odd `name`. with, \n\U0001f6b2", "plan", "city"]
    window = Window(START - timedelta(days=1), START)
    learned = source.learn(names, Columns(), window, ["plan"])
    assert learned == file.learn(names, Columns(), window, ["plan"])
    axes, known = learned[""].axes, [key for key in learned if key]
    # A day of 23 hours, and a window that begins with the skipped hour.
    for start, hours in ((START, 24), (START + timedelta(hours=2), 3)):
        night = Window(start.astimezone(UTC), start.astimezone(UTC) + timedelta(hours=hours))
        profiles = source.count(axes, night, ["plan"], known)
        assert profiles == file.count(axes, night, ["plan"], known)
        assert profiles[""].rows > 0 or timestamp == "day"
    assert source.count(axes, None, [], [])[""].rows == 2_000


@pytest.mark.spark
@pytest.mark.filterwarnings(spark.QUIET)
def test_provenance_and_errors(open_spark: OpenSpark) -> None:
    whole, part = open_spark("ts", None), open_spark("ts", "SELECT * FROM {} WHERE x > 0")
    provenance = whole.provenance()
    assert provenance["rows"] == 2_000
    assert provenance["last"] == rows()["ts"][-2].as_py().isoformat()
    assert part.provenance()["rows"] < 2_000
    assert "query" in part.provenance()
    empty = open_spark("ts", "SELECT * FROM {} WHERE false")
    assert empty.span() is None
    assert empty.learn(["x"], Columns(), None)[""].rows == 0
    day, axes = Window(START, START + timedelta(days=1)), {"x": NumericAxis((0,))}
    division = open_spark("ts", "SELECT ts, 1 / (id % 1) AS x FROM {}, range(3)")
    failures: list[tuple[str, str, Callable[[], Any]]] = [
        ("timestamp-missing", "'when'; there are ts, local", open_spark("when", None).span),
        ("timestamp-invalid", "'x' .*: ts, local, day", lambda: open_spark("x", None).count({}, day, [], [])),
        ("source-unreadable", "TABLE_OR_VIEW_NOT_FOUND", open_spark("ts", "SELECT * FROM nowhere").columns),
        ("source-unreadable", "DIVIDE_BY_ZERO", lambda: division.count(axes, None, [], [])),
    ]
    for code, text, call in failures:
        with pytest.raises(SourceError, match=text) as error:
            call()
        assert error.value.code == code


@pytest.mark.spark
@pytest.mark.filterwarnings(spark.QUIET)
def test_one_job_counts_all_columns_without_moving_rows() -> None:
    session = spark.classic()
    context = session.sparkContext
    executors = context._jsc.sc().getExecutorMemoryStatus().size() - 1  # one of them is the driver
    assert executors == 2
    frame = session.range(0, 100_000, 1, 4).selectExpr(*(f"id * {i + 1} AS c{i}" for i in range(40)), "id % 3 AS k")
    axes = {f"c{i}": NumericAxis(tuple(range(0, 1_000_000, 100_000))) for i in range(40)}
    context.setJobGroup("counted", "one profile")
    profile = drift.profile(frame, axes=axes)
    context.setJobGroup("", "")
    assert profile["c0"].counts.tolist() == [0, 100_000, *[0] * 10]
    stages = [
        context.statusTracker().getStageInfo(stage)
        for job in context.statusTracker().getJobIdsForGroup("counted")
        for stage in context.statusTracker().getJobInfo(job).stageIds
    ]
    # The four tasks of one stage read the rows; the next stage adds up one row from each.
    assert sorted(stage.numTasks for stage in stages if stage is not None and stage.numCompletedTasks) == [1, 4]


@pytest.mark.spark
@pytest.mark.filterwarnings(spark.QUIET)
@pytest.mark.parametrize("session", [spark.classic, spark.connect], ids=["classic", "connect"])
def test_large_frames_get_edges_from_a_sample(session: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy_table, "SAMPLE", 500)
    frame = spark.frame(session(), rows())
    whole, profile = drift.profile(rows()), drift.profile(frame)
    assert profile == drift.profile(rows(), axes=profile)
    for name, axis in whole.axes.items():
        chosen = profile[name].axis
        if isinstance(axis, CategoricalAxis):
            assert chosen == axis
        else:
            assert isinstance(chosen, NumericAxis)
            assert (chosen.edges[0], chosen.edges[-1]) == (axis.edges[0], axis.edges[-1])
    assert drift.compare(rows(), frame)["x"].score == 0
    assert session().conf.get("spark.sql.codegen.maxFields") == "100"  # restored
