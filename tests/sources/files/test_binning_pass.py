"""Long files are counted batch by batch: the same counts as of all rows in memory."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from drift.histogram.binning import Bins
from drift.monitors.spec import ColumnRule, Columns
from drift.monitors.window import Window
from drift.sources.files import binning_pass, sketch
from drift.sources.files.discovery import find_files
from drift.sources.files.file_handle import open_handles
from drift.sources.files.formats import FILE_FORMATS
from drift.sources.files.stream import Stream
from drift.sources.frames.table import Table
from tests.support.file_rows import UTC_ZONE, WINDOW, WRITERS, file_rows, files_source


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read files of some thousand rows in several batches, and do not keep them in memory."""
    monkeypatch.setattr("drift.sources.files.reader.VALUES_PER_BATCH", 1)
    monkeypatch.setattr("drift.sources.files.csv.CSV_BLOCK_SIZE", 2**18)
    monkeypatch.setattr(binning_pass, "SAMPLE", 2000)
    monkeypatch.setattr(sketch, "SAMPLE", 2000)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("window", [None, WINDOW])
def test_batches_add_up_to_the_counts_in_memory(tmp_path: Path, suffix: str, window: Window | None) -> None:
    table = file_rows()
    path = tmp_path / f"a{suffix}"
    WRITERS[suffix](table, path)
    memory = Table.from_arrow(table)
    names = ["x", "n", "few", "name"]
    axes = memory.learn(names, Columns()).axes
    inside = memory if window is None else memory.within(window, "t", UTC_ZONE)
    known = {"", "country=DE", "country=US", "country=gone"}
    wanted = {key: part.count(axes) for key, part in inside.split(["country"], known).items()}
    assert files_source(path).count(axes, window, ["country"], known) == wanted
    assert len(list(Stream(open_handles(find_files(str(path), FILE_FORMATS)), names, None).tables())) > 2


@pytest.mark.usefixtures("small_batches")
def test_long_files_sample_axes_and_count_all_rows(tmp_path: Path) -> None:
    table = file_rows()
    WRITERS[".parquet"](table, tmp_path / "a.parquet")
    names = ["x", "n", "few", "name", "absent"]
    learned = files_source(tmp_path / "a.parquet").learn(names, Columns(), None, ["country"])
    whole = learned[""]
    memory = Table.from_arrow(table)
    assert list(whole) == ["x", "n", "few", "name"]
    assert list(whole.uncounted) == ["absent"]
    assert whole.histograms == memory.count(whole.axes).histograms
    for name in ("x", "n"):
        counts = whole[name].counts
        assert counts[0] == counts[-2] == 0  # the smallest and the largest value of all rows are inside
        shares = counts[1:-2] / counts[:-1].sum()
        assert len(shares) == 10
        # Five standard errors of a share of 1,000 rows, the smallest sample after a halving.
        assert np.abs(np.cumsum(shares) - np.arange(1, 11) / 10).max() < 5 * 0.5 / np.sqrt(1000)
    few = Counter(table["few"].to_pylist())
    assert whole["few"].counts[1:-2].tolist() == [few[0.5], few[1.5]]
    assert whole["name"].axis == memory.learn(["name"], Columns())["name"].axis
    parts = memory.split(["country"])
    assert list(learned) == list(parts)
    assert all(learned[key] == part.count(whole.axes) for key, part in parts.items() if key)


@pytest.mark.usefixtures("small_batches")
def test_the_seed_determines_the_axes(tmp_path: Path) -> None:
    WRITERS[".parquet"](file_rows(), tmp_path / "a.parquet")
    first, repeated, other = (
        files_source(tmp_path / "a.parquet", seed=seed).learn(["x"], Columns(), None)[""].axes for seed in (1, 1, 2)
    )
    assert first == repeated != other


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("method", ["quantile", "uniform", "fd", "doane", "distinct"])
@pytest.mark.parametrize(
    "values",
    [
        [float("inf"), float("-inf"), None],
        [None, float("nan")],
        [2**63 - 1, -(2**63), None],
        [float("inf"), 1.5, float("nan")],
        [True, False, None],
    ],
    ids=str,
)
def test_extreme_columns_are_learned_as_in_memory(tmp_path: Path, method: str, values: list[Any]) -> None:
    table = pa.table({"v": values * 10_000})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    columns = Columns(ColumnRule(Bins(method)))
    profile = files_source(tmp_path / "a.parquet", None).learn(["v"], columns, None)[""]
    if method in {"fd", "doane"}:  # their number of bins depends on the size of the sample
        assert profile.histograms == Table.from_arrow(table).count(profile.axes).histograms
    else:
        assert profile == Table.from_arrow(table).learn(["v"], columns)


def test_short_files_are_learned_as_in_memory(tmp_path: Path) -> None:
    table = file_rows(5000)
    WRITERS[".parquet"](table, tmp_path / "a.parquet")
    names = ["x", "n", "few", "name"]
    profile = files_source(tmp_path / "a.parquet").learn(names, Columns(), None)[""]
    assert profile == Table.from_arrow(table).learn(names, Columns())
