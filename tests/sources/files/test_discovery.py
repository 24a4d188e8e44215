"""Files are found by path, glob, folder and URL; folders give columns."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

import drift
from drift.errors import SourceError
from drift.sources.files import FileTable, read_files
from drift.sources.files.discovery import find_files
from drift.sources.files.formats import FILE_FORMATS
from tests.support.file_rows import WRITERS, file_rows, write_parquet


@pytest.mark.parametrize("pattern", ["absent.parquet", "*.parquet", "absent/**/*.csv", ""])
def test_a_pattern_without_files_names_the_folder_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError) as error:
        read_files(pattern)
    assert error.value.code == "source-not-found"
    assert str(tmp_path) in str(error.value) or "is a folder" in str(error.value)


def test_a_file_name_may_look_like_a_glob(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "part[1].parquet", x=[1, 2])
    assert read_files(str(path)).rows == 2


def test_files_of_several_formats_and_folders_are_one_source(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    write_parquet(tmp_path / "a.parquet", x=[1, 2])
    (tmp_path / "deep" / "er" / "B.CSV").write_text("x\n3\n")
    table = read_files(str(tmp_path / "**" / "*.*"))
    assert table.rows == 3
    assert table.columns["x"].to_pylist() == [1, 2, 3]


def test_folder_names_give_columns(tmp_path: Path) -> None:
    for year, country in (("2020", "DE"), ("2021", "new%20land"), ("2021", "__HIVE_DEFAULT_PARTITION__")):
        folder = tmp_path / f"year={year}" / f"country={country}"
        folder.mkdir(parents=True)
        write_parquet(folder / "part.parquet", x=[1, 2])
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".part.crc").touch()
    for pattern in (str(tmp_path), f"file://{tmp_path}", str(tmp_path / "**" / "*.parquet"), f"{tmp_path}/year=*"):
        table = read_files(pattern)
        assert table.rows == 6
        years, countries = table.columns["year"], table.columns["country"]
        assert isinstance(years, pa.ChunkedArray)
        assert isinstance(countries, pa.ChunkedArray)
        assert sorted(years.to_pylist()) == [2020] * 2 + [2021] * 4
        assert Counter(countries.to_pylist()) == {"DE": 2, "new land": 2, None: 2}
    assert FileTable(str(tmp_path)).columns == ["x", "year", "country"]


def test_urls_and_paths_name_the_same_files(tmp_path: Path) -> None:
    for name in ("a/one.parquet", "a/b/two.parquet", "three.csv", ".hidden.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        WRITERS[Path(name).suffix](file_rows(10), tmp_path / name)
    for pattern in ("*.csv", "**/*.parquet", "a/*.parquet", "a/*/t?o.*", "three.csv", "**/t[hw]*"):
        by_path = find_files(f"{tmp_path}/{pattern}", FILE_FORMATS)
        by_url = find_files(f"file://{tmp_path}/{pattern}", FILE_FORMATS)
        assert [(f.name, f.size) for f in by_url] == [(f.name, f.size) for f in by_path]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("xyz://key:secret@host/a.parquet", "source-unreadable"),
        ("file:///nowhere/a.parquet?token=secret", "source-not-found"),
    ],
)
def test_an_error_shows_the_url_without_secrets(url: str, code: str) -> None:
    with pytest.raises(SourceError) as error:
        find_files(url, FILE_FORMATS)
    assert error.value.code == code
    assert "a.parquet" in str(error.value)
    assert "secret" not in str(error.value)


def test_a_report_shows_the_url_without_secrets(tmp_path: Path) -> None:
    WRITERS[".csv"](file_rows(50), tmp_path / "a.csv")
    url = f"file://{tmp_path}/a.csv?token=secret"
    assert drift.compare(url, url).labels == (f"file://{tmp_path}/a.csv",) * 2
