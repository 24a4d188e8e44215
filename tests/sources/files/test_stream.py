"""Files that change while they are read; columns that differ between files."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from drift.errors import SourceError
from drift.histogram import Fault
from drift.monitors.spec import Columns
from drift.sources.files import read_files
from drift.sources.files.discovery import find_files
from drift.sources.files.file_handle import open_handles
from drift.sources.files.formats import FILE_FORMATS
from drift.sources.files.stream import Stream
from tests.support.file_rows import WRITERS, file_rows, write_parquet


def stream_of(pattern: Path) -> Stream:
    return Stream(open_handles(find_files(str(pattern), FILE_FORMATS)), ["x"], None)


def test_a_file_that_vanishes_while_others_are_read_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        WRITERS[".parquet"](file_rows(100), tmp_path / f"{name}.parquet")
    tables = stream_of(tmp_path / "*.parquet").tables()
    assert next(tables).rows == 100
    (tmp_path / "b.parquet").unlink()
    with pytest.raises(SourceError, match=r"b\.parquet") as error:
        list(tables)
    assert error.value.code == "source-unreadable"


def test_a_file_that_changes_during_reading_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drift.sources.files.csv.CSV_BLOCK_SIZE", 2**18)
    path = tmp_path / "a.csv"
    WRITERS[".csv"](file_rows(), path)
    tables = stream_of(path).tables()
    next(tables)
    with path.open("a") as file:
        file.write("2011-03-01 00:00:00Z,1.5,1,0.5,a,DE\n")
    with pytest.raises(SourceError, match=r"a\.csv") as error:
        list(tables)
    assert error.value.code == "source-changed"


def test_incompatible_types_are_named_with_their_files(tmp_path: Path) -> None:
    a = write_parquet(tmp_path / "a.parquet", zip=[1, 2], x=[1, 2])
    b = write_parquet(tmp_path / "b.parquet", zip=["01", "02"], x=[3, 4])
    profile = read_files(str(tmp_path / "*.parquet")).learn(["zip", "x"], Columns())
    assert profile["x"].rows == profile.rows == 4
    assert profile.uncounted["zip"].fault is Fault.SCHEMA_ERROR
    assert profile.uncounted["zip"].message.endswith(f"int64 in {a}, string in {b}")


@pytest.mark.parametrize(("complete", "incomplete"), [("a", "b"), ("b", "a")])
def test_a_column_that_one_file_lacks_is_named_with_both(tmp_path: Path, complete: str, incomplete: str) -> None:
    with_column = write_parquet(tmp_path / f"{complete}.parquet", x=[1], y=[1])
    without_column = write_parquet(tmp_path / f"{incomplete}.parquet", x=[2])
    profile = read_files(str(tmp_path / "*.parquet")).learn(["x", "y"], Columns())
    assert profile["x"].rows == 2
    assert profile.uncounted["y"].fault is Fault.SCHEMA_ERROR
    assert profile.uncounted["y"].message == f"column 'y' is in {with_column} but not in {without_column}"


@pytest.mark.parametrize(
    ("first", "second", "values"),
    [
        (pa.array([1, None]), pa.array([0.5]), [1.0, None, 0.5]),
        (pa.array([1], pa.int8()), pa.array([2**40]), [1, 2**40]),
        (pa.array([None, None]), pa.array(["a"]), [None, None, "a"]),
        (pa.array(["a"]).dictionary_encode(), pa.array(["b"]), ["a", "b"]),
        (pa.array(["a"], pa.large_string()), pa.array(["b"], pa.string()), ["a", "b"]),
    ],
    ids=["int and float", "widths", "null and text", "dictionary and text", "widths of text"],
)
def test_compatible_types_are_joined(tmp_path: Path, first: pa.Array, second: pa.Array, values: list[Any]) -> None:
    write_parquet(tmp_path / "a.parquet", x=first)
    write_parquet(tmp_path / "b.parquet", x=second)
    column = read_files(str(tmp_path / "*.parquet")).columns["x"]
    assert isinstance(column, pa.ChunkedArray)
    assert column.to_pylist() == values


def test_integers_that_no_double_represents_are_not_joined_with_doubles(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", x=[2**53 + 1])
    write_parquet(tmp_path / "b.parquet", x=[0.5])
    profile = read_files(str(tmp_path / "*.parquet")).learn(["x"], Columns())
    assert "int64" in profile.uncounted["x"].message
    assert "double" in profile.uncounted["x"].message


def test_files_without_rows_do_not_affect_types_or_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n")
    (tmp_path / "b.csv").write_text("x,y\n1,2\n")
    profile = read_files(str(tmp_path / "*.csv")).learn(["x", "y"], Columns())
    assert set(profile) == {"x", "y"}
