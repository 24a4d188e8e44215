"""JSON lines: each column has one type, in any number of blocks."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import drift
from drift.errors import SourceError
from drift.sources.files import jsonlines, read_files
from tests.support.counting_oracle import expected


@pytest.fixture(params=[64, jsonlines.JSON_BLOCK_SIZE], ids=["many blocks", "one block"])
def path(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(jsonlines, "JSON_BLOCK_SIZE", request.param)
    return tmp_path / "a.jsonl"


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def column(path: Path, name: str) -> pa.ChunkedArray:
    values = read_files(str(path)).columns[name]
    assert isinstance(values, pa.ChunkedArray)
    return values


def test_rows_are_counted_by_the_definition(path: Path) -> None:
    rows = [{"x": i / 7, "n": 2**53 + i, "text": f'{i % 3}\n"{i % 2}"', "ok": i % 5 == 0} for i in range(300)]
    rows += [{"x": None, "text": ""}, {}]
    write(path, *rows)
    reference = drift.profile(pa.table({name: [row.get(name) for row in rows[:50]] for name in rows[0]}))
    profile = drift.profile(path, axes=reference)
    for name, histogram in reference.items():
        assert profile[name].counts.tolist() == expected([row.get(name) for row in rows], histogram.axis)


def test_integers_and_other_numbers_are_doubles(path: Path) -> None:
    write(path, *[{"x": 1}] * 40, {"x": 2.5}, *[{"x": None}] * 40)
    assert column(path, "x").to_pylist() == [1.0] * 40 + [2.5] + [None] * 40


def test_texts_are_times_only_if_all_are(path: Path) -> None:
    write(path, *[{"t": "2011-01-01T00:00:00", "s": "2011-01-01T00:00:00"}] * 20, {"t": None, "s": "later"})
    assert column(path, "t").type == pa.timestamp("s")
    assert column(path, "s").to_pylist() == ["2011-01-01T00:00:00"] * 20 + ["later"]


def test_a_key_of_later_lines_is_missing_in_earlier_ones(path: Path) -> None:
    write(path, *[{"x": 1}] * 30, {"x": 2, "late": "a"})
    assert column(path, "late").to_pylist() == [None] * 30 + ["a"]


@pytest.mark.parametrize("line", ['{"x": "text"}', '{"x": true}', '{"x": 1', "no json"])
def test_an_unreadable_file_is_named(path: Path, line: str) -> None:
    path.write_text('{"x": 1}\n' * 30 + line + "\n")
    with pytest.raises(SourceError, match=r"a\.jsonl") as error:
        drift.profile(path)
    assert error.value.code in {"source-unreadable", "type-conflict"}  # of one block, or between two


def test_rows_are_counted_even_if_all_requested_columns_are_missing(path: Path) -> None:
    axes = drift.profile(pa.table({"y": [1, 2]})).axes
    profile = drift.profile(write(path, *[{"x": 1}] * 33), axes=axes)
    assert profile.rows == 33
    assert list(profile.uncounted) == ["y"]
