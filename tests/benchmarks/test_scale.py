"""The benchmarks of docs/scale.md, in small: they run, and what they count is right."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT


def told(name: str, *words: object) -> dict[str, Any]:
    """What a benchmark prints."""
    result = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.slow
@pytest.mark.postgres
def test_a_small_fleet_loses_and_doubles_nothing(postgres_server: str, tmp_path: Path) -> None:
    sizes = ("--monitors", 16, "--columns", 3, "--hours", 3, "--replicas", 3)
    found = told("fleet", *sizes, "--server", postgres_server, "--out", tmp_path / "fleet.json")
    assert sum(found["windows_by_replica"]) == 16 * 3
    audit = found["audit"]
    assert (audit["lost"], audit["doubled"], audit["wrong"], found["failures"]) == (0, 0, 0, [])
    assert (audit["moved_monitors"], audit["moved_monitors_of_which_a_window_did_not_drift"]) == (2, 0)
    assert audit["scores_computed_again"] == 16 * 3 * 3
    assert audit["scores_off"] == 0


@pytest.mark.slow
def test_what_a_store_is_asked_is_measured() -> None:
    found = told("store", "--windows", 30, "--columns", 4)
    assert found["filling"]["seconds"] > 0
    assert 0 < found["bytes_per_column_window"] < found["bytes"]
    assert all(one["seconds"] > 0 for one in found["asking"].values())


@pytest.mark.slow
def test_looking_at_all_monitors_takes_less_than_reading_their_windows() -> None:
    found = told("listing", "--monitors", 3, "--windows", 2000)["milliseconds"]
    assert 0 < found["how all monitors stand (page, list)"] < found["all windows"] / 2
