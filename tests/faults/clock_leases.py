"""A clock is set while windows are leased, notifications are being sent, or notifications wait for a retry."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from tests.faults.bench import Bench, Result
from tests.faults.clock import Clock
from tests.faults.clocks import DAY, after_start, check_dates, clocks
from tests.faults.ledger import Counts, query
from tests.faults.racing import halt_at, resume
from tests.faults.receiver import answer
from tests.faults.site import Site

_WINDOWS: Final = 6
_REFUSED: Final = "is no longer leased with token"


def leases(bench: Bench, kind: str) -> Result:
    """Halt a replica during work, set the clock, run another replica, then resume the halted one."""
    cases = [*_SHORT_CASES, *(_FULL_CASES if bench.full else ())]
    total = Counts()
    with clocks(bench, kind) as (clocked, host, store):
        for number, (step, case, seconds) in enumerate(cases):
            with clocked.site(kind, _WINDOWS, seed=820 + number) as site:
                site.env = host.env
                for clock in {host, store}:
                    clock.set_to(after_start(_WINDOWS) + timedelta(days=3))
                case(site, store, seconds, step)
                store.set_to(after_start(_WINDOWS) + timedelta(days=6))
                site.settle()
                check_dates(site)
                total += site.counts()
    details = "fencing worked; no notification was sent by two senders at once or before its time"
    return Result("clock set during work in progress", kind, f"{len(cases)} times", total, details)


def _lease_kept(site: Site, clock: Clock, seconds: float, step: str) -> None:
    """Check a step that ends no lease: the window stays with its worker, which writes it."""
    halted = halt_at(site, step)
    before = _revisions(site)
    clock.step(seconds)
    site.run()
    assert _revisions(site) == before, (
        f"another replica checked a leased window ({step}, {seconds:+g} s); {site.tail()}"
    )
    resume(halted)
    assert _REFUSED not in site.log(), site.tail()
    assert len(_revisions(site)) > len(before), f"the leased window was not written; {site.tail()}"


def _lease_lost(site: Site, clock: Clock, seconds: float, step: str) -> None:
    """Check a step that ends the lease: another replica evaluates the window; the late write is refused."""
    halted = halt_at(site, step)
    clock.step(seconds)
    site.run()
    before = _revisions(site)
    assert len(before) == _WINDOWS, f"no replica took over the window ({step}, {seconds:+g} s); {site.tail()}"
    resume(halted)
    assert _revisions(site) == before, f"a late write was accepted ({step}); {site.tail()}"
    assert _REFUSED in site.log(), site.tail()


def _while_sending(site: Site, clock: Clock, seconds: float, step: str) -> None:
    """Check a step between sending and marking: the notification is repeated only if the lease ended."""
    halted = halt_at(site, step)
    before = len(site.receiver.accepted())
    clock.step(seconds)
    site.run()
    ids = [notification.id for notification in site.receiver.accepted()]
    repeats = len(set(ids[:before]) & set(ids[before:]))
    assert repeats == (seconds > 0), (
        f"{repeats} notifications were repeated after a step of {seconds:+g} s; {site.tail()}"
    )
    resume(halted)


def _while_waiting(site: Site, clock: Clock, seconds: float, _step: str) -> None:
    """Check a step while a notification waits for a retry: it is sent when its time comes, not before."""
    site.receiver.behaviour = answer(500)
    site.run()
    attempts = len(site.receiver.notifications)
    assert attempts, f"no delivery was attempted; {site.tail()}"
    clock.step(seconds)
    site.receiver.behaviour = answer(204)
    site.run()
    early = len(site.receiver.notifications) - attempts
    assert (early > 0) == (seconds > 0), f"{early} notifications after a step of {seconds:+g} s; {site.tail()}"
    clock.step(max(0.0, -seconds) + 60)  # the first retry comes within 30 s
    site.run()
    assert site.remaining() == (0, 0), f"left after the wait: {site.remaining()}; {site.tail()}"


_Case = tuple[str, Callable[[Site, Clock, float, str], None], float]
_SHORT_CASES: Final[list[_Case]] = [
    ("compared:2", _lease_kept, -30.0),
    ("compared:2", _lease_lost, DAY),
    ("compared:2", _lease_lost, -DAY),
    ("sent", _while_sending, 3600.0),
    ("", _while_waiting, -DAY),
]
_KEEPING: Final = (0.5, -0.5, 2.0, -2.0, 30.0, -30.0, -1800.0)
_ENDING: Final = (1800.0, DAY, -DAY)
_LEASED_AT: Final = ("claimed:1", "counted:3", "compared:2")
_FULL_CASES: Final[list[_Case]] = [
    *((step, _lease_kept, seconds) for step in _LEASED_AT for seconds in _KEEPING),
    *((step, _lease_lost, seconds) for step in _LEASED_AT for seconds in _ENDING),
    *(("sent", _while_sending, seconds) for seconds in (DAY, -300.0, -DAY)),
    *(("", _while_waiting, seconds) for seconds in (-600.0, 60.0, DAY)),
]


def _revisions(site: Site) -> list[tuple[object, ...]]:
    return query(site.store, "SELECT id, token FROM revision ORDER BY id")
