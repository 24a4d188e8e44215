"""Replicas at one store: racing, and stopped past their lease."""

import os
import signal
import subprocess
from pathlib import Path

from tests.faults.bench import Bench, Result
from tests.faults.ledger import Counts, pass_time, query
from tests.faults.site import LATER, Site

HELD = ("claimed", "counted", "compared")


def race(bench: Bench, kind: str) -> Result:
    """2, 4 and 8 services at once (full), or 4, until all is checked and told."""
    total, told = Counts(), []
    for replicas in (2, 4, 8) if bench.full else (4,):
        monitors = 4
        windows = 250 if bench.full else 12
        with bench.site(kind, windows=windows, seed=replicas, monitors=monitors, restless=0.2) as place:
            for _ in range(replicas):
                place.serve()
            place.until(lambda here=place: here.left() == (0, 0), "the last message", 900)  # type: ignore[misc]
            told.append(": ".join(filter(None, (f"{replicas} replicas", place.repeated()))))
            total += place.counts()
    return Result("replicas racing", kind, f"{monitors * windows} windows each time", total, "; ".join(told))


def stopped(process: "subprocess.Popen[bytes]") -> bool:
    """Whether a process was halted by a signal."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def halt_at(place: Site, step: str, config: Path | None = None) -> "subprocess.Popen[bytes]":
    """A run that halts at a step, as if its machine were asleep."""
    at = step if ":" in step else f"{step}:1"
    process = place.start("run", config=config, DRIFT_STOP_AT=f"{at}:SIGSTOP")
    place.until(lambda: process.poll() is not None or stopped(process), f"the halt at {at}")
    assert process.returncode is None, f"it ended before {at} with status {process.returncode}; {place.tail()}"
    return process


def go_on(process: "subprocess.Popen[bytes]", seconds: float = 120) -> int:
    """Wake a halted process; gives its exit status."""
    os.kill(process.pid, signal.SIGCONT)
    return process.wait(seconds)


def past_lease(bench: Bench, kind: str) -> Result:
    """A replica halts with a window or message in hand, another takes over; its late write is dropped."""
    total = Counts()
    held = [f"{name}:{passing}" for name in HELD for passing in (1, 2, 3)] if bench.full else ["compared:2"]
    steps = [*held, "sent"]
    for number, step in enumerate(steps):
        with bench.site(kind, windows=8, seed=200 + number) as place:
            late = halt_at(place, step)
            assert step == "sent" or place.held_by(late.pid) == 1, f"it has no window in hand ({step}); {place.tail()}"
            pass_time(place.store, LATER)  # its lease runs out
            place.run()
            before = _written(place)
            go_on(late)
            assert _written(place) == before, f"a write that came too late was taken ({step}); {place.tail()}"
            assert step == "sent" or "is no longer leased with token" in place.log(), place.tail()
            place.settle()
            total += place.counts()
    return Result("halted past its lease", kind, f"{len(steps)} halts", total, "every late write was refused")


def _written(place: Site) -> list[tuple[object, ...]]:
    revisions = query(place.store, "SELECT id, token FROM revision ORDER BY id")
    return revisions + query(place.store, "SELECT id, status, attempts, sent_at FROM delivery ORDER BY id")
