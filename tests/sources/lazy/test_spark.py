"""Spark as a source, over a real cluster of two workers, classic and by Spark Connect."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet
import pytest

import drift
from drift.errors import SourceError
from drift.histogram import CategoricalAxis, NumericAxis
from drift.monitors.spec import Columns, SparkSource
from drift.monitors.window import Window
from drift.sources import lazy
from drift.sources.files import Files
from drift.sources.lazy.spark import Spark, instant, open_spark, wall_clock
from tests.support import spark

NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2011, 3, 13, tzinfo=NEW_YORK)


def rows(n: int = 2_000) -> pa.Table:
    """Five minutes apart, around the night when clocks were set forward in New York."""
    rng = np.random.default_rng(0)
    first = datetime(2011, 3, 11, tzinfo=UTC)
    when = [first + timedelta(minutes=5 * i) for i in range(n - 1)]
    walls = [datetime(2011, 3, 11) + timedelta(minutes=5 * i) for i in range(n - 1)]  # noqa: DTZ001
    return pa.table(
        {
            "ts": pa.array([*when, None], pa.timestamp("us", "UTC")),
            "wall": pa.array([*walls, None], pa.timestamp("us")),
            "took": pa.array([*(w - datetime(1970, 1, 1) for w in walls), None], pa.duration("us")),  # noqa: DTZ001
            "day": pa.array([*(w.date() for w in walls), None], pa.date32()),
            "x": pa.array(rng.normal(size=n), mask=rng.random(n) < 0.1),
            "odd `name`. with, \n\U0001f6b2": rng.integers(0, 9, n),
            "plan": [("free", "pro", None)[i] for i in rng.integers(0, 3, n)],
            "city": [f"c{i}" for i in rng.geometric(0.1, n)],
        }
    )


Open = Callable[[str, str | None], Spark]


@pytest.fixture(params=["classic", "connect"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """The same rows as a table, reached both ways, and as a file."""
    pyarrow.parquet.write_table(rows(), tmp_path / "rows.parquet")
    name = f"rows_{uuid.uuid4().hex}"
    spark.frame(spark.classic(), rows()).createOrReplaceGlobalTempView(name)
    remote = spark.address() if request.param == "connect" else None

    def open_it(timestamp: str, query: str | None = None) -> Spark:
        table = None if query else f"global_temp.{name}"
        return open_spark(
            SparkSource(table, query and query.format(f"global_temp.{name}"), remote), timestamp, NEW_YORK
        )

    yield open_it
    spark.classic().catalog.dropGlobalTempView(name)


@pytest.mark.spark
@pytest.mark.filterwarnings(spark.QUIET)
@pytest.mark.parametrize("timestamp", ["ts", "wall", "day"])
def test_windows_and_segments_are_those_of_the_same_rows_in_a_file(
    opened: Open, timestamp: str, tmp_path: Path
) -> None:
    source, file = opened(timestamp, None), Files(str(tmp_path / "rows.parquet"), timestamp, NEW_YORK)
    assert source.columns() == file.columns()
    assert source.span() == file.span()
    names = ["x", "odd `name`. with, \n\U0001f6b2", "plan", "city"]
    window = Window(START - timedelta(days=1), START)
    learnt = source.learn(names, Columns(), window, ["plan"])
    assert learnt == file.learn(names, Columns(), window, ["plan"])
    axes, known = learnt[""].axes, [key for key in learnt if key]
    # A day of 23 hours, and a window that begins with the hour that was left out.
    for start, hours in ((START, 24), (START + timedelta(hours=2), 3)):
        night = Window(start.astimezone(UTC), start.astimezone(UTC) + timedelta(hours=hours))
        found = source.count(axes, night, ["plan"], known)
        assert found == file.count(axes, night, ["plan"], known)
        assert found[""].rows > 0 or timestamp == "day"
    assert source.count(axes, None, [], [])[""].rows == 2_000


@pytest.mark.spark
@pytest.mark.filterwarnings(spark.QUIET)
def test_what_was_read_is_told_and_what_cannot_be(opened: Open) -> None:
    whole, part = opened("ts", None), opened("ts", "SELECT * FROM {} WHERE x > 0")
    told = whole.provenance()
    assert told["rows"] == 2_000
    assert told["last"] == rows()["ts"][-2].as_py().isoformat()
    assert part.provenance()["rows"] < 2_000
    assert "query" in part.provenance()
    empty = opened("ts", "SELECT * FROM {} WHERE false")
    assert empty.span() is None
    assert empty.learn(["x"], Columns(), None)[""].rows == 0
    with pytest.raises(SourceError, match=r"no timestamp column 'when'; there are ts, wall"):
        opened("when", None).span()
    with pytest.raises(SourceError, match=r"'x' holds Float64 values; .*columns of dates or times: ts, wall, day"):
        opened("x", None).count({}, Window(START, START + timedelta(days=1)), [], [])
    with pytest.raises(SourceError, match=r"cannot read the data in pyspark.*TABLE_OR_VIEW_NOT_FOUND"):
        opened("ts", "SELECT * FROM nowhere").columns()
    with pytest.raises(SourceError, match=r"cannot read the data in pyspark.*DIVIDE_BY_ZERO"):
        opened("ts", "SELECT ts, 1 / (id % 1) AS x FROM {}, range(3)").count({"x": NumericAxis((0,))}, None, [], [])


@pytest.mark.spark
@pytest.mark.filterwarnings(spark.QUIET)
def test_all_columns_in_one_job_over_two_workers_without_moving_rows() -> None:
    session = spark.classic()
    context = session.sparkContext
    executors = context._jsc.sc().getExecutorMemoryStatus().size() - 1  # one of them is the driver
    assert executors == 2
    frame = session.range(0, 100_000, 1, 4).selectExpr(*(f"id * {i + 1} AS c{i}" for i in range(40)), "id % 3 AS k")
    axes = {f"c{i}": NumericAxis(tuple(range(0, 1_000_000, 100_000))) for i in range(40)}
    context.setJobGroup("counted", "one profile")
    found = drift.profile(frame, axes=axes)
    context.setJobGroup("", "")
    assert found["c0"].counts.tolist() == [0, 100_000, *[0] * 10]
    stages = [
        context.statusTracker().getStageInfo(stage)
        for job in context.statusTracker().getJobIdsForGroup("counted")
        for stage in context.statusTracker().getJobInfo(job).stageIds
    ]
    # The rows are looked at by the four tasks of one stage; what follows adds up a row from each.
    assert sorted(stage.numTasks for stage in stages if stage is not None and stage.numCompletedTasks) == [1, 4]


@pytest.mark.spark
@pytest.mark.filterwarnings(spark.QUIET)
@pytest.mark.parametrize("session", [spark.classic, spark.connect], ids=["classic", "connect"])
def test_large_frames(session: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy, "SAMPLE", 500)
    frame = spark.frame(session(), rows())
    whole, found = drift.profile(rows()), drift.profile(frame)
    assert found == drift.profile(rows(), axes=found)
    for name, axis in whole.axes.items():
        chosen = found[name].axis
        if isinstance(axis, CategoricalAxis):
            assert chosen == axis
        else:
            assert isinstance(chosen, NumericAxis)
            assert (chosen.edges[0], chosen.edges[-1]) == (axis.edges[0], axis.edges[-1])
    assert drift.compare(rows(), frame)["x"].score == 0
    assert session().conf.get("spark.sql.codegen.maxFields") == "100"  # left as it was found


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "UTC"])
@pytest.mark.parametrize("day", [date(2011, 3, 13), date(2011, 11, 6), date(2011, 3, 27), date(2011, 10, 30)], ids=str)
def test_wall_clocks_and_instants_are_arrow_s(zone: str, day: date) -> None:
    where = ZoneInfo(zone)
    walls = [datetime(day.year, day.month, day.day) + timedelta(minutes=10 * i) for i in range(36)]  # noqa: DTZ001
    told = pyarrow.compute.assume_timezone(
        pa.array(walls, pa.timestamp("us")), zone, ambiguous="earliest", nonexistent="latest"
    )
    moments = told.cast(pa.timestamp("us", "UTC")).to_pylist()
    assert [instant(wall, where) for wall in walls] == moments
    for moment in (datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=10 * i) for i in range(60)):
        first = wall_clock(moment, where)
        assert instant(first, where) >= moment
        assert instant(first - timedelta(microseconds=1), where) < moment
