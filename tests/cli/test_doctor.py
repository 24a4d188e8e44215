"""`drift doctor`, the logs, and secrets from files: what who runs drift looks at when something is wrong."""

import contextlib
import json
import logging
import os
import shutil
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from drift.cli.doctor import examine
from drift.cli.logs import LogFormat, set_up_logs
from drift.cli.secret_files import SecretFiles
from drift.errors import ConfigError, DeliveryError
from drift.monitors.window import Window
from drift.store import Store
from drift.store.schema import REVISIONS
from tests.cli.test_run_summary import fail
from tests.support.commands import Run
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


def write(folder: Path, store: str = "sqlite:///drift.db", channel: str = "{type: file, path: told.jsonl}") -> Path:
    path = folder / "drift.yaml"
    path.write_text(CONFIG.format(store=json.dumps(store), channel=channel), encoding="utf-8")
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A sound configuration over two weeks of rows, the newest at `NEWEST`."""
    rows = 13 * 240
    moments = [NEWEST - timedelta(minutes=6) * i for i in range(rows)]
    frame = pl.DataFrame({"ts": moments, "x": [i % 17 for i in range(rows)], "kind": ["a", "b", "c"] * (rows // 3)})
    frame.write_parquet(tmp_path / "rows.parquet")
    return write(tmp_path)


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    """Something that listens on loopback, and takes no connection by itself."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def examined(config: Path, now: Callable[[], datetime] = lambda: NOW) -> dict[str, Any]:
    return {one.part: one for one in examine(config, {}, now)}


def works(config: Path) -> dict[str, bool]:
    return {part: one.works for part, one in examined(config).items()}


def test_a_sound_project_is_found_sound_and_left_as_it_was(project: Path, drift: Run) -> None:
    done = drift("doctor", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["works"], document["version"]) == (0, True, 1)
    assert [one["part"] for one in document["checks"]] == ["configuration", "store", "disk", "monitor", "channel"]
    assert all(set(one) == {"part", "name", "works", "message", "details"} for one in document["checks"])
    assert document["versions"]["drift"]
    assert document["versions"]["python"]
    assert sorted(path.name for path in project.parent.iterdir()) == ["drift.yaml", "rows.parquet"]
    shown = drift("doctor")
    assert (shown.returncode, "everything works" in shown.stdout) == (0, True)


def test_a_source_is_told_with_its_columns_its_span_and_the_age_of_its_newest_row(project: Path) -> None:
    found = examined(project)["monitor"]
    assert "2 columns watched, rows from 2024-01-01T00:00Z to 2024-01-13T23:54Z, 3 h 20 min ago" in found.message
    assert found.details["newest_age_seconds"] == (NOW - NEWEST).total_seconds()
    early = examined(project, lambda: NEWEST - timedelta(days=2, hours=1))["monitor"]
    assert "2 d 1 h ahead of this host's clock" in early.message


def test_each_part_that_does_not_work_is_told_and_hides_no_other(project: Path, drift: Run) -> None:
    (project.parent / "rows.parquet").unlink()
    (project.parent / "drift.db").write_text("this is no database, and longer than its header would be" * 9)
    parts = {"configuration": True, "store": False, "disk": True, "monitor": False, "channel": True}
    assert works(project) == parts
    assert "rows.parquet" in examined(project)["monitor"].message
    assert drift("doctor").returncode == 3


def test_a_monitor_that_is_configured_wrongly_is_told(project: Path) -> None:
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace("threshold: 0.3", "threshold: -1"), encoding="utf-8")
    found = examined(project)["monitor"]
    assert (found.works, "threshold" in found.message) == (False, True)


def test_without_a_configuration_the_versions_are_told_all_the_same(drift: Run) -> None:
    done = drift("doctor", "-c", "none.yaml", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["works"]) == (3, False)
    assert document["versions"]["drift"]
    assert "no such file" in document["checks"][0]["message"]


def test_a_store_behind_is_told_with_the_remedy(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open(f"sqlite:///{project.parent / 'drift.db'}").close()
    assert works(project)["store"]
    monkeypatch.setattr("drift.store.schema.REVISIONS", (*REVISIONS, "9999"))
    found = examined(project)
    assert (found["store"].works, "drift db upgrade" in found["store"].message) == (False, True)
    assert found["store"].details == {"schema": REVISIONS[-1], "newest": "9999"}
    assert "writes" not in found, "tables that are to be changed yet are not asked for"


def test_looking_whether_a_store_may_be_written_writes_nothing(project: Path) -> None:
    path = project.parent / "drift.db"
    Store.open(f"sqlite:///{path}").close()
    before = path.read_bytes()
    assert works(project)["writes"]
    assert path.read_bytes() == before


def test_a_store_that_somebody_else_writes_for_long_is_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project.parent / "drift.db"
    Store.open(f"sqlite:///{path}").close()
    monkeypatch.setattr("drift.store.engine.BUSY_TIMEOUT", 0.2)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        found = examined(project)["writes"]
    assert (found.works, "locked" in found.message) == (False, True)


def test_free_space_beside_a_sqlite_store_is_told_and_too_little_of_it(project: Path) -> None:
    path = project.parent / "drift.db"
    Store.open(f"sqlite:///{path}").close()
    free = shutil.disk_usage(project.parent).free
    told = examined(project)["disk"]
    assert told.works
    assert told.details["store_bytes"] == path.stat().st_size
    assert told.details["free_bytes"] == pytest.approx(free, rel=0.2)
    os.truncate(path, 2 * free)  # a hole, which takes no room; the store seems to have no room for a copy
    found = examined(project)["disk"]
    assert (found.works, "make room" in found.message) == (False, True)


@pytest.mark.postgres
def test_the_clock_of_a_database_is_compared_with_this_hosts(project: Path, postgres_url: str) -> None:
    config = write(project.parent, store=postgres_url)
    with_this = examined(config, lambda: datetime.now(UTC))
    assert with_this["clock"].works
    assert with_this["writes"].works
    assert "disk" not in with_this
    assert abs(with_this["clock"].details["apart_seconds"]) < 5
    ahead = examined(config, lambda: datetime.now(UTC) + timedelta(minutes=5))["clock"]
    assert (ahead.works, "NTP" in ahead.message) == (False, True)
    assert ahead.details["apart_seconds"] == pytest.approx(-300, abs=5)


@pytest.mark.postgres
def test_a_user_who_may_only_read_is_told(project: Path, own_postgres_url: str) -> None:
    name = f"reader_{os.getpid()}"
    role = sql.Identifier(name)
    with psycopg.connect(own_postgres_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        admin.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(role))
    try:
        url = make_url(own_postgres_url).set(username=name).render_as_string(hide_password=False)
        found = examined(write(project.parent, store=url))
        assert found["store"].works
        assert (found["writes"].works, "permission denied" in found["writes"].message) == (False, True)
    finally:
        with psycopg.connect(own_postgres_url, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP OWNED BY {}").format(role))
            admin.execute(sql.SQL("DROP ROLE {}").format(role))


def test_a_webhook_is_connected_to_and_sent_nothing(project: Path, receiver: socket.socket) -> None:
    port = receiver.getsockname()[1]
    config = write(project.parent, channel=f"{{type: webhook, url: 'http://127.0.0.1:{port}/hidden-path'}}")
    found = examined(config)["channel"]
    assert found.works
    assert "hidden-path" not in found.message
    connection, _ = receiver.accept()
    with connection:
        connection.settimeout(5)
        with contextlib.suppress(ConnectionResetError):  # hung up, too
            assert connection.recv(1) == b""


def test_a_webhook_that_nobody_answers_is_told_without_its_path(project: Path, receiver: socket.socket) -> None:
    port = receiver.getsockname()[1]
    receiver.close()
    config = write(project.parent, channel=f"{{type: webhook, url: 'http://127.0.0.1:{port}/hidden-path'}}")
    found = examined(config)["channel"]
    assert (found.works, "check host, port and network" in found.message) == (False, True)
    assert "hidden-path" not in found.message


def test_a_receiver_that_does_not_speak_tls_is_told_within_the_deadline(receiver: socket.socket) -> None:
    port = receiver.getsockname()[1]  # its backlog takes the connection, and nobody shakes hands
    channel = webhook(f"https://127.0.0.1:{port}/hidden-path", "team")
    with pytest.raises(DeliveryError, match=r"no connection within 0\.3 s"):
        channel.probe(deadline=0.3)


def test_a_receiver_that_answers_https_in_plain_words_is_told(receiver: socket.socket) -> None:
    def answer() -> None:
        connection, _ = receiver.accept()
        with connection:
            connection.recv(1)
            connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    answering = threading.Thread(target=answer)
    answering.start()
    channel = webhook(f"https://127.0.0.1:{receiver.getsockname()[1]}/hidden-path", "team")
    with pytest.raises(DeliveryError, match=r"no connection .SSLError") as told:
        channel.probe(deadline=5)
    answering.join()
    assert "hidden-path" not in str(told.value)


def test_behind_a_proxy_only_the_proxy_is_asked(receiver: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    port = receiver.getsockname()[1]
    monkeypatch.setenv("https_proxy", f"http://user:geheim@127.0.0.1:{port}")
    told = webhook("https://hooks.invalid/x", "team").probe(deadline=5)
    assert told.startswith("the proxy http://127.0.0.1 for https://hooks.invalid answers")
    assert "geheim" not in told


def test_a_file_that_cannot_be_made_is_told(project: Path) -> None:
    found = examined(write(project.parent, channel="{type: file, path: nowhere/told.jsonl}"))["channel"]
    assert (found.works, "nowhere does not exist" in found.message) == (False, True)


# Logs


def test_with_json_logs_each_window_is_one_line_and_every_line_is_json(project: Path, drift: Run) -> None:
    text = project.read_text(encoding="utf-8")  # one monitor is wrong: what it says goes the same way
    project.write_text(text.replace("channels:", "  broken: {source: {path: x.csv}}\nchannels:"), encoding="utf-8")
    done = drift("--log-format", "json", "run", "--json")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    checked = json.loads(done.stdout)["windows"]
    told = [line for line in lines if line.get("event") == "window"]
    shared = ("monitor", "window_start", "window_end", "revision", "rows", "verdict")
    assert len(checked) == 6
    assert [[line[key] for key in shared] for line in told] == [[one[key] for key in shared] for one in checked]
    assert {line["columns"] for line in told} == {2}
    assert all({"time", "level", "logger", "message", "pid"} <= set(line) for line in lines)
    assert any("broken" in line["message"] for line in lines)


@pytest.mark.slow
def test_without_json_a_run_is_silent_unless_asked(project: Path, drift: Run) -> None:
    assert drift("run").stderr == ""
    (project.parent / "drift.db").unlink()
    assert len(drift("-v", "run").stderr.splitlines()) == 6


@pytest.fixture
def logs_as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("drift")
    before, level, own = root.handlers[:], root.level, ours.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = before
    root.setLevel(level)
    ours.setLevel(own)


@pytest.mark.usefixtures("logs_as_before")
def test_a_line_of_json_is_strict_and_its_own_keys_stay(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(LogFormat.JSON, verbose=False)
    fields = {"score": float("nan"), "message": "forged", "level": 3, "at": NOW}
    logging.getLogger("drift.x").warning("told\nin two lines", extra={"fields": fields})
    (line,) = capsys.readouterr().err.splitlines()
    found = json.loads(line, parse_constant=pytest.fail)
    assert (found["message"], found["level"], found["score"]) == ("told\nin two lines", "warning", None)
    assert found["at"] == str(NOW)


@pytest.mark.usefixtures("logs_as_before")
def test_a_name_from_data_forges_no_line_of_a_text_log(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(LogFormat.TEXT, verbose=False)
    logging.getLogger("drift.x").warning("column %s", "a\n2024-01-01 ERROR forged \x1b[2J")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(r"column a\n2024-01-01 ERROR forged \x1b[2J")


# Secrets from files


@pytest.mark.slow
def test_a_secret_may_lie_in_a_file_that_a_variable_names(tmp_path: Path, project: Path, drift: Run) -> None:
    (tmp_path / "store").write_text("sqlite:///from-a-file.db\n")
    write(tmp_path, store="${WHERE}")
    assert drift("run").returncode == 2
    assert drift("run", WHERE_FILE=str(tmp_path / "store")).returncode == 0
    assert (tmp_path / "from-a-file.db").exists()


def test_a_variable_wins_over_its_file_and_an_unreadable_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    found = SecretFiles({"A": "a", "A_FILE": "/nowhere", "B_FILE": "/nowhere/b", "C_FILE": str(tmp_path / "empty")})
    assert found["A"] == "a"
    assert found.get("D", "none") == "none"
    with pytest.raises(ConfigError, match="B_FILE: cannot read /nowhere/b"):
        found["B"]
    with pytest.raises(ConfigError, match=r"C_FILE: .* is empty"):
        found["C"]


@pytest.mark.slow
def test_serve_takes_its_token_from_a_file(tmp_path: Path, project: Path, drift: Run) -> None:
    (tmp_path / "token").write_text("two words\n")
    done: subprocess.CompletedProcess[str] = drift("serve", "--host", "0.0.0.0", DRIFT_TOKEN_FILE="token")
    assert done.returncode == 2
    assert "DRIFT_TOKEN is one word" in done.stderr
    assert "two words" not in done.stderr


def test_what_keep_does_is_told_for_each_monitor(project: Path) -> None:
    all_of_it = examined(project)["monitor"]
    # 2 columns, 1 window a day, 650 bytes a column-window (docs/scale.md)
    assert (all_of_it.details["keep_seconds"], all_of_it.details["bytes_a_day"]) == (None, 2 * 650)
    assert "no `keep`: nothing is dropped, and the store grows by some 1 KiB a day" in all_of_it.message
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace("    timestamp: ts", "    timestamp: ts\n    keep: 400d"), encoding="utf-8")
    bounded = examined(project)["monitor"]
    assert bounded.details["keep_seconds"] == timedelta(days=400).total_seconds()
    assert "kept for 400d" in bounded.message
    assert "grows" not in bounded.message


# What the next run would meet


def test_a_folder_in_which_no_store_can_be_made_is_told(project: Path, drift: Run) -> None:
    write(project.parent, store="sqlite:///nowhere/drift.db")
    found = examined(project)
    assert (found["store"].works, "there is no folder" in found["store"].message) == (False, True)
    told = drift("validate")
    assert told.returncode == 3
    assert "there is no folder" in told.stdout


@pytest.mark.parametrize("stretch", ["{from: 2020-01-01, to: 2020-02-01}", "{from: 2024-01-03, to: 2024-01-05}"])
def test_a_reference_without_rows_is_told_before_it_is_frozen(project: Path, drift: Run, stretch: str) -> None:
    frame = pl.read_parquet(project.parent / "rows.parquet")  # without rows for two days within
    gap = pl.col("ts").is_between(datetime(2024, 1, 3, tzinfo=UTC), datetime(2024, 1, 5, tzinfo=UTC))
    frame.filter(~gap).write_parquet(project.parent / "rows.parquet")
    assert works(project)["monitor"]
    text = project.read_text(encoding="utf-8").replace("{from: 2024-01-01, to: 2024-01-08}", stretch)
    project.write_text(text, encoding="utf-8")
    found = examined(project)["monitor"]
    assert not found.works
    assert "holds no rows; the data spans 2024-01-01T00:00Z to" in found.message
    assert drift("validate").returncode == 3


@pytest.mark.slow
def test_a_reference_that_is_frozen_may_be_gone_from_the_source(project: Path, drift: Run) -> None:
    assert drift("run").returncode == 0
    frame = pl.read_parquet(project.parent / "rows.parquet")
    frame.filter(pl.col("ts") >= datetime(2024, 1, 9, tzinfo=UTC)).write_parquet(project.parent / "rows.parquet")
    assert works(project)["monitor"]
    told = examined(project)["windows"]
    assert (told.works, told.message) == (True, "6 checked, 0 due")


@pytest.mark.slow
def test_a_column_that_went_after_the_reference_was_frozen_is_told(project: Path, drift: Run) -> None:
    assert drift("run").returncode == 0
    pl.read_parquet(project.parent / "rows.parquet").drop("kind").write_parquet(project.parent / "rows.parquet")
    found = examined(project)["monitor"]
    assert not found.works
    assert "no longer has: kind; every window will say so" in found.message
    shown = drift("validate").stdout.replace("│", " ")  # where the message folds depends on the length of its path
    assert "no longer has: kind" in " ".join(shown.split())


@pytest.mark.slow
def test_windows_in_error_and_what_fires_are_told(project: Path, drift: Run) -> None:
    frame = pl.read_parquet(project.parent / "rows.parquet")
    moved = pl.when(pl.col("ts") >= datetime(2024, 1, 12, tzinfo=UTC)).then(pl.col("x") + 40).otherwise(pl.col("x"))
    frame.with_columns(moved.alias("x")).write_parquet(project.parent / "rows.parquet")
    assert drift("run").returncode == 1
    found = examined(project)
    assert found["windows"].works
    assert (found["alerts"].works, found["alerts"].details) == (True, {"firing": 1})
    assert "drift alerts list" in found["alerts"].message
    with Store.open(f"sqlite:///{project.parent}/drift.db") as store:
        fail(store, timedelta(minutes=20), Window(*(datetime(2024, 1, day, tzinfo=UTC) for day in (14, 15))))
    told = examined(project)["windows"]
    assert not told.works
    assert "`drift backfill --monitor m --from 2024-01-14T00:00Z --to 2024-01-15T00:00Z` at once" in told.message
    assert told.details == {"checked": 7, "due": 1, "error": 1, "retries": 1}
