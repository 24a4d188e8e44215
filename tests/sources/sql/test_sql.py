"""SQL sources on SQLite and a real PostgreSQL, compared with the same rows in memory."""

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
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.pool import NullPool

import drift
from drift.errors import SourceError
from drift.histogram import Fault, Kind, NumericAxis
from drift.histogram.binning import Bins
from drift.monitors.spec import ColumnRule, Columns, SqlSource
from drift.monitors.window import Window
from drift.sources.frames.instants import as_instants
from drift.sources.frames.table import Table
from drift.sources.sql import Sql, counting, fit_axes, table_query
from tests.support import databases
from tests.support.counting_oracle import expected

UTC_ZONE = ZoneInfo("UTC")
NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2011, 3, 13, tzinfo=UTC)
Put = Callable[[pa.Table], SqlSource]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def put(request: pytest.FixtureRequest, tmp_path: Path) -> Put:
    """Return a function that writes an Arrow table into a database of either kind."""
    if request.param == "sqlite":
        return lambda table: databases.to_sqlite(table, tmp_path / "rows.db")
    url = request.getfixturevalue("warehouse_url")
    return lambda table: databases.to_postgres(table, url)


def rows(number: int = 600) -> pa.Table:
    """Return rows ten minutes apart, with every kind of column that both databases support."""
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


def test_axes_counts_and_segments_equal_those_in_memory(put: Put) -> None:
    table = rows()
    window = Window(START + timedelta(hours=6), START + timedelta(days=3))
    source = Sql(put(table), "ts", UTC_ZONE)
    inside = Table.from_arrow(table).within(window, "ts", UTC_ZONE)
    for columns in (Columns(), Columns(ColumnRule(Bins("uniform", 4))), Columns(ColumnRule(Bins("distinct")))):
        parts = inside.split(["site", "few", "flag"])
        whole = parts.pop("").learn(NAMES, columns)
        profiles = source.learn(NAMES, columns, window, ["site", "few", "flag"])
        assert profiles[""] == whole
        assert profiles == {"": whole, **{key: part.count(whole.axes) for key, part in parts.items()}}
        later = Window(window.end, window.end + timedelta(days=2))
        later_parts = Table.from_arrow(table).within(later, "ts", UTC_ZONE).split(["site"], {"", "site=a", "site=gone"})
        assert source.count(whole.axes, later, ["site"], {"", "site=a", "site=gone"}) == {
            key: part.count(whole.axes) for key, part in later_parts.items()
        }


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_row_counts_of_many_windows_equal_those_in_memory(put: Put, zone: str | None) -> None:
    """Rows every 97 seconds over a night in which clocks are set forward, and some without a timestamp."""
    times = [datetime(2011, 3, 12, 20) + timedelta(seconds=97 * i) for i in range(600)]  # noqa: DTZ001 - local, or UTC
    column: list[datetime | None] = [*times, None, None]
    if zone is not None:
        column = [None if at is None else at.replace(tzinfo=UTC) for at in column]
    table = pa.table({"ts": pa.array(column, pa.timestamp("us", zone)), "x": pa.array(range(len(column)), pa.int64())})
    hours = [Window(START + timedelta(hours=i), START + timedelta(hours=i + 1)) for i in range(-30, 30)]
    odd = Window(START + timedelta(seconds=1), START + timedelta(hours=5, seconds=30))
    far = Window(START + timedelta(days=900), START + timedelta(days=901))
    windows = [*hours[::-1], odd, far]
    source = Sql(put(table), "ts", NEW_YORK)
    memory = Table.from_arrow(table)
    expected_counts = [memory.within(window, "ts", NEW_YORK).rows for window in windows]
    assert source.row_counts(windows) == expected_counts
    assert sum(expected_counts[:60]) > 500
    assert source.row_counts([]) == []


def test_empty_table_has_no_rows_in_any_window(put: Put) -> None:
    source = Sql(put(rows(0)), "ts", UTC_ZONE)
    assert source.row_counts([Window(START, START + timedelta(days=1))]) == [0]


def test_columns_and_span(put: Put) -> None:
    source = Sql(put(rows()), "ts", UTC_ZONE)
    assert source.columns() == ["x", "n", "few", "flag", "text", "site", "day"]
    assert source.span() == (START, START + timedelta(minutes=5990))
    assert Sql(source.spec, None, UTC_ZONE).span() is None
    assert source.provenance()["last"] == "2011-03-17T03:50:00+00:00"


def test_query_is_read_like_a_table(put: Put) -> None:
    spec = put(rows())
    name = '"' + str(spec.table) + '"'
    query = SqlSource(spec.url, query=f"SELECT ts, x * 2 AS y, text FROM {name} WHERE text <> 'v1 :x %' ;")
    source = Sql(query, "ts", UTC_ZONE)
    assert source.columns() == ["y", "text"]
    with_text = rows().to_pandas().query("text == text")
    axes = {"y": NumericAxis((-1.0, 0.5))}
    profile = source.count(axes, None, (), ())[""]
    assert profile["y"].counts.tolist() == expected((2 * with_text["x"]).tolist(), axes["y"])


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d"])
@pytest.mark.parametrize("zone", ["", "Z", "+00:00"])
def test_sqlite_reads_iso_texts_of_any_format(form: str, zone: str, tmp_path: Path) -> None:
    zone = "" if form == "%Y-%m-%d" else zone
    instants = [START + timedelta(minutes=i * 20) for i in range(300)]
    texts = [t.strftime(form) + zone for t in instants]
    table = pa.table({"ts": texts, "at": texts, "x": list(range(300))})
    source = Sql(databases.to_sqlite(table, tmp_path / "a.db", types={"at": "DATETIME"}), "ts", NEW_YORK)
    memory = Table.from_arrow(table)
    edges = [START + timedelta(hours=7), START + timedelta(hours=31, minutes=20), START + timedelta(days=4)]
    axis = NumericAxis(tuple(int(e.timestamp()) * 10**9 for e in edges), Kind.DATETIME)
    for start, end in itertools.pairwise(edges):
        inside = memory.within(Window(start, end), "ts", NEW_YORK)
        profile = source.count({"x": NumericAxis((100,)), "at": axis}, Window(start, end), (), ())[""]
        assert profile.rows == inside.rows
        values = as_instants(inside.columns["at"], "at", UTC_ZONE).to_pylist()  # type: ignore[arg-type]
        assert profile["at"].counts.tolist() == expected(values, axis)
    assert source.span() == memory.span("ts", NEW_YORK)


def test_windows_use_an_index_on_the_timestamp(tmp_path: Path, warehouse_url: str) -> None:
    window = Window(START, START + timedelta(hours=3))
    for spec in (databases.to_sqlite(rows(), tmp_path / "a.db"), databases.to_postgres(rows(5000), warehouse_url)):
        with create_engine(spec.url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool).connect() as c:
            c.exec_driver_sql(f'CREATE INDEX "ix {spec.table}" ON "{spec.table}" (ts)')
            c.exec_driver_sql("ANALYZE")
            c.commit()
            query = table_query.open_table_query(c, spec, "ts", UTC_ZONE)
            statement = query.rows_in(window).compile(c, compile_kwargs={"literal_binds": True})
            explain = "EXPLAIN QUERY PLAN" if c.dialect.name == "sqlite" else "EXPLAIN"
            plan = str(c.exec_driver_sql(f"{explain} {statement}".replace("%", "%%")).all())
            assert f"ix {spec.table}" in plan


def test_sqlite_columns_of_mixed_types_are_not_comparable(tmp_path: Path) -> None:
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
    assert {name: reason.fault for name, reason in learned.uncounted.items()} == dict.fromkeys(
        "xbdf", Fault.NOT_COMPARABLE
    )
    assert "1 real, 1 text" in learned.uncounted["x"].message
    assert "1 are not ISO 8601" in learned.uncounted["d"].message
    assert "1 are neither 0 nor 1" in learned.uncounted["f"].message
    counted = source.count({"m": NumericAxis((Decimal("0.4"), 2**53 + 1))}, None, (), ())[""]
    assert counted["m"].counts.tolist() == [0, 1, 1, 0], "integers and doubles are compared exactly"
    gone = source.count({"gone": NumericAxis((1,)), "late": NumericAxis((1,))}, None, (), ())[""]
    assert {name: reason.fault for name, reason in gone.uncounted.items()} == dict.fromkeys(
        ("gone", "late"), Fault.SCHEMA_ERROR
    )


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ([1300000000, 1300000001], "integer values"),
        (["2011-03-13 07:00", "13.3.2011"], "'13.3.2011'"),
        (["2011-03-13 07:00", "2011-03-13T08:00", "2011-03-14 08:00"], "1 rows of"),
        (["2011-03-13 07:00:00+02:00"], "'2011-03-13 07:00:00+02:00'"),
    ],
    ids=str,
)
def test_sqlite_timestamps_that_are_no_iso_texts_are_errors(column: list[Any], problem: str, tmp_path: Path) -> None:
    source = Sql(databases.to_sqlite(pa.table({"ts": column, "x": column}), tmp_path / "a.db"), "ts", UTC_ZONE)
    with pytest.raises(SourceError, match="'ts'") as error:
        source.count({}, Window(START, START + timedelta(days=3)), (), ())
    assert error.value.code == "timestamp-invalid"
    assert problem in str(error.value)


def test_impossible_times_are_errors(tmp_path: Path) -> None:
    table = pa.table({"ts": ["2011-02-31 07:00:00"], "at": ["2011-13-45"], "x": [1]})
    spec = databases.to_sqlite(table, tmp_path / "a.db", types={"at": "DATE"})
    with pytest.raises(SourceError, match="'2011-02-31 07:00:00'") as error:
        Sql(spec, "ts", UTC_ZONE).span()
    assert error.value.code == "timestamp-invalid"
    learned = Sql(spec, None, UTC_ZONE).learn(["at", "x"], Columns(), None)[""]
    assert list(learned) == ["x"]
    assert learned.uncounted["at"].fault is Fault.NOT_COMPARABLE
    assert "2011-13-45" in learned.uncounted["at"].message


@pytest.mark.postgres
def test_infinite_timestamps_have_no_span(warehouse_url: str) -> None:
    query = SqlSource(warehouse_url, query="SELECT timestamp 'infinity' AS ts, 1 AS x")
    with pytest.raises(SourceError, match=r"query: timestamp too large") as error:
        Sql(query, "ts", UTC_ZONE).span()
    assert error.value.code == "query-failed"


def test_postgres_types_without_bins_are_not_comparable(warehouse_url: str) -> None:
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
    learned = source.learn(source.columns(), Columns(), None)[""]
    assert {name: reason.fault for name, reason in learned.uncounted.items()} == dict.fromkeys(
        "ujba", Fault.NOT_COMPARABLE
    )
    assert "uuid values cannot be cut into bins" in learned.uncounted["u"].message
    assert learned["m"].axis.labels[:2] == ("ok", "sad")
    assert learned["s"].axis == NumericAxis((Decimal("0.125"), Decimal("1.000"), Decimal("1.001")))
    assert learned["i"].axis == NumericAxis((-5, 7, 8))
    assert learned["f"].counts.tolist() == [1, 1, 0, 1], "-inf is below, 0.1 inside, NaN missing"
    assert learned["n"].counts.tolist() == [0, 1, 1, 1], "2.50 inside, infinity above, NaN missing"
    assert learned["t"].counts.tolist() == [1, 1, 1, 0], "-infinity below, infinity above"
    counted = source.count({"i": NumericAxis((-(2**40), 7, 2**40))}, None, (), ())[""]
    assert counted["i"].counts.tolist() == [0, 1, 1, 0, 1], "edges beyond the type's range"


def test_many_columns_are_counted_by_several_statements(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MAX_RESULTS", 25)
    monkeypatch.setattr(counting, "MAX_BOUND", {})
    monkeypatch.setattr(counting, "MAX_JOINT_GROUPS", 5)
    table = pa.table({f"c{i}": list(range(i, i + 40)) for i in range(30)} | {"s": ["a", "b"] * 20, "r": ["c"] * 40})
    source = Sql(put(table), None, UTC_ZONE)
    whole = Table.from_arrow(table).learn(table.column_names, Columns())
    assert source.count(whole.axes, None, ["s"], {"s=a"})[""] == whole


def test_rows_written_during_a_count_are_not_seen(put: Put) -> None:
    spec = put(rows(50))
    source = Sql(spec, None, UTC_ZONE)
    whole = source.learn(NAMES, Columns(), None)[""]
    url, inserted = spec.url.replace("postgresql:", "postgresql+psycopg:"), []
    if spec.url.startswith("sqlite"):  # in its rollback journal a reader keeps writers out; in WAL it need not
        with closing(sqlite3.connect(spec.url.removeprefix("sqlite:///"))) as connection, connection:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.close()

    def insert(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "keyed" in statement and not inserted:  # names are counted last: the first statements have seen all rows
            inserted.append(True)
            with create_engine(url, poolclass=NullPool).begin() as other:
                other.exec_driver_sql(f'INSERT INTO "{spec.table}" (x) VALUES (7.5)')

    event.listen(Engine, "before_cursor_execute", insert)
    try:
        assert source.count(whole.axes, None, (), ())[""] == whole
    finally:
        event.remove(Engine, "before_cursor_execute", insert)
    assert inserted
    assert source.count(whole.axes, None, (), ())[""].rows == 51


def test_without_a_snapshot_differing_rows_are_an_error() -> None:
    counts = counting.GroupCounts()
    counts.check_rows({("a",): 3})
    with pytest.raises(SourceError, match="3 at first, then 4") as error:
        counts.check_rows({("a",): 4})
    assert error.value.code == "source-changed"


def test_edges_come_from_a_sample_and_counts_from_all_rows(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_axes, "SAMPLE", 400)
    monkeypatch.setattr(fit_axes, "MAX_BINS", 12)
    table = rows(4000).append_column("rare", pa.array([1.0 if i == 77 else 0.0 for i in range(4000)]))
    table = table.append_column("ends", pa.array([9e9 if i == 5 else -9e9 if i == 6 else i / 1e4 for i in range(4000)]))
    source = Sql(put(table), "ts", UTC_ZONE)
    names = ["x", "few", "rare", "ends", "text"]
    window = Window(START, START + timedelta(days=60))
    learned, repeated = (source.learn(names, Columns(), window)[""] for _ in range(2))
    assert learned == repeated, "the same rows are drawn"
    assert learned["rare"].counts.tolist() == [0, 3999, 1, 0, 0], "a rare value keeps its bin"
    assert (learned["ends"].counts[0], learned["ends"].counts[-2]) == (0, 0), "the extremes are those of all rows"
    assert learned["text"] == Table.from_arrow(table).learn(["text"], Columns())["text"]
    shares = learned["x"].counts[1:-2] / 4000
    # Rank errors of 400 drawn rows have a deviation of sqrt(q (1 - q) / 400) <= 0.025; a bin's, at most 0.015.
    assert np.abs(shares - 0.094).max() < 5 * 0.015
    query = SqlSource(source.spec.url, query=f'SELECT * FROM "{source.spec.table}"')
    strided = Sql(query, "ts", UTC_ZONE).learn(names, Columns(), window)[""]
    assert strided["rare"] == learned["rare"]
    assert np.abs(strided["x"].counts[1:-2] / 4000 - 0.094).max() < 5 * 0.015


def test_other_databases_are_counted_by_plain_sums(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL treated as an unknown database: types from values, sums of CASE, NaN above every number."""
    table = rows(200).append_column(
        "wild", pa.array([[float("nan"), float("inf"), -float("inf"), 0.5][i % 4] for i in range(200)])
    )
    spec = databases.to_postgres(table, warehouse_url)
    whole = Table.from_arrow(table).learn([*NAMES, "wild"], Columns())
    monkeypatch.setattr(PGDialect_psycopg, "name", "other")
    assert Sql(spec, None, UTC_ZONE).count(whole.axes, None, (), ())[""] == whole


@pytest.mark.postgres
def test_statement_timeout_names_its_source(warehouse_url: str) -> None:
    query = SqlSource(warehouse_url, query="SELECT 1 AS x, pg_sleep(30)", timeout=timedelta(seconds=0.2))
    with pytest.raises(SourceError, match=r"postgresql://.*, query: .*source\.timeout") as error:
        Sql(query, None, UTC_ZONE).count({"x": NumericAxis((1,))}, None, (), ())
    assert error.value.code == "query-timeout"


def test_sqlite_statements_are_interrupted(tmp_path: Path) -> None:
    spec = databases.to_sqlite(pa.table({"x": [1]}), tmp_path / "a.db")
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n"
    started = time.monotonic()
    with pytest.raises(SourceError, match=r"query: .*source\.timeout") as error:
        Sql(SqlSource(spec.url, query=endless, timeout=timedelta(seconds=0.2)), None, UTC_ZONE).count({}, None, (), ())
    assert error.value.code == "query-timeout"
    assert time.monotonic() - started < 20


@pytest.mark.postgres
def test_dropped_connection_is_a_source_error(warehouse_url: str) -> None:
    spec = SqlSource(warehouse_url, query="SELECT 1 AS x, pg_sleep(20)")
    errors: list[SourceError] = []

    def count() -> None:
        with pytest.raises(SourceError) as error:
            Sql(spec, None, UTC_ZONE).count({"x": NumericAxis((1,))}, None, (), ())
        errors.append(error.value)

    thread = threading.Thread(target=count)
    thread.start()
    with psycopg.connect(warehouse_url, autocommit=True) as admin:
        sleeping = "FROM pg_stat_activity WHERE query LIKE '%pg_sleep(20)%' AND wait_event = 'PgSleep'"
        kill = f"SELECT pg_terminate_backend(pid) {sleeping}"
        for _ in range(200):
            if admin.execute(kill).fetchall():
                break
            time.sleep(0.05)
    thread.join(30)
    assert [error.code for error in errors] == ["database-unreachable"]
    assert "query: " in str(errors[0])
    assert "terminat" in str(errors[0])


def test_unreachable_databases_are_errors_without_secrets(tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        cases = {
            f"postgresql://me:hunter2@127.0.0.1:{port}/db": (
                "database-unreachable",
                f"postgresql://127.0.0.1:{port}/db, table t: ",
            ),
            f"sqlite:///{tmp_path}/gone.db": ("source-not-found", f"sqlite:///{tmp_path}/gone.db"),
            "hunter2": ("invalid-value", "source.url"),
            "sqlite+hunter2://": ("dependency-missing", "sqlite+hunter2"),
        }
        for url, (code, text) in cases.items():
            with pytest.raises(SourceError) as error:
                Sql(SqlSource(url, table="t"), None, UTC_ZONE).columns()
            assert error.value.code == code
            assert text in str(error.value)
            if "me:" in url:
                assert "hunter2" not in str(error.value)
    assert not (tmp_path / "gone.db").exists()


def test_missing_tables_and_columns_are_named(put: Put) -> None:
    spec = put(rows(3))
    day = Window(START, START + timedelta(1))
    calls: list[tuple[str, str, Callable[[], Any]]] = [
        ("query-failed", "table gone: ", Sql(SqlSource(spec.url, table="gone"), None, UTC_ZONE).columns),
        ("timestamp-missing", "'when'; there are ts, x", Sql(spec, "when", UTC_ZONE).span),
        ("timestamp-invalid", "'few'", lambda: Sql(spec, "few", UTC_ZONE).count({}, day, (), ())),
        ("column-missing", "'z'", lambda: Sql(spec, None, UTC_ZONE).count({}, None, ["z"], ())),
    ]
    for code, text, call in calls:
        with pytest.raises(SourceError, match=text) as error:
            call()
        assert error.value.code == code


def test_sources_cannot_write(put: Put) -> None:
    spec = put(rows(3))
    with pytest.raises(SourceError) as error:
        Sql(SqlSource(spec.url, query=f'DELETE FROM "{spec.table}" RETURNING 1 AS x'), None, UTC_ZONE).columns()
    assert error.value.code == "query-failed"
    assert Sql(spec, None, UTC_ZONE).count({}, None, (), ())[""].rows == 3


numbers = st.one_of(st.none(), st.floats())
texts = st.one_of(st.none(), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=2))


@settings(max_examples=15, deadline=None)
@given(table_rows=st.lists(st.tuples(numbers, st.integers(-(2**63), 2**63 - 1), texts), min_size=1, max_size=20))
@pytest.mark.postgres
def test_any_rows_are_counted_by_the_definition(warehouse_url: str, table_rows: list[tuple[Any, ...]]) -> None:
    reference = drift.profile(
        pa.table({"x": [0.0, 0.5, 1.0, 7.0], "n": [-5, 0, 5, 2**60], "text": ["a", "b", "", "0"]})
    )
    x, n, text = (list(column) for column in zip(*table_rows, strict=True))
    table = pa.table(
        {"x": pa.array(x, pa.float64()), "n": pa.array(n, pa.int64()), "text": pa.array(text, pa.string())}
    )
    profile = databases.count(databases.to_postgres(table, warehouse_url), reference.axes)
    for column, values in (("x", x), ("n", n), ("text", text)):
        assert profile[column].counts.tolist() == expected(values, reference[column].axis)
