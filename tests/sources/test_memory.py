"""What reading leaves behind: nothing, not even until Python looks for cycles."""

import gc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drift.monitors.spec import ColumnRule, Columns
from drift.monitors.window import Window
from drift.sources.files import Files

FROM = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.usefixtures("no_collector")
def test_the_metadata_of_a_parquet_file_does_not_outlive_its_reading(tmp_path: Path) -> None:
    rows = 48
    moments = pa.array([FROM + n * HOUR / 2 for n in range(rows)], pa.timestamp("us", "UTC"))
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"ts": moments, "x": pa.array(range(rows), pa.int64())}), path, row_group_size=2)
    source = Files(str(path), "ts", ZoneInfo("UTC"))
    reference = source.learn(["x"], Columns(default=ColumnRule()), Window(FROM, FROM + 12 * HOUR))
    before = _held()
    for n in range(12, 24):
        counted = source.count(reference[""].axes, Window(FROM + n * HOUR, FROM + (n + 1) * HOUR), (), reference)
        assert counted[""].rows == 2
    assert _held() <= before


def _held() -> int:
    """Metadata of Parquet files that nothing has freed: each is as large as the file has row groups and columns."""
    return sum(type(one).__module__ == "pyarrow._parquet" for one in gc.get_objects())
