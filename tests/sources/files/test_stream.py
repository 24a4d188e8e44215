"""Files read piece by piece: the same counts as of the whole in memory, and nothing read that need not be."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.fs
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drift
from drift.errors import SourceError
from drift.histogram import Kind
from drift.histogram.binning import Bins
from drift.histogram.column_values import CategoryCounts
from drift.monitors.spec import ColumnRule, Columns
from drift.monitors.window import Period, Window
from drift.sources import files
from drift.sources.files import Files, FileTable, sketch
from drift.sources.files.binning_pass import count_stream
from drift.sources.files.discovery import _matching, locate
from drift.sources.files.file_handle import WindowPlacement, open_all
from drift.sources.files.formats import FORMATS
from drift.sources.files.stream import Stream
from drift.sources.frames.table import Table

ROWS = 30_000
START = datetime(2011, 3, 1, tzinfo=UTC)
WINDOW = Window(START + timedelta(hours=5), START + timedelta(hours=31))
UTC_ZONE = ZoneInfo("UTC")


def rows(n: int = ROWS) -> pa.Table:
    rng = np.random.default_rng(3)
    return pa.table(
        {
            "t": pa.array([START + timedelta(seconds=5 * i) for i in range(n)], pa.timestamp("us", "UTC")),
            "x": pa.array(rng.normal(size=n), mask=rng.random(n) < 0.1),
            "n": rng.integers(-5, 500, n),
            "few": rng.choice([0.5, 1.5], n, p=[0.9999, 0.0001]),
            "name": pa.array(rng.choice(["a", "b", "c", "rare"], n, p=[0.6, 0.3, 0.099, 0.001])),
            "country": pa.array(rng.choice(["DE", "FR", "US"], n), mask=rng.random(n) < 0.01),
        }
    )


WRITERS: dict[str, Callable[[pa.Table, Path], Any]] = {
    ".parquet": lambda table, path: pyarrow.parquet.write_table(table, path, row_group_size=7000),
    ".feather": lambda table, path: pyarrow.feather.write_feather(table, str(path), chunksize=4000),
    ".csv": pyarrow.csv.write_csv,
}


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of some thousand rows come in several pieces, and are too long to be held."""
    monkeypatch.setattr("drift.sources.files.reader.VALUES", 1)
    monkeypatch.setattr("drift.sources.files.csv.BLOCK", 2**18)
    monkeypatch.setattr(files, "SAMPLE", 2000)
    monkeypatch.setattr(sketch, "SAMPLE", 2000)


def source(path: Path, timestamp: str | None = "t", zone: ZoneInfo = UTC_ZONE, seed: int = 0) -> Files:
    return Files(str(path), timestamp, zone, seed)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("window", [None, WINDOW])
def test_pieces_add_up_to_what_is_counted_in_memory(tmp_path: Path, suffix: str, window: Window | None) -> None:
    table = rows()
    path = tmp_path / f"a{suffix}"
    WRITERS[suffix](table, path)
    held = Table.from_arrow(table)
    names = ["x", "n", "few", "name"]
    axes = held.learn(names, Columns()).axes
    inside = held if window is None else held.within(window, "t", UTC_ZONE)
    known = {"", "country=DE", "country=US", "country=gone"}
    wanted = {key: part.count(axes) for key, part in inside.split(["country"], known).items()}
    assert source(path).count(axes, window, ["country"], known) == wanted
    assert len(list(Stream(open_all(locate(str(path), FORMATS)), names, None).tables())) > 2


@pytest.mark.usefixtures("small_pieces")
def test_axes_of_long_files_are_chosen_from_a_sample_and_counts_from_all_rows(tmp_path: Path) -> None:
    table = rows()
    WRITERS[".parquet"](table, tmp_path / "a.parquet")
    names = ["x", "n", "few", "name", "absent"]
    learned = source(tmp_path / "a.parquet").learn(names, Columns(), None, ["country"])
    whole = learned[""]
    held = Table.from_arrow(table)
    assert list(whole) == ["x", "n", "few", "name"]
    assert list(whole.uncounted) == ["absent"]
    assert whole.histograms == held.count(whole.axes).histograms
    for name in ("x", "n"):
        counts = whole[name].counts
        assert counts[0] == counts[-2] == 0  # the least and the largest of all rows lie inside
        shares = counts[1:-2] / counts[:-1].sum()
        assert len(shares) == 10
        assert np.abs(np.cumsum(shares) - np.arange(1, 11) / 10).max() < 5 * 0.5 / np.sqrt(1000)  # five deviations
    few = Counter(table["few"].to_pylist())
    assert whole["few"].counts[1:-2].tolist() == [few[0.5], few[1.5]]
    assert whole["name"].axis == held.learn(["name"], Columns())["name"].axis
    by_memory = held.split(["country"])
    assert list(learned) == list(by_memory)
    assert all(learned[key] == part.count(whole.axes) for key, part in by_memory.items() if key)


@pytest.mark.usefixtures("small_pieces")
def test_the_same_seed_gives_the_same_axes(tmp_path: Path) -> None:
    WRITERS[".parquet"](rows(), tmp_path / "a.parquet")
    first, again, other = (
        source(tmp_path / "a.parquet", seed=seed).learn(["x"], Columns(), None)[""].axes for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.usefixtures("small_pieces")
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
def test_odd_columns_are_learned_as_in_memory(tmp_path: Path, method: str, values: list[Any]) -> None:
    table = pa.table({"v": values * 10_000})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    columns = Columns(ColumnRule(Bins(method)))
    found = source(tmp_path / "a.parquet", None).learn(["v"], columns, None)[""]
    if method in {"fd", "doane"}:  # their number of bins goes by the number of rows looked at
        assert found.histograms == Table.from_arrow(table).count(found.axes).histograms
    else:
        assert found == Table.from_arrow(table).learn(["v"], columns)


def test_what_fits_is_learned_as_in_memory(tmp_path: Path) -> None:
    table = rows(5000)
    WRITERS[".parquet"](table, tmp_path / "a.parquet")
    names = ["x", "n", "few", "name"]
    assert source(tmp_path / "a.parquet").learn(names, Columns(), None)[""] == Table.from_arrow(table).learn(
        names, Columns()
    )


def test_of_very_many_names_the_frequent_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketch, "MAX_NAMES", 100)
    held = sketch.Sketch(Bins(), np.random.default_rng(0))
    rng = np.random.default_rng(1)
    total: Counter[str] = Counter()
    for i in range(50):
        names = ["often"] * 8 + [f"v{j}" for j in rng.integers(0, 10**6, 200)] + [f"w{i}"]
        total.update(names)
        held.add(CategoryCounts(Kind.STRING, *_counted(names), len(names)))
    found = held.values()
    assert isinstance(found, CategoryCounts)
    assert not held.whole
    kept = dict(zip(found.keys, found.counts.tolist(), strict=True))
    bound = found.rows / 100
    assert max(kept, key=lambda name: kept[name]) == "often"
    assert all(total[str(name)] - bound <= number <= total[str(name)] for name, number in kept.items())
    assert {name for name, number in total.items() if number > bound} <= set(kept)


def _counted(names: list[str]) -> tuple[tuple[str, ...], Any]:
    found = Counter(names)
    return tuple(found), np.array(list(found.values()))


TYPES = [pa.timestamp(unit, zone) for unit in ("ms", "us", "ns") for zone in (None, "UTC", "Asia/Kolkata")]


@pytest.mark.parametrize("type_", [*TYPES, pa.date32(), pa.string()], ids=str)
@settings(max_examples=8, deadline=None)
@given(
    times=st.lists(st.one_of(st.none(), st.datetimes(datetime(2011, 3, 11), datetime(2011, 3, 16))), min_size=1),  # noqa: DTZ001 - wall clock
    zone=st.sampled_from(["America/New_York", "UTC", "Australia/Lord_Howe"]),
    length=st.sampled_from(["7h", "1d"]),
)
def test_statistics_of_row_groups_place_rows_as_the_rows_do(
    tmp_path_factory: pytest.TempPathFactory,
    type_: pa.DataType,
    times: list[datetime | None],
    zone: str,
    length: str,
) -> None:
    ordered = sorted((t.replace(microsecond=0) for t in times if t), key=str)
    held: list[Any] = [*ordered, *[None] * (len(times) - len(ordered))]
    if pa.types.is_date(type_):
        held = [t and t.date() for t in held]
    if pa.types.is_string(type_):
        held = [t and t.isoformat() for t in held]
    table = pa.table({"t": pa.array(held, type_), "x": list(range(len(held)))})
    path = tmp_path_factory.mktemp("groups") / "a.parquet"
    pyarrow.parquet.write_table(table, path, row_group_size=2)
    memory, timezone = Table.from_arrow(table), ZoneInfo(zone)
    span = memory.span("t", timezone)
    assert source(path, zone=timezone).span() == span
    axes = memory.learn(["x"], Columns()).axes
    if span is not None:
        for window in Period.parse(length).windows(span[0], span[1] + timedelta(days=1), timezone):
            wanted = memory.within(window, "t", timezone).count(axes)
            assert source(path, zone=timezone).count(axes, window, (), ())[""] == wanted


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
    assert source(path).count(axes, first, (), ())[""].rows == 1000
    with pytest.raises(SourceError, match=r"a\.parquet.*(CRC|checksum)"):
        source(path).count(axes, last, (), ())


def test_a_file_that_vanishes_while_others_are_read_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        WRITERS[".parquet"](rows(100), tmp_path / f"{name}.parquet")
    tables = Stream(open_all(locate(str(tmp_path / "*.parquet"), FORMATS)), ["x"], None).tables()
    assert next(tables).rows == 100
    (tmp_path / "b.parquet").unlink()
    with pytest.raises(SourceError, match=r"cannot read .*b\.parquet"):
        list(tables)


@pytest.mark.usefixtures("small_pieces")
def test_a_file_that_changes_while_it_is_read_is_never_counted_by_halves(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    WRITERS[".csv"](rows(), path)
    tables = Stream(open_all(locate(str(path), FORMATS)), ["x"], None).tables()
    next(tables)
    with path.open("a") as file:
        file.write("2011-03-01 00:00:00Z,1.5,1,0.5,a,DE\n")
    with pytest.raises(SourceError, match=r"a\.csv changed while it was read"):
        list(tables)


def test_an_arrow_stream_is_read_whole_or_refused(tmp_path: Path) -> None:
    table, path = rows(100), tmp_path / "a.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=30)
        until = file.tell()
    axes = Table.from_arrow(table).learn(["x", "name"], Columns()).axes
    assert source(path).count(axes, WINDOW, (), ())[""] == Table.from_arrow(table).within(WINDOW, "t", UTC_ZONE).count(
        axes
    )
    assert source(path, None).count(axes, None, (), ())[""] == Table.from_arrow(table).count(axes)
    path.write_bytes(path.read_bytes()[:until])
    with pytest.raises(SourceError, match=r"a\.arrow: its end is missing"):
        source(path).columns()


def test_folders_tell_columns(tmp_path: Path) -> None:
    for year, country in (("2020", "DE"), ("2021", "new%20land"), ("2021", "__HIVE_DEFAULT_PARTITION__")):
        folder = tmp_path / f"year={year}" / f"country={country}"
        folder.mkdir(parents=True)
        WRITERS[".parquet"](pa.table({"x": [1, 2]}), folder / "part.parquet")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".part.crc").touch()
    for pattern in (str(tmp_path), f"file://{tmp_path}", str(tmp_path / "**" / "*.parquet"), f"{tmp_path}/year=*"):
        found = files.read_files(pattern)
        assert found.rows == 6
        years, countries = found.columns["year"], found.columns["country"]
        assert isinstance(years, pa.ChunkedArray)
        assert isinstance(countries, pa.ChunkedArray)
        assert sorted(years.to_pylist()) == [2020] * 2 + [2021] * 4
        assert Counter(countries.to_pylist()) == {"DE": 2, "new land": 2, None: 2}
    assert FileTable(str(tmp_path)).columns == ["x", "year", "country"]


def test_a_folder_may_tell_the_time(tmp_path: Path) -> None:
    for day in ("2011-03-01", "2011-03-02"):
        (tmp_path / f"t={day}").mkdir()
        WRITERS[".parquet"](pa.table({"x": [1, 2, 3]}), tmp_path / f"t={day}" / "a.parquet")
    (tmp_path / "t=2011-03-01" / "a.parquet").write_bytes((tmp_path / "t=2011-03-01" / "a.parquet").read_bytes())
    files_ = source(tmp_path)
    assert files_.span() == (START, START + timedelta(days=1))
    window = Window(START + timedelta(days=1), START + timedelta(days=2))
    assert files_.learn(["x"], Columns(), window)[""].rows == 3


def test_urls_and_paths_name_the_same_files(tmp_path: Path) -> None:
    for name in ("a/one.parquet", "a/b/two.parquet", "three.csv", ".hidden.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        WRITERS[Path(name).suffix](rows(10), tmp_path / name)
    for pattern in ("*.csv", "**/*.parquet", "a/*.parquet", "a/*/t?o.*", "three.csv", "**/t[hw]*"):
        by_path = locate(f"{tmp_path}/{pattern}", FORMATS)
        assert [(f.name, f.size) for f in locate(f"file://{tmp_path}/{pattern}", FORMATS)] == [
            (f.name, f.size) for f in by_path
        ]


@pytest.mark.parametrize("suffix", WRITERS)
def test_files_of_another_file_system_are_read_the_same(tmp_path: Path, suffix: str) -> None:
    table = rows(20_000)
    WRITERS[suffix](table, tmp_path / f"a{suffix}")
    system = pyarrow.fs.SubTreeFileSystem(str(tmp_path), pyarrow.fs.LocalFileSystem())
    (found,) = _matching(system, "", f"*{suffix}", "store://")
    assert found.name == f"store://a{suffix}"
    axes = Table.from_arrow(table).learn(["x", "name"], Columns()).axes
    place = WindowPlacement(WINDOW, "t", UTC_ZONE)
    wanted = Table.from_arrow(table).within(WINDOW, "t", UTC_ZONE).count(axes)
    assert count_stream(Stream(open_all([found]), list(axes), place), axes, (), ())[""] == wanted


@pytest.mark.parametrize("url", ["xyz://key:secret@host/a.parquet", "file:///nowhere/a.parquet?token=secret"])
def test_a_url_that_leads_nowhere_is_told_without_its_secrets(url: str) -> None:
    with pytest.raises(SourceError) as caught:
        locate(url, FORMATS)
    assert "a.parquet" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_report_does_not_show_what_a_url_holds_in_secret(tmp_path: Path) -> None:
    WRITERS[".csv"](rows(50), tmp_path / "a.csv")
    url = f"file://{tmp_path}/a.csv?token=secret"
    assert drift.compare(url, url).labels == (f"file://{tmp_path}/a.csv",) * 2


def test_provenance_lists_the_files(tmp_path: Path) -> None:
    for i in range(files.LISTED + 5):
        (tmp_path / f"{i:03}.csv").write_text("x\n1\n")
    told = source(tmp_path).provenance()
    assert told["files"] == files.LISTED + 5
    assert [f["name"] for f in told["listed"]] == [str(tmp_path / f"{i:03}.csv") for i in range(files.LISTED)]
    assert {f["bytes"] for f in told["listed"]} == {4}


def test_a_place_tells_where_a_stretch_of_time_lies() -> None:
    place = WindowPlacement(WINDOW, "t", UTC_ZONE)
    hours = {(0, 4): False, (0, 5): None, (5, 30): True, (30, 31): None, (31, 40): False, (0, 40): None}
    least, largest = (pa.chunked_array([[START + timedelta(hours=h[end]) for h in hours]]) for end in (0, 1))
    assert place.holds(least, largest) == list(hours.values())
