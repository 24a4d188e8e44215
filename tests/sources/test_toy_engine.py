"""An engine is one file and one row of `ENGINES`."""

import inspect
import pkgutil
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet
import pytest

from drift.monitors import spec
from drift.monitors.spec import Columns, FileSource, Monitor, Reference, SourceSpec
from drift.monitors.window import Period
from drift.sources import ENGINES, Source, open_reference, open_source
from drift.sources.files import Files
from tests.support.counting_oracle import expected
from tests.support.toy_engine import START, HourlyRows, hourly_rows

ROWS = 200
UTC_ZONE = ZoneInfo("UTC")
DAYS = list(Period.parse("1d").windows(START, START + timedelta(days=4), UTC_ZONE))


def monitor(source: SourceSpec, reference: Reference) -> Monitor:
    return Monitor("toy", source, "ts", reference, UTC_ZONE, Period.parse("1d"))


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setitem(ENGINES, HourlyRows, "tests.support.toy_engine.ToyEngine")
    return open_source(monitor(HourlyRows(ROWS), Reference(DAYS[0])))


def test_counts_follow_the_definition(source: Source) -> None:
    axes = source.learn(["x", "plan"], Columns(), DAYS[0])[""].axes
    rows = hourly_rows(ROWS).to_pylist()
    for number, window in enumerate(DAYS):
        profile = source.count(axes, window, (), ())[""]
        day = rows[24 * number : 24 * number + 24]
        assert profile.rows == len(day)
        for name, axis in axes.items():
            assert profile[name].counts.tolist() == expected([row[name] for row in day], axis)


def test_counts_equal_those_of_the_same_rows_in_a_file(source: Source, tmp_path: Path) -> None:
    pyarrow.parquet.write_table(hourly_rows(ROWS), tmp_path / "rows.parquet")
    file = open_source(monitor(FileSource(str(tmp_path / "rows.parquet")), Reference(DAYS[0])))
    assert isinstance(file, Files)
    assert source.columns() == file.columns() == ["x", "plan"]
    assert source.span() == file.span()
    learned = source.learn(["x"], Columns(), DAYS[0], ["plan"])
    assert learned == file.learn(["x"], Columns(), DAYS[0], ["plan"])
    counts = source.count_each(learned[""].axes, DAYS, ["plan"], learned)
    assert counts == file.count_each(learned[""].axes, DAYS, ["plan"], learned)
    assert source.row_counts(DAYS) == [profiles[""].rows for profiles in counts] == [24] * 4


def test_the_reference_may_be_the_source_or_a_file(source: Source, tmp_path: Path) -> None:
    own = open_reference(monitor(HourlyRows(ROWS), Reference(DAYS[0])))
    assert own.provenance() == source.provenance()
    path = tmp_path / "reference.parquet"
    pyarrow.parquet.write_table(hourly_rows(5), path)
    separate = open_reference(monitor(HourlyRows(ROWS), Reference(path=str(path))))
    assert separate.columns() == ["ts", "x", "plan"]
    assert separate.learn(["x"], Columns(), None)[""].rows == 5


def test_each_specification_has_an_engine() -> None:
    classes = {kind for kind in vars(spec).values() if isinstance(kind, type) and issubclass(kind, SourceSpec)}
    assert classes - {SourceSpec} <= set(ENGINES)
    for opener in ENGINES.values():
        assert len(inspect.signature(pkgutil.resolve_name(opener)).parameters) == 3
