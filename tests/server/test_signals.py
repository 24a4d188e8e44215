"""Signals: the first SIGTERM stops a process in order, a second one at once; also as process 1 of a container."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from drift.monitors.window import Window
from drift.store import Store
from tests.support.paths import ROOT

CONFIG = """
version: 1
store: sqlite:///drift.db
monitors:
  one:
    source: {{path: {path}}}
    timestamp: ts
    reference: {{from: 2024-01-01, to: 2024-01-08}}
    end: 2024-01-14
    threshold: 0.3
"""
FIRST_PROCESS = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def namespace_error() -> str:
    """Return why no process can be the first one of a PID namespace here, or an empty string."""
    if shutil.which("unshare") is None:
        return "unshare (util-linux) is not installed"
    trial = subprocess.run([*FIRST_PROCESS, "true"], capture_output=True, text=True, check=False)
    return trial.stderr.strip() if trial.returncode else ""


@pytest.fixture(params=["child", "first process"])
def before(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Command prefix: none, or one that makes the command process 1 of a namespace."""
    if request.param == "child":
        return ()
    if reason := namespace_error():
        if os.environ.get("CI"):
            pytest.fail(f"CI must be able to make namespaces of processes: {reason}")
        pytest.skip(f"needs a namespace of processes: {reason}")
    return FIRST_PROCESS


class Process:
    """A command of drift, and its PID as seen from here."""

    def __init__(self, started: "subprocess.Popen[bytes]", wrapped: bool, builders: SimpleNamespace) -> None:
        self.started = started
        self.number = started.pid
        if wrapped:
            children = Path(f"/proc/{started.pid}/task/{started.pid}/children")
            builders.wait_for(children.read_text)
            self.number = int(children.read_text())

    def send(self, number: signal.Signals) -> None:
        os.kill(self.number, number)


@contextmanager
def running(
    folder: Path, before: tuple[str, ...], builders: SimpleNamespace, *words: str, **env: str
) -> Iterator[Process]:
    command = [*before, sys.executable, "-W", "error", "-m", "drift", *words]
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), **env}, stdout=log, stderr=log
        )
    try:
        yield Process(started, bool(before), builders)
    finally:
        started.kill()  # unshare takes its child with it
        started.wait(20)


@pytest.mark.slow
def test_a_terminated_run_releases_its_window(
    before: tuple[str, ...], tmp_path: Path, data: Path, sqlite_url: str, builders: SimpleNamespace
) -> None:
    (tmp_path / "drift.yaml").write_text(CONFIG.format(path=data.name), encoding="utf-8")
    with running(tmp_path, before, builders, "run", DRIFT_STOP_AT="counted:3:SIGTERM") as process:
        assert process.started.wait(120) == (128 + signal.SIGTERM if before else -signal.SIGTERM)
    with Store.open(sqlite_url) as store:
        assert builders.statuses(store) == ["done"] * 2 + ["due"] * (builders.DAYS - 2)
    with running(tmp_path, (), builders, "run") as again:
        assert again.started.wait(120) == 1
    with Store.open(sqlite_url) as store:
        rows = store.queries.windows(revisions="all")
    assert [(row["status"], row["revision"]) for row in rows] == [("done", 1)] * builders.DAYS


@pytest.mark.slow
def test_containers_with_one_host_name_keep_their_windows(
    tmp_path: Path, data: Path, sqlite_url: str, builders: SimpleNamespace
) -> None:
    if reason := namespace_error():
        if os.environ.get("CI"):
            pytest.fail(f"CI must be able to make namespaces of processes: {reason}")
        pytest.skip(f"needs a namespace of processes: {reason}")
    (tmp_path / "drift.yaml").write_text(CONFIG.format(path=data.name), encoding="utf-8")
    code = "from drift.runner.worker import Worker; print(Worker.current().name, flush=True); input()"
    with (
        Store.open(sqlite_url) as store,
        subprocess.Popen(
            [*FIRST_PROCESS, sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as one,
    ):
        assert one.stdout is not None
        name, now = one.stdout.readline().strip(), store.now()
        assert name.startswith(f"{socket.gethostname()}:1@")
        definition = store.monitors.define("one", {}, now)
        first = Window(builders.FIRST, builders.FIRST + timedelta(days=1))
        store.windows.plan(definition, [(first, first.end)])
        (planned,) = store.windows.due(definition, now)
        assert store.windows.claim(planned.id, definition, name, now, timedelta(minutes=10)) is not None
        with running(tmp_path, FIRST_PROCESS, builders, "run") as other:
            other.started.wait(120)
        rows = store.queries.windows("one")
        one.communicate("")
    assert [(row["status"], row["attempts"]) for row in rows] == [("claimed", 1), *[("due", 0)] * (builders.DAYS - 1)]


@pytest.mark.slow
def test_a_second_signal_ends_a_service_at_once(
    before: tuple[str, ...], tmp_path: Path, builders: SimpleNamespace
) -> None:
    os.mkfifo(tmp_path / "rows.csv")  # opening it blocks until another process writes: a source that hangs
    (tmp_path / "drift.yaml").write_text(CONFIG.format(path="rows.csv"), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running(tmp_path, before, builders, "serve", "--port", str(port), "--tick", "0.3") as process:
        builders.wait_for(lambda: answers(port))
        time.sleep(1)
        process.send(signal.SIGTERM)
        builders.wait_for(lambda: not answers(port))
        assert process.started.poll() is None, "the source gets time to respond"
        begun = time.monotonic()
        process.send(signal.SIGTERM)
        assert process.started.wait(60) == (128 + signal.SIGTERM if before else -signal.SIGTERM)
        assert time.monotonic() - begun < 15


@pytest.mark.slow
def test_a_terminated_service_exits_with_success(
    before: tuple[str, ...], tmp_path: Path, data: Path, sqlite_url: str, builders: SimpleNamespace
) -> None:
    (tmp_path / "drift.yaml").write_text(CONFIG.format(path=data.name), encoding="utf-8")
    with Store.open(sqlite_url) as store:
        with running(tmp_path, before, builders, "serve", "--port", "0", "--tick", "0.3") as process:
            builders.wait_for(lambda: "done" in builders.statuses(store))
            process.send(signal.SIGTERM)
            assert process.started.wait(120) == 0
        assert "claimed" not in builders.statuses(store)


def answers(port: int) -> bool:
    """Return whether a server listens on a port."""
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0
