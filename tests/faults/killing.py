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
from tests.faults.site import LATER, Site

_ONCE = FAILPOINTS[: FAILPOINTS.index("claimed")]
_CHECKING = FAILPOINTS[FAILPOINTS.index("claimed") : FAILPOINTS.index("taken")]
_SENDING = FAILPOINTS[FAILPOINTS.index("taken") :]


def stops(rng: np.random.Generator) -> list[str]:
    """Every step once: first those that a store passes once, then those of windows, then those of messages."""
    found = [*_ONCE]
    for names in (_CHECKING, _SENDING):
        for name in rng.permutation(names):
            passing = rng.integers(1, 7 if name.startswith("commit") else 3)
            found.append(f"{name}:{passing}")
    return found


def at_every_step(bench: Bench, kind: str, number: int) -> tuple[Counts, "Counter[str]"]:
    """One world in which a run is killed at each step in turn; what the ledger says, and where it was killed."""
    killed: Counter[str] = Counter()
    with bench.site(kind, windows=16, seed=number) as place:
        for stop in stops(bench.rng(number)):
            status = place.run(DRIFT_STOP_AT=stop)
            assert status in {-signal.SIGKILL, 0, 1, 3}, f"{stop}: exit status {status}; {place.tail()}"
            killed[stop.partition(":")[0]] += status == -signal.SIGKILL
            pass_time(place.store, LATER, leases=False)  # what a dead process of this host held is free without that
        place.settle()
        return place.counts(), killed


def named_steps(bench: Bench, kind: str) -> Result:
    """Each step 50 times (full), or once in each of two worlds."""
    times = 50 if bench.full else 2
    total, killed = Counts(), Counter(dict.fromkeys(FAILPOINTS, 0))
    for number in range(times):
        counts, here = at_every_step(bench, kind, number)
        total += counts
        killed += here
    fewest = min(killed, key=lambda name: killed[name]) if set(FAILPOINTS) <= killed.keys() else "none at all"
    note = f"{killed[fewest]} to {max(killed.values())} kills at each of {len(FAILPOINTS)} steps"
    between = killed["sent"] + killed["committing"]
    assert total.repeats <= between, f"{total.repeats} messages came again, {between} kills lay between send and mark"
    return Result("kill -9 at every named step", kind, f"{killed.total()} kills in {times} worlds", total, note)


def at_random(bench: Bench, kind: str) -> Result:
    """Three replicas, one of them killed and started again, then again; two in three with work in hand.

    Some windows are done between one kill and the next: the one that is killed in hand 15 times is given up, loudly.
    """
    windows, kills, rng = (500, 150, bench.rng(7)) if bench.full else (25, 6, bench.rng(7))
    left, holding = 2 * windows, 0
    with bench.site(kind, windows=windows, seed=77, monitors=2, restless=0.2) as place:
        replicas = [place.serve() for _ in range(3)]
        for number in range(kills):
            some = int(rng.integers(1, max(2, 2 * left // (kills - number + 1))))  # the last kill comes before the end
            left = max(0, left - some)
            place.until(lambda enough=left: 0 <= place.left()[0] <= enough, "a window", 600)  # type: ignore[misc]
            one = int(rng.integers(3))
            if rng.random() < 2 / 3:
                one = _holder(place, replicas, one)
                place.sleep(float(rng.uniform(0.0, 0.03)))
            replicas[one].kill()
            os.waitid(os.P_PID, replicas[one].pid, os.WEXITED | os.WNOWAIT)  # dead, and nobody may know it yet
            holding += place.held_by(replicas[one].pid) > 0
            replicas[one].wait()
            left = max(0, place.left()[0])
            pass_time(place.store, LATER, leases=False)
            replicas[one] = place.serve()
        place.until(lambda: place.left()[0] == 0, "the last window", 900)
        place.end()
        place.settle()
        assert holding >= kills / 3 or not bench.full, f"{holding} of {kills} that were killed held a window"
        note = f"{holding} of those killed held a window"
        runs = f"{kills} kills, {2 * windows} windows"
        return Result("kill -9 at random, 3 replicas", kind, runs, place.counts(), note)


def _holder(place: Site, replicas: "list[subprocess.Popen[bytes]]", other: int) -> int:
    """The next replica that has a window in hand; the other one where none has within three seconds."""
    end = time.monotonic() + 3
    while time.monotonic() < end:
        for number, replica in enumerate(replicas):
            if place.held_by(replica.pid):
                return number
        time.sleep(0.002)
    return other
