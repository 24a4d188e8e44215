"""The database disappears, freezes, or loses a COMMIT or its answer."""

import signal
import time
from typing import Final

from tests.faults.bench import Bench, Result
from tests.faults.ledger import Counts, pass_time
from tests.faults.racing import halt_at, is_halted, resume
from tests.faults.servers import open_proxy
from tests.faults.site import AFTER_LEASES

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
    """Cut the database at a step of a run; restore it after that run has ended."""
    total, steps = Counts(), STEPS if bench.full else _SHORT
    for number, step in enumerate(steps):
        with bench.site(kind, windows=6, seed=300 + number) as site, open_proxy(site.store) as proxy:
            proxied = site.world.configure(proxy.url, site.receiver.url)
            halted = halt_at(site, step, proxied)
            proxy.cut()
            status = resume(halted)
            assert status == 3, f"database gone at {step}: exit status {status}, expected 3; {site.tail()}"
            proxy.restore()
            site.settle()
            total += site.counts()
    return Result(
        "database gone at a step of a run", kind, f"{len(steps)} steps", total, "each run ended with status 3"
    )


def gone_for_a_while(bench: Bench, kind: str) -> Result:
    """Cut the database of a service for 60 s (full) or 3 s, several times; the service must continue."""
    seconds, times = (60.0, 4) if bench.full else (3.0, 2)
    rng, left, windows = bench.rng(11), list[int](), 2000 if bench.full else 160
    with (
        bench.site(kind, windows=windows, seed=31, change_rate=0.2) as site,
        open_proxy(site.store) as proxy,
    ):
        service = site.serve(config=site.world.configure(proxy.url, site.receiver.url))
        for _ in range(times):
            before = left[-1] if left else windows
            assert before, f"all windows were done before the database went for the last time: {left}"
            site.wait_until(lambda before=before: 0 <= site.remaining()[0] < before, "a window")  # type: ignore[misc]
            site.sleep(float(rng.uniform(0.2, 1.0)))
            left.append(site.remaining()[0])
            proxy.cut()
            site.sleep(seconds)
            proxy.restore()
        site.wait_until(
            lambda: nothing_left(site.store, site.remaining()), "the last notification", 1800 if bench.full else 300
        )
        assert service.poll() is None, f"the service ended; {site.tail()}"
        details = f"windows left when it went: {', '.join(map(str, left))}"
        return Result(f"database gone for {seconds:g} s, service", kind, f"{times} times", site.counts(), details)


_MOMENTS: Final = ("claimed:2", "counted:2", "committing:6", "sent")


def gone_at_moments(bench: Bench, kind: str) -> Result:
    """Halt a service at a step, cut its database, resume it, and restore the database after 60 s (full) or 3 s.

    Nothing is restarted and no lease expires: the service itself must repeat what it could not write.
    """
    seconds, total = (60.0 if bench.full else 3.0), Counts()
    steps = _MOMENTS if bench.full else _MOMENTS[2:]
    for number, step in enumerate(steps):
        with bench.site(kind, windows=12, seed=320 + number) as site, open_proxy(site.store) as proxy:
            proxied = site.world.configure(proxy.url, site.receiver.url)
            service = site.serve(config=proxied, DRIFT_STOP_AT=f"{step if ':' in step else step + ':1'}:SIGSTOP")
            site.wait_until(lambda service=service: is_halted(service), f"the halt at {step}")  # type: ignore[misc]
            proxy.cut()
            site.sleep(seconds / 10)
            service.send_signal(signal.SIGCONT)
            site.sleep(seconds * 9 / 10)
            assert site.remaining() != (0, 0), "nothing was left to do when the database went"
            proxy.restore()
            site.wait_until(lambda site=site: nothing_left(site.store, site.remaining()), "the last notification")  # type: ignore[misc]
            assert service.poll() is None, f"the service ended ({step}); {site.tail()}"
            total += site.counts()
    details = "at " + ", ".join(step.partition(":")[0] for step in steps) + "; each service went on by itself"
    return Result(
        f"database gone for {seconds:g} s at a moment of a service", kind, f"{len(steps)} times", total, details
    )


def nothing_left(store: str, left: tuple[int, int]) -> bool:
    """Return whether nothing is left; make waiting deliveries due."""
    if left[1]:
        pass_time(store, AFTER_LEASES, leases=False)
        time.sleep(0.5)
    return left == (0, 0)


def lost_commits(bench: Bench, kind: str) -> Result:
    """For each n, let the n-th COMMIT of a run get lost, or only its answer."""
    total, lost = Counts(), 0
    for number, answer in enumerate((True, False)):
        with bench.site(kind, windows=24, seed=400 + number) as site, open_proxy(site.store) as proxy:
            proxied = site.world.configure(proxy.url, site.receiver.url)
            for after in range(60 if bench.full else 14):
                proxy.lose_commit(after, answer=answer)
                site.run(config=proxied)
                pass_time(site.store, AFTER_LEASES)
            lost += proxy.lost
            site.world.configure(site.store, site.receiver.url)
            site.settle()
            total += site.counts()
    return Result("COMMIT or its answer lost", kind, f"{lost} lost", total, "one after the other")


def frozen(bench: Bench, kind: str) -> Result:
    """Freeze the connection past the lease while another replica works; then let all data pass."""
    total = Counts()
    steps = ("claimed:2", "compared:2", "scores:2", "committing:6") if bench.full else ("compared:2",)
    for number, step in enumerate(steps):
        with bench.site(kind, windows=6, seed=500 + number) as site, open_proxy(site.store) as proxy:
            proxied = site.world.configure(proxy.url, site.receiver.url)
            halted = halt_at(site, step, proxied)
            site.world.configure(site.store, site.receiver.url)
            proxy.freeze()
            in_transaction = step.startswith(("scores", "committing"))  # others wait for its locks
            halted.send_signal(signal.SIGCONT)
            site.sleep(0.5)
            if not in_transaction:
                pass_time(site.store, AFTER_LEASES)
                site.run()
            proxy.thaw()
            halted.wait(120)
            site.settle()
            total += site.counts()
    return Result("database frozen past the lease", kind, f"{len(steps)} times", total)
