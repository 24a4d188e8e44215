"""The fault suite as a command: ``python -m tests.faults [--full] [--only NAME] [--seed N] [--minutes N]``."""

import argparse
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.faults import (
    clock_leases,
    clocks,
    database,
    disks,
    killing,
    postmaster,
    power,
    racing,
    receivers,
    references,
    soak,
    upgrades,
)
from tests.faults.bench import Bench, Result
from tests.faults.ledger import Counts
from tests.faults.servers import KINDS, Databases, own_server
from tests.support.nursery import Nursery

Scenario = Callable[[Bench, str], Result]

SCENARIOS: Final[dict[str, tuple[Scenario, tuple[str, ...]]]] = {
    "kill-steps": (killing.named_steps, KINDS),
    "kill-random": (killing.at_random, KINDS),
    "race": (racing.race, KINDS),
    "past-lease": (racing.past_lease, KINDS),
    "database-gone": (database.gone, ("postgresql",)),
    "database-away": (database.gone_for_a_while, ("postgresql",)),
    "database-moments": (database.gone_at_moments, ("postgresql",)),
    "database-killed": (postmaster.killed, ("postgresql",)),
    "commit-lost": (database.lost_commits, ("postgresql",)),
    "database-frozen": (database.frozen, ("postgresql",)),
    "power-lost": (power.lost, ("sqlite",)),
    "disk-store": (disks.store_full, ("sqlite",)),
    "disk-report": (disks.report_full, ("sqlite",)),
    "receiver-odd": (receivers.passing, KINDS),
    "receiver-no": (receivers.for_good, KINDS),
    "receiver-tls": (receivers.bad_tls, KINDS),
    "receiver-down": (receivers.waiting, KINDS),
    "clock-steps": (clocks.steps, KINDS),
    "clock-apart": (clocks.apart, KINDS),
    "clock-leases": (clock_leases.leases, KINDS),
    "reference-kills": (references.killing, KINDS),
    "upgrade-killed": (upgrades.killed, KINDS),
    "upgrade-race": (upgrades.at_once, KINDS),
    "soak": (soak.soak, KINDS),
}

_HEAD: Final = (
    "| scenario | store | runs | windows lost | windows doubled | alerts lost | alerts doubled | wrong scores "
    "| came again, same id | notes | s |\n|---|---|---|---|---|---|---|---|---|---|---|"
)


def main() -> int:
    """Run what is asked for; 1 where any of the five counters is not zero, or a scenario came to no end."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the long form, of which docs/reliability.md has the table")
    parser.add_argument("--only", action="append", choices=SCENARIOS, help="one scenario; may be given again")
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn (default 1)")
    parser.add_argument("--minutes", type=float, default=2.0, help="of the soak, on each database (default 2)")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers and processes are ended all the same
    _say(f"seed {asked.seed}, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}")
    _say(_HEAD)
    total, failed = Counts(), 0
    with tempfile.TemporaryDirectory(prefix="drift-faults-") as folder, own_server() as server, Nursery() as nursery:
        bench = Bench(Path(folder), Databases(server), nursery, asked.seed, asked.full, asked.minutes)
        for name in asked.only or SCENARIOS:
            scenario, kinds = SCENARIOS[name]
            for kind in kinds:
                began = time.monotonic()
                try:
                    result = scenario(bench, kind)
                except AssertionError as error:  # one that came to no end, or saw what must not be: the next are run
                    failed += 1
                    _say(f"| {name} | {kind} | **failed** after {time.monotonic() - began:.0f} s |")
                    print(f"{name}, {kind}: {error}", file=sys.stderr, flush=True)  # noqa: T201 - a command
                    continue
                total += result.counts
                _say(_row(result, time.monotonic() - began))
    return int(failed > 0 or any(total.faults))


def _row(result: Result, seconds: float) -> str:
    counts = " | ".join(map(str, astuple(result.counts)))
    return f"| {result.name} | {result.store} | {result.runs} | {counts} | {result.note} | {seconds:.0f} |"


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command


if __name__ == "__main__":
    sys.exit(main())
