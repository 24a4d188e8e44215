"""A small project on disk, and its service: in this process, or as the command."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drift.config import Config
from drift.runner.worker import Worker
from drift.server import Scheduler
from drift.server.web import Access, Site, create_app, listen, url_of
from drift.server.web.listener import make_server
from drift.store import Store
from tests.support.configurations import read_config
from tests.support.nursery import Nursery
from tests.support.paths import ROOT

NAME = 'a/b <i>&"é'  # of a monitor: characters that URLs and pages must escape
FIRST, LAST = datetime(2024, 1, 8, tzinfo=UTC), datetime(2024, 1, 14, tzinfo=UTC)
SHIFT = datetime(2024, 1, 11, tzinfo=UTC)
PER_DAY = 240


def write_rows(path: Path) -> None:
    """Write rows from 2024-01-01 to LAST, evenly in time; from SHIFT on `amount` is shifted, `kind` is not."""
    rng = np.random.default_rng(11)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    rows = (LAST - start).days * PER_DAY
    moments = [start + timedelta(days=1) / PER_DAY * i for i in range(rows)]
    shifted = np.array([moment >= SHIFT for moment in moments])
    amount = rng.normal(0, 1, rows) + 3 * shifted
    kind = rng.choice(["a", "b", "c"], rows)
    table = pa.table({"ts": pa.array(moments, pa.timestamp("us", "UTC")), "amount": amount, "kind": kind})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def write_config(folder: Path, window: str = "1d", tail: str = "") -> Path:
    """Write a configuration of one monitor over these rows, with a file channel."""
    path = folder / "drift.yaml"
    path.write_text(
        f"""
version: 1
store: sqlite:///drift.db
monitors:
  {json.dumps(NAME, ensure_ascii=False)}:
    source: {{path: rows.parquet}}
    timestamp: ts
    window: {window}
    reference: {{from: 2024-01-01, to: 2024-01-08}}
    end: 2024-01-14
    threshold: 0.3
    alert: {{notify: [team]}}
{tail}
channels:
  team: {{type: file, path: notifications.jsonl}}
""",
        encoding="utf-8",
    )
    return path


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    """Restore the log handlers: those of commands write to a stream that is closed when they end."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Path of the configuration of a small project."""
    write_rows(tmp_path / "rows.parquet")
    return write_config(tmp_path)


def service_of(config: Config, store: Store, now: Callable[[], datetime], seconds: float = 30.0) -> Scheduler:
    """Return the scheduler of a configuration; its ticks are the caller's."""
    from drift.cli.context import open_channels

    monitors = list(config.monitors.values())
    rng = np.random.default_rng(5)
    return Scheduler(store, monitors, open_channels(config), now=now, worker=Worker("test"), rng=rng, interval=seconds)


@dataclass
class Served:
    """The application on a real server in this process."""

    url: str
    store: Store
    service: Scheduler
    config: Config
    clock: list[datetime]
    app: Any
    client: httpx.Client

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Send one GET request, without cookies."""
        self.client.cookies.clear()
        return self.client.get(path, **options)


@contextmanager
def serving(project: Path, store_url: str, token: str | None = None) -> Iterator[Served]:
    """Serve a project from this process on a free loopback port; ticks are the caller's."""
    config = read_config(project, {}, strict=True)
    clock = [LAST + timedelta(hours=1)]
    with Store.open(store_url) as store, listen("127.0.0.1", 0) as listening:
        service = service_of(config, store, lambda: clock[0])
        site = Site(store, service, config.monitors, lambda: clock[0])
        app = create_app(site, Access(token, ("127.0.0.1", "localhost")))
        server = make_server(app, service.stop_soon)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            wait_for(lambda: server.started)
            url = url_of(listening).rstrip("/")
            with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
                yield Served(url, store, service, config, clock, app, client)
        finally:
            server.should_exit = True
            thread.join(20)


@pytest.fixture
def served(project: Path, sqlite_url: str) -> Iterator[Served]:
    """The project, served without a token, nothing checked yet."""
    with serving(project, sqlite_url) as served:
        yield served


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The project, served with the token `open-sesame`; shared, so nothing is checked."""
    yield from _serve_idle(tmp_path_factory, "open-sesame")


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The project, served without a token; shared, so nothing is checked."""
    yield from _serve_idle(tmp_path_factory, None)


def _serve_idle(factory: pytest.TempPathFactory, token: str | None) -> Iterator[Served]:
    folder = factory.mktemp("idle")
    write_rows(folder / "rows.parquet")
    with serving(write_config(folder), f"sqlite:///{folder / 'drift.db'}", token) as served:
        yield served


def wait_for(condition: Callable[[], Any], seconds: float = 120) -> Any:
    """Wait until a condition is true; return its value."""
    until = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < until, f"still not true after {seconds} s"
        time.sleep(0.02)
    return value


def wall() -> datetime:
    """Return the time, as the command reads it."""
    return datetime.now(UTC)


def _environment(variables: dict[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DRIFT_")}
    return {**inherited, "PYTHONPATH": str(ROOT), **variables}


@dataclass
class Running:
    """`drift serve`, as a process."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def lines(self) -> list[dict[str, Any]]:
        """Return the complete lines of its log so far."""
        written = self.log.read_text(encoding="utf-8")
        return [json.loads(line) for line in written.splitlines(keepends=True) if line.endswith("\n")]

    def checked(self) -> list[str]:
        """Return the windows that its log says it checked."""
        return [line["window"] for line in self.lines() if line["logger"] == "drift.runner.check" and "window" in line]

    @property
    def url(self) -> str:
        """The URL from its log, without the trailing slash."""

        def find_url() -> str:
            assert self.process.poll() is None, f"ended early: {self.log.read_text(encoding='utf-8')}"
            return next((line["url"] for line in self.lines() if "url" in line), "")

        return str(wait_for(find_url)).rstrip("/")

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Send one GET request."""
        return httpx.get(f"{self.url}{path}", timeout=60, trust_env=False, **options)

    def is_ready(self) -> bool:
        """Return whether /readyz reports that it is ready."""
        return self.get("/readyz").status_code == 200

    def end(self, number: int) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(120)


@contextmanager
def running(folder: Path, *words: str, **variables: str) -> Iterator[Running]:
    """Run `drift serve` on a free port, ticking often."""
    log = folder / f"serve-{time.monotonic_ns()}.log"
    line = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "drift",
        "--log-format",
        "json",
        "serve",
        "--port",
        "0",
        "--tick",
        "0.3",
    ]
    with log.open("wb") as stderr:
        process = subprocess.Popen([*line, *words], cwd=folder, env=_environment(variables), stderr=stderr)
    try:
        yield Running(process, log)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(120)


@pytest.fixture(scope="session")
def make(nursery: Nursery) -> SimpleNamespace:
    """The builders above, by name."""

    def command(*words: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run `drift` and return its result."""
        return nursery.command(list(words), folder, _environment(variables))

    return SimpleNamespace(
        NAME=NAME,
        FIRST=FIRST,
        LAST=LAST,
        SHIFT=SHIFT,
        PER_DAY=PER_DAY,
        command=command,
        running=running,
        service_of=service_of,
        serving=serving,
        wall=wall,
        wait_for=wait_for,
        write_config=write_config,
        write_rows=write_rows,
    )
