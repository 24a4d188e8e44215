"""Workers with a name of their operators: the next of that name goes on at once, and two at a time are noticed."""

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
from drift.runner.plan import plan
from drift.runner.worker import Worker
from drift.sources import open_source
from drift.store import Claim, LeaseLost, Store
from tests.support.configurations import read_config

START = datetime(2024, 3, 1, tzinfo=UTC)
BEGUN = datetime(2024, 6, 1, 12, tzinfo=UTC)  # when the worker under test began
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
    """Three windows, the first of which somebody is about to hold."""
    times = [START + timedelta(minutes=30 * n) for n in range(7 * 48)]
    drawn = np.random.default_rng(1).normal(size=len(times))
    pl.DataFrame({"ts": times, "x": drawn}).write_parquet(tmp_path / "data.parquet")
    (tmp_path / "drift.yaml").write_text(CONFIG)
    return tmp_path / "drift.yaml"


@pytest.fixture
def monitor(config: Path) -> Monitor:
    return read_config(config, {}, strict=True).monitors["m"]


def elsewhere(host: str) -> Worker:
    """Process 1 of a container of another machine."""
    return Worker(f"{host}:1@aaaaaaaa-700")


def leave(store: Store, monitor: Monitor, owner: str, moment: datetime) -> Claim:
    """The first window in the hands of a worker."""
    definition = plan(store, monitor, open_source(monitor), moment)
    claim = store.claim(store.due(definition, moment)[0].id, definition, owner, moment, LEASE_TTL)
    assert claim is not None
    return claim


def check(store: Store, monitor: Monitor, worker: Worker, now: datetime) -> int:
    found = list(run_all(store, [monitor], worker=worker, now=lambda: now))
    assert all(isinstance(one, WindowResult) for one in found), found
    return len(found)


def test_the_next_of_a_name_goes_on_at_once_with_what_the_last_one_had_in_hand(store: Store, monitor: Monitor) -> None:
    leave(store, monitor, elsewhere("old").at("web", BEGUN - LEASE_TTL).name, BEGUN - 60 * SECOND)
    now = BEGUN + SECOND
    assert check(store, monitor, elsewhere("new"), now) == 0, "of no name: it may live"
    assert check(store, monitor, elsewhere("new").at("other", BEGUN), now) == 0, "of another name"
    assert check(store, monitor, elsewhere("new").at("web", BEGUN), now) == 3


@pytest.mark.parametrize("renewed", [False, True])
def test_one_of_the_same_name_that_lives_keeps_its_window_and_is_told_of_once(
    store: Store, monitor: Monitor, caplog: pytest.LogCaptureFixture, renewed: bool
) -> None:
    """Else each would take the other's windows as often as it looks, and none would come to an end."""
    rival = elsewhere(f"rival-{secrets.token_hex(8)}").at("web", BEGUN - LEASE_TTL)
    claim = leave(store, monitor, rival.name, BEGUN + SECOND * (-60 if renewed else 1))
    if renewed:
        assert store.renew(claim, BEGUN + SECOND + LEASE_TTL)
    worker = elsewhere("new").at("web", BEGUN)
    for n in range(3):
        assert check(store, monitor, worker, BEGUN + (2 + n) * SECOND) == 0
    (told,) = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert "two workers bear the name web" in told.getMessage()
    assert rival.name in told.getMessage()
    assert check(store, monitor, worker, BEGUN + LEASE_TTL + 2 * SECOND) == 3, "its lease has run out"


def test_what_the_last_of_a_name_writes_too_late_is_refused(store: Store, monitor: Monitor) -> None:
    claim = leave(store, monitor, elsewhere("old").at("web", BEGUN - LEASE_TTL).name, BEGUN - 60 * SECOND)
    assert check(store, monitor, elsewhere("new").at("web", BEGUN), BEGUN + SECOND) == 3
    with pytest.raises(LeaseLost):
        store.fail(claim, "it came too late")


@pytest.mark.slow
def test_a_container_that_is_killed_and_started_anew_goes_on_at_once_where_it_has_a_name(
    config: Path, apart: list[str]
) -> None:
    def run(*words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        line = [*apart, sys.executable, "-m", "drift", "run", "--fail-on", "never", *words]
        return subprocess.run(
            line, cwd=config.parent, env={**os.environ, **more}, capture_output=True, text=True, timeout=60, check=False
        )

    killed = run("--worker", "drift-0", DRIFT_STOP_AT="counted")
    assert killed.returncode == 128 + signal.SIGKILL, killed.stderr
    # What the kernel calls a namespace that is gone, it may call the next one: somebody else gets that.
    with subprocess.Popen([*apart, "sleep", "60"]) as other:
        try:
            nameless = run()
            assert "m: drift-0=" in nameless.stderr
            assert "no window is due" in nameless.stdout
            named = run("--worker", "drift-0")
            assert "3 windows checked" in named.stdout, named.stderr
        finally:
            other.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("name", ["$(POD_NAME)", "a b", "web=1", "", "-x", "a" * 101])
def test_a_name_that_nobody_filled_in_is_refused(config: Path, name: str) -> None:
    done = CliRunner().invoke(app, ["run", "-c", str(config), "--worker", name])
    assert done.exit_code == USAGE
    assert "is not a worker name" in done.stderr.replace("\n", " ")
