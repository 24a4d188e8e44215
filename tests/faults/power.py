"""The machine loses its power: of a SQLite store only what was synced is certain to be there afterwards.

PostgreSQL's log and its syncs are its own affair; what a server makes of a crash is in `postmaster.py`.
"""

import shutil
import signal
from pathlib import Path
from typing import Final

import numpy as np

from drift.failpoints import FAILPOINTS
from tests.faults.bench import Bench, Result
from tests.faults.killing import stops
from tests.faults.ledger import Counts, pass_time, query
from tests.faults.preload import library
from tests.faults.site import LATER, Site
from tests.support.nursery import Nursery

_SECTOR: Final = 512  # bytes that a disk writes as one
_FILES: Final = ("", "-wal", "-journal")


def lost(bench: Bench, kind: str) -> Result:
    """Power lost at every named step, in 25 worlds (full) or one."""
    assert kind == "sqlite", "the disk of a server is the server's affair"
    times, total, losses = 25 if bench.full else 1, Counts(), 0
    with Nursery(LD_PRELOAD=str(library("power", bench.folder))) as nursery:
        own = Bench(bench.folder, bench.databases, nursery, bench.seed, bench.full)
        for number in range(times):
            with own.site(kind, windows=16, seed=950 + number) as place:
                rng = own.rng(950, number)
                for stop in stops(rng):
                    losses += _until(place, stop, rng)
                place.settle()
                total += place.counts()
    note = f"at each of {len(FAILPOINTS)} steps; every sector that was not synced was there or not by chance"
    return Result("power lost", kind, f"{losses} times in {times} worlds", total, note)


def _until(place: Site, stop: str, rng: np.random.Generator) -> bool:
    """A run that ends with the machine at a step; whether it came there."""
    path = Path(place.store.removeprefix("sqlite:///"))
    status = place.run(DRIFT_STOP_AT=stop)
    dead = status == -signal.SIGKILL
    assert dead or status in {0, 1, 3}, f"{stop}: exit status {status}; {place.tail()}"
    if dead:
        _lose(path, rng)
        assert query(place.store, "PRAGMA integrity_check") == [("ok",)], f"the store is broken ({stop})"
        told = {message.id for message in place.receiver.taken()}
        made = query(place.store, "SELECT 1 FROM sqlite_master WHERE name = 'notification'")
        known = {name for (name,) in query(place.store, "SELECT id FROM notification")} if made else set()
        assert told <= known, f"the store forgot {len(told - known)} messages that had been sent ({stop})"
    pass_time(place.store, LATER, leases=False)
    for suffix in _FILES:  # what the ledger did is safe
        file, kept = _both(path, suffix)
        kept.unlink(missing_ok=True)
        if file.exists():
            shutil.copyfile(file, kept)
    return dead


def _both(path: Path, suffix: str) -> tuple[Path, Path]:
    return path.with_name(path.name + suffix), path.with_name(path.name + suffix + ".durable")


def _lose(path: Path, rng: np.random.Generator) -> None:
    """What was synced is there; of what was written since, each sector is there or not; memory is gone."""
    for suffix in _FILES:
        file, kept = _both(path, suffix)
        if not file.exists():
            continue
        written = file.read_bytes()
        safe = kept.read_bytes() if kept.exists() else b""
        file.write_bytes(torn(safe, written, rng))
    _both(path, "-shm")[0].unlink(missing_ok=True)


def torn(safe: bytes, written: bytes, rng: np.random.Generator) -> bytes:
    """Sectors of the one or of the other file, its length by chance as well; what was never written is zeros."""
    length = len((safe, written)[int(rng.integers(2))])
    sides = [np.zeros(-(-max(len(safe), len(written)) // _SECTOR) * _SECTOR, np.uint8) for _ in range(2)]
    for side, content in zip(sides, (safe, written), strict=True):
        side[: len(content)] = np.frombuffer(content, np.uint8)
    old, new = (side.reshape(-1, _SECTOR) for side in sides)
    return np.where(rng.random((len(old), 1)) < 0.5, old, new).tobytes()[:length]
