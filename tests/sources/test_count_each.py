"""Several windows counted in one go are what each of them is by itself, in every engine."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest

from drift.errors import SourceError
from drift.histogram import Fault
from drift.monitors.spec import Columns, SparkSource
from drift.monitors.window import Period, Window
from drift.sources import Source
from drift.sources.files import Files
from drift.sources.files.parquet import Parquet
from drift.sources.frames.table import Table
from drift.sources.frames.window_split import by_window
from drift.sources.sql import Sql
from tests.support import (
    databases,
    spark,
)

ZONE = ZoneInfo("America/New_York")
START = datetime(2011, 3, 10, 5, tzinfo=UTC)
ROWS = 4_000
DAYS = tuple(Period.parse("1d").windows(START, START + timedelta(days=9), ZONE))  # one of 23 hours among them
WINDOWS = (*DAYS[:3], *DAYS[4:])  # a gap, and the last two hold no rows
NAMES = ("x", "n", "plan", "city", "ok")


def rows(*, shuffled: bool = False, seed: int = 1) -> pa.Table:
    """Rows of seven days, every hundredth without an instant; the first lie before all windows."""
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.integers(-20_000, 7 * 86_400 - 4_000, ROWS))
    if shuffled:
        rng.shuffle(seconds)
    x = rng.normal(size=ROWS)
    x[::50] = np.nan
    return pa.table(
        {
            "t": pa.array([None if i % 100 == 7 else START + timedelta(seconds=int(s)) for i, s in enumerate(seconds)]),
            "x": x,
            "n": pa.array(rng.integers(-50, 2**55, ROWS), mask=rng.random(ROWS) < 0.1),
            "plan": [("free", "pro", None, "café")[i] for i in rng.integers(0, 4, ROWS)],
            "city": [f"c{i}" for i in rng.geometric(0.02, ROWS)],
            "ok": pa.array(rng.random(ROWS) < 0.3),
        }
    )


def files(write: Callable[[pa.Table, Path], Any], suffix: str) -> Callable[[pa.Table, Path], Files]:
    def make(table: pa.Table, folder: Path) -> Files:
        third = len(table) // 3
        for i, part in enumerate((table.slice(0, third), table.slice(third, third), table.slice(2 * third))):
            write(part, folder / f"{i}{suffix}")
        return Files(str(folder / f"*{suffix}"), "t", ZONE)

    return make


def in_groups(table: pa.Table, path: Path) -> None:
    pyarrow.parquet.write_table(table, path, row_group_size=200)


FILES = {
    "parquet": files(in_groups, ".parquet"),
    "csv": files(pyarrow.csv.write_csv, ".csv"),
    "feather": files(pyarrow.feather.write_feather, ".feather"),
}


def prove(source: Source, segments: tuple[str, ...] = ("plan",)) -> None:
    """Each window's counts are those of `count`, and they are not all nothing."""
    learned = source.learn(NAMES, Columns(), Window(WINDOWS[0].start, WINDOWS[-1].end), segments)
    axes = learned[""].axes
    assert set(axes) == set(NAMES)
    each = list(source.count_each(axes, WINDOWS, segments, learned))
    assert each == [source.count(axes, window, segments, learned) for window in WINDOWS]
    assert [list(found) for found in each] == [list(learned)] * len(WINDOWS)
    sizes = [found[""].rows for found in each]
    assert min(sizes[:5]) > 300
    assert sizes[6:] == [0, 0]
    assert source.count_each(axes, (), segments, learned) == []


@pytest.mark.parametrize("make", FILES.values(), ids=FILES)
@pytest.mark.parametrize("shuffled", [False, True], ids=["in order", "shuffled"])
def test_files(make: Callable[[pa.Table, Path], Files], shuffled: bool, tmp_path: Path) -> None:
    prove(make(rows(shuffled=shuffled), tmp_path))


def test_sqlite(tmp_path: Path) -> None:
    prove(Sql(databases.to_sqlite(rows(), tmp_path / "rows.db"), "t", ZONE))


@pytest.mark.postgres
def test_postgresql(warehouse_url: str) -> None:
    prove(Sql(databases.to_postgres(rows(), warehouse_url), "t", ZONE))


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.filterwarnings(spark.QUIET)
def test_spark() -> None:
    spark.frame(spark.classic(), rows()).createOrReplaceTempView("counted_each")
    from drift.sources.lazy.spark import Spark

    prove(Spark(SparkSource(table="counted_each"), "t", ZONE), ())


def test_folders_named_by_day_are_windows(tmp_path: Path) -> None:
    for day in range(10, 17):
        (tmp_path / f"day=2011-03-{day}").mkdir()
        table = rows(seed=day).drop_columns(["t"])
        pyarrow.parquet.write_table(table.slice(0, 10 * day), tmp_path / f"day=2011-03-{day}" / "a.parquet")
    source = Files(str(tmp_path), "day", ZONE)
    learned = source.learn(["x"], Columns(), Window(WINDOWS[0].start, WINDOWS[-1].end))
    each = source.count_each(learned[""].axes, WINDOWS, (), learned)
    assert [found[""].rows for found in each] == [100, 110, 120, 140, 150, 160, 0, 0]
    assert each == [source.count(learned[""].axes, window, (), learned) for window in WINDOWS]


def test_row_groups_outside_the_stretch_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = FILES["parquet"](rows(), tmp_path)
    axes = source.learn(["x"], Columns(), None)[""].axes
    read: list[int] = []
    pieces = Parquet.pieces

    def watched(self: Parquet, *args: Any) -> Iterator[Any]:
        for piece in pieces(self, *args):
            read.append(piece.rows)
            yield piece

    monkeypatch.setattr(Parquet, "pieces", watched)
    each = source.count_each(axes, DAYS[2:4], (), ())
    wanted = sum(found[""].rows for found in each)
    assert wanted <= sum(read) <= wanted + 2 * 200 + 20  # a row group is cut at each end


def test_a_column_that_differs_between_files_is_counted_in_no_window(tmp_path: Path) -> None:
    source = FILES["parquet"](rows(), tmp_path)
    axes = source.learn(["x", "n"], Columns(), None)[""].axes
    table = pyarrow.parquet.read_table(tmp_path / "2.parquet")
    pyarrow.parquet.write_table(table.set_column(1, "x", table["plan"]), tmp_path / "2.parquet")
    for found in source.count_each(axes, DAYS[:7], (), ()):
        assert found[""].uncounted["x"].fault is Fault.SCHEMA_ERROR
        assert set(found[""]) == {"n"}


def test_an_error_in_one_window_is_an_error_of_all(tmp_path: Path) -> None:
    source = FILES["parquet"](rows(), tmp_path)
    axes = source.learn(["x"], Columns(), None)[""].axes
    path = tmp_path / "2.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SourceError, match=r"2\.parquet"):
        source.count_each(axes, DAYS, (), ())


@pytest.mark.parametrize("shuffled", [False, True], ids=["in order", "shuffled"])
def test_rows_in_memory_are_shared_out_as_window_by_window(shuffled: bool) -> None:
    chunks = [rows(shuffled=shuffled).slice(0, 1_000), rows(shuffled=shuffled).slice(1_000)]
    table = Table.from_arrow(pa.concat_tables([chunk.unify_dictionaries() for chunk in chunks]))
    axes = table.learn(NAMES, Columns()).axes
    parts = {number: part.count(axes) for number, part in by_window(table, WINDOWS, "t", ZONE)}
    assert parts == {i: table.within(WINDOWS[i], "t", ZONE).count(axes) for i in range(6)}
