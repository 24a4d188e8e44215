"""`drift serve` with an unread log: a pipe that is full, then broken. Checks, notifications and metrics continue."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from drift.store import Store
from tests.support.paths import ROOT

HOURS = 144
PIPE = 4096  # bytes, the minimum of the system: a dozen lines

pytestmark = pytest.mark.slow


@contextmanager
def unread(*words: str, folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Start a process whose standard error is a small pipe; yield it and the other end."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE)
    environ = {key: value for key, value in os.environ.items() if not key.startswith("DRIFT_")}
    process = subprocess.Popen(
        [sys.executable, *words], cwd=folder, env={**environ, "PYTHONPATH": str(ROOT)}, stderr=writing
    )
    os.close(writing)
    try:
        yield process, reading
    finally:
        process.kill()
        process.wait(20)


def address(reading: int) -> str:
    """Return the URL of the service from its log."""
    output = b""
    while b"serving" not in output or not output.endswith(b"\n"):
        more = os.read(reading, PIPE)
        assert more, output.decode()
        output += more
    url: str = next(line["url"] for line in map(json.loads, output.splitlines()) if "url" in line)
    return url


def lost(url: str) -> float:
    """Return the number of lost lines from `/metrics`."""
    families = text_string_to_metric_families(httpx.get(f"{url}metrics", timeout=20, trust_env=False).text)
    (sample,) = next(one.samples for one in families if one.name == "drift_log_lines_dropped")
    return sample.value


def test_an_unread_log_blocks_neither_checks_nor_the_exit(project: Path, make: Any) -> None:
    folder = project.parent
    make.write_config(folder, window="1h")
    with unread("-m", "drift", "--log-format", "json", "serve", "--port", "0", "--tick", "0.3", folder=folder) as (
        process,
        reading,
    ):
        url = address(reading)
        with Store.open(f"sqlite:///{folder / 'drift.db'}") as store:

            def done() -> Callable[[], bool]:
                return lambda: sum(row["status"] == "done" for row in store.queries.windows()) == HOURS

            make.wait_for(done())
            make.wait_for(lambda: store.outbox.counts().keys() == {"sent"})
            assert lost(url) == 0, "they wait: thousands fit into the buffer"
            os.close(reading)
            make.wait_for(lambda: lost(url) >= HOURS / 2)
            assert httpx.get(f"{url}readyz", timeout=20, trust_env=False).status_code == 200
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert time.monotonic() - begun < 30


def test_a_full_pipe_delays_the_exit_by_seconds_only(project: Path, make: Any) -> None:
    make.write_config(project.parent, window="1h")
    words = ("-m", "drift", "--log-format", "json", "serve", "--port", "0", "--tick", "0.3")
    with unread(*words, folder=project.parent) as (process, reading):
        address(reading)
        time.sleep(5)  # by now the pipe is full
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        os.close(reading)
    with unread(*words, folder=project.parent) as (process, reading):
        address(reading)
        process.send_signal(signal.SIGTERM)
        with os.fdopen(reading, "rb") as rest:
            lines = [json.loads(line) for line in rest]
        assert process.wait(30) == 0
        assert lines[-1]["message"].startswith("stopped")


@pytest.mark.parametrize("full", [False, True])
def test_a_crash_writes_its_traceback_if_the_pipe_is_read(tmp_path: Path, full: bool) -> None:
    lines = "x" * 100 + "\n"
    code = f"""
import sys
from drift.cli import main, service
def broken(*_):
    sys.stderr.write({lines!r} * {1000 if full else 0})
    raise ZeroDivisionError("of the test")
service.load_config = broken
sys.argv = ["drift", "serve"]
main()
"""
    with unread("-c", code, folder=tmp_path) as (process, reading):
        if full:
            assert process.wait(30) == 3
            os.close(reading)
            return
        with os.fdopen(reading, "r") as output:
            text = output.read()
        assert process.wait(30) == 3
        assert "Traceback (most recent call last)" in text
        assert "ZeroDivisionError: of the test" in text
        assert text.endswith("[internal-error]\n")
