"""Everything at random for some minutes: replicas killed and halted, receivers down, the database cut and frozen."""

import re
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from tests.faults.bench import Bench, Result
from tests.faults.ledger import pass_time
from tests.faults.receiver import answer, reset
from tests.faults.servers import Wire, wired
from tests.faults.site import LATER, Site


def soak(bench: Bench, kind: str) -> Result:
    """Two replicas that everything happens to, and one that is only watched: its memory and its open files."""
    rng, happened = bench.rng(13), dict.fromkeys(("killed", "halted", "receiver down", "database cut or frozen"), 0)
    windows = max(60, int(bench.minutes * 150))
    with ExitStack() as stack:
        place = stack.enter_context(bench.site(kind, windows=windows, seed=900, monitors=3, restless=0.3))
        wire = stack.enter_context(wired(place.store)) if kind == "postgresql" else None
        through = place.config if wire is None else place.world.configure(wire.url, place.receiver.url)
        watched = place.serve(config=through)
        others = [place.serve(config=through) for _ in range(2)]
        seen: list[tuple[float, int, int]] = []
        end = time.monotonic() + 60 * bench.minutes
        while time.monotonic() < end:
            place.sleep(float(rng.uniform(0.2, 1.5)))
            which = int(rng.integers(2))
            _happen(place, wire, happened, rng)
            if rng.random() < 0.3:
                _wake(others)  # one that was halted in a transaction keeps its locks, and the suite must write as well
                pass_time(place.store, LATER)
            _to_replica(others[which], happened, rng)
            if others[which].poll() is not None:
                others[which] = place.serve(config=through)
            assert watched.poll() is None, f"the replica that nobody touched ended; {place.tail()}"
            seen.append((time.monotonic(), *_use(watched.pid)))
        _calm(place, wire)
        counts_left = place.left()
        place.end()
        place.world.configure(place.store, place.receiver.url)
        place.settle()
        told = ", ".join(f"{n} {what}" for what, n in happened.items())
        note = f"{told}; {counts_left[0]} of {3 * windows} windows were left at the end; {_slope(seen)}"
        return Result(f"soak of {bench.minutes:.2g} min", kind, "3 services, 3 monitors", place.counts(), note)


def _happen(place: Site, wire: Wire | None, happened: dict[str, int], rng: np.random.Generator) -> None:
    """Something outside of drift."""
    what = rng.random()
    if what < 0.2:
        place.receiver.behave = (answer(500), answer(429, Retry_After="1"), reset)[int(rng.integers(3))]
        happened["receiver down"] += 1
    elif what < 0.5:
        place.receiver.behave = answer(204)
    elif what < 0.6 and wire is not None:
        happened["database cut or frozen"] += 1
        if rng.random() < 0.5:
            wire.cut()
            place.sleep(float(rng.uniform(0.1, 1.0)))
            wire.mend()
        else:
            wire.freeze()
            place.sleep(float(rng.uniform(0.1, 2.0)))
            wire.thaw()


def _wake(replicas: "list[subprocess.Popen[bytes]]") -> None:
    for one in replicas:
        if one.poll() is None:
            one.send_signal(signal.SIGCONT)


def _to_replica(replica: "subprocess.Popen[bytes]", happened: dict[str, int], rng: np.random.Generator) -> None:
    """Something to a replica."""
    if replica.poll() is not None:
        return
    what = rng.random()
    if what < 0.15:
        replica.send_signal(signal.SIGKILL)
        replica.wait()
        happened["killed"] += 1
    elif what < 0.3:
        replica.send_signal(signal.SIGSTOP)
        happened["halted"] += 1
    else:
        replica.send_signal(signal.SIGCONT)


def _calm(place: Site, wire: Wire | None) -> None:
    place.receiver.behave = answer(204)
    if wire is not None:
        wire.mend()
        wire.thaw()


def _use(pid: int) -> tuple[int, int]:
    """Resident memory in KiB, and open files."""
    status = Path(f"/proc/{pid}/status").read_text()
    (held,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
    return int(held), len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _slope(seen: list[tuple[float, int, int]]) -> str:
    """Memory at four moments, which tell a start that takes its time from growth that does not end; its trend over the
    second half, by least squares; open files, least and most in that time.
    """
    whole = np.array(seen, dtype=float)
    held = [whole[int(part * (len(whole) - 1)), 1] / 1024 for part in (0, 0.25, 0.5, 1)]
    half = whole[len(whole) // 2 :]
    slope = np.polyfit((half[:, 0] - half[0, 0]) / 60, half[:, 1] / 1024, 1)[0] if len(half) > 2 else float("nan")
    memory = ", ".join(f"{mebibytes:.0f}" for mebibytes in held)
    return (
        f"a replica that was only watched had {memory} MiB at first, after a quarter, half and all of the time, "
        f"{slope:+.2f} MiB a minute in the second half; {half[:, 2].min():.0f} to {half[:, 2].max():.0f} open files"
    )
