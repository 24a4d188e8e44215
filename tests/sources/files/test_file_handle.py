"""Rows of one file in a window."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.fs
import pytest

from drift.monitors.spec import Columns
from drift.monitors.window import Window
from drift.sources.files.binning_pass import count_stream
from drift.sources.files.discovery import _find_matching
from drift.sources.files.file_handle import WindowPlacement, open_handles
from drift.sources.files.stream import Stream
from drift.sources.frames.table import Table
from tests.support.file_rows import START, UTC_ZONE, WINDOW, WRITERS, file_rows, files_source, write_parquet


@pytest.mark.parametrize("suffix", WRITERS)
def test_files_of_another_file_system_give_the_same_counts(tmp_path: Path, suffix: str) -> None:
    table = file_rows(20_000)
    WRITERS[suffix](table, tmp_path / f"a{suffix}")
    system = pyarrow.fs.SubTreeFileSystem(str(tmp_path), pyarrow.fs.LocalFileSystem())
    (file,) = _find_matching(system, "", f"*{suffix}", "store://")
    assert file.name == f"store://a{suffix}"
    axes = Table.from_arrow(table).learn(["x", "name"], Columns()).axes
    placement = WindowPlacement(WINDOW, "t", UTC_ZONE)
    wanted = Table.from_arrow(table).within(WINDOW, "t", UTC_ZONE).count(axes)
    assert count_stream(Stream(open_handles([file]), list(axes), placement), axes, (), ())[""] == wanted


def test_a_folder_name_may_be_the_timestamp(tmp_path: Path) -> None:
    for day in ("2011-03-01", "2011-03-02"):
        (tmp_path / f"t={day}").mkdir()
        write_parquet(tmp_path / f"t={day}" / "a.parquet", x=[1, 2, 3])
    source = files_source(tmp_path)
    assert source.span() == (START, START + timedelta(days=1))
    window = Window(START + timedelta(days=1), START + timedelta(days=2))
    assert source.learn(["x"], Columns(), window)[""].rows == 3


def test_a_placement_locates_ranges_of_time() -> None:
    placement = WindowPlacement(WINDOW, "t", UTC_ZONE)
    hours = {(0, 4): False, (0, 5): None, (5, 30): True, (30, 31): None, (31, 40): False, (0, 40): None}
    minima, maxima = (pa.chunked_array([[START + timedelta(hours=h[end]) for h in hours]]) for end in (0, 1))
    assert placement.contains_ranges(minima, maxima) == list(hours.values())
