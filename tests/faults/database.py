"""The database is gone, frozen, or its answer to COMMIT is lost."""

import signal
import time
from typing import Final

from tests.faults.bench import Bench, Result
from tests.faults.ledger import Counts, pass_time
from tests.faults.racing import go_on, halt_at, stopped
from tests.faults.servers import wired
from tests.faults.site import LATER

STEPS: Final = (
    "opened",
    "planned",
    "freezing",
    "claimed",
    "counted",
    "compared",
    "scores",
    "committing",
    "taken",
    "sent",
)
_SHORT: Final = ("claimed", "counted", "committing:5", "sent")


def gone(bench: Bench, kind: str) -> Result:
    """Gone at a step of a run, back when that run has ended."""
    total, steps = Counts(), STEPS if bench.full else _SHORT
    for number, step in enumerate(steps):
        with bench.site(kind, windows=6, seed=300 + number) as place, wired(place.store) as wire:
            through = place.world.configure(wire.url, place.receiver.url)
            late = halt_at(place, step, through)
            wire.cut()
            status = go_on(late)
            assert status == 3, f"gone at {step}: exit status {status}, expected 3; {place.tail()}"
            wire.mend()
            place.settle()
            total += place.counts()
    return Result(
        "database gone at a step of a run", kind, f"{len(steps)} steps", total, "each run ended with status 3"
    )


def gone_for_a_while(bench: Bench, kind: str) -> Result:
    """Gone for 60 s (full) or 3 s under a service that goes on afterwards, several times."""
    seconds, times = (60.0, 4) if bench.full else (3.0, 2)
    rng, left, windows = bench.rng(11), list[int](), 2000 if bench.full else 160
    with (
        bench.site(kind, windows=windows, seed=31, restless=0.2) as place,
        wired(place.store) as wire,
    ):
        service = place.serve(config=place.world.configure(wire.url, place.receiver.url))
        for _ in range(times):
            before = left[-1] if left else windows
            assert before, f"all windows were done before the database went for the last time: {left}"
            place.until(lambda before=before: 0 <= place.left()[0] < before, "a window")  # type: ignore[misc]
            place.sleep(float(rng.uniform(0.2, 1.0)))
            left.append(place.left()[0])
            wire.cut()
            place.sleep(seconds)
            wire.mend()  # what it could not give back meanwhile, it takes up again by itself
        place.until(lambda: again(place.store, place.left()), "the last message", 1800 if bench.full else 300)
        assert service.poll() is None, f"the service ended; {place.tail()}"
        note = f"windows left when it went: {', '.join(map(str, left))}"
        return Result(f"database gone for {seconds:g} s, service", kind, f"{times} times", place.counts(), note)


_HELD: Final = ("claimed:2", "counted:2", "committing:6", "sent")


def gone_at_moments(bench: Bench, kind: str) -> Result:
    """A service halts at a moment, its database goes, it wakes, and after 60 s (full) or 3 s the database is back.

    Nobody restarts anything and no lease is made to run out: what the service could not write it does again by itself.
    """
    seconds, total = (60.0 if bench.full else 3.0), Counts()
    steps = _HELD if bench.full else _HELD[2:]
    for number, step in enumerate(steps):
        with bench.site(kind, windows=12, seed=320 + number) as place, wired(place.store) as wire:
            through = place.world.configure(wire.url, place.receiver.url)
            service = place.serve(config=through, DRIFT_STOP_AT=f"{step if ':' in step else step + ':1'}:SIGSTOP")
            place.until(lambda one=service: stopped(one), f"the halt at {step}")  # type: ignore[misc]
            wire.cut()
            place.sleep(seconds / 10)
            service.send_signal(signal.SIGCONT)
            place.sleep(seconds * 9 / 10)
            assert place.left() != (0, 0), "nothing was left to do when the database went"
            wire.mend()
            place.until(lambda here=place: again(here.store, here.left()), "the last message")  # type: ignore[misc]
            assert service.poll() is None, f"the service ended ({step}); {place.tail()}"
            total += place.counts()
    note = "at " + ", ".join(step.partition(":")[0] for step in steps) + "; each service went on by itself"
    return Result(f"database gone for {seconds:g} s at a moment of a service", kind, f"{len(steps)} times", total, note)


def again(store: str, left: tuple[int, int]) -> bool:
    """Whether nothing is left; messages that wait for another try wait no longer."""
    if left[1]:
        pass_time(store, LATER, leases=False)
        time.sleep(0.5)
    return left == (0, 0)


def lost_commits(bench: Bench, kind: str) -> Result:
    """The n-th COMMIT of a run never arrives, or is done and its answer is lost; for each n."""
    total, lost = Counts(), 0
    for number, answer in enumerate((True, False)):
        with bench.site(kind, windows=24, seed=400 + number) as place, wired(place.store) as wire:
            through = place.world.configure(wire.url, place.receiver.url)
            for after in range(60 if bench.full else 14):
                wire.lose(after, answer=answer)
                place.run(config=through)
                pass_time(place.store, LATER)
            lost += wire.lost
            place.world.configure(place.store, place.receiver.url)
            place.settle()
            total += place.counts()
    return Result("COMMIT or its answer lost", kind, f"{lost} lost", total, "every one after the other")


def frozen(bench: Bench, kind: str) -> Result:
    """The wire stands still past the lease while another replica works; then all of it passes."""
    total = Counts()
    steps = ("claimed:2", "compared:2", "scores:2", "committing:6") if bench.full else ("compared:2",)
    for number, step in enumerate(steps):
        with bench.site(kind, windows=6, seed=500 + number) as place, wired(place.store) as wire:
            through = place.world.configure(wire.url, place.receiver.url)
            late = halt_at(place, step, through)
            place.world.configure(place.store, place.receiver.url)
            wire.freeze()
            inside = step.startswith(("scores", "committing"))  # a transaction is open: others wait for its locks
            late.send_signal(signal.SIGCONT)
            place.sleep(0.5)
            if not inside:
                pass_time(place.store, LATER)
                place.run()
            wire.thaw()
            late.wait(120)
            place.settle()
            total += place.counts()
    return Result("database frozen past the lease", kind, f"{len(steps)} times", total)
