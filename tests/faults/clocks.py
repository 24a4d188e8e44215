"""Clocks that are wrong: steps of a day during a run, replicas that do not agree on the time."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .bench import Bench, Result
from .ledger import Counts, pass_time
from .site import Site


def steps(bench: Bench, kind: str) -> Result:
    """The clock of a replica steps by a day, back and forth, at every tenth look at it."""
    with bench.site(kind, windows=100 if bench.full else 24, seed=800, restless=0.4) as place:
        _work(place, [_replica(place, "steps", bench.seed)])
        _settle(place)
        return Result("clock steps by a day during a run", kind, "at every tenth look", place.counts())


def apart(bench: Bench, kind: str) -> Result:
    """Replicas whose clocks differ by 5 minutes, and by a day, race for the same windows."""
    total = Counts()
    for number, seconds in enumerate((300, 86_400) if bench.full else (86_400,)):
        windows = 100 if bench.full else 16
        with bench.site(kind, windows=windows, seed=810 + number, monitors=2, restless=0.4) as place:
            offsets = (0, seconds, -seconds)
            _work(place, [_replica(place, str(offset), bench.seed + n) for n, offset in enumerate(offsets)])
            _settle(place)
            total += place.counts()
    told = "5 min and a day" if bench.full else "a day"
    return Result(f"replicas {told} apart", kind, "3 replicas each time", total)


def _replica(place: Site, offset: str, seed: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.faults.clocks", str(place.config), offset, str(seed)]
    with (place.world.folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    place.started.append(process)
    return process


def _work(place: Site, replicas: "list[subprocess.Popen[bytes]]") -> None:
    ended = [replica.wait(300) for replica in replicas]
    assert set(ended) == {0}, f"exit status {ended}; {place.tail()}"


def _settle(place: Site) -> None:
    """What a fast clock put off by a day comes a day later."""
    for _ in range(3):
        pass_time(place.store, 3 * 86_400)
    place.settle()


class Clock:
    """A wrong clock: a fixed offset, or steps of a day back and forth."""

    def __init__(self, offset: str) -> None:
        self._looks = 0
        self._steps = offset == "steps"
        self._offset = timedelta(seconds=0 if self._steps else float(offset))

    def __call__(self) -> datetime:
        """The time as this clock has it."""
        self._looks += 1
        if self._steps and self._looks % 10 == 0:
            self._offset = timedelta(days=(self._looks // 10) % 3 - 1)
        return datetime.now(UTC) + self._offset


def _replica_main(config: str, offset: str, seed: str) -> None:
    """Check and deliver by a wrong clock, for ten rounds."""
    import os

    import numpy as np

    from drift.channels import open_channel
    from drift.check import run_all
    from drift.config import load
    from drift.deliver import drain
    from drift.store import Store
    from drift.worker import Worker

    os.environ["NO_PROXY"] = "*"
    loaded = load(Path(config), os.environ)
    channels = {name: open_channel(name, spec.type, spec.options) for name, spec in loaded.channels.items()}
    now, rng = Clock(offset), np.random.default_rng(int(seed))
    with Store.open(loaded.store) as store:
        for _ in range(10):
            # A worker of a host of its own: nobody can see whether its process lives.
            for _ in run_all(store, loaded.monitors.values(), worker=Worker(f"elsewhere{seed}:{seed}"), now=now):
                pass
            drain(store, channels, now, rng=rng)


if __name__ == "__main__":
    _replica_main(*sys.argv[1:])
