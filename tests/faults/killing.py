"""kill -9: at every named step of a run, and at random among replicas."""

import signal
from collections import Counter

import numpy as np

from drift.steps import STEPS

from .bench import Bench, Result
from .ledger import Counts, pass_time
from .site import LATER

_ONCE = STEPS[: STEPS.index("claimed")]
_CHECKING = STEPS[STEPS.index("claimed") : STEPS.index("taken")]
_SENDING = STEPS[STEPS.index("taken") :]


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
    total, killed = Counts(), Counter(dict.fromkeys(STEPS, 0))
    for number in range(times):
        counts, here = at_every_step(bench, kind, number)
        total += counts
        killed += here
    fewest = min(killed, key=lambda name: killed[name]) if set(STEPS) <= killed.keys() else "none at all"
    note = f"{killed[fewest]} to {max(killed.values())} kills at each of {len(STEPS)} steps"
    between = killed["sent"] + killed["committing"]
    assert total.repeats <= between, f"{total.repeats} messages came again, {between} kills lay between send and mark"
    return Result("kill -9 at every named step", kind, f"{killed.total()} kills in {times} worlds", total, note)


def at_random(bench: Bench, kind: str) -> Result:
    """Three replicas, one of them killed and started again every other second."""
    windows, rng = (500 if bench.full else 15), bench.rng(7)
    kills = 0
    with bench.site(kind, windows=windows, seed=77, monitors=2, restless=0.2) as place:
        replicas = [place.serve() for _ in range(3)]

        def harass() -> bool:
            nonlocal kills
            place.sleep(float(rng.uniform(0.5, 4.0)))
            one = int(rng.integers(3))
            if replicas[one].poll() is None:
                replicas[one].kill()
                replicas[one].wait()
                kills += 1
            pass_time(place.store, LATER, leases=False)
            replicas[one] = place.serve()
            return place.left()[0] == 0

        place.until(harass, "the last window", 900)
        place.end()
        place.settle()
        return Result("kill -9 at random, 3 replicas", kind, f"{kills} kills, {2 * windows} windows", place.counts())
