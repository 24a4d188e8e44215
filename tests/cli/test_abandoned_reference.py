"""An abandoned reference, and one that another process is reading, in the output of the commands."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from drift.cli.doctor import examine
from drift.references import reference_digest
from drift.runner.isolation import ISOLATE_AFTER_CRASHES
from drift.runner.lease import LEASE_TTL, MAX_ATTEMPTS
from drift.store import Store
from tests.support.commands import Run
from tests.support.configurations import read_config

START = datetime(2024, 3, 1, tzinfo=UTC)
CONFIG = """
version: 1
store: sqlite:///drift.db
monitors:
  bad: &one
    source: {path: rows.parquet}
    timestamp: ts
    window: 1d
    end: 2024-03-06
    reference: {from: 2024-03-01, to: 2024-03-05}
    threshold: 0.9
    alert: {notify: [log]}
  good: *one
channels:
  log: {type: file, path: alerts.jsonl}
"""
Crash = Callable[..., None]


@pytest.fixture
def crash(tmp_path: Path) -> Crash:
    """Start reading the reference of `bad` on other hosts, without an end: crashed, or still running."""
    hours = [START + timedelta(hours=n) for n in range(5 * 24)]
    pl.DataFrame({"ts": hours, "x": [float(n % 7) for n in range(len(hours))]}).write_parquet(tmp_path / "rows.parquet")
    (tmp_path / "drift.yaml").write_text(CONFIG, encoding="utf-8")

    def times(number: int, lease: timedelta = timedelta(seconds=1)) -> None:
        monitor = read_config(tmp_path / "drift.yaml", {}).monitors["bad"]
        with Store.open(f"sqlite:///{tmp_path / 'drift.db'}") as store:
            key = store.monitors.define("bad", monitor.document, START).monitor_id
            now = datetime.now(UTC)
            for back in range(number, 0, -1):
                began = now - 2 * back * lease if number > 1 else now
                assert store.references.begin_attempt(key, reference_digest(monitor), f"elsewhere:{back}", began, lease)

    return times


def test_abandoned_reference_is_reported_until_a_backfill_reads_it(crash: Crash, drift: Run, tmp_path: Path) -> None:
    crash(MAX_ATTEMPTS)
    ran = drift("run", "--json")
    assert ran.returncode == 3
    document = json.loads(ran.stdout)
    assert [(row["monitor"], row["verdict"]) for row in document["windows"]] == [("good", "ok")]
    why = document["failed"]["bad"]
    assert f" {MAX_ATTEMPTS} " in why
    assert "`drift backfill" in why
    planned = drift("plan", "--json")
    assert planned.returncode == 3
    assert json.loads(planned.stdout)["failed"] == {"bad": why}
    for command in (["windows", "--monitor", "bad"], ["baseline", "show"]):
        assert f"{why} [reference-abandoned]" in drift(*command).stderr, command
    checks = {
        check.name: check
        for check in examine(tmp_path / "drift.yaml", {}, lambda: datetime.now(UTC))
        if check.part == "windows"
    }
    assert (checks["bad"].code, checks["good"].code) == ("reference-abandoned", None)
    assert why in checks["bad"].message
    done = drift("backfill", "--monitor", "bad", "--from", "2024-03-05", "--to", "2024-03-06", "--json")
    assert done.returncode == 0, done.stderr
    assert [row["verdict"] for row in json.loads(done.stdout)["windows"]] == ["ok"]
    assert drift("plan").returncode == 0


@pytest.mark.parametrize("times", [ISOLATE_AFTER_CRASHES - 1, ISOLATE_AFTER_CRASHES])
def test_doctor_reports_a_reference_that_crashed_three_processes(crash: Crash, tmp_path: Path, times: int) -> None:
    crash(times)
    checks = examine(tmp_path / "drift.yaml", {}, lambda: datetime.now(UTC))
    (check,) = (check for check in checks if (check.part, check.name) == ("windows", "bad"))
    crashing = times >= ISOLATE_AFTER_CRASHES
    assert check.code == ("reference-crashing" if crashing else None)
    assert (f"crashed {times} " in check.message) == crashing


def test_crashing_references_are_read_last(crash: Crash, drift: Run) -> None:
    crash(ISOLATE_AFTER_CRASHES)
    ran = drift("run", "--json")
    assert ran.returncode == 0, ran.stderr
    assert [row["monitor"] for row in json.loads(ran.stdout)["windows"]] == ["good", "bad"]


def test_reference_read_by_another_process_is_reported(crash: Crash, drift: Run) -> None:
    crash(1, LEASE_TTL)
    ran = drift("run", "--json")
    assert ran.returncode == 0
    assert [row["monitor"] for row in json.loads(ran.stdout)["windows"]] == ["good"]
    assert "drift: note: bad: elsewhere:1 is reading the reference" in ran.stderr
