"""`drift doctor`: each check, its code, and that checks are independent."""

import contextlib
import json
import os
import shutil
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from drift.cli.doctor import examine
from drift.cli.doctor.check_result import CheckResult
from drift.errors import DeliveryError
from drift.monitors.window import Window
from drift.store import Store
from drift.store.schema import REVISIONS
from tests.support.commands import Run, fail_window, words
from tests.support.receivers import webhook

CONFIG = """
version: 1
store: {store}
monitors:
  m:
    source: {{path: rows.parquet}}
    timestamp: ts
    reference: {{from: 2024-01-01, to: 2024-01-08}}
    end: 2024-01-14
    threshold: 0.3
    alert: {{notify: [team]}}
channels:
  team: {channel}
"""
NEWEST = datetime(2024, 1, 13, 23, 54, tzinfo=UTC)
NOW = NEWEST + timedelta(hours=3, minutes=20)


def write(folder: Path, store: str = "sqlite:///drift.db", channel: str = "{type: file, path: alerts.jsonl}") -> Path:
    path = folder / "drift.yaml"
    path.write_text(CONFIG.format(store=json.dumps(store), channel=channel), encoding="utf-8")
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A valid configuration over two weeks of rows, the newest at `NEWEST`."""
    rows = 13 * 240
    moments = [NEWEST - timedelta(minutes=6) * i for i in range(rows)]
    frame = pl.DataFrame({"ts": moments, "x": [i % 17 for i in range(rows)], "kind": ["a", "b", "c"] * (rows // 3)})
    frame.write_parquet(tmp_path / "rows.parquet")
    return write(tmp_path)


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    """Socket that listens on loopback and accepts no connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def checks_of(config: Path, now: Callable[[], datetime] = lambda: NOW) -> dict[str, CheckResult]:
    return {check.part: check for check in examine(config, {}, now)}


def codes_of(config: Path) -> dict[str, str | None]:
    checks = checks_of(config)
    assert all(check.works == (check.code is None) for check in checks.values())
    return {part: check.code for part, check in checks.items()}


def test_valid_project_passes_and_is_not_changed(project: Path, drift: Run) -> None:
    done = drift("doctor", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["works"], document["version"]) == (0, True, 1)
    assert [check["part"] for check in document["checks"]] == ["configuration", "store", "disk", "monitor", "channel"]
    keys = {"part", "name", "works", "message", "details", "code"}
    assert all(set(check) == keys for check in document["checks"])
    assert document["versions"]["drift"]
    assert document["versions"]["python"]
    assert sorted(path.name for path in project.parent.iterdir()) == ["drift.yaml", "rows.parquet"]
    shown = drift("doctor")
    assert (shown.returncode, "all 5 checks passed" in shown.stdout) == (0, True)


def test_source_check_shows_columns_span_and_age(project: Path) -> None:
    check = checks_of(project)["monitor"]
    assert "2 columns watched, rows from 2024-01-01T00:00Z to 2024-01-13T23:54Z, 3 h 20 min ago" in check.message
    assert check.details["newest_age_seconds"] == (NOW - NEWEST).total_seconds()
    early = checks_of(project, lambda: NEWEST - timedelta(days=2, hours=1))["monitor"]
    assert "2 d 1 h ahead of this host's clock" in early.message


def test_failed_checks_hide_no_other(project: Path, drift: Run) -> None:
    (project.parent / "rows.parquet").unlink()
    (project.parent / "drift.db").write_text("this is no database, and longer than its header would be" * 9)
    codes = codes_of(project)
    assert set(codes) == {"configuration", "store", "disk", "monitor", "channel"}
    assert {part for part, code in codes.items() if code} == {"store", "monitor"}
    assert codes["monitor"] == "source-not-found"
    assert "rows.parquet" in checks_of(project)["monitor"].message
    shown = drift("doctor")
    assert (shown.returncode, "2 of 5 checks failed" in shown.stdout) == (3, True)
    assert "[source-not-found]" in shown.stdout


def test_invalid_monitor_fails(project: Path) -> None:
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace("threshold: 0.3", "threshold: -1"), encoding="utf-8")
    check = checks_of(project)["monitor"]
    assert (check.code, "threshold" in check.message) == ("invalid-configuration", True)


def test_versions_are_shown_without_a_configuration(drift: Run) -> None:
    done = drift("doctor", "-c", "none.yaml", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["works"]) == (3, False)
    assert document["versions"]["drift"]
    assert "none.yaml" in document["checks"][0]["message"]


def test_store_not_migrated_fails_with_remedy(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open(f"sqlite:///{project.parent / 'drift.db'}").close()
    assert codes_of(project)["store"] is None
    monkeypatch.setattr("drift.store.schema.REVISIONS", (*REVISIONS, "9999"))
    checks = checks_of(project)
    assert (checks["store"].code, "drift db upgrade" in checks["store"].message) == ("store-not-migrated", True)
    assert checks["store"].details == {"schema": REVISIONS[-1], "newest": "9999"}
    assert "writes" not in checks, "tables of an old schema are not checked"


def test_write_check_writes_nothing(project: Path) -> None:
    path = project.parent / "drift.db"
    Store.open(f"sqlite:///{path}").close()
    before = path.read_bytes()
    assert codes_of(project)["writes"] is None
    assert path.read_bytes() == before


def test_locked_store_fails(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project.parent / "drift.db"
    Store.open(f"sqlite:///{path}").close()
    monkeypatch.setattr("drift.store.engine.BUSY_TIMEOUT", 0.2)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        check = checks_of(project)["writes"]
    assert (check.works, "locked" in check.message) == (False, True)


def test_disk_check_compares_free_space_with_the_store(project: Path) -> None:
    path = project.parent / "drift.db"
    Store.open(f"sqlite:///{path}").close()
    free = shutil.disk_usage(project.parent).free
    check = checks_of(project)["disk"]
    assert check.works
    assert check.details["store_bytes"] == path.stat().st_size
    assert check.details["free_bytes"] == pytest.approx(free, rel=0.2)
    os.truncate(path, 2 * free)  # a sparse file: the disk seems too small for a copy
    assert checks_of(project)["disk"].code == "disk-full"


@pytest.mark.postgres
def test_clock_check_compares_database_and_host(project: Path, postgres_url: str) -> None:
    config = write(project.parent, store=postgres_url)
    checks = checks_of(config, lambda: datetime.now(UTC))
    assert checks["clock"].works
    assert checks["writes"].works
    assert "disk" not in checks
    assert abs(checks["clock"].details["apart_seconds"]) < 5
    ahead = checks_of(config, lambda: datetime.now(UTC) + timedelta(minutes=5))["clock"]
    assert ahead.code == "clock-skew"
    assert ahead.details["apart_seconds"] == pytest.approx(-300, abs=5)


@pytest.mark.postgres
def test_read_only_database_user_fails(project: Path, own_postgres_url: str) -> None:
    name = f"reader_{os.getpid()}"
    role = sql.Identifier(name)
    with psycopg.connect(own_postgres_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        admin.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(role))
    try:
        url = make_url(own_postgres_url).set(username=name).render_as_string(hide_password=False)
        checks = checks_of(write(project.parent, store=url))
        assert checks["store"].works
        assert (checks["writes"].works, "permission denied" in checks["writes"].message) == (False, True)
    finally:
        with psycopg.connect(own_postgres_url, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP OWNED BY {}").format(role))
            admin.execute(sql.SQL("DROP ROLE {}").format(role))


def test_webhook_check_connects_and_sends_nothing(project: Path, receiver: socket.socket) -> None:
    port = receiver.getsockname()[1]
    config = write(project.parent, channel=f"{{type: webhook, url: 'http://127.0.0.1:{port}/hidden-path'}}")
    check = checks_of(config)["channel"]
    assert check.works
    assert "hidden-path" not in check.message
    connection, _ = receiver.accept()
    with connection:
        connection.settimeout(5)
        with contextlib.suppress(ConnectionResetError):  # closed by the other side
            assert connection.recv(1) == b""


def test_unreachable_webhook_fails_without_showing_its_path(project: Path, receiver: socket.socket) -> None:
    port = receiver.getsockname()[1]
    receiver.close()
    config = write(project.parent, channel=f"{{type: webhook, url: 'http://127.0.0.1:{port}/hidden-path'}}")
    check = checks_of(config)["channel"]
    assert not check.works
    assert "hidden-path" not in check.message


def test_probe_of_a_silent_receiver_ends_at_the_deadline(receiver: socket.socket) -> None:
    port = receiver.getsockname()[1]  # the backlog accepts the connection, without a TLS handshake
    channel = webhook(f"https://127.0.0.1:{port}/hidden-path", "team")
    with pytest.raises(DeliveryError, match=r"no connection within 0\.3 s"):
        channel.probe(deadline=0.3)


def test_probe_of_a_receiver_without_tls_fails(receiver: socket.socket) -> None:
    def answer() -> None:
        connection, _ = receiver.accept()
        with connection:
            connection.recv(1)
            connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    answering = threading.Thread(target=answer)
    answering.start()
    channel = webhook(f"https://127.0.0.1:{receiver.getsockname()[1]}/hidden-path", "team")
    with pytest.raises(DeliveryError, match=r"no connection .SSLError") as error:
        channel.probe(deadline=5)
    answering.join()
    assert "hidden-path" not in str(error.value)


def test_probe_behind_a_proxy_contacts_only_the_proxy(receiver: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", f"http://user:geheim@127.0.0.1:{receiver.getsockname()[1]}")
    answer = webhook("https://hooks.invalid/x", "team").probe(deadline=5)
    assert "https://hooks.invalid" in answer
    assert "http://127.0.0.1" in answer
    assert "geheim" not in answer


def test_file_channel_without_folder_fails(project: Path) -> None:
    check = checks_of(write(project.parent, channel="{type: file, path: nowhere/alerts.jsonl}"))["channel"]
    assert (check.works, "nowhere" in check.message) == (False, True)


def test_monitor_check_shows_retention_and_growth(project: Path) -> None:
    unlimited = checks_of(project)["monitor"]
    # 2 columns, 1 window a day, 650 bytes a column-window (docs/scale.md)
    assert (unlimited.details["keep_seconds"], unlimited.details["bytes_a_day"]) == (None, 2 * 650)
    assert "no `keep`: nothing is deleted, and the store grows by about 1 KiB a day" in unlimited.message
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace("    timestamp: ts", "    timestamp: ts\n    keep: 400d"), encoding="utf-8")
    bounded = checks_of(project)["monitor"]
    assert bounded.details["keep_seconds"] == timedelta(days=400).total_seconds()
    assert "kept for 400d" in bounded.message
    assert "grows" not in bounded.message


def test_store_in_a_missing_folder_fails(project: Path, drift: Run) -> None:
    write(project.parent, store="sqlite:///nowhere/drift.db")
    check = checks_of(project)["store"]
    assert (check.code, "nowhere" in check.message) == ("store-unreachable", True)
    validated = drift("validate")
    assert validated.returncode == 3
    assert "nowhere" in validated.stdout


@pytest.mark.parametrize("span", ["{from: 2020-01-01, to: 2020-02-01}", "{from: 2024-01-03, to: 2024-01-05}"])
def test_empty_reference_fails_before_it_is_frozen(project: Path, drift: Run, span: str) -> None:
    frame = pl.read_parquet(project.parent / "rows.parquet")  # without rows for two days within
    gap = pl.col("ts").is_between(datetime(2024, 1, 3, tzinfo=UTC), datetime(2024, 1, 5, tzinfo=UTC))
    frame.filter(~gap).write_parquet(project.parent / "rows.parquet")
    assert codes_of(project)["monitor"] is None
    text = project.read_text(encoding="utf-8").replace("{from: 2024-01-01, to: 2024-01-08}", span)
    project.write_text(text, encoding="utf-8")
    check = checks_of(project)["monitor"]
    assert check.code == "no-rows"
    assert "2024-01-01T00:00Z" in check.message
    assert drift("validate").returncode == 3


@pytest.mark.slow
def test_frozen_reference_may_be_deleted_from_the_source(project: Path, drift: Run) -> None:
    assert drift("run").returncode == 0
    frame = pl.read_parquet(project.parent / "rows.parquet")
    frame.filter(pl.col("ts") >= datetime(2024, 1, 9, tzinfo=UTC)).write_parquet(project.parent / "rows.parquet")
    assert codes_of(project)["monitor"] is None
    check = checks_of(project)["windows"]
    assert (check.works, check.message) == (True, "6 checked, 0 due")


@pytest.mark.slow
def test_column_missing_since_the_freeze_fails(project: Path, drift: Run) -> None:
    assert drift("run").returncode == 0
    pl.read_parquet(project.parent / "rows.parquet").drop("kind").write_parquet(project.parent / "rows.parquet")
    check = checks_of(project)["monitor"]
    assert (check.code, "kind" in check.message) == ("column-missing", True)
    assert "frozen reference: kind" in words(drift("validate").stdout)


@pytest.mark.slow
def test_windows_in_error_fail_and_firing_alerts_do_not(project: Path, drift: Run) -> None:
    frame = pl.read_parquet(project.parent / "rows.parquet")
    moved = pl.when(pl.col("ts") >= datetime(2024, 1, 12, tzinfo=UTC)).then(pl.col("x") + 40).otherwise(pl.col("x"))
    frame.with_columns(moved.alias("x")).write_parquet(project.parent / "rows.parquet")
    assert drift("run").returncode == 1
    checks = checks_of(project)
    assert checks["windows"].works
    assert (checks["alerts"].works, checks["alerts"].details) == (True, {"firing": 1})
    with Store.open(f"sqlite:///{project.parent}/drift.db") as store:
        fail_window(store, timedelta(minutes=20), Window(*(datetime(2024, 1, day, tzinfo=UTC) for day in (14, 15))))
    check = checks_of(project)["windows"]
    assert check.code == "retry-pending"
    assert "`drift backfill --monitor m --from 2024-01-14T00:00Z --to 2024-01-15T00:00Z`" in check.message
    assert check.details == {"checked": 7, "due": 1, "error": 1, "retries": 1}
