"""The fault suite as a command: ``python -m tests.faults [--full] [--only NAME] [--seed N] [--minutes N]``."""

import argparse
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable
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
from tests.faults.servers import KINDS, Databases, temporary_server
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
    "| scenario | store | how often | windows lost / doubled | alerts lost / doubled | wrong scores "
    "| repeated, same id | details | seconds |\n|---|---|---|---|---|---|---|---|---|"
)


def main() -> int:
    """Run the scenarios; return 1 if any of the five counters is not zero or a scenario failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--full", action="store_true", help="run the long form, as in the table of docs/reliability.md")
    parser.add_argument("--only", action="append", choices=SCENARIOS, help="run this scenario only; may be repeated")
    parser.add_argument("--seed", type=int, default=1, help="random seed (default 1)")
    parser.add_argument("--minutes", type=float, default=2.0, help="duration of the soak on each database (default 2)")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and processes are ended too
    _print(
        f"seed {args.seed}, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    _print(_HEAD)
    total, failed = Counts(), 0
    with (
        tempfile.TemporaryDirectory(prefix="drift-faults-") as folder,
        temporary_server() as server,
        Nursery() as nursery,
    ):
        bench = Bench(Path(folder), Databases(server), nursery, args.seed, args.full, args.minutes)
        for name in args.only or SCENARIOS:
            scenario, kinds = SCENARIOS[name]
            for kind in kinds:
                start = time.monotonic()
                try:
                    result = scenario(bench, kind)
                except AssertionError as error:  # a timeout or an unexpected result; the other scenarios still run
                    failed += 1
                    _print(f"| {name} | {kind} | **failed** after {time.monotonic() - start:.0f} s |")
                    print(f"{name}, {kind}: {error}", file=sys.stderr, flush=True)  # noqa: T201 - a command
                    continue
                total += result.counts
                _print(_row(result, time.monotonic() - start))
    return int(failed > 0 or any(total.faults))


def _row(result: Result, seconds: float) -> str:
    counts = result.counts
    columns = (
        result.name,
        result.store,
        result.how_often,
        f"{counts.windows_lost} / {counts.windows_doubled}",
        f"{counts.alerts_lost} / {counts.alerts_doubled}",
        counts.wrong_scores,
        counts.repeats,
        result.details,
        f"{seconds:.0f}",
    )
    return f"| {' | '.join(map(str, columns))} |"


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command


if __name__ == "__main__":
    sys.exit(main())
