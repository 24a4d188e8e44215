"""The benchmarks' data and harness: the same rows from the same seed, and the scores of drift itself."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import drift
from benchmarks import data

ROWS = 4_000


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return data.files(ROWS, folder=tmp_path_factory.mktemp("data"))


def test_a_seed_gives_the_same_rows(files: tuple[Path, Path]) -> None:
    for side, path in enumerate(files):
        repeated = pa.Table.from_batches([b for t in data.blocks(ROWS, 15, 5, side) for b in t.to_batches()])
        assert pq.read_table(path).equals(repeated)


def test_columns_match_their_names(files: tuple[Path, Path]) -> None:
    table = pq.read_table(files[0])
    assert table.num_rows == ROWS
    assert [str(field.type) for field in table.schema] == ["double"] * 15 + ["string"] * 5
    for name in table.column_names:
        column = table[name]
        if name.startswith("words"):
            assert column.null_count == 0
            assert len(pc.unique(column)) <= data.CATEGORIES[int(name[-1])]
        elif name.startswith("nulls"):
            assert abs(column.null_count - ROWS * data.NULLS) < 5 * (ROWS * data.NULLS) ** 0.5
        else:
            assert column.null_count == 0
            assert not name.startswith("lognormal") or pc.min(column).as_py() > 0


def test_harness_returns_the_tools_scores(files: tuple[Path, Path]) -> None:
    harness = Path(data.__file__).parent / "tools" / "harness.py"
    command = [sys.executable, str(harness), "drift", *map(str, files)]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    output = json.loads(process.stdout)
    expected = drift.compare(*map(str, files))
    assert output["scores"] == {name: expected[name].score for name in expected}
    assert output["seconds"] > 0
    assert output["peak_mb"] > 0
