"""Files that are missing, broken, odd, or at odds with one another."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet
import pytest

from drift.errors import SourceError
from drift.histogram import Fault
from drift.monitors.spec import Columns
from drift.monitors.window import Window
from drift.sources.files import Files, read_files

NEW_YEAR = Window(datetime(2011, 1, 1, tzinfo=UTC), datetime(2012, 1, 1, tzinfo=UTC))
NOON = datetime(2011, 6, 1, 12, tzinfo=UTC)


def parquet(path: Path, **columns: Any) -> Path:
    pyarrow.parquet.write_table(pa.table(columns), path)
    return path


def source(pattern: Path, timestamp: str | None = "t") -> Files:
    return Files(str(pattern), timestamp, ZoneInfo("UTC"))


def write_nothing(path: Path) -> None:
    path.write_bytes(b"")


def write_noise(path: Path) -> None:
    path.write_bytes(b"no file of any kind " * 99)


def write_half(path: Path) -> None:
    parquet(path, x=list(range(10_000)))
    path.write_bytes(path.read_bytes()[:-500])


def write_damaged(path: Path) -> None:
    pyarrow.parquet.write_table(
        pa.table({"x": list(range(10_000))}), path, write_page_checksum=True, compression="none", use_dictionary=False
    )
    content = bytearray(path.read_bytes())
    content[2000] ^= 0xFF
    path.write_bytes(content)


def write_ragged(path: Path) -> None:
    path.write_text("a,b\n1,2\n1,2,3\n")


def write_latin1_name(path: Path) -> None:
    path.write_bytes("caf\u00e9,b\n1,2\n".encode("latin-1"))


def write_same_name_twice(path: Path) -> None:
    path.write_text("a,a\n1,2\n")


@pytest.mark.parametrize(
    ("name", "write", "told"),
    [
        ("a.parquet", write_nothing, "empty"),
        ("a.csv", write_nothing, "empty"),
        ("a.parquet", write_noise, "Parquet"),
        ("a.parquet", write_half, "Parquet"),
        ("a.parquet", write_damaged, "CRC|checksum"),
        ("a.csv", write_ragged, "Expected 2 columns, got 3"),
        ("a.csv", write_latin1_name, "utf"),
        ("a.csv", write_same_name_twice, "twice"),
        ("a.txt", write_noise, r"unknown format '.txt'; known are .parquet, .pq, .csv"),
        ("a", write_noise, "unknown format"),
        ("a.parquet", Path.mkdir, r"is a folder; name its files"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, name: str, write: Callable[[Path], None], told: str
) -> None:
    path = tmp_path / name
    write(path)
    with pytest.raises(SourceError, match=told) as caught:
        read_files(str(path))
    assert str(path) in str(caught.value)


def test_a_name_that_stands_twice_is_refused_even_where_it_is_not_asked_for(tmp_path: Path) -> None:
    write_same_name_twice(tmp_path / "a.csv")
    with pytest.raises(SourceError, match=r"a\.csv: column names stand twice: \['a'\]"):
        source(tmp_path / "a.csv", None).learn(["b"], Columns(), None)


def test_one_broken_file_among_good_ones_is_the_one_named(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", x=[1])
    write_half(tmp_path / "b.parquet")
    with pytest.raises(SourceError, match=r"b\.parquet"):
        read_files(str(tmp_path / "*.parquet"))


@pytest.mark.parametrize("pattern", ["absent.parquet", "*.parquet", "absent/**/*.csv", ""])
def test_nothing_found_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError) as caught:
        read_files(pattern)
    assert str(tmp_path) in str(caught.value) or "is a folder" in str(caught.value)


def test_a_name_that_looks_like_a_glob_is_a_name(tmp_path: Path) -> None:
    path = parquet(tmp_path / "part[1].parquet", x=[1, 2])
    assert read_files(str(path)).rows == 2


def test_files_of_several_kinds_and_folders_are_one_source(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    parquet(tmp_path / "a.parquet", x=[1, 2])
    (tmp_path / "deep" / "er" / "B.CSV").write_text("x\n3\n")
    found = read_files(str(tmp_path / "**" / "*.*"))
    assert found.rows == 3
    assert found.columns["x"].to_pylist() == [1, 2, 3]


def test_columns_of_two_types_are_named_with_their_files_and_others_are_counted(tmp_path: Path) -> None:
    a = parquet(tmp_path / "a.parquet", zip=[1, 2], x=[1, 2])
    b = parquet(tmp_path / "b.parquet", zip=["01", "02"], x=[3, 4])
    found = read_files(str(tmp_path / "*.parquet")).learn(["zip", "x"], Columns())
    assert found["x"].rows == found.rows == 4
    lost = found.uncounted["zip"]
    assert lost.fault is Fault.SCHEMA_ERROR
    assert lost.message == f"column 'zip' is of different types: int64 in {a}, string in {b}"


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("b", "a")])
def test_a_column_that_some_files_lack_is_named_with_both(tmp_path: Path, one: str, other: str) -> None:
    has = parquet(tmp_path / f"{one}.parquet", x=[1], y=[1])
    lacks = parquet(tmp_path / f"{other}.parquet", x=[2])
    found = read_files(str(tmp_path / "*.parquet")).learn(["x", "y"], Columns())
    assert found["x"].rows == 2
    assert found.uncounted["y"].message == f"column 'y' is in {has} but not in {lacks}"


@pytest.mark.parametrize(
    ("one", "other", "joined"),
    [
        (pa.array([1, None]), pa.array([0.5]), [1.0, None, 0.5]),
        (pa.array([1], pa.int8()), pa.array([2**40]), [1, 2**40]),
        (pa.array([None, None]), pa.array(["a"]), [None, None, "a"]),
        (pa.array(["a"]).dictionary_encode(), pa.array(["b"]), ["a", "b"]),
        (pa.array(["a"], pa.large_string()), pa.array(["b"], pa.string()), ["a", "b"]),
    ],
    ids=["int and float", "widths", "null and text", "dictionary and text", "widths of text"],
)
def test_types_that_hold_the_same_are_joined(tmp_path: Path, one: pa.Array, other: pa.Array, joined: list[Any]) -> None:
    parquet(tmp_path / "a.parquet", x=one)
    parquet(tmp_path / "b.parquet", x=other)
    column = read_files(str(tmp_path / "*.parquet")).columns["x"]
    assert isinstance(column, pa.ChunkedArray)
    assert column.to_pylist() == joined


def test_integers_that_no_double_holds_are_not_joined_with_doubles(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", x=[2**53 + 1])
    parquet(tmp_path / "b.parquet", x=[0.5])
    found = read_files(str(tmp_path / "*.parquet")).learn(["x"], Columns())
    assert "int64" in found.uncounted["x"].message
    assert "double" in found.uncounted["x"].message


def test_columns_that_are_of_no_use_stop_no_other(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", lists=[[1], [2]], bytes=[b"a", b"b"], x=[1, 2], t=[NOON, NOON])
    found = source(path).learn(["lists", "bytes", "x"], Columns(), NEW_YEAR)[""]
    assert list(found) == ["x"]
    assert {lost.fault for lost in found.uncounted.values()} == {Fault.NOT_COMPARABLE}


def test_a_table_without_rows_has_columns_without_rows(tmp_path: Path) -> None:
    header = tmp_path / "a.csv"
    header.write_text("t,x\n")
    assert source(header).columns() == ["x"]
    assert source(header).span() is None
    assert source(header).learn(["x"], Columns(), NEW_YEAR)[""].rows == 0


def test_files_without_rows_have_no_say_in_types_or_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n")
    (tmp_path / "b.csv").write_text("x,y\n1,2\n")
    found = read_files(str(tmp_path / "*.csv")).learn(["x", "y"], Columns())
    assert set(found) == {"x", "y"}


def test_files_outside_the_window_have_no_say_in_it(tmp_path: Path) -> None:
    parquet(tmp_path / "2010.parquet", t=[datetime(2010, 6, 1, tzinfo=UTC)], x=["text, once"])
    parquet(tmp_path / "2011.parquet", t=[NOON, NOON], x=[1, 2], new=[True, False])
    files = source(tmp_path / "*.parquet")
    assert files.columns() == ["x", "new"]
    found = files.learn(files.columns(), Columns(), NEW_YEAR)[""]
    assert found.rows == found["x"].rows == found["new"].rows == 2
    assert dict(found.uncounted) == {}
    assert files.count(found.axes, NEW_YEAR, (), ())[""] == found


def test_a_column_is_not_comparable_without_a_reference_and_gone_without_live_rows(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", t=[NOON], x=[1])
    learned = source(path).learn(["x", "zz"], Columns(), None)[""]
    assert learned.uncounted["zz"].fault is Fault.ABSENT
    counted = source(path).count({**learned.axes, "zz": learned["x"].axis}, None, (), ())[""]
    assert counted.uncounted["zz"].fault is Fault.SCHEMA_ERROR


def test_even_where_no_wanted_column_is_there_the_rows_are_counted(tmp_path: Path) -> None:
    axes = source(parquet(tmp_path / "ref.parquet", y=[1, 2])).learn(["y"], Columns(), None)[""].axes
    (tmp_path / "a.csv").write_text("x\n1\n2\n3\n")
    for path in (parquet(tmp_path / "a.parquet", x=[1, 2, 3]), tmp_path / "a.csv"):
        counted = source(path, None).count(axes, None, (), ())[""]
        assert counted.rows == 3
        assert list(counted.uncounted) == ["y"]


def test_a_timestamp_that_is_not_there_lists_what_is(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", x=[1], day=[NOON])
    for act in (source(path).span, lambda: source(path).learn(["x"], Columns(), NEW_YEAR)):
        with pytest.raises(SourceError, match=r"a\.parquet: no timestamp column 't'; there are x, day"):
            act()


def test_a_timestamp_that_is_no_time_lists_what_is(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", t=[1], x=[1], day=[NOON], date=[NOON.date()])
    with pytest.raises(SourceError, match=r"holds int64 values; expected dates, times.*times: day, date"):
        source(path).learn(["x"], Columns(), NEW_YEAR)


def test_a_timestamp_of_lists_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", t=[[1]], x=[1])
    with pytest.raises(SourceError, match=r"timestamp column 't': list"):
        source(path).span()


def test_timestamps_may_be_of_another_type_in_each_file(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", t=[NOON.date()], x=[1])
    parquet(tmp_path / "b.parquet", t=["2011-06-01T12:00:00Z"], x=[2])
    parquet(tmp_path / "c.parquet", t=pa.array([NOON], pa.timestamp("ns", "Asia/Kolkata")), x=[3])
    files = source(tmp_path / "*.parquet")
    assert files.span() == (NOON.replace(hour=0), NOON)
    assert files.learn(["x"], Columns(), NEW_YEAR)[""].rows == 3


def test_without_a_timestamp_all_rows_are_one_window(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", x=[1, 2])
    assert source(path, None).span() is None
    assert source(path, None).learn(["x"], Columns(), NEW_YEAR)[""].rows == 2


def test_provenance_changes_when_a_file_does(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", x=[1, 2])
    files = source(tmp_path / "*.parquet")
    before = files.provenance()
    assert before == files.provenance()
    assert before["files"] == 1
    parquet(tmp_path / "b.parquet", x=[1, 2])
    after = files.provenance()
    assert after["files"] == 2
    assert after["digest"] != before["digest"]
