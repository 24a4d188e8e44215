"""A reference that is given up, as the commands tell it; and one that another process reads."""

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
  log: {type: file, path: told.jsonl}
"""
Lose = Callable[..., None]


@pytest.fixture
def lose(tmp_path: Path) -> Lose:
    """Workers of other hosts read the reference of `bad` and are never heard of again, or not yet."""
    hours = [START + timedelta(hours=n) for n in range(5 * 24)]
    pl.DataFrame({"ts": hours, "x": [float(n % 7) for n in range(len(hours))]}).write_parquet(tmp_path / "rows.parquet")
    (tmp_path / "drift.yaml").write_text(CONFIG, encoding="utf-8")

    def times(number: int, lease: timedelta = timedelta(seconds=1)) -> None:
        monitor = read_config(tmp_path / "drift.yaml", {}).monitors["bad"]
        with Store.open(f"sqlite:///{tmp_path / 'drift.db'}") as store:
            key = store.define("bad", monitor.document, START).monitor_id
            now = datetime.now(UTC)
            for back in range(number, 0, -1):
                began = now - 2 * back * lease if number > 1 else now
                assert store.begin_reading(key, reference_digest(monitor), f"elsewhere:{back}", began, lease)

    return times


def test_a_reference_that_is_given_up_is_told_everywhere_until_a_backfill_reads_it(
    lose: Lose, drift: Run, tmp_path: Path
) -> None:
    lose(MAX_ATTEMPTS)
    ran = drift("run", "--json")
    assert ran.returncode == 3
    told = json.loads(ran.stdout)
    assert [(row["monitor"], row["verdict"]) for row in told["windows"]] == [("good", "ok")]
    why = told["failed"]["bad"]
    assert f"given up: {MAX_ATTEMPTS} times" in why
    assert "`drift backfill`" in why
    planned = drift("plan", "--json")
    assert planned.returncode == 3
    assert json.loads(planned.stdout)["failed"] == {"bad": why}
    for command in (["windows", "--monitor", "bad"], ["baseline", "show"]):
        assert why in drift(*command).stderr, command
    found = {
        one.name: one
        for one in examine(tmp_path / "drift.yaml", {}, lambda: datetime.now(UTC))
        if one.part == "windows"
    }
    assert (found["bad"].works, found["good"].works) == (False, True)
    assert why in found["bad"].message
    again = drift("backfill", "--monitor", "bad", "--from", "2024-03-05", "--to", "2024-03-06", "--json")
    assert again.returncode == 0, again.stderr
    assert [row["verdict"] for row in json.loads(again.stdout)["windows"]] == ["ok"]
    assert drift("plan").returncode == 0


@pytest.mark.parametrize("times", [ISOLATE_AFTER_CRASHES - 1, ISOLATE_AFTER_CRASHES])
def test_a_reference_that_ended_three_processes_is_told_by_doctor(lose: Lose, tmp_path: Path, times: int) -> None:
    lose(times)
    findings = examine(tmp_path / "drift.yaml", {}, lambda: datetime.now(UTC))
    (found,) = (one for one in findings if (one.part, one.name) == ("windows", "bad"))
    assert found.works == (times < ISOLATE_AFTER_CRASHES)
    assert (f"came to no end {times} times" in found.message) == (times >= ISOLATE_AFTER_CRASHES)


def test_what_may_kill_the_run_comes_last_when_the_others_are_checked_and_told(lose: Lose, drift: Run) -> None:
    lose(ISOLATE_AFTER_CRASHES)
    ran = drift("run", "--json")
    assert ran.returncode == 0, ran.stderr
    assert [row["monitor"] for row in json.loads(ran.stdout)["windows"]] == ["good", "bad"]


def test_windows_that_wait_for_anothers_reading_are_told(lose: Lose, drift: Run) -> None:
    lose(1, LEASE_TTL)
    ran = drift("run", "--json")
    assert ran.returncode == 0
    assert [row["monitor"] for row in json.loads(ran.stdout)["windows"]] == ["good"]
    assert "bad: its reference is being read by elsewhere:1; its windows wait" in ran.stderr
