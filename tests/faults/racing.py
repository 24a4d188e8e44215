"""Several replicas on one store: racing, and halted past their lease."""

import os
import signal
import subprocess
from pathlib import Path

from tests.faults.bench import Bench, Result
from tests.faults.ledger import Counts, pass_time, query
from tests.faults.site import AFTER_LEASES, Site

LEASED_AT = ("claimed", "counted", "compared")


def race(bench: Bench, kind: str) -> Result:
    """Run 2, 4 and 8 services at once (full), or 4, until all windows are checked and all notifications sent."""
    total, replicas_and_repeats = Counts(), []
    for replicas in (2, 4, 8) if bench.full else (4,):
        monitors = 4
        windows = 250 if bench.full else 12
        with bench.site(kind, windows=windows, seed=replicas, monitors=monitors, change_rate=0.2) as site:
            for _ in range(replicas):
                site.serve()
            site.wait_until(lambda site=site: site.remaining() == (0, 0), "the last notification", 900)  # type: ignore[misc]
            replicas_and_repeats.append(": ".join(filter(None, (f"{replicas} replicas", site.describe_repeats()))))
            total += site.counts()
    return Result(
        "replicas racing", kind, f"{monitors * windows} windows each time", total, "; ".join(replicas_and_repeats)
    )


def is_halted(process: "subprocess.Popen[bytes]") -> bool:
    """Return whether a process was halted by a signal."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def halt_at(site: Site, step: str, config: Path | None = None) -> "subprocess.Popen[bytes]":
    """Start a run that halts at a step, as if its machine were suspended."""
    failpoint = step if ":" in step else f"{step}:1"
    process = site.start("run", config=config, DRIFT_STOP_AT=f"{failpoint}:SIGSTOP")
    site.wait_until(lambda: process.poll() is not None or is_halted(process), f"the halt at {failpoint}")
    assert process.returncode is None, (
        f"the run ended before {failpoint} with status {process.returncode}; {site.tail()}"
    )
    return process


def resume(process: "subprocess.Popen[bytes]", seconds: float = 120) -> int:
    """Resume a halted process; return its exit status."""
    os.kill(process.pid, signal.SIGCONT)
    return process.wait(seconds)


def past_lease(bench: Bench, kind: str) -> Result:
    """Halt a replica that has a lease until another replica takes over; its late write must be refused."""
    total = Counts()
    leased = [f"{name}:{times}" for name in LEASED_AT for times in (1, 2, 3)] if bench.full else ["compared:2"]
    steps = [*leased, "sent"]
    for number, step in enumerate(steps):
        with bench.site(kind, windows=8, seed=200 + number) as site:
            halted = halt_at(site, step)
            assert step == "sent" or site.windows_leased_by(halted.pid) == 1, (
                f"the run has no leased window ({step}); {site.tail()}"
            )
            pass_time(site.store, AFTER_LEASES)  # its lease expires
            site.run()
            before = _written(site)
            resume(halted)
            assert _written(site) == before, f"a late write was accepted ({step}); {site.tail()}"
            assert step == "sent" or "is no longer leased with token" in site.log(), site.tail()
            site.settle()
            total += site.counts()
    return Result("halted past its lease", kind, f"{len(steps)} halts", total, "every late write was refused")


def _written(site: Site) -> list[tuple[object, ...]]:
    revisions = query(site.store, "SELECT id, token FROM revision ORDER BY id")
    return revisions + query(site.store, "SELECT id, status, attempts, sent_at FROM delivery ORDER BY id")
