"""Clocks that are wrong: the time of day of real processes, and of their database server, is set while they work."""

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
from tests.faults.postmaster import own_postmaster
from tests.faults.receiver import answer
from tests.faults.servers import Databases
from tests.faults.site import Site
from tests.faults.world import FROM, HOUR, REFERENCE
from tests.support.nursery import Nursery

DAY: Final = 86_400.0  # seconds
_STEPS: Final = (0.5, 2.0, 30.0, DAY)  # seconds, ahead or back
_SLEWS: Final = (500, -500, 50_000, -50_000, 0)  # microseconds a second; 500 is the most that a kernel's NTP does
_SLEWED: Final = "slew to 500 ppm or 5 %, ahead or back"


@contextmanager
def clocks(bench: Bench, kind: str) -> Iterator[tuple[Bench, Clock, Clock]]:
    """A bench whose processes and databases run by clocks that can be set: this host's, and the store's.

    These are the same one with SQLite; a PostgreSQL has a server of its own, started with a clock of its own.
    """
    with ExitStack() as stack:
        host = store = stack.enter_context(Clock())
        databases = bench.databases
        if kind == "postgresql":
            store = stack.enter_context(Clock())
            databases = Databases(stack.enter_context(own_postmaster(store.env)).address)
        for clock in (host, store):
            clock.turn_to(closing(0.5))
        nursery = stack.enter_context(Nursery(**host.env))
        yield Bench(bench.folder, databases, nursery, bench.seed, bench.full), host, store


def closing(hours: float) -> datetime:
    """The moment so many hours after the beginning of a world's first window."""
    return FROM + (REFERENCE + hours) * HOUR


def believed(place: Site) -> None:
    """See that the store went by the clocks of this file: worlds lie in 2024, and so must all that was written."""
    (first, last), *_ = query(place.store, "SELECT min(counted_at), max(counted_at) FROM revision")
    assert f"{first:.4}" == f"{last:.4}" == "2024" if isinstance(first, str) else first.year == last.year == 2024, (
        f"written from {first} to {last}: the clock was not set"
    )


def steps(bench: Bench, kind: str) -> Result:
    """The clock is stepped and slewed at random, around the ends of windows, under services and run after run.

    With PostgreSQL that is the server's clock, which services ask every 30 s and each run at once; and the host's.
    """
    rng, windows, told = bench.rng(18), 200 if bench.full else 8, Counter[str]()
    with clocks(bench, kind) as (own, host, store), own.site(kind, windows, seed=800, restless=0.4) as place:
        place.env, both = host.env, {host, store}
        services = [place.serve() for _ in range(3 if bench.full else 1)]
        place.until(lambda: place.log().count("serving http") == len(services), "the start of the services")
        with _restless(sorted(both, key=id), bench.rng(19), told):
            for hour in range(1, windows + 1):
                place.receiver.behave = answer(500 if hour % 5 == 3 else 204)
                for clock in both:
                    clock.turn_to(closing(hour) - timedelta(seconds=float(rng.uniform(0, 3))))
                place.run()
                place.sleep(float(rng.uniform(0, 0.3)))
        place.receiver.behave = answer(204)
        for clock in both:
            clock.turn_to(closing(windows) + timedelta(days=2))
        if bench.full:
            place.until(lambda: place.left()[0] == 0, "the last window", 300)
        assert not any(one.poll() is not None for one in services), f"a service ended; {place.tail()}"
        place.until(lambda: "this host's clock was set by" in place.log(), "a service that saw its clock set")
        place.end()
        place.settle()
        believed(place)
        note = ", ".join(f"{told[what]} x {what}" for what in (*(f"{size:g} s" for size in _STEPS), _SLEWED))
        return Result("clock stepped and slewed", kind, f"{told.total()} times", place.counts(), note)


@contextmanager
def _restless(which: Sequence[Clock], rng: np.random.Generator, told: Counter[str]) -> Iterator[None]:
    """Somebody sets these clocks all the time."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(float(rng.uniform(0, 0.3))):
            clock, what = which[int(rng.integers(len(which)))], int(rng.integers(len(_STEPS) + 1))
            if what == len(_STEPS):
                clock.slew(int(rng.choice(_SLEWS)))
                told[_SLEWED] += 1
            else:
                clock.step(_STEPS[what] * float(rng.choice((-1, 1))))
                told[f"{_STEPS[what]:g} s"] += 1

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def apart(bench: Bench, kind: str) -> Result:
    """Three services whose clocks differ by 5 minutes, and by a day (full), while windows close one after the other.

    With PostgreSQL none of these clocks counts.
    """
    total, windows = Counts(), 60 if bench.full else 6
    with clocks(bench, kind) as (own, host, store), ExitStack() as stack:
        others = [stack.enter_context(Clock()) for _ in range(2)]
        for number, seconds in enumerate((300.0, DAY) if bench.full else (300.0,)):
            with own.site(kind, windows, seed=810 + number, monitors=2, restless=0.4) as place:
                ahead = {store: 0.0, host: 0.0, others[0]: seconds, others[1]: -seconds}
                _turn(ahead, closing(0.5 if kind == "sqlite" else windows))  # a server is asked every 30 s only
                services = [place.serve(**clock.env) for clock in (host, *others)]
                if kind == "sqlite":
                    _hours(place, ahead, windows, own.rng(20, number))
                    _turn(ahead, closing(windows) + timedelta(days=2))
                place.until(lambda here=place: here.left()[0] == 0, "the last window", 300)  # type: ignore[misc]
                assert not any(one.poll() is not None for one in services), f"a service ended; {place.tail()}"
                place.end()
                _turn(ahead, closing(windows) + timedelta(days=4))  # what a fast clock put off comes later
                place.settle()
                believed(place)
                total += place.counts()
    told = "5 min and a day" if bench.full else "5 min"
    return Result(f"replicas {told} apart", kind, "3 services each time", total)


def _hours(place: Site, ahead: dict[Clock, float], windows: int, rng: np.random.Generator) -> None:
    """One window after the other closes, for one replica before the other."""
    place.until(lambda: "serving http" in place.log(), "the start of a service")
    for hour in range(1, windows + 1):
        for moment in sorted(rng.uniform(-400.0, 400.0, 2)):
            _turn(ahead, closing(hour) + timedelta(seconds=float(moment)))
            place.sleep(0.3)


def _turn(ahead: dict[Clock, float], moment: datetime) -> None:
    for clock, seconds in ahead.items():
        clock.turn_to(moment + timedelta(seconds=seconds))
