"""Several windows counted in one pass give the counts of each window alone, in every engine."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest

from drift.errors import SourceError
from drift.histogram import Fault
from drift.monitors.spec import Columns, SparkSource
from drift.monitors.window import Window
from drift.sources import Source
from drift.sources.files import Files
from drift.sources.files.parquet import Parquet
from drift.sources.sql import Sql
from tests.support import databases, spark
from tests.support.windowed_rows import DAYS, NAMES, WINDOWS, ZONE, windowed_rows


def in_three_files(write: Callable[[pa.Table, Path], Any], suffix: str) -> Callable[[pa.Table, Path], Files]:
    def make(table: pa.Table, folder: Path) -> Files:
        third = len(table) // 3
        for i, part in enumerate((table.slice(0, third), table.slice(third, third), table.slice(2 * third))):
            write(part, folder / f"{i}{suffix}")
        return Files(str(folder / f"*{suffix}"), "t", ZONE)

    return make


def in_groups(table: pa.Table, path: Path) -> None:
    pyarrow.parquet.write_table(table, path, row_group_size=200)


FILES = {
    "parquet": in_three_files(in_groups, ".parquet"),
    "csv": in_three_files(pyarrow.csv.write_csv, ".csv"),
    "feather": in_three_files(pyarrow.feather.write_feather, ".feather"),
}


def check_windows(source: Source, segments: tuple[str, ...] = ("plan",)) -> None:
    """Assert that the counts of each window are those of `count`, and that the first windows hold many rows."""
    learned = source.learn(NAMES, Columns(), Window(WINDOWS[0].start, WINDOWS[-1].end), segments)
    axes = learned[""].axes
    assert set(axes) == set(NAMES)
    each = list(source.count_each(axes, WINDOWS, segments, learned))
    assert each == [source.count(axes, window, segments, learned) for window in WINDOWS]
    assert [list(profiles) for profiles in each] == [list(learned)] * len(WINDOWS)
    sizes = [profiles[""].rows for profiles in each]
    assert min(sizes[:5]) > 300
    assert sizes[6:] == [0, 0]
    assert source.count_each(axes, (), segments, learned) == []


@pytest.mark.parametrize("make", FILES.values(), ids=FILES)
@pytest.mark.parametrize("shuffled", [False, True], ids=["in order", "shuffled"])
def test_files(make: Callable[[pa.Table, Path], Files], shuffled: bool, tmp_path: Path) -> None:
    check_windows(make(windowed_rows(shuffled=shuffled), tmp_path))


def test_sqlite(tmp_path: Path) -> None:
    check_windows(Sql(databases.to_sqlite(windowed_rows(), tmp_path / "rows.db"), "t", ZONE))


@pytest.mark.postgres
def test_postgresql(warehouse_url: str) -> None:
    check_windows(Sql(databases.to_postgres(windowed_rows(), warehouse_url), "t", ZONE))


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.filterwarnings(spark.QUIET)
def test_spark() -> None:
    spark.frame(spark.classic(), windowed_rows()).createOrReplaceTempView("counted_each")
    from drift.sources.lazy.spark import Spark

    check_windows(Spark(SparkSource(table="counted_each"), "t", ZONE), ())


def test_folders_named_by_day_place_rows(tmp_path: Path) -> None:
    for day in range(10, 17):
        (tmp_path / f"day=2011-03-{day}").mkdir()
        table = windowed_rows(seed=day).drop_columns(["t"])
        pyarrow.parquet.write_table(table.slice(0, 10 * day), tmp_path / f"day=2011-03-{day}" / "a.parquet")
    source = Files(str(tmp_path), "day", ZONE)
    learned = source.learn(["x"], Columns(), Window(WINDOWS[0].start, WINDOWS[-1].end))
    each = source.count_each(learned[""].axes, WINDOWS, (), learned)
    assert [profiles[""].rows for profiles in each] == [100, 110, 120, 140, 150, 160, 0, 0]
    assert each == [source.count(learned[""].axes, window, (), learned) for window in WINDOWS]


def test_row_groups_outside_all_windows_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = FILES["parquet"](windowed_rows(), tmp_path)
    axes = source.learn(["x"], Columns(), None)[""].axes
    rows_read: list[int] = []
    batches = Parquet.batches

    def record_rows(self: Parquet, *args: Any) -> Iterator[Any]:
        for batch in batches(self, *args):
            rows_read.append(batch.rows)
            yield batch

    monkeypatch.setattr(Parquet, "batches", record_rows)
    each = source.count_each(axes, DAYS[2:4], (), ())
    wanted = sum(profiles[""].rows for profiles in each)
    assert wanted <= sum(rows_read) <= wanted + 2 * 200 + 20  # a row group is cut at each end


def test_a_type_conflict_between_files_affects_all_windows(tmp_path: Path) -> None:
    source = FILES["parquet"](windowed_rows(), tmp_path)
    axes = source.learn(["x", "n"], Columns(), None)[""].axes
    table = pyarrow.parquet.read_table(tmp_path / "2.parquet")
    pyarrow.parquet.write_table(table.set_column(1, "x", table["plan"]), tmp_path / "2.parquet")
    for profiles in source.count_each(axes, DAYS[:7], (), ()):
        assert profiles[""].uncounted["x"].fault is Fault.SCHEMA_ERROR
        assert set(profiles[""]) == {"n"}


def test_an_error_in_one_window_fails_all_windows(tmp_path: Path) -> None:
    source = FILES["parquet"](windowed_rows(), tmp_path)
    axes = source.learn(["x"], Columns(), None)[""].axes
    path = tmp_path / "2.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SourceError, match=r"2\.parquet") as error:
        source.count_each(axes, DAYS, (), ())
    assert error.value.code == "source-unreadable"
