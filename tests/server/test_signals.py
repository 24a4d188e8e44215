"""Signals: SIGTERM ends a process well, a second one at once; as the first process of a container, too."""

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


def refused() -> str:
    """Why no process can be the first one of a namespace here; empty where it can."""
    if shutil.which("unshare") is None:
        return "there is no unshare (util-linux)"
    tried = subprocess.run([*FIRST_PROCESS, "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip() if tried.returncode else ""


@pytest.fixture(params=["child", "first process"])
def before(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """What stands before the command, so that it is a process like any other or number 1."""
    if request.param == "child":
        return ()
    if why := refused():
        if os.environ.get("CI"):
            pytest.fail(f"CI must be able to make namespaces of processes: {why}")
        pytest.skip(f"needs a namespace of processes: {why}")
    return FIRST_PROCESS


class Process:
    """A command of drift, and its number as seen from here."""

    def __init__(self, started: "subprocess.Popen[bytes]", wrapped: bool, aid: SimpleNamespace) -> None:
        self.started = started
        self.number = started.pid
        if wrapped:
            children = Path(f"/proc/{started.pid}/task/{started.pid}/children")
            aid.wait_for(children.read_text)
            self.number = int(children.read_text())

    def send(self, number: signal.Signals) -> None:
        os.kill(self.number, number)


@contextmanager
def running(folder: Path, before: tuple[str, ...], aid: SimpleNamespace, *words: str, **env: str) -> Iterator[Process]:
    command = [*before, sys.executable, "-W", "error", "-m", "drift", *words]
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), **env}, stdout=log, stderr=log
        )
    try:
        yield Process(started, bool(before), aid)
    finally:
        started.kill()  # unshare takes its child with it
        started.wait(20)


@pytest.mark.slow
def test_a_run_told_to_end_gives_its_window_back(
    before: tuple[str, ...], tmp_path: Path, data: Path, sqlite_url: str, aid: SimpleNamespace
) -> None:
    (tmp_path / "drift.yaml").write_text(CONFIG.format(path=data.name), encoding="utf-8")
    with running(tmp_path, before, aid, "run", DRIFT_STOP_AT="counted:3:SIGTERM") as process:
        assert process.started.wait(120) == (128 + signal.SIGTERM if before else -signal.SIGTERM)
    with Store.open(sqlite_url) as store:
        assert aid.statuses(store) == ["done"] * 2 + ["due"] * (aid.DAYS - 2)
    with running(tmp_path, (), aid, "run") as again:
        assert again.started.wait(120) == 1
    with Store.open(sqlite_url) as store:
        rows = store.windows(revisions="all")
    assert [(row["status"], row["revision"]) for row in rows] == [("done", 1)] * aid.DAYS


@pytest.mark.slow
def test_first_processes_of_two_containers_of_one_host_name_do_not_take_each_others_windows(
    tmp_path: Path, data: Path, sqlite_url: str, aid: SimpleNamespace
) -> None:
    if why := refused():
        if os.environ.get("CI"):
            pytest.fail(f"CI must be able to make namespaces of processes: {why}")
        pytest.skip(f"needs a namespace of processes: {why}")
    (tmp_path / "drift.yaml").write_text(CONFIG.format(path=data.name), encoding="utf-8")
    tells = "from drift.runner.worker import Worker; print(Worker.this().name, flush=True); input()"
    with (
        Store.open(sqlite_url) as store,
        subprocess.Popen(
            [*FIRST_PROCESS, sys.executable, "-c", tells], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as one,
    ):
        assert one.stdout is not None
        name, now = one.stdout.readline().strip(), store.now()
        assert name.startswith(f"{socket.gethostname()}:1@")
        definition = store.define("one", {}, now)
        first = Window(aid.FIRST, aid.FIRST + timedelta(days=1))
        store.plan(definition, [(first, first.end)], now)
        (planned,) = store.due(definition, now)
        assert store.claim(planned.id, definition, name, now, timedelta(minutes=10)) is not None
        with running(tmp_path, FIRST_PROCESS, aid, "run") as other:
            other.started.wait(120)
        rows = store.windows("one")
        one.communicate("")
    assert [(row["status"], row["attempts"]) for row in rows] == [("claimed", 1), *[("due", 0)] * (aid.DAYS - 1)]


@pytest.mark.slow
def test_a_second_signal_ends_a_service_at_once(before: tuple[str, ...], tmp_path: Path, aid: SimpleNamespace) -> None:
    os.mkfifo(tmp_path / "rows.csv")  # opening it takes until somebody writes: a source that hangs
    (tmp_path / "drift.yaml").write_text(CONFIG.format(path="rows.csv"), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running(tmp_path, before, aid, "serve", "--port", str(port), "--tick", "0.3") as process:
        aid.wait_for(lambda: answers(port))
        time.sleep(1)
        process.send(signal.SIGTERM)
        aid.wait_for(lambda: not answers(port))
        assert process.started.poll() is None, "the source has its time to answer"
        begun = time.monotonic()
        process.send(signal.SIGTERM)
        assert process.started.wait(60) == (128 + signal.SIGTERM if before else -signal.SIGTERM)
        assert time.monotonic() - begun < 15


@pytest.mark.slow
def test_a_service_told_to_end_ends_with_success(
    before: tuple[str, ...], tmp_path: Path, data: Path, sqlite_url: str, aid: SimpleNamespace
) -> None:
    (tmp_path / "drift.yaml").write_text(CONFIG.format(path=data.name), encoding="utf-8")
    with Store.open(sqlite_url) as store:
        with running(tmp_path, before, aid, "serve", "--port", "0", "--tick", "0.3") as process:
            aid.wait_for(lambda: "done" in aid.statuses(store))
            process.send(signal.SIGTERM)
            assert process.started.wait(120) == 0
        assert "claimed" not in aid.statuses(store)


def answers(port: int) -> bool:
    """Whether anybody listens."""
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0
