"""CSV files: which fields are missing values, which are text, and the types of columns."""

from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drift
from drift.errors import SourceError
from drift.sources.files import csv
from drift.sources.files.csv import Csv
from drift.sources.files.discovery import find_files
from drift.sources.files.formats import FILE_FORMATS


def column(path: Path, *fields: str) -> list[Any]:
    path.write_text("\n".join(["n,x", *(f"{i},{field}" for i, field in enumerate(fields))]) + "\n")
    return read(path, "x")["x"]


def read(path: Path, *names: str) -> dict[str, list[Any]]:
    """Return the values of columns."""
    tables = [batch.table for batch in reader(path).batches(names, None, None)]
    return {name: [value for table in tables for value in table[name].to_pylist()] for name in names}


def reader(path: Path) -> Csv:
    (file,) = find_files(str(path), FILE_FORMATS)
    return Csv(file)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.csv"


@pytest.mark.parametrize("missing", ["", '""', "NaN", "nan", "NA", "N/A", "null", "NULL", '"NA"', "#N/A"])
def test_words_for_missing_values_are_missing_among_numbers(path: Path, missing: str) -> None:
    assert column(path, "1", missing, "3") == [1, None, 3]
    assert [v for v in column(path, "1.5", missing, "3") if v == v] in ([1.5, 3.0], [1.5, None, 3.0])  # noqa: PLR0124 - NaN


@pytest.mark.parametrize("missing", ["", "NA", "null"])
def test_words_for_missing_values_are_missing_among_booleans_and_times(path: Path, missing: str) -> None:
    assert column(path, "true", missing, "false") == [True, None, False]
    assert column(path, "2011-01-01", missing)[1] is None
    assert column(path, "2011-01-01T00:00:00Z", missing)[1] is None


@pytest.mark.parametrize("word", ["NA", "nan", "null", "None", "N/A", "True", " "])
def test_words_for_missing_values_are_text_among_texts(path: Path, word: str) -> None:
    assert column(path, "US", word, "DE") == ["US", word, "DE"]


def test_an_empty_text_is_missing_unless_it_is_quoted(path: Path) -> None:
    assert column(path, "US", "", '""', "NA") == ["US", None, "", "NA"]


def test_quoted_words_make_a_column_without_values_text(path: Path) -> None:
    assert column(path, "NA", "", "nan", '""') == [None] * 4
    assert column(path, '"NA"', "", "nan", '""') == ["NA", None, "nan", ""]


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_files_of_other_libraries_equal_their_frames(path: Path, frame: Any) -> None:
    table = frame({"text": ["a", None, "NA"], "x": [1.5, None, 3.0], "n": [1, 2, 3]})
    if isinstance(table, pd.DataFrame):
        table.to_csv(path, index=False)
    else:
        table.write_csv(path)
    assert drift.profile(path) == drift.profile(table)


def test_a_quoted_line_break_may_end_a_block(path: Path) -> None:
    rows = ['"two\nlines, ""quoted"""', "plain"] * 150_000  # several of Arrow's blocks
    assert column(path, *rows) == ['two\nlines, "quoted"', "plain"] * 150_000


def test_column_names_are_kept_unchanged(path: Path) -> None:
    path.write_text('\ufeff"a, b","c\nd",\U0001f6b2,"quote "" quote"\n1,2,3,4\n', encoding="utf-8")
    names = ["a, b", "c\nd", "\U0001f6b2", 'quote " quote']
    assert reader(path).schema.names == names
    assert read(path, *names[1:2]) == {"c\nd": [2]}


def test_rows_are_counted_without_any_column(path: Path) -> None:
    path.write_text("a,b\n1,2\n3,4\n")
    assert [batch.rows for batch in reader(path).batches([], None, None)] == [2]


FIELDS = ["", "NA", "1", "0", "-7", "2.5", "1e3", "true", "FALSE", "2011-01-01", "2011-01-01T01:02:03", "12:30:00"]
FIELDS += ["2011-01-01T01:02:03.5", "2011-01-01T01:02:03Z", "2011-01-01T01:02:03.25Z", "99999999999999999999", "word"]
FIELDS += ['"two\nlines"', '"NA"', '""', "0001-01-01", "inf"]


@settings(max_examples=60, deadline=None)
@given(runs=st.lists(st.tuples(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=3), st.integers(1, 30))))
def test_types_do_not_depend_on_the_number_of_blocks(
    runs: list[tuple[list[str], int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("blocks") / "a.csv"
    fields = [field for run, times in runs for field in run * times]
    path.write_text("\n".join(["n,x", *(f"{i},{field}" for i, field in enumerate(fields))]) + "\n")
    whole = reader(path).schema.field("x").type, read(path, "n", "x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv, "CSV_BLOCK_SIZE", 64)
        csv_reader = reader(path)
        assert (csv_reader.schema.field("x").type, read(path, "n", "x")) == whole
        assert len(list(csv_reader.batches(["x"], None, None))) >= path.stat().st_size // 100
    # As Arrow reads the whole file, except that a column without values is text if a word is quoted.
    arrow_type = pyarrow.csv.read_csv(path, parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True))["x"].type
    assert whole[0] == (pa.string() if pa.types.is_null(arrow_type) and '"NA"' in fields else arrow_type)


def test_text_that_is_not_utf8_is_reported_in_any_block(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "CSV_BLOCK_SIZE", 64)
    path.write_bytes(b"x,y\n" + b"abc,1\n" * 50 + "caf\u00e9,2\n".encode("latin-1"))
    profile = drift.profile(path)
    assert profile["y"].rows == 51
    assert "binary" in profile.uncounted["x"].message


def test_a_ragged_line_in_a_later_block_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "CSV_BLOCK_SIZE", 64)
    path.write_text("x,y\n" + "1,2\n" * 50 + "1,2,3\n")
    with pytest.raises(SourceError, match=r"a\.csv.*Expected 2 columns, got 3") as error:
        drift.profile(path)
    assert error.value.code == "source-unreadable"
