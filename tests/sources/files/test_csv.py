"""Which texts of a CSV file are missing, and which are text."""

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
from drift.sources.files.discovery import locate
from drift.sources.files.formats import FORMATS


def column(path: Path, *fields: str) -> list[Any]:
    path.write_text("\n".join(["n,x", *(f"{i},{field}" for i, field in enumerate(fields))]) + "\n")
    return read(path, "x")["x"]


def read(path: Path, *names: str) -> dict[str, list[Any]]:
    """Columns of a file, as Arrow reads them."""
    pieces = [piece.table for piece in reader(path).pieces(names, None, None)]
    return {name: [value for piece in pieces for value in piece[name].to_pylist()] for name in names}


def reader(path: Path) -> Csv:
    (file,) = locate(str(path), FORMATS)
    return Csv(file)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.csv"


@pytest.mark.parametrize("missing", ["", '""', "NaN", "nan", "NA", "N/A", "null", "NULL", '"NA"', "#N/A"])
def test_in_a_column_of_numbers_every_usual_word_is_missing(path: Path, missing: str) -> None:
    assert column(path, "1", missing, "3") == [1, None, 3]
    assert [v for v in column(path, "1.5", missing, "3") if v == v] in ([1.5, 3.0], [1.5, None, 3.0])  # noqa: PLR0124 - NaN


@pytest.mark.parametrize("missing", ["", "NA", "null"])
def test_in_columns_of_truth_values_and_times_as_well(path: Path, missing: str) -> None:
    assert column(path, "true", missing, "false") == [True, None, False]
    assert column(path, "2011-01-01", missing)[1] is None
    assert column(path, "2011-01-01T00:00:00Z", missing)[1] is None


@pytest.mark.parametrize("word", ["NA", "nan", "null", "None", "N/A", "True", " "])
def test_in_a_column_of_text_words_are_text(path: Path, word: str) -> None:
    assert column(path, "US", word, "DE") == ["US", word, "DE"]


def test_in_a_column_of_text_an_empty_field_is_missing_and_an_empty_text_in_quotes_is_not(path: Path) -> None:
    assert column(path, "US", "", '""', "NA") == ["US", None, "", "NA"]


def test_a_column_of_nothing_is_text_only_where_a_word_stands_in_quotes(path: Path) -> None:
    assert column(path, "NA", "", "nan", '""') == [None] * 4
    assert column(path, '"NA"', "", "nan", '""') == ["NA", None, "nan", ""]


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_what_other_libraries_write_is_read_as_they_mean_it(path: Path, frame: Any) -> None:
    held = frame({"text": ["a", None, "NA"], "x": [1.5, None, 3.0], "n": [1, 2, 3]})
    if isinstance(held, pd.DataFrame):
        held.to_csv(path, index=False)
    else:
        held.write_csv(path)
    assert drift.profile(path) == drift.profile(held)


def test_lines_may_break_inside_quotes_even_where_blocks_meet(path: Path) -> None:
    rows = ['"two\nlines, ""quoted"""', "plain"] * 150_000  # several of Arrow's blocks
    assert column(path, *rows) == ['two\nlines, "quoted"', "plain"] * 150_000


def test_names_are_read_as_they_stand(path: Path) -> None:
    path.write_text('\ufeff"a, b","c\nd",\U0001f6b2,"quote "" quote"\n1,2,3,4\n', encoding="utf-8")
    names = ["a, b", "c\nd", "\U0001f6b2", 'quote " quote']
    assert reader(path).schema.names == names
    assert read(path, *names[1:2]) == {"c\nd": [2]}


def test_rows_are_counted_even_without_columns(path: Path) -> None:
    path.write_text("a,b\n1,2\n3,4\n")
    assert [piece.rows for piece in reader(path).pieces([], None, None)] == [2]


FIELDS = ["", "NA", "1", "0", "-7", "2.5", "1e3", "true", "FALSE", "2011-01-01", "2011-01-01T01:02:03", "12:30:00"]
FIELDS += ["2011-01-01T01:02:03.5", "2011-01-01T01:02:03Z", "2011-01-01T01:02:03.25Z", "99999999999999999999", "word"]
FIELDS += ['"two\nlines"', '"NA"', '""', "0001-01-01", "inf"]


@settings(max_examples=60, deadline=None)
@given(stretches=st.lists(st.tuples(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=3), st.integers(1, 30))))
def test_types_hold_for_the_whole_file_however_many_blocks_it_has(
    stretches: list[tuple[list[str], int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("blocks") / "a.csv"
    fields = [field for some, times in stretches for field in some * times]
    path.write_text("\n".join(["n,x", *(f"{i},{field}" for i, field in enumerate(fields))]) + "\n")
    whole = reader(path).schema.field("x").type, read(path, "n", "x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv, "BLOCK", 64)
        found = reader(path)
        assert (found.schema.field("x").type, read(path, "n", "x")) == whole
        assert len(list(found.pieces(["x"], None, None))) >= path.stat().st_size // 100
    # What Arrow makes of the whole file: where it sees no value, a word in quotes makes it text.
    of_arrow = pyarrow.csv.read_csv(path, parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True))["x"].type
    assert whole[0] == (pa.string() if pa.types.is_null(of_arrow) and '"NA"' in fields else of_arrow)


def test_text_that_is_not_utf_8_is_told_wherever_it_stands(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "BLOCK", 64)
    path.write_bytes(b"x,y\n" + b"abc,1\n" * 50 + "caf\u00e9,2\n".encode("latin-1"))
    found = drift.profile(path)
    assert found["y"].rows == 51
    assert "binary" in found.uncounted["x"].message


def test_a_ragged_line_in_a_later_block_names_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "BLOCK", 64)
    path.write_text("x,y\n" + "1,2\n" * 50 + "1,2,3\n")
    with pytest.raises(SourceError, match=r"a\.csv.*Expected 2 columns, got 3"):
        drift.profile(path)
