"""The short form, part three: clocks are set, which must cause no fault."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest

from tests.faults import clock_leases, clocks, preload
from tests.faults.bench import Bench
from tests.faults.clock import Clock
from tests.faults.postmaster import temporary_postmaster
from tests.faults.servers import KINDS

NO_FAULTS = (0, 0, 0, 0, 0)
MILLISECOND = timedelta(milliseconds=1)
ASK = """
import sqlite3, sys, time
from datetime import UTC, datetime
for _ in sys.stdin:
    (lite,), = sqlite3.connect(":memory:").execute("SELECT strftime('%s', 'now')")
    print(time.time(), datetime.now(UTC).timestamp(), lite, time.monotonic(), flush=True)
"""


@pytest.fixture
def clock() -> Iterator[Clock]:
    """A correct clock."""
    if shutil.which(preload.COMPILER) is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no C compiler (cc) for the library that sets clocks")
    with Clock() as clock:
        yield clock


@pytest.fixture
def compiler(clock: Clock) -> None:
    """Skip the test without a C compiler."""


def test_a_running_process_sees_its_clock_set(clock: Clock) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ASK], env={**os.environ, **clock.env}, stdin=-1, stdout=-1, text=True, bufsize=1
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        readings = []
        for seconds in (0.0, 86_400.0, -2 * 86_400.0, 86_400.5):
            clock.step(seconds)
            clock.slew(int(abs(seconds) // 2))
            before = clock.now().timestamp()
            process.stdin.write("?\n")
            python, aware, lite, monotonic = map(float, process.stdout.readline().split())
            after = clock.now().timestamp()
            assert before - 0.001 <= python <= aware + 1e-6 <= after + 0.001, "a datetime has microseconds"
            assert int(before) <= lite <= after
            readings.append(monotonic)
        process.stdin.close()
    assert sorted(readings) == readings
    assert readings[-1] - readings[0] < 60


def test_a_slewed_clock_gains_at_the_given_rate(clock: Clock) -> None:
    start = time.monotonic()
    clock.slew(50_000)
    time.sleep(0.2)
    assert 0.0095 < clock.seconds <= 0.05 * (time.monotonic() - start)
    clock.slew(0)
    assert clock.seconds >= 0.0095, "the clock lost what it had gained"


@pytest.mark.slow
@pytest.mark.postgres
def test_a_server_sees_its_clock_set_while_it_runs(clock: Clock) -> None:
    with temporary_postmaster(clock.env) as server, psycopg.connect(server.address, autocommit=True) as connection:
        for seconds in (0.0, 86_400.0, -2 * 86_400.0, 0.5):
            clock.step(seconds)
            before = clock.now()
            ((moment,),) = connection.execute("SELECT clock_timestamp()").fetchall()
            assert before - MILLISECOND < moment < clock.now() + MILLISECOND


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("kind", KINDS)
def test_a_stepped_and_slewed_clock_loses_and_doubles_nothing(bench: Bench, kind: str) -> None:
    assert clocks.steps(bench, kind).counts.faults == NO_FAULTS


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.usefixtures("compiler")
def test_replicas_that_disagree_on_the_time_lose_and_double_nothing(bench: Bench) -> None:
    assert clocks.apart(bench, "sqlite").counts.faults == NO_FAULTS


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("kind", KINDS)
def test_a_clock_set_during_work_loses_and_doubles_nothing(bench: Bench, kind: str) -> None:
    assert clock_leases.leases(bench, kind).counts.faults == NO_FAULTS
