"""Loss of power: of a SQLite store, only synced data is certain to survive.

Crash recovery of PostgreSQL servers is tested in `postmaster.py`.
"""

import shutil
import signal
from pathlib import Path
from typing import Final

import numpy as np

from drift.failpoints import FAILPOINTS
from tests.faults.bench import Bench, Result
from tests.faults.killing import stop_points
from tests.faults.ledger import Counts, pass_time, query
from tests.faults.preload import library
from tests.faults.site import AFTER_LEASES, Site
from tests.support.nursery import Nursery

_SECTOR: Final = 512  # bytes that a disk writes atomically
_FILES: Final = ("", "-wal", "-journal")


def lost(bench: Bench, kind: str) -> Result:
    """Lose power at every named step, on 25 stores (full) or one."""
    assert kind == "sqlite", "the disk of a server is not tested"
    times, total, losses = 25 if bench.full else 1, Counts(), 0
    with Nursery(LD_PRELOAD=str(library("power", bench.folder))) as nursery:
        own_bench = Bench(bench.folder, bench.databases, nursery, bench.seed, bench.full)
        for number in range(times):
            with own_bench.site(kind, windows=16, seed=950 + number) as site:
                rng = own_bench.rng(950, number)
                for stop in stop_points(rng):
                    losses += _run_until_power_loss(site, stop, rng)
                site.settle()
                total += site.counts()
    details = f"at each of {len(FAILPOINTS)} steps; every sector that was not synced was there or not by chance"
    return Result("power lost", kind, f"{losses} times in {times} worlds", total, details)


def _run_until_power_loss(site: Site, stop: str, rng: np.random.Generator) -> bool:
    """Run drift until the power is lost at a step; return whether the run reached it."""
    path = Path(site.store.removeprefix("sqlite:///"))
    status = site.run(DRIFT_STOP_AT=stop)
    killed = status == -signal.SIGKILL
    assert killed or status in {0, 1, 3}, f"{stop}: exit status {status}; {site.tail()}"
    if killed:
        _keep_synced(path, rng)
        assert query(site.store, "PRAGMA integrity_check") == [("ok",)], f"the store is corrupt ({stop})"
        sent = {notification.id for notification in site.receiver.accepted()}
        migrated = query(site.store, "SELECT 1 FROM sqlite_master WHERE name = 'notification'")
        known = {name for (name,) in query(site.store, "SELECT id FROM notification")} if migrated else set()
        assert sent <= known, f"the store forgot {len(sent - known)} notifications that had been sent ({stop})"
    pass_time(site.store, AFTER_LEASES, leases=False)
    for suffix in _FILES:  # changes by `pass_time` count as synced
        file, durable = _file_and_durable_copy(path, suffix)
        durable.unlink(missing_ok=True)
        if file.exists():
            shutil.copyfile(file, durable)
    return killed


def _file_and_durable_copy(path: Path, suffix: str) -> tuple[Path, Path]:
    return path.with_name(path.name + suffix), path.with_name(path.name + suffix + ".durable")


def _keep_synced(path: Path, rng: np.random.Generator) -> None:
    """Restore the synced contents; of later writes, keep each sector by chance; drop shared memory."""
    for suffix in _FILES:
        file, durable = _file_and_durable_copy(path, suffix)
        if not file.exists():
            continue
        written = file.read_bytes()
        synced = durable.read_bytes() if durable.exists() else b""
        file.write_bytes(torn(synced, written, rng))
    _file_and_durable_copy(path, "-shm")[0].unlink(missing_ok=True)


def torn(synced: bytes, written: bytes, rng: np.random.Generator) -> bytes:
    """Draw sectors from either file, and the length from one of them; missing data is zeros."""
    length = len((synced, written)[int(rng.integers(2))])
    sides = [np.zeros(-(-max(len(synced), len(written)) // _SECTOR) * _SECTOR, np.uint8) for _ in range(2)]
    for side, content in zip(sides, (synced, written), strict=True):
        side[: len(content)] = np.frombuffer(content, np.uint8)
    old, new = (side.reshape(-1, _SECTOR) for side in sides)
    return np.where(rng.random((len(old), 1)) < 0.5, old, new).tobytes()[:length]
