"""kill -9: at every named step of a run, and at random among replicas."""

import os
import signal
import subprocess
import time
from collections import Counter

import numpy as np

from drift.failpoints import FAILPOINTS
from tests.faults.bench import Bench, Result
from tests.faults.ledger import Counts, pass_time
from tests.faults.site import AFTER_LEASES, Site

_ONCE = FAILPOINTS[: FAILPOINTS.index("claimed")]
_CHECKING = FAILPOINTS[FAILPOINTS.index("claimed") : FAILPOINTS.index("taken")]
_SENDING = FAILPOINTS[FAILPOINTS.index("taken") :]


def stop_points(rng: np.random.Generator) -> list[str]:
    """Draw every step once: first those that a store passes once, then those of windows, then those of deliveries."""
    points = [*_ONCE]
    for names in (_CHECKING, _SENDING):
        for name in rng.permutation(names):
            times = rng.integers(1, 7 if name.startswith("commit") else 3)
            points.append(f"{name}:{times}")
    return points


def at_every_step(bench: Bench, kind: str, number: int) -> tuple[Counts, "Counter[str]"]:
    """Kill a run at each step in turn, on one store; return the counts and the kills by step."""
    killed: Counter[str] = Counter()
    with bench.site(kind, windows=16, seed=number) as site:
        for stop in stop_points(bench.rng(number)):
            status = site.run(DRIFT_STOP_AT=stop)
            assert status in {-signal.SIGKILL, 0, 1, 3}, f"{stop}: exit status {status}; {site.tail()}"
            killed[stop.partition(":")[0]] += status == -signal.SIGKILL
            pass_time(site.store, AFTER_LEASES, leases=False)  # leases of a dead process of this host end at once
        site.settle()
        return site.counts(), killed


def named_steps(bench: Bench, kind: str) -> Result:
    """Kill at each step 50 times (full), or once on each of two stores."""
    times = 50 if bench.full else 2
    total, killed = Counts(), Counter(dict.fromkeys(FAILPOINTS, 0))
    for number in range(times):
        counts, kills = at_every_step(bench, kind, number)
        total += counts
        killed += kills
    fewest = min(killed, key=lambda name: killed[name]) if set(FAILPOINTS) <= killed.keys() else "none at all"
    details = f"{killed[fewest]} to {max(killed.values())} kills at each of {len(FAILPOINTS)} steps"
    between = killed["sent"] + killed["committing"]
    assert total.repeats <= between, f"{total.repeats} repeats, but {between} kills between sending and marking"
    return Result("kill -9 at every named step", kind, f"{killed.total()} kills in {times} worlds", total, details)


def at_random(bench: Bench, kind: str) -> Result:
    """Kill and restart one of three replicas, again and again; two in three while it works on a window.

    Some windows are completed between kills, because a window that crashes its worker 15 times is abandoned.
    """
    windows, kills, rng = (500, 150, bench.rng(7)) if bench.full else (25, 6, bench.rng(7))
    left, working = 2 * windows, 0
    with bench.site(kind, windows=windows, seed=77, monitors=2, change_rate=0.2) as site:
        replicas = [site.serve() for _ in range(3)]
        for number in range(kills):
            upper = max(2, 2 * left // (kills - number + 1))  # the last kill must precede the end
            progress = int(rng.integers(1, upper))
            left = max(0, left - progress)
            site.wait_until(lambda enough=left: 0 <= site.remaining()[0] <= enough, "a window", 600)  # type: ignore[misc]
            victim = int(rng.integers(3))
            if rng.random() < 2 / 3:
                victim = _busy_replica(site, replicas, victim)
                site.sleep(float(rng.uniform(0.0, 0.03)))
            replicas[victim].kill()
            os.waitid(os.P_PID, replicas[victim].pid, os.WEXITED | os.WNOWAIT)  # dead, but not reaped
            working += site.windows_leased_by(replicas[victim].pid) > 0
            replicas[victim].wait()
            left = max(0, site.remaining()[0])
            pass_time(site.store, AFTER_LEASES, leases=False)
            replicas[victim] = site.serve()
        site.wait_until(lambda: site.remaining()[0] == 0, "the last window", 900)
        site.kill_all()
        site.settle()
        assert working >= kills / 3 or not bench.full, f"{working} of {kills} killed processes were checking a window"
        details = f"{working} of the killed processes were checking a window"
        how_often = f"{kills} kills, {2 * windows} windows"
        return Result("kill -9 at random, 3 replicas", kind, how_often, site.counts(), details)


def _busy_replica(site: Site, replicas: "list[subprocess.Popen[bytes]]", other: int) -> int:
    """Return the next replica that has a window leased, or `other` if none has one within three seconds."""
    end = time.monotonic() + 3
    while time.monotonic() < end:
        for number, replica in enumerate(replicas):
            if site.windows_leased_by(replica.pid):
                return number
        time.sleep(0.002)
    return other
