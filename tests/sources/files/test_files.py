"""The source of files: broken files, unusable columns and timestamps, provenance."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from drift.errors import SourceError
from drift.histogram import Fault
from drift.monitors.spec import Columns
from drift.monitors.window import Window
from drift.sources import files
from drift.sources.files import read_files
from tests.support.file_rows import UTC_ZONE, files_source, write_parquet

YEAR_2011 = Window(datetime(2011, 1, 1, tzinfo=UTC), datetime(2012, 1, 1, tzinfo=UTC))
NOON = datetime(2011, 6, 1, 12, tzinfo=UTC)


def write_nothing(path: Path) -> None:
    path.write_bytes(b"")


def write_noise(path: Path) -> None:
    path.write_bytes(b"no file of any kind " * 99)


def write_truncated(path: Path) -> None:
    write_parquet(path, x=list(range(10_000)))
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


def write_duplicate_name(path: Path) -> None:
    path.write_text("a,a\n1,2\n")


@pytest.mark.parametrize(
    ("name", "write", "code", "reason"),
    [
        ("a.parquet", write_nothing, "source-unreadable", "empty"),
        ("a.csv", write_nothing, "source-unreadable", "empty"),
        ("a.parquet", write_noise, "source-unreadable", "Parquet"),
        ("a.parquet", write_truncated, "source-unreadable", "Parquet"),
        ("a.parquet", write_damaged, "source-unreadable", "CRC|checksum"),
        ("a.csv", write_ragged, "source-unreadable", "Expected 2 columns, got 3"),
        ("a.csv", write_latin1_name, "source-unreadable", "utf"),
        ("a.csv", write_duplicate_name, "duplicate-column", r"\['a'\]"),
        ("a.txt", write_noise, "unknown-format", r"'\.txt'.* \.parquet, \.pq, \.csv"),
        ("a", write_noise, "unknown-format", "''"),
        ("a.parquet", Path.mkdir, "source-not-found", r"\*\.parquet"),
    ],
)
def test_an_unreadable_file_is_named(
    tmp_path: Path, name: str, write: Callable[[Path], None], code: str, reason: str
) -> None:
    path = tmp_path / name
    write(path)
    with pytest.raises(SourceError, match=reason) as error:
        read_files(str(path))
    assert error.value.code == code
    assert str(path) in str(error.value)


def test_a_duplicate_column_is_refused_even_if_not_requested(tmp_path: Path) -> None:
    write_duplicate_name(tmp_path / "a.csv")
    with pytest.raises(SourceError, match=r"a\.csv: .*\['a'\]") as error:
        files_source(tmp_path / "a.csv", None).learn(["b"], Columns(), None)
    assert error.value.code == "duplicate-column"


def test_one_broken_file_among_readable_ones_is_named(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", x=[1])
    write_truncated(tmp_path / "b.parquet")
    with pytest.raises(SourceError, match=r"b\.parquet") as error:
        read_files(str(tmp_path / "*.parquet"))
    assert error.value.code == "source-unreadable"


def test_unusable_columns_do_not_stop_others(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", lists=[[1], [2]], bytes=[b"a", b"b"], x=[1, 2], t=[NOON, NOON])
    profile = files_source(path).learn(["lists", "bytes", "x"], Columns(), YEAR_2011)[""]
    assert list(profile) == ["x"]
    assert set(profile.uncounted) == {"lists", "bytes"}
    assert {uncounted.fault for uncounted in profile.uncounted.values()} == {Fault.NOT_COMPARABLE}


def test_a_file_without_rows_has_columns(tmp_path: Path) -> None:
    header = tmp_path / "a.csv"
    header.write_text("t,x\n")
    assert files_source(header).columns() == ["x"]
    assert files_source(header).span() is None
    assert files_source(header).learn(["x"], Columns(), YEAR_2011)[""].rows == 0


def test_files_outside_the_window_do_not_affect_it(tmp_path: Path) -> None:
    write_parquet(tmp_path / "2010.parquet", t=[datetime(2010, 6, 1, tzinfo=UTC)], x=["once text"])
    write_parquet(tmp_path / "2011.parquet", t=[NOON, NOON], x=[1, 2], new=[True, False])
    source = files_source(tmp_path / "*.parquet")
    assert source.columns() == ["x", "new"]
    profile = source.learn(source.columns(), Columns(), YEAR_2011)[""]
    assert profile.rows == profile["x"].rows == profile["new"].rows == 2
    assert dict(profile.uncounted) == {}
    assert source.count(profile.axes, YEAR_2011, (), ())[""] == profile


def test_a_missing_column_is_absent_from_axes_then_an_error(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", t=[NOON], x=[1])
    learned = files_source(path).learn(["x", "zz"], Columns(), None)[""]
    assert learned.uncounted["zz"].fault is Fault.ABSENT
    counted = files_source(path).count({**learned.axes, "zz": learned["x"].axis}, None, (), ())[""]
    assert counted.uncounted["zz"].fault is Fault.SCHEMA_ERROR


def test_rows_are_counted_even_if_all_requested_columns_are_missing(tmp_path: Path) -> None:
    reference = files_source(write_parquet(tmp_path / "ref.parquet", y=[1, 2]))
    axes = reference.learn(["y"], Columns(), None)[""].axes
    (tmp_path / "a.csv").write_text("x\n1\n2\n3\n")
    for path in (write_parquet(tmp_path / "a.parquet", x=[1, 2, 3]), tmp_path / "a.csv"):
        profile = files_source(path, None).count(axes, None, (), ())[""]
        assert profile.rows == 3
        assert list(profile.uncounted) == ["y"]


def test_a_missing_timestamp_column_lists_the_others(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", x=[1], day=[NOON])
    for action in (files_source(path).span, lambda: files_source(path).learn(["x"], Columns(), YEAR_2011)):
        with pytest.raises(SourceError, match=r"a\.parquet: .*'t'.* x, day") as error:
            action()
        assert error.value.code == "timestamp-missing"


def test_a_timestamp_column_of_numbers_lists_those_of_times(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", t=[1], x=[1], day=[NOON], date=[NOON.date()])
    with pytest.raises(SourceError, match=r"a\.parquet: .*'t' holds int64 values.*: day, date$") as error:
        files_source(path).learn(["x"], Columns(), YEAR_2011)
    assert error.value.code == "timestamp-invalid"


def test_a_timestamp_column_of_lists_is_refused(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", t=[[1]], x=[1])
    with pytest.raises(SourceError, match=r"timestamp column 't': list") as error:
        files_source(path).span()
    assert error.value.code == "timestamp-invalid"


def test_timestamps_may_have_another_type_in_each_file(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", t=[NOON.date()], x=[1])
    write_parquet(tmp_path / "b.parquet", t=["2011-06-01T12:00:00Z"], x=[2])
    write_parquet(tmp_path / "c.parquet", t=pa.array([NOON], pa.timestamp("ns", "Asia/Kolkata")), x=[3])
    source = files_source(tmp_path / "*.parquet")
    assert source.span() == (NOON.replace(hour=0), NOON)
    assert source.learn(["x"], Columns(), YEAR_2011)[""].rows == 3


def test_without_a_timestamp_all_rows_are_one_window(tmp_path: Path) -> None:
    source = files_source(write_parquet(tmp_path / "a.parquet", x=[1, 2]), None)
    assert source.span() is None
    axes = source.learn(["x"], Columns(), YEAR_2011)[""].axes
    assert source.count(axes, YEAR_2011, (), ())[""].rows == 2
    with pytest.raises(SourceError) as error:
        source.count_each(axes, [YEAR_2011], (), ())
    assert error.value.code == "timestamp-missing"


def test_segments_are_counted_on_the_axes_of_all_rows(tmp_path: Path) -> None:
    source = files_source(write_parquet(tmp_path / "a.parquet", s=["a", "b", "a", None], x=[1, 2, 3, 4]), None)
    learned = source.learn(["x"], Columns(), None, ["s"])
    assert list(learned) == ["", "s=a", "s=b", "s=(other)"]
    assert all(profile.axes == learned[""].axes for profile in learned.values())
    assert source.count(learned[""].axes, None, ["s"], learned) == learned


def test_provenance_changes_with_the_files(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", x=[1, 2])
    source = files_source(tmp_path / "*.parquet")
    before = source.provenance()
    assert before == source.provenance()
    assert before["files"] == 1
    write_parquet(tmp_path / "b.parquet", x=[1, 2])
    after = source.provenance()
    assert after["files"] == 2
    assert after["digest"] != before["digest"]


def test_provenance_lists_a_limited_number_of_files(tmp_path: Path) -> None:
    limit = files.MAX_LISTED_FILES
    for i in range(limit + 5):
        (tmp_path / f"{i:03}.csv").write_text("x\n1\n")
    provenance = files.Files(str(tmp_path), "t", UTC_ZONE).provenance()
    assert provenance["files"] == limit + 5
    assert [file["name"] for file in provenance["listed"]] == [str(tmp_path / f"{i:03}.csv") for i in range(limit)]
    assert {file["bytes"] for file in provenance["listed"]} == {4}
