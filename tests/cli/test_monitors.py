"""`drift validate`, `plan`, `run` and `backfill`, and the commands that show their results."""

import csv
import io
import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.support.commands import Run, configuration, daily


@pytest.fixture
def data(tmp_path: Path) -> Path:
    daily(moved_from=25).write_parquet(tmp_path / "data.parquet")
    (tmp_path / "drift.yaml").write_text(configuration())
    return tmp_path


def windows(run: Run, *args: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(run("windows", "--json", *args).stdout)["windows"]
    return rows


def test_run_checks_every_window_once_and_nothing_the_second_time(drift: Run, data: Path) -> None:
    planned = json.loads(drift("plan", "--json").stdout)["due"]
    first = drift("run", "--json")
    checked = json.loads(first.stdout)["windows"]
    starts = [f"2024-01-{day:02d}T00:00Z" for day in range(11, 31)]
    assert [w["window_start"] for w in planned] == starts
    assert [w["window_start"] for w in checked] == starts, "every window, oldest first"
    assert [w["verdict"] for w in checked] == ["ok"] * 15 + ["drift"] * 5
    assert first.returncode == 1

    second = drift("run")
    assert "no window is due" in second.stdout
    assert second.returncode == 0
    assert len(windows(drift)) == 20


def test_alert_fires_once_and_names_what_moved(drift: Run, data: Path) -> None:
    drift("run")
    messages = [json.loads(line) for line in (data / "alerts.jsonl").read_text().splitlines()]
    assert [m["status"] for m in messages] == ["firing"]
    (event,) = messages[0]["events"]
    assert (event["column"], event["rule"], event["state"]) == ("x", "drift", "firing")
    assert event["bins"][0]["contribution"] > 0
    (alert,) = json.loads(drift("alerts", "list", "--state", "firing", "--json").stdout)["alerts"]
    mistyped = drift("alerts", "list", "--state", "fired")
    assert mistyped.returncode == 2
    assert "ok, pending, firing, resolved [unknown-state]" in mistyped.stderr
    assert alert["column"] == "x"


def test_scores_are_stored_for_every_column_of_every_window(drift: Run, data: Path) -> None:
    drift("run")
    scores = json.loads(drift("scores", "--json").stdout)["scores"]
    assert len(scores) == 20 * 2
    keys = {
        "monitor", "segment", "column", "window_start", "window_end", "revision", "metric", "score", "noise_floor",
        "p_value", "threshold", "verdict", "message",
    }  # fmt: skip
    assert all(row.keys() >= keys for row in scores)
    assert {row["verdict"] for row in scores if row["column"] == "kind"} == {"ok"}
    as_csv = drift("scores", "--column", "x", "--csv").stdout.splitlines()
    assert len(as_csv) == 1 + 20


def test_csv_has_the_values_of_json(drift: Run, data: Path) -> None:
    drift("run")
    for command in ("scores", "windows"):
        rows = json.loads(drift(command, "--json").stdout)[command]
        lines = list(csv.DictReader(io.StringIO(drift(command, "--csv").stdout)))
        assert lines == [{key: "" if value is None else str(value) for key, value in row.items()} for row in rows]
        assert any(row["message"] for row in lines)


def test_missed_windows_are_caught_up(drift: Run, data: Path) -> None:
    (data / "drift.yaml").write_text(configuration(end="2024-01-16"))
    assert "5 windows checked" in drift("run").stdout
    (data / "drift.yaml").write_text(configuration(end="2024-01-23"))
    assert "7 windows checked" in drift("run").stdout
    starts = [w["window_start"] for w in windows(drift)]
    assert sorted(starts) == [f"2024-01-{day:02d}T00:00Z" for day in range(11, 23)]


@pytest.mark.slow
def test_backfill_adds_a_revision(drift: Run, data: Path) -> None:
    drift("run")
    done = drift("backfill", "--from", "2024-01-12", "--to", "2024-01-14", "--json")
    assert [(w["window_start"], w["revision"]) for w in json.loads(done.stdout)["windows"]] == [
        ("2024-01-12T00:00Z", 2),
        ("2024-01-13T00:00Z", 2),
    ]
    assert len(windows(drift)) == 20
    assert len(windows(drift, "--revisions", "all")) == 22


@pytest.mark.slow
def test_killed_run_loses_no_window(drift: Run, data: Path) -> None:
    daily(400, rows=200).write_parquet(data / "data.parquet")
    (data / "drift.yaml").write_text(configuration(end=None, window="1h", start="2024-01-11"))
    running = subprocess.Popen([sys.executable, "-m", "drift", "run"], cwd=data, stdout=subprocess.DEVNULL)
    try:
        done = 0
        deadline = time.monotonic() + 60
        while done < 5 and running.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
            done = _count_done(data / "drift.db")
        assert done >= 5, "the run did not start"
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    with closing(sqlite3.connect(data / "drift.db")) as connection, connection:
        connection.execute("UPDATE window SET lease_until = '2000-01-01 00:00:00.000000' WHERE status = 'claimed'")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    due = json.loads(drift("plan", "--json").stdout)["due"]
    with closing(sqlite3.connect(data / "drift.db")) as connection, connection:
        finished = [row[0] for row in connection.execute("SELECT start_at FROM window WHERE status = 'done'")]
        twice = connection.execute("SELECT count(*) - count(DISTINCT window_id) FROM revision").fetchone()
    assert twice == (0,), "a window was checked twice"
    hours = {datetime.fromisoformat(w["window_start"]).strftime("%Y-%m-%d %H") for w in due}
    hours |= {start[:13] for start in finished}
    first = datetime(2024, 1, 11)  # noqa: DTZ001 - only to be formatted
    expected = {(first + timedelta(hours=h)).strftime("%Y-%m-%d %H") for h in range(24 * 100)}
    assert expected <= hours, "a window was lost"
    assert len(due) + len(finished) == len(hours), "a window is planned twice"


def _count_done(store: Path) -> int:
    if not store.exists():
        return 0
    try:
        with closing(sqlite3.connect(store)) as connection, connection:
            (count,) = connection.execute("SELECT count(*) FROM window WHERE status = 'done'").fetchone()
            return int(count)
    except sqlite3.OperationalError:  # no table yet, or locked for a moment
        return 0


def test_invalid_monitors_do_not_stop_the_others(drift: Run, data: Path) -> None:
    document = json.loads(configuration())
    good = document["monitors"]["m"]
    document["monitors"] = {
        "a_gone": {**good, "source": {"path": "gone.parquet"}},
        "b_cron": {**good, "schedule": "61 2 * * *"},
        "c_good": good,
    }
    (data / "drift.yaml").write_text(json.dumps(document, indent=1))
    done = drift("run", "--fail-on", "never", "--json")
    result = json.loads(done.stdout)
    assert {w["monitor"] for w in result["windows"]} == {"c_good"}
    assert len(result["windows"]) == 20
    assert "gone.parquet" in result["failed"]["a_gone"]
    assert "61 2 * * *" in result["failed"]["b_cron"]
    assert done.returncode == 3
    strict = drift("validate")
    assert strict.returncode == 2
    assert "schedule" in strict.stderr
    assert "drift.yaml:" in strict.stderr


def test_unknown_column_gets_a_verdict(drift: Run, data: Path) -> None:
    (data / "drift.yaml").write_text(configuration(columns={"overrides": {"gone": {"threshold": 0.5}}}))
    validated = drift("validate")
    assert validated.returncode == 3
    assert "gone" in validated.stdout
    done = drift("run", "--fail-on", "never")
    assert done.returncode == 3
    scores = json.loads(drift("scores", "--json").stdout)["scores"]
    assert {row["verdict"] for row in scores if row["column"] == "gone"} == {"not_comparable"}
    assert {row["verdict"] for row in scores if row["column"] == "kind"} == {"ok"}


def test_changed_column_type_is_a_schema_error(drift: Run, data: Path) -> None:
    frame = daily()
    early, late = (
        frame.filter(pl.col("ts") < datetime(2024, 1, 20, tzinfo=UTC)),
        frame.filter(pl.col("ts") >= datetime(2024, 1, 20, tzinfo=UTC)),
    )
    (data / "data.parquet").unlink()
    early.write_parquet(data / "part-1.parquet")
    (data / "drift.yaml").write_text(configuration(source={"path": "part-*.parquet"}))
    drift("run")
    late.with_columns(pl.col("x").cast(pl.String)).write_parquet(data / "part-2.parquet")
    done = drift("backfill", "--from", "2024-01-25", "--to", "2024-01-26", "--fail-on", "never")
    assert done.returncode == 3
    scores = json.loads(drift("scores", "--from", "2024-01-25", "--to", "2024-01-26", "--json").stdout)["scores"]
    by_column = {row["column"]: row for row in scores}
    assert by_column["x"]["verdict"] == "schema_error"
    assert "string" in by_column["x"]["message"]
    assert by_column["kind"]["verdict"] == "ok"


def test_window_without_rows_is_no_data(drift: Run, data: Path) -> None:
    frame = daily()
    gap = (pl.col("ts") < datetime(2024, 1, 15, tzinfo=UTC)) | (pl.col("ts") >= datetime(2024, 1, 16, tzinfo=UTC))
    frame.filter(gap).write_parquet(data / "data.parquet")
    done = drift("run", "--json")
    verdicts = {w["window_start"]: w["verdict"] for w in json.loads(done.stdout)["windows"]}
    assert [start for start, verdict in verdicts.items() if verdict == "no_data"] == ["2024-01-15T00:00Z"]
    assert done.returncode == 3


def test_terminated_run_says_so_in_one_line(drift: Run, data: Path) -> None:
    done = drift("run", DRIFT_STOP_AT="opened:1:SIGTERM")
    assert done.returncode == -signal.SIGTERM, "143 in a shell"
    (line,) = done.stderr.splitlines()
    assert line.endswith("[terminated]")


def test_unreachable_store_error_hides_the_password(drift: Run, data: Path) -> None:
    document = json.loads(configuration())
    document["store"] = "postgresql://someone:hunter2@127.0.0.1:1/drift"
    (data / "drift.yaml").write_text(json.dumps(document))
    done = drift("run")
    assert done.returncode == 3
    assert "127.0.0.1" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_missing_or_invalid_configuration_exits_2(drift: Run, tmp_path: Path) -> None:
    missing = drift("run")
    assert missing.returncode == 2
    assert "drift init" in missing.stderr
    (tmp_path / "drift.yaml").write_text("version: 1\nmonitors:\n  m: {source: {path: x.parquet}, tymestamp: ts}\n")
    wrong = drift("validate")
    assert wrong.returncode == 2
    assert "drift.yaml:3" in wrong.stderr
    assert "timestamp" in wrong.stderr


def test_empty_reference_error_gives_the_span_of_data(drift: Run, data: Path) -> None:
    (data / "drift.yaml").write_text(
        configuration(reference={"from": "2020-01-01", "to": "2020-02-01"}, start="2024-01-11")
    )
    done = drift("run")
    assert done.returncode == 3
    assert "2024-01-01" in done.stderr


def test_frozen_reference_survives_changed_data(drift: Run, data: Path) -> None:
    drift("run")
    (shown,) = json.loads(drift("baseline", "show", "--json").stdout)["baselines"]
    daily(moved_from=0).write_parquet(data / "data.parquet")  # the file changes under it
    (data / "drift.yaml").write_text(configuration(threshold=0.5))  # and so does the threshold
    drift("backfill", "--from", "2024-01-12", "--to", "2024-01-13")
    (unchanged,) = json.loads(drift("baseline", "show", "--json").stdout)["baselines"]
    assert unchanged == shown
    assert shown["segments"][""]["rows"] == 3000


def test_segments_are_checked_separately(drift: Run, data: Path) -> None:
    (data / "drift.yaml").write_text(configuration(segments=["kind"], end="2024-01-12"))
    drift("run")
    scores = json.loads(drift("scores", "--json").stdout)["scores"]
    assert {row["segment"] for row in scores} == {"", "kind=a", "kind=b", "kind=c"}


def test_a_report_is_written_in_every_format(drift: Run, data: Path) -> None:
    drift("run")
    assert "wrote m-report.html" in drift("report").stdout
    assert json.loads(drift("report", "--format", "json", "-o", "-").stdout)
    assert "x" in drift("report", "--format", "md", "-o", "-").stdout
    assert drift("report", "--format", "pdf").returncode == 2


def test_init_writes_a_working_configuration(drift: Run, data: Path) -> None:
    (data / "drift.yaml").unlink()
    assert drift("init", "data.parquet").returncode == 0
    assert drift("init", "data.parquet").returncode == 2, "existing files are not replaced"
    assert drift("validate").returncode == 0
    assert "windows checked" in drift("run").stdout


def test_validate_explains_the_reference(drift: Run, data: Path) -> None:
    (data / "drift.yaml").write_text(configuration(threshold="auto", false_alarms="1 per 30d"))
    validated = drift("validate")
    assert validated.returncode == 0
    (line,) = [line for line in validated.stdout.splitlines() if line.startswith("m: ")]
    assert "10 whole windows of 1d" in line


def test_folder_names_are_not_patterns(drift: Run, tmp_path: Path) -> None:
    odd = tmp_path / "I [v2]*"
    odd.mkdir()
    daily().write_parquet(odd / "part-1.parquet")
    (odd / "drift.yaml").write_text(configuration(source={"path": "part-*.parquet"}))
    assert "20 windows checked" in drift("run", "-c", odd / "drift.yaml").stdout


def test_init_without_timestamp_column_shows_examples(drift: Run, tmp_path: Path) -> None:
    pl.DataFrame({"day": ["31/12/2024"] * 30, "x": range(30)}).write_csv(tmp_path / "d.csv")
    done = drift("init", "d.csv")
    assert done.returncode == 2
    assert "31/12/2024" in done.stderr
    assert "ISO 8601" in done.stderr
    named = drift("init", "d.csv", "--timestamp", "day")
    assert "31/12/2024" in named.stderr
    assert "assume_timezone" not in named.stderr
