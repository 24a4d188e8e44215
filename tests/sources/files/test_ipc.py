"""Arrow IPC files and streams."""

from pathlib import Path

import pyarrow as pa
import pytest

from drift.errors import SourceError
from drift.monitors.spec import Columns
from drift.sources.frames.table import Table
from tests.support.file_rows import UTC_ZONE, WINDOW, file_rows, files_source


def test_a_complete_stream_is_counted_and_a_truncated_one_refused(tmp_path: Path) -> None:
    table, path = file_rows(100), tmp_path / "a.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=30)
        last_batch_end = file.tell()
    memory = Table.from_arrow(table)
    axes = memory.learn(["x", "name"], Columns()).axes
    wanted = memory.within(WINDOW, "t", UTC_ZONE).count(axes)
    assert files_source(path).count(axes, WINDOW, (), ())[""] == wanted
    assert files_source(path, None).count(axes, None, (), ())[""] == memory.count(axes)
    path.write_bytes(path.read_bytes()[:last_batch_end])
    with pytest.raises(SourceError, match=r"a\.arrow: .* cut off") as error:
        files_source(path).columns()
    assert error.value.code == "source-unreadable"
