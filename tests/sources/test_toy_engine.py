"""An engine is one file and one row of `ENGINES`."""

import inspect
import pkgutil
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet
import pytest

from drift.config.sections import SourceSection
from drift.errors import ConfigError
from drift.monitors import spec
from drift.monitors.spec import Columns, FileSource, Monitor, Reference, SourceSpec
from drift.monitors.window import Period
from drift.sources import ENGINES, EngineType, Source, engine_option_classes, open_reference, open_source
from drift.sources.files import Files
from tests.support.configurations import read_config
from tests.support.counting_oracle import expected
from tests.support.toy_engine import START, HourlyOptions, HourlyRows, hourly_rows

ROWS = 200
UTC_ZONE = ZoneInfo("UTC")
DAYS = list(Period.parse("1d").windows(START, START + timedelta(days=4), UTC_ZONE))


def monitor(source: SourceSpec, reference: Reference) -> Monitor:
    return Monitor("toy", source, "ts", reference, UTC_ZONE, Period.parse("1d"))


def read_monitor(folder: Path, source: str) -> Monitor:
    file = folder / "drift.yaml"
    file.write_text(
        "version: 1\nmonitors:\n  toy:\n    timestamp: ts\n    reference: {from: 2024-01-01, to: 2024-01-02}\n"
        f"    source: {source}\n",
        "utf-8",
    )
    return read_config(file).monitors["toy"]


@pytest.fixture(autouse=True)
def _row(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "tests.support.toy_engine"
    row = EngineType(f"{module}.HourlyRows", f"{module}.ToyEngine", f"{module}.HourlyOptions")
    monkeypatch.setitem(ENGINES, "hourly", row)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return open_source(read_monitor(tmp_path, f"{{hourly: {{rows: {ROWS}}}}}"))


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
    assert classes - {SourceSpec} <= {pkgutil.resolve_name(row.spec) for row in ENGINES.values()}
    for row in ENGINES.values():
        assert len(inspect.signature(pkgutil.resolve_name(row.opener)).parameters) == 3


def test_the_options_of_an_engine_become_its_specification(tmp_path: Path) -> None:
    assert engine_option_classes()["hourly"] is HourlyOptions
    toy = read_monitor(tmp_path, "{hourly: {rows: 5}}")
    assert toy.source == HourlyRows(5)
    assert toy.document["source"] == {"hourly": {"rows": 5}}


@pytest.mark.parametrize(
    ("written", "key", "code", "data"),
    [
        ("{hourly: {rows: many}}", ".hourly.rows", "invalid-value", ""),
        ("{hourly: {}}", ".hourly.rows", "missing-key", "rows"),
        ("{hourly: {rows: 5, row: 6}}", ".hourly.row", "unknown-key", "known key is rows"),
        ("{hourly: 5}", ".hourly", "invalid-value", "rows"),
        ("{hourly: {rows: 5}, path: a.csv}", "", "conflicting-keys", "(a database), spark, and hourly"),
        ("{hours: {rows: 5}, path: a.csv}", ".hours", "unknown-key", "timeout, spark, hourly"),
        ("{spark: {rows: 5, table: t}}", ".spark.rows", "unknown-key", "remote, table, query"),
    ],
)
def test_problems_of_the_options_have_a_place(tmp_path: Path, written: str, key: str, code: str, data: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_monitor(tmp_path, written)
    (line,) = str(error.value).splitlines()
    assert line.startswith(f"{tmp_path / 'drift.yaml'}:6: monitors.toy.source{key}: ")
    assert data in line
    assert line.endswith(f"[{code}]")


def test_an_engine_takes_no_key_of_another_source() -> None:
    assert set(engine_option_classes()).isdisjoint({*SourceSection.allowed(), *SourceSection.later})
