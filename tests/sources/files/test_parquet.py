"""Parquet files: only the needed row groups are read, and no metadata stays in memory."""

import gc
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.errors import SourceError
from drift.monitors.spec import ColumnRule, Columns
from drift.monitors.window import Period, Window
from drift.sources.frames.table import Table
from tests.support.file_rows import START, files_source

HOUR = timedelta(hours=1)
TYPES = [pa.timestamp(unit, zone) for unit in ("ms", "us", "ns") for zone in (None, "UTC", "Asia/Kolkata")]


@pytest.mark.parametrize("type_", [*TYPES, pa.date32(), pa.string()], ids=str)
@settings(max_examples=8, deadline=None)
@given(
    times=st.lists(st.one_of(st.none(), st.datetimes(datetime(2011, 3, 11), datetime(2011, 3, 16))), min_size=1),  # noqa: DTZ001 - wall clock
    zone=st.sampled_from(["America/New_York", "UTC", "Australia/Lord_Howe"]),
    length=st.sampled_from(["7h", "1d"]),
)
def test_row_group_statistics_place_rows_as_their_timestamps_do(
    tmp_path_factory: pytest.TempPathFactory,
    type_: pa.DataType,
    times: list[datetime | None],
    zone: str,
    length: str,
) -> None:
    ordered = sorted((t.replace(microsecond=0) for t in times if t), key=str)
    values: list[Any] = [*ordered, *[None] * (len(times) - len(ordered))]
    if pa.types.is_date(type_):
        values = [t and t.date() for t in values]
    if pa.types.is_string(type_):
        values = [t and t.isoformat() for t in values]
    table = pa.table({"t": pa.array(values, type_), "x": list(range(len(values)))})
    path = tmp_path_factory.mktemp("groups") / "a.parquet"
    pyarrow.parquet.write_table(table, path, row_group_size=2)
    memory, timezone = Table.from_arrow(table), ZoneInfo(zone)
    span = memory.span("t", timezone)
    assert files_source(path, zone=timezone).span() == span
    axes = memory.learn(["x"], Columns()).axes
    if span is not None:
        for window in Period.parse(length).windows(span[0], span[1] + timedelta(days=1), timezone):
            wanted = memory.within(window, "t", timezone).count(axes)
            assert files_source(path, zone=timezone).count(axes, window, (), ())[""] == wanted


@pytest.mark.parametrize("type_", [pa.timestamp("us", "UTC"), pa.timestamp("ns"), pa.date32()], ids=str)
def test_row_groups_outside_the_window_are_not_read(tmp_path: Path, type_: pa.DataType) -> None:
    days = [date(2011, 3, 1) + timedelta(days=i // 1000) for i in range(3000)]
    table = pa.table({"t": pa.array(days, pa.date32()).cast(type_), "x": list(range(3000))})
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(
        table, path, row_group_size=1000, write_page_checksum=True, compression="none", use_dictionary=False
    )
    content = bytearray(path.read_bytes())
    content[pyarrow.parquet.read_metadata(path).row_group(2).column(1).data_page_offset + 500] ^= 0xFF
    path.write_bytes(content)
    axes = Table.from_arrow(table).learn(["x"], Columns()).axes
    first, last = (Window(START + timedelta(days=d), START + timedelta(days=d + 1)) for d in (1, 2))
    assert files_source(path).count(axes, first, (), ())[""].rows == 1000
    with pytest.raises(SourceError, match=r"a\.parquet.*(CRC|checksum)") as error:
        files_source(path).count(axes, last, (), ())
    assert error.value.code == "source-unreadable"


@pytest.mark.usefixtures("no_collector")
def test_metadata_is_released_without_the_garbage_collector(tmp_path: Path) -> None:
    rows, start = 48, datetime(2024, 1, 1, tzinfo=UTC)
    moments = pa.array([start + n * HOUR / 2 for n in range(rows)], pa.timestamp("us", "UTC"))
    path = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(
        pa.table({"t": moments, "x": pa.array(range(rows), pa.int64())}), path, row_group_size=2
    )
    source = files_source(path)
    reference = source.learn(["x"], Columns(default=ColumnRule()), Window(start, start + 12 * HOUR))
    before = _metadata_objects()
    for n in range(12, 24):
        profiles = source.count(reference[""].axes, Window(start + n * HOUR, start + (n + 1) * HOUR), (), reference)
        assert profiles[""].rows == 2
    assert _metadata_objects() <= before


def _metadata_objects() -> int:
    """Return how many objects of Parquet metadata exist: each is as large as the file has row groups and columns."""
    return sum(type(item).__module__ == "pyarrow._parquet" for item in gc.get_objects())
