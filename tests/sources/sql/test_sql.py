"""Databases: windows, segments, axes and failures, on SQLite and a real PostgreSQL, against the same rows in memory."""

import itertools
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

import drift
from drift.errors import SourceError
from drift.histogram import Fault, Kind, NumericAxis
from drift.histogram.binning import Bins
from drift.monitors.spec import ColumnRule, Columns, SqlSource
from drift.monitors.window import Window
from drift.sources.frames.instants import as_instants
from drift.sources.frames.table import Table
from drift.sources.sql import Sql, counting, fit_axes, generic, table_query
from drift.sources.sql.wall_clock import wall_clock
from tests.support import databases
from tests.support.counting_oracle import expected

UTC_ZONE = ZoneInfo("UTC")
NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2011, 3, 13, tzinfo=UTC)
Put = Callable[..., SqlSource]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def put(request: pytest.FixtureRequest, tmp_path: Path) -> Put:
    """Writes an Arrow table into a database of either kind."""
    if request.param == "sqlite":
        return lambda table, **how: databases.to_sqlite(table, tmp_path / "rows.db", **how)
    url = request.getfixturevalue("warehouse_url")
    return lambda table, **how: databases.to_postgres(table, url, **how)


def rows(number: int = 600) -> pa.Table:
    """Ten minutes apart, with every kind of column that both databases hold."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=number).tolist()
    return pa.table(
        {
            "ts": pa.array([START + timedelta(minutes=10 * i) for i in range(number)], pa.timestamp("us", "UTC")),
            "x": pa.array([None if i % 17 == 0 else v for i, v in enumerate(x)], pa.float64()),
            "n": pa.array(rng.integers(-(2**60), 2**60, number).tolist(), pa.int64()),
            "few": pa.array([i % 3 for i in range(number)], pa.int64()),
            "flag": pa.array([None if i % 11 == 0 else i % 5 == 0 for i in range(number)], pa.bool_()),
            "text": pa.array([None if i % 13 == 0 else f"v{i % 70}" for i in range(number)], pa.string()),
            "site": pa.array([None if i % 19 == 0 else "abc"[i % 3] for i in range(number)], pa.string()),
            "day": pa.array([(START + timedelta(hours=i)).date() for i in range(number)], pa.date32()),
        }
    )


NAMES = ["x", "n", "few", "flag", "text", "day"]


def test_axes_counts_and_segments_are_those_of_the_same_rows_in_memory(put: Put) -> None:
    table = rows()
    window = Window(START + timedelta(hours=6), START + timedelta(days=3))
    source = Sql(put(table), "ts", UTC_ZONE)
    inside = Table.from_arrow(table).within(window, "ts", UTC_ZONE)
    for columns in (Columns(), Columns(ColumnRule(Bins("uniform", 4))), Columns(ColumnRule(Bins("distinct")))):
        parts = inside.split(["site", "few", "flag"])
        whole = parts.pop("").learn(NAMES, columns)
        found = source.learn(NAMES, columns, window, ["site", "few", "flag"])
        assert found[""] == whole
        assert found == {"": whole, **{key: part.count(whole.axes) for key, part in parts.items()}}
        later = Window(window.end, window.end + timedelta(days=2))
        again = Table.from_arrow(table).within(later, "ts", UTC_ZONE).split(["site"], {"", "site=a", "site=gone"})
        assert source.count(whole.axes, later, ["site"], {"", "site=a", "site=gone"}) == {
            key: part.count(whole.axes) for key, part in again.items()
        }


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_the_rows_of_many_windows_are_those_that_each_holds(put: Put, zone: str | None) -> None:
    """Over a night in which clocks are set forward; every 97 seconds, and some rows that are nowhere."""
    times = [datetime(2011, 3, 12, 20) + timedelta(seconds=97 * i) for i in range(600)]  # noqa: DTZ001 - local, or UTC
    held: list[datetime | None] = [*times, None, None]
    if zone is not None:
        held = [None if at is None else at.replace(tzinfo=UTC) for at in held]
    table = pa.table({"ts": pa.array(held, pa.timestamp("us", zone)), "x": pa.array(range(len(held)), pa.int64())})
    hours = [Window(START + timedelta(hours=i), START + timedelta(hours=i + 1)) for i in range(-30, 30)]
    odd = Window(START + timedelta(seconds=1), START + timedelta(hours=5, seconds=30))
    far = Window(START + timedelta(days=900), START + timedelta(days=901))
    windows = [*hours[::-1], odd, far]
    source = Sql(put(table), "ts", NEW_YORK)
    memory = Table.from_arrow(table)
    wanted = [memory.within(window, "ts", NEW_YORK).rows for window in windows]
    assert source.row_counts(windows) == wanted
    assert sum(wanted[:60]) > 500
    assert source.row_counts([]) == []


def test_a_table_without_rows_has_none_in_any_window(put: Put) -> None:
    source = Sql(put(rows(0)), "ts", UTC_ZONE)
    assert source.row_counts([Window(START, START + timedelta(days=1))]) == [0]


def test_columns_and_span(put: Put) -> None:
    source = Sql(put(rows()), "ts", UTC_ZONE)
    assert source.columns() == ["x", "n", "few", "flag", "text", "site", "day"]
    assert source.span() == (START, START + timedelta(minutes=5990))
    assert Sql(source.spec, None, UTC_ZONE).span() is None
    assert source.provenance()["last"] == "2011-03-17T03:50:00+00:00"


def test_a_query_is_a_table(put: Put) -> None:
    spec = put(rows())
    name = '"' + str(spec.table) + '"'
    query = SqlSource(spec.url, query=f"SELECT ts, x * 2 AS y, text FROM {name} WHERE text <> 'v1 :x %' ;")
    source = Sql(query, "ts", UTC_ZONE)
    assert source.columns() == ["y", "text"]
    held = rows().to_pandas().query("text == text")
    axes = {"y": NumericAxis((-1.0, 0.5))}
    found = source.count(axes, None, (), ())[""]
    assert found["y"].counts.tolist() == expected((2 * held["x"]).tolist(), axes["y"])


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC"])
def test_wall_clocks_place_rows_as_in_memory(zone: str) -> None:
    """Every local time of two years' nights that Arrow places in a window lies in the stretch of local times."""
    timezone = ZoneInfo(zone)
    for day in ("2017-10-14", "2018-02-17", "2018-11-03", "2011-03-12", "2011-11-05", "2011-04-02", "2011-10-01"):
        start = datetime.fromisoformat(day)
        local = [start + timedelta(minutes=10 * i) for i in range(2 * 144)]
        placed = as_instants(pa.chunked_array([pa.array(local, pa.timestamp("us"))]), "t", timezone).to_pylist()
        edges = sorted({at + timedelta(minutes=5 * i) for at in placed for i in (-1, 0, 1)})
        for edge in edges:
            first = wall_clock(edge, timezone)
            assert [at >= edge for at in placed] == [at >= first for at in local], edge


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d"])
@pytest.mark.parametrize("zone", ["", "Z", "+00:00"])
def test_sqlite_reads_iso_texts_of_any_form(form: str, zone: str, tmp_path: Path) -> None:
    zone = "" if form == "%Y-%m-%d" else zone
    instants = [START + timedelta(minutes=i * 20) for i in range(300)]
    texts = [t.strftime(form) + zone for t in instants]
    table = pa.table({"ts": texts, "at": texts, "x": list(range(300))})
    source = Sql(databases.to_sqlite(table, tmp_path / "a.db", types={"at": "DATETIME"}), "ts", NEW_YORK)
    memory = Table.from_arrow(table)
    edges = [START + timedelta(hours=7), START + timedelta(hours=31, minutes=20), START + timedelta(days=4)]
    axis = NumericAxis(tuple(int(e.timestamp()) * 10**9 for e in edges), Kind.DATETIME)
    for start, end in itertools.pairwise(edges):
        held = memory.within(Window(start, end), "ts", NEW_YORK)
        found = source.count({"x": NumericAxis((100,)), "at": axis}, Window(start, end), (), ())[""]
        assert found.rows == held.rows
        values = as_instants(held.columns["at"], "at", UTC_ZONE).to_pylist()  # type: ignore[arg-type]
        assert found["at"].counts.tolist() == expected(values, axis)
    span = memory.span("ts", NEW_YORK)
    assert source.span() == span


def test_an_index_on_the_timestamp_serves(tmp_path: Path, warehouse_url: str) -> None:
    window = Window(START, START + timedelta(hours=3))
    for spec in (databases.to_sqlite(rows(), tmp_path / "a.db"), databases.to_postgres(rows(5000), warehouse_url)):
        with create_engine(spec.url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool).connect() as c:
            c.exec_driver_sql(f'CREATE INDEX "ix {spec.table}" ON "{spec.table}" (ts)')
            c.exec_driver_sql("ANALYZE")
            c.commit()
            held = table_query.open_table_query(c, spec, "ts", UTC_ZONE)
            asked = held.within(window).compile(c, compile_kwargs={"literal_binds": True})
            explain = "EXPLAIN QUERY PLAN" if c.dialect.name == "sqlite" else "EXPLAIN"
            plan = str(c.exec_driver_sql(f"{explain} {asked}".replace("%", "%%")).all())
            assert f"ix {spec.table}" in plan


def test_values_of_several_kinds_in_a_sqlite_column_are_told_not_guessed(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE t (x REAL, b BLOB, d DATE, f BOOLEAN, late TEXT, m, big INTEGER)")
        lines: list[Any] = [
            (1.5, b"a", "2011-03-13", 1, "2011-03-13", 2**53 + 1, 1),
            ("two", b"b", "13.3.2011", 2, "yes", 0.5, 2),
        ]
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", lines)
    connection.close()
    source = Sql(SqlSource(f"sqlite:///{file}", table="t"), None, UTC_ZONE)
    learned = source.learn(["x", "b", "d", "f", "late", "m"], Columns(), None)[""]
    assert {name: lost.fault for name, lost in learned.uncounted.items()} == dict.fromkeys("xbdf", Fault.NOT_COMPARABLE)
    assert "1 real, 1 text" in learned.uncounted["x"].message
    assert "1 are not ISO 8601" in learned.uncounted["d"].message
    assert "1 are neither 0 nor 1" in learned.uncounted["f"].message
    counted = source.count({"m": NumericAxis((Decimal("0.4"), 2**53 + 1))}, None, (), ())[""]
    assert counted["m"].counts.tolist() == [0, 1, 1, 0], "integers and doubles are compared exactly"
    gone = source.count({"gone": NumericAxis((1,)), "late": NumericAxis((1,))}, None, (), ())[""]
    assert {name: lost.fault for name, lost in gone.uncounted.items()} == dict.fromkeys(
        ("gone", "late"), Fault.SCHEMA_ERROR
    )


def test_a_sqlite_timestamp_that_is_no_iso_text_is_an_error(tmp_path: Path) -> None:
    for i, (held, told) in enumerate(
        [
            ([1300000000, 1300000001], "holds integer values"),
            (["2011-03-13 07:00", "13.3.2011"], "'13.3.2011'"),
            (["2011-03-13 07:00", "2011-03-13T08:00", "2011-03-14 08:00"], "1 rows of"),
            (["2011-03-13 07:00:00+02:00"], "expected text in ISO 8601"),
        ]
    ):
        spec = databases.to_sqlite(pa.table({"ts": held, "x": held}), tmp_path / f"{i}.db")
        with pytest.raises(SourceError, match="timestamp column 'ts'") as caught:
            Sql(spec, "ts", UTC_ZONE).count({}, Window(START, START + timedelta(days=3)), (), ())
        assert told in str(caught.value)


def test_impossible_times_are_told(tmp_path: Path) -> None:
    table = pa.table({"ts": ["2011-02-31 07:00:00"], "at": ["2011-13-45"], "x": [1]})
    spec = databases.to_sqlite(table, tmp_path / "a.db", types={"at": "DATE"})
    with pytest.raises(SourceError, match="'2011-02-31 07:00:00', no instant"):
        Sql(spec, "ts", UTC_ZONE).span()
    learned = Sql(spec, None, UTC_ZONE).learn(["at", "x"], Columns(), None)[""]
    assert list(learned) == ["x"]
    assert learned.uncounted["at"].fault is Fault.NOT_COMPARABLE
    assert "2011-13-45" in learned.uncounted["at"].message


@pytest.mark.postgres
def test_infinite_timestamps_have_no_span(warehouse_url: str) -> None:
    query = SqlSource(warehouse_url, query="SELECT timestamp 'infinity' AS ts, 1 AS x")
    with pytest.raises(SourceError, match=r"query: timestamp too large"):
        Sql(query, "ts", UTC_ZONE).span()


def test_postgres_types_that_have_no_bins_are_told_and_others_keep_theirs(warehouse_url: str) -> None:
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        connection.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
        connection.execute("CREATE DOMAIN share AS numeric(4, 3) CHECK (value <= 1)")
        connection.execute(
            "CREATE TABLE kinds (u uuid, j jsonb, b bytea, a integer[], m mood, s share, i integer, f real, c char(3), "
            "n numeric, t timestamp)"
        )
        connection.execute(
            "INSERT INTO kinds VALUES "
            "(gen_random_uuid(), '{}', 'a', '{1}', 'ok', 0.125, 7, 0.1, 'ab', 'NaN', 'infinity'),"
            "(NULL, NULL, NULL, NULL, 'sad', 1, -5, 'NaN', 'abc', 'Infinity', '-infinity'),"
            "(NULL, NULL, NULL, NULL, NULL, NULL, NULL, '-Infinity', NULL, 2.50, '2011-03-13')"
        )
    source = Sql(SqlSource(warehouse_url, table="public.kinds"), None, UTC_ZONE)
    found = source.learn(source.columns(), Columns(), None)[""]
    assert {name: lost.fault for name, lost in found.uncounted.items()} == dict.fromkeys("ujba", Fault.NOT_COMPARABLE)
    assert "uuid values cannot be cut into bins" in found.uncounted["u"].message
    assert found["m"].axis.labels[:2] == ("ok", "sad")
    assert found["s"].axis == NumericAxis((Decimal("0.125"), Decimal("1.000"), Decimal("1.001")))
    assert found["i"].axis == NumericAxis((-5, 7, 8))
    assert found["f"].counts.tolist() == [1, 1, 0, 1], "-inf is below, 0.1 inside, NaN missing"
    assert found["n"].counts.tolist() == [0, 1, 1, 1], "2.50 inside, infinity above, NaN missing"
    assert found["t"].counts.tolist() == [1, 1, 1, 0], "-infinity below, infinity above"
    counted = source.count({"i": NumericAxis((-(2**40), 7, 2**40))}, None, (), ())[""]
    assert counted["i"].counts.tolist() == [0, 1, 1, 0, 1], "edges beyond the type's range"


def test_many_columns_take_several_statements_of_one_snapshot(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MAX_RESULTS", 25)
    monkeypatch.setattr(counting, "MAX_BOUND", {})
    monkeypatch.setattr(counting, "MAX_GROUPS", 5)
    table = pa.table({f"c{i}": list(range(i, i + 40)) for i in range(30)} | {"s": ["a", "b"] * 20, "r": ["c"] * 40})
    source = Sql(put(table), None, UTC_ZONE)
    whole = Table.from_arrow(table).learn(table.column_names, Columns())
    assert source.count(whole.axes, None, ["s"], {"s=a"})[""] == whole


def test_rows_written_while_others_are_counted_are_not_seen(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = put(rows(50))
    source = Sql(spec, None, UTC_ZONE)
    whole = source.learn(NAMES, Columns(), None)[""]
    group, url, late = counting._group, spec.url.replace("postgresql:", "postgresql+psycopg:"), []

    def meanwhile(*args: Any) -> None:
        if not late:
            late.append(True)
            with create_engine(url, poolclass=NullPool).begin() as other:
                other.exec_driver_sql(f'INSERT INTO "{spec.table}" (x) VALUES (7.5)')
        group(*args)

    with monkeypatch.context() as patched:
        patched.setattr(counting, "_group", meanwhile)
        if spec.url.startswith("sqlite"):  # in its rollback journal a reader keeps writers out; in WAL it need not
            with closing(sqlite3.connect(spec.url.removeprefix("sqlite:///"))) as connection, connection:
                connection.execute("PRAGMA journal_mode = WAL")
            connection.close()
        assert source.count(whole.axes, None, (), ())[""] == whole
    assert late
    assert source.count(whole.axes, None, (), ())[""].rows == 51


def test_without_a_snapshot_differing_rows_are_an_error() -> None:
    found = counting._Found()
    found.saw({("a",): 3})
    with pytest.raises(SourceError, match="3 were there, then 4"):
        found.saw({("a",): 4})


def test_edges_of_many_rows_come_from_a_sample_and_counts_from_all(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_axes, "SAMPLE", 400)
    monkeypatch.setattr(fit_axes, "MAX_BINS", 12)
    table = rows(4000).append_column("rare", pa.array([1.0 if i == 77 else 0.0 for i in range(4000)]))
    table = table.append_column("ends", pa.array([9e9 if i == 5 else -9e9 if i == 6 else i / 1e4 for i in range(4000)]))
    source = Sql(put(table), "ts", UTC_ZONE)
    names = ["x", "few", "rare", "ends", "text"]
    window = Window(START, START + timedelta(days=60))
    found, again = (source.learn(names, Columns(), window)[""] for _ in range(2))
    assert found == again, "the same rows are drawn"
    assert found["rare"].counts.tolist() == [0, 3999, 1, 0, 0], "a rare value keeps its bin"
    assert (found["ends"].counts[0], found["ends"].counts[-2]) == (0, 0), "the ends are those of all rows"
    assert found["text"] == Table.from_arrow(table).learn(["text"], Columns())["text"]
    shares = found["x"].counts[1:-2] / 4000
    # Rank errors of 400 drawn rows have a deviation of sqrt(q (1 - q) / 400) <= 0.025; a bin's, at most 0.015.
    assert np.abs(shares - 0.094).max() < 5 * 0.015
    query = SqlSource(source.spec.url, query=f'SELECT * FROM "{source.spec.table}"')
    strided = Sql(query, "ts", UTC_ZONE).learn(names, Columns(), window)[""]
    assert strided["rare"] == found["rare"]
    assert np.abs(strided["x"].counts[1:-2] / 4000 - 0.094).max() < 5 * 0.015


def test_other_databases_are_counted_by_plain_sums(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL taken as a database that is not known: types from values, sums of CASE, NaN above every number."""
    table = rows(200).append_column(
        "wild", pa.array([[float("nan"), float("inf"), -float("inf"), 0.5][i % 4] for i in range(200)])
    )
    spec = databases.to_postgres(table, warehouse_url)
    whole = Table.from_arrow(table).learn([*NAMES, "wild"], Columns())
    monkeypatch.setattr(table_query.postgres, "types", generic.types)
    monkeypatch.setattr(counting, "_packed", counting._summed)
    assert Sql(spec, None, UTC_ZONE).count(whole.axes, None, (), ())[""] == whole


@pytest.mark.postgres
def test_a_statement_that_takes_too_long_names_its_source(warehouse_url: str) -> None:
    query = SqlSource(warehouse_url, query="SELECT 1 AS x, pg_sleep(30)", timeout=timedelta(seconds=0.2))
    with pytest.raises(SourceError, match=r"postgresql://.*, query: .*statement timeout.*source\.timeout"):
        Sql(query, None, UTC_ZONE).count({"x": NumericAxis((1,))}, None, (), ())


def test_sqlite_is_interrupted_too(tmp_path: Path) -> None:
    spec = databases.to_sqlite(pa.table({"x": [1]}), tmp_path / "a.db")
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n"
    started = time.monotonic()
    with pytest.raises(SourceError, match=r"query: interrupted .*source\.timeout"):
        Sql(SqlSource(spec.url, query=endless, timeout=timedelta(seconds=0.2)), None, UTC_ZONE).count({}, None, (), ())
    assert time.monotonic() - started < 20


@pytest.mark.postgres
def test_a_dropped_connection_is_an_error_of_the_source(warehouse_url: str) -> None:
    spec = SqlSource(warehouse_url, query="SELECT 1 AS x, pg_sleep(20)")
    told: list[str] = []

    def count() -> None:
        with pytest.raises(SourceError) as caught:
            Sql(spec, None, UTC_ZONE).count({"x": NumericAxis((1,))}, None, (), ())
        told.append(str(caught.value))

    thread = threading.Thread(target=count)
    thread.start()
    with psycopg.connect(warehouse_url, autocommit=True) as admin:
        found = "FROM pg_stat_activity WHERE query LIKE '%pg_sleep(20)%' AND wait_event = 'PgSleep'"
        kill = f"SELECT pg_terminate_backend(pid) {found}"
        for _ in range(200):
            if admin.execute(kill).fetchall():
                break
            time.sleep(0.05)
    thread.join(30)
    assert len(told) == 1
    assert "query: " in told[0]
    assert "terminat" in told[0]


def test_what_cannot_be_reached_is_an_error_without_secrets(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        places = {
            f"postgresql://me:hunter2@127.0.0.1:{port}/db": f"postgresql://127.0.0.1:{port}/db, table t: ",
            f"sqlite:///{tmp_path}/gone.db": "no database sqlite:///",
            "hunter2": "no database URL",
            "sqlite+hunter2://": "no driver",
        }
        for url, message in places.items():
            with pytest.raises(SourceError) as caught:
                Sql(SqlSource(url, table="t"), None, UTC_ZONE).columns()
            assert message in str(caught.value)
            if "me:" in url:
                assert "hunter2" not in str(caught.value)
    assert not (tmp_path / "gone.db").exists()


def test_a_table_that_is_gone_is_named(put: Put) -> None:
    spec = put(rows(3))
    with pytest.raises(SourceError, match="table gone: "):
        Sql(SqlSource(spec.url, table="gone"), None, UTC_ZONE).columns()
    with pytest.raises(SourceError, match="no timestamp column 'when'; there are ts, x"):
        Sql(spec, "when", UTC_ZONE).span()
    with pytest.raises(SourceError, match="timestamp column 'few'"):
        Sql(spec, "few", UTC_ZONE).count({}, Window(START, START + timedelta(1)), (), ())
    with pytest.raises(SourceError, match="segment column 'z': is not in the data"):
        Sql(spec, None, UTC_ZONE).count({}, None, ["z"], ())


def test_nothing_is_written(put: Put) -> None:
    spec = put(rows(3))
    with pytest.raises(SourceError, match=r"(?i)read-?only|syntax|near"):
        Sql(SqlSource(spec.url, query=f'DELETE FROM "{spec.table}" RETURNING 1 AS x'), None, UTC_ZONE).columns()
    assert Sql(spec, None, UTC_ZONE).count({}, None, (), ())[""].rows == 3


numbers = st.one_of(st.none(), st.floats())
texts = st.one_of(st.none(), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=2))


@settings(max_examples=15, deadline=None)
@given(held=st.lists(st.tuples(numbers, st.integers(-(2**63), 2**63 - 1), texts), min_size=1, max_size=20))
@pytest.mark.postgres
def test_any_rows_are_counted_by_the_definition(warehouse_url: str, held: list[tuple[Any, ...]]) -> None:
    reference = drift.profile(
        pa.table({"x": [0.0, 0.5, 1.0, 7.0], "n": [-5, 0, 5, 2**60], "text": ["a", "b", "", "0"]})
    )
    x, n, text = (list(column) for column in zip(*held, strict=True))
    table = pa.table(
        {"x": pa.array(x, pa.float64()), "n": pa.array(n, pa.int64()), "text": pa.array(text, pa.string())}
    )
    found = databases.count(databases.to_postgres(table, warehouse_url), reference.axes)
    for column, values in (("x", x), ("n", n), ("text", text)):
        assert found[column].counts.tolist() == expected(values, reference[column].axis)
