"""Wrong clocks: the time of day of processes and of their database server is set while they work."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from tests.faults.bench import Bench, Result
from tests.faults.clock import Clock
from tests.faults.ledger import Counts, query
from tests.faults.postmaster import temporary_postmaster
from tests.faults.receiver import answer
from tests.faults.servers import Databases
from tests.faults.site import Site
from tests.faults.world import FROM, HOUR, REFERENCE
from tests.support.nursery import Nursery

DAY: Final = 86_400.0  # seconds
_STEPS: Final = (0.5, 2.0, 30.0, DAY)  # seconds, ahead or back
_SLEWS: Final = (500, -500, 50_000, -50_000, 0)  # microseconds a second; 500 is the maximum of a kernel's NTP
_SLEWED: Final = "slew to 500 ppm or 5 %, ahead or back"


@contextmanager
def clocks(bench: Bench, kind: str) -> Iterator[tuple[Bench, Clock, Clock]]:
    """Open a bench with settable clocks; yield it, the host's clock and the store's clock.

    On SQLite both are the same clock. On PostgreSQL the store is a server with its own clock.
    """
    with ExitStack() as stack:
        host = store = stack.enter_context(Clock())
        databases = bench.databases
        if kind == "postgresql":
            store = stack.enter_context(Clock())
            databases = Databases(stack.enter_context(temporary_postmaster(store.env)).address)
        for clock in (host, store):
            clock.set_to(after_start(0.5))
        nursery = stack.enter_context(Nursery(**host.env))
        yield Bench(bench.folder, databases, nursery, bench.seed, bench.full), host, store


def after_start(hours: float) -> datetime:
    """Return the instant `hours` after the start of the first window."""
    return FROM + (REFERENCE + hours) * HOUR


def check_dates(site: Site) -> None:
    """Check that the store used the clocks of this module: all rows must be dated 2024, like the data."""
    (first, last), *_ = query(site.store, "SELECT min(counted_at), max(counted_at) FROM revision")
    assert f"{first:.4}" == f"{last:.4}" == "2024" if isinstance(first, str) else first.year == last.year == 2024, (
        f"written from {first} to {last}: the clock was not set"
    )


def steps(bench: Bench, kind: str) -> Result:
    """Step and slew the clock at random around the ends of windows, under services and repeated runs.

    On PostgreSQL the host's clock is set and the server's, which services ask every 30 s and runs at their start.
    """
    rng, windows, changes = bench.rng(18), 200 if bench.full else 8, Counter[str]()
    with clocks(bench, kind) as (clocked, host, store), clocked.site(kind, windows, seed=800, change_rate=0.4) as site:
        site.env, both = host.env, {host, store}
        services = [site.serve() for _ in range(3 if bench.full else 1)]
        site.wait_until(lambda: site.log().count("serving http") == len(services), "the start of the services")
        with _keep_setting(sorted(both, key=id), bench.rng(19), changes):
            for hour in range(1, windows + 1):
                site.receiver.behaviour = answer(500 if hour % 5 == 3 else 204)
                for clock in both:
                    clock.set_to(after_start(hour) - timedelta(seconds=float(rng.uniform(0, 3))))
                site.run()
                site.sleep(float(rng.uniform(0, 0.3)))
        site.receiver.behaviour = answer(204)
        for clock in both:
            clock.set_to(after_start(windows) + timedelta(days=2))
        if bench.full:
            site.wait_until(lambda: site.remaining()[0] == 0, "the last window", 300)
        assert not any(service.poll() is not None for service in services), f"a service ended; {site.tail()}"
        site.wait_until(lambda: "the host's clock was set by" in site.log(), "a service that noticed the clock step")
        site.kill_all()
        site.settle()
        check_dates(site)
        details = ", ".join(f"{changes[size]} x {size}" for size in (*(f"{step:g} s" for step in _STEPS), _SLEWED))
        return Result("clock stepped and slewed", kind, f"{changes.total()} times", site.counts(), details)


@contextmanager
def _keep_setting(clocks_to_set: Sequence[Clock], rng: np.random.Generator, changes: Counter[str]) -> Iterator[None]:
    """Set these clocks at random, several times a second."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(float(rng.uniform(0, 0.3))):
            clock, kind = clocks_to_set[int(rng.integers(len(clocks_to_set)))], int(rng.integers(len(_STEPS) + 1))
            if kind == len(_STEPS):
                clock.slew(int(rng.choice(_SLEWS)))
                changes[_SLEWED] += 1
            else:
                clock.step(_STEPS[kind] * float(rng.choice((-1, 1))))
                changes[f"{_STEPS[kind]:g} s"] += 1

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def apart(bench: Bench, kind: str) -> Result:
    """Run three services whose clocks differ by 5 minutes, and by a day (full), while windows close in turn.

    On PostgreSQL these clocks must have no effect.
    """
    total, windows = Counts(), 60 if bench.full else 6
    with clocks(bench, kind) as (clocked, host, store), ExitStack() as stack:
        others = [stack.enter_context(Clock()) for _ in range(2)]
        for number, seconds in enumerate((300.0, DAY) if bench.full else (300.0,)):
            with clocked.site(kind, windows, seed=810 + number, monitors=2, change_rate=0.4) as site:
                ahead = {store: 0.0, host: 0.0, others[0]: seconds, others[1]: -seconds}
                # Not step by step on PostgreSQL: services ask the server only every 30 s.
                _set_to(ahead, after_start(0.5 if kind == "sqlite" else windows))
                services = [site.serve(**clock.env) for clock in (host, *others)]
                if kind == "sqlite":
                    _close_windows(site, ahead, windows, clocked.rng(20, number))
                    _set_to(ahead, after_start(windows) + timedelta(days=2))
                site.wait_until(lambda site=site: site.remaining()[0] == 0, "the last window", 300)  # type: ignore[misc]
                assert not any(service.poll() is not None for service in services), f"a service ended; {site.tail()}"
                site.kill_all()
                _set_to(ahead, after_start(windows) + timedelta(days=4))  # retries delayed by a fast clock
                site.settle()
                check_dates(site)
                total += site.counts()
    differences = "5 min and a day" if bench.full else "5 min"
    return Result(f"replicas {differences} apart", kind, "3 services each time", total)


def _close_windows(site: Site, ahead: dict[Clock, float], windows: int, rng: np.random.Generator) -> None:
    """Close one window after another, at a different time for each replica."""
    site.wait_until(lambda: "serving http" in site.log(), "the start of a service")
    for hour in range(1, windows + 1):
        for moment in sorted(rng.uniform(-400.0, 400.0, 2)):
            _set_to(ahead, after_start(hour) + timedelta(seconds=float(moment)))
            site.sleep(0.3)


def _set_to(ahead: dict[Clock, float], moment: datetime) -> None:
    for clock, seconds in ahead.items():
        clock.set_to(moment + timedelta(seconds=seconds))
