"""Workers with assigned names: a successor takes over at once, and two at a time are reported."""

import logging
import os
import secrets
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from drift.cli import app
from drift.cli.output import USAGE
from drift.monitors.spec import Monitor
from drift.runner.check import WindowResult, run_all
from drift.runner.lease import LEASE_TTL
from drift.runner.plan import plan_windows
from drift.runner.worker import Worker
from drift.sources import open_source
from drift.store import Claim, LeaseLost, Store
from tests.support.configurations import read_config

START = datetime(2024, 3, 1, tzinfo=UTC)
STARTED = datetime(2024, 6, 1, 12, tzinfo=UTC)  # when the worker under test started
SECOND = timedelta(seconds=1)
CONFIG = """
version: 1
store: sqlite:///drift.db
monitors:
  m:
    source: {path: data.parquet}
    timestamp: ts
    window: 1d
    start: 2024-03-05
    end: 2024-03-08
    reference: {from: 2024-03-01, to: 2024-03-05}
    threshold: 0.4
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Three windows, the first of which a worker will claim."""
    times = [START + timedelta(minutes=30 * n) for n in range(7 * 48)]
    drawn = np.random.default_rng(1).normal(size=len(times))
    pl.DataFrame({"ts": times, "x": drawn}).write_parquet(tmp_path / "data.parquet")
    (tmp_path / "drift.yaml").write_text(CONFIG)
    return tmp_path / "drift.yaml"


@pytest.fixture
def monitor(config: Path) -> Monitor:
    return read_config(config, {}, strict=True).monitors["m"]


def elsewhere(host: str) -> Worker:
    """Return process 1 of a container on another machine."""
    return Worker(f"{host}:1@aaaaaaaa-700")


def claim_first(store: Store, monitor: Monitor, owner: str, moment: datetime) -> Claim:
    """Let a worker claim the first window."""
    definition = plan_windows(store, monitor, open_source(monitor), moment)
    claim = store.windows.claim(store.windows.due(definition, moment)[0].id, definition, owner, moment, LEASE_TTL)
    assert claim is not None
    return claim


def check(store: Store, monitor: Monitor, worker: Worker, now: datetime) -> int:
    results = list(run_all(store, [monitor], worker=worker, now=lambda: now))
    assert all(isinstance(one, WindowResult) for one in results), results
    return len(results)


def test_a_worker_takes_over_windows_of_its_predecessor_at_once(store: Store, monitor: Monitor) -> None:
    claim_first(
        store, monitor, elsewhere("old").with_assigned_name("web", STARTED - LEASE_TTL).name, STARTED - 60 * SECOND
    )
    now = STARTED + SECOND
    assert check(store, monitor, elsewhere("new"), now) == 0, "without a name: the other may be alive"
    assert check(store, monitor, elsewhere("new").with_assigned_name("other", STARTED), now) == 0, "with another name"
    assert check(store, monitor, elsewhere("new").with_assigned_name("web", STARTED), now) == 3


@pytest.mark.parametrize("renewed", [False, True])
def test_a_living_worker_with_the_same_name_is_reported_once(
    store: Store, monitor: Monitor, caplog: pytest.LogCaptureFixture, renewed: bool
) -> None:
    """Otherwise the two would take windows from each other, and none would be finished."""
    other = elsewhere(f"other-{secrets.token_hex(8)}").with_assigned_name("web", STARTED - LEASE_TTL)
    claim = claim_first(store, monitor, other.name, STARTED + SECOND * (-60 if renewed else 1))
    if renewed:
        assert store.windows.renew(claim, STARTED + SECOND + LEASE_TTL)
    worker = elsewhere("new").with_assigned_name("web", STARTED)
    for n in range(3):
        assert check(store, monitor, worker, STARTED + (2 + n) * SECOND) == 0
    (record,) = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert record.code == "worker-name-shared"
    assert "the name web" in record.getMessage()
    assert other.name in record.getMessage()
    assert check(store, monitor, worker, STARTED + LEASE_TTL + 2 * SECOND) == 3, "its lease has expired"


def test_a_late_write_of_the_predecessor_is_refused(store: Store, monitor: Monitor) -> None:
    claim = claim_first(
        store, monitor, elsewhere("old").with_assigned_name("web", STARTED - LEASE_TTL).name, STARTED - 60 * SECOND
    )
    assert check(store, monitor, elsewhere("new").with_assigned_name("web", STARTED), STARTED + SECOND) == 3
    with pytest.raises(LeaseLost):
        store.windows.fail(claim, "too late")


@pytest.mark.slow
def test_a_restarted_container_with_a_name_continues_at_once(config: Path, in_namespace: list[str]) -> None:
    def run(*words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        line = [*in_namespace, sys.executable, "-m", "drift", "run", "--fail-on", "never", *words]
        return subprocess.run(
            line, cwd=config.parent, env={**os.environ, **more}, capture_output=True, text=True, timeout=60, check=False
        )

    killed = run("--worker", "drift-0", DRIFT_STOP_AT="counted")
    assert killed.returncode == 128 + signal.SIGKILL, killed.stderr
    # The kernel may reuse the identifier of the namespace that ended, so another process gets it.
    with subprocess.Popen([*in_namespace, "sleep", "60"]) as other:
        try:
            unnamed = run()
            assert "m: drift-0=" in unnamed.stderr
            assert "no window is due" in unnamed.stdout
            named = run("--worker", "drift-0")
            assert "3 windows checked" in named.stdout, named.stderr
        finally:
            other.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("name", ["$(POD_NAME)", "a b", "web=1", "", "-x", "a" * 101])
def test_an_invalid_worker_name_is_refused(config: Path, name: str) -> None:
    result = CliRunner().invoke(app, ["run", "-c", str(config), "--worker", name])
    assert result.exit_code == USAGE
    assert "is not a worker name" in result.stderr.replace("\n", " ")
