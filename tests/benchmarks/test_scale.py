"""The benchmarks of docs/scale.md, at a small size: they run, and their counts are right."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT


def run_benchmark(name: str, *arguments: object) -> dict[str, Any]:
    """Run a benchmark, and return its printed JSON."""
    result = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    output: dict[str, Any] = json.loads(result.stdout)
    return output


@pytest.mark.slow
@pytest.mark.postgres
def test_a_small_fleet_loses_and_doubles_nothing(postgres_server: str, tmp_path: Path) -> None:
    sizes = ("--monitors", 16, "--columns", 3, "--hours", 3, "--replicas", 3)
    results = run_benchmark("fleet", *sizes, "--server", postgres_server, "--out", tmp_path / "fleet.json")
    assert sum(results["windows_by_replica"]) == 16 * 3
    audit = results["audit"]
    assert (audit["lost"], audit["doubled"], audit["wrong"], results["failures"]) == (0, 0, 0, [])
    assert (audit["moved_monitors"], audit["moved_monitors_of_which_a_window_did_not_drift"]) == (2, 0)
    assert audit["scores_computed_again"] == 16 * 3 * 3
    assert audit["scores_off"] == 0


@pytest.mark.slow
def test_store_queries_are_measured() -> None:
    results = run_benchmark("store", "--windows", 30, "--columns", 4)
    assert results["filling"]["seconds"] > 0
    assert 0 < results["bytes_per_column_window"] < results["bytes"]
    assert all(query["seconds"] > 0 for query in results["querying"].values())


@pytest.mark.slow
def test_monitor_status_is_faster_than_reading_windows() -> None:
    results = run_benchmark("listing", "--monitors", 3, "--windows", 2000)["milliseconds"]
    assert 0 < results["status of all monitors (page, list)"] < results["all windows"] / 2
