"""A clock that is set under what somebody has in hand: windows, messages, and messages that wait for another try."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from tests.faults.bench import Bench, Result
from tests.faults.clock import Clock
from tests.faults.clocks import DAY, believed, clocks, closing
from tests.faults.ledger import Counts, query
from tests.faults.racing import go_on, halt_at
from tests.faults.receiver import answer
from tests.faults.site import Site

_WINDOWS: Final = 6
_REFUSED: Final = "is no longer leased with token"


def leases(bench: Bench, kind: str) -> Result:
    """A replica halts with something in hand, the clock is set, another replica comes, then the halted one goes on."""
    cases = [*_CASES, *(_MORE if bench.full else ())]
    total = Counts()
    with clocks(bench, kind) as (own, host, store):
        for number, (what, case, seconds) in enumerate(cases):
            with own.site(kind, _WINDOWS, seed=820 + number) as place:
                place.env = host.env
                for clock in {host, store}:
                    clock.turn_to(closing(_WINDOWS) + timedelta(days=3))
                case(place, store, seconds, what)
                store.turn_to(closing(_WINDOWS) + timedelta(days=6))  # time passes
                place.settle()
                believed(place)
                total += place.counts()
    note = "fencing held, no message was sent while another sender had it or before its time"
    return Result("clock set under what is in hand", kind, f"{len(cases)} times", total, note)


def _kept(place: Site, clock: Clock, seconds: float, step: str) -> None:
    """A step that ends no lease: nobody takes the window, and who has it writes it."""
    late = halt_at(place, step)
    before = _revisions(place)
    clock.step(seconds)
    place.run()
    assert _revisions(place) == before, f"a window in hand was checked ({step}, {seconds:+g} s); {place.tail()}"
    go_on(late)
    assert _REFUSED not in place.log(), place.tail()
    assert len(_revisions(place)) > len(before), f"the window in hand was not written; {place.tail()}"


def _lost(place: Site, clock: Clock, seconds: float, step: str) -> None:
    """A step that ends the lease: another replica checks the window, and who had it cannot write."""
    late = halt_at(place, step)
    clock.step(seconds)
    place.run()
    before = _revisions(place)
    assert len(before) == _WINDOWS, f"nobody took the window over ({step}, {seconds:+g} s); {place.tail()}"
    go_on(late)
    assert _revisions(place) == before, f"a write that came too late was taken ({step}); {place.tail()}"
    assert _REFUSED in place.log(), place.tail()


def _in_mail(place: Site, clock: Clock, seconds: float, step: str) -> None:
    """A message is sent, its sender cannot say so yet: others send it once more where its time is over, else not."""
    late = halt_at(place, step)
    heard = len(place.receiver.taken())
    clock.step(seconds)
    place.run()
    again = len({one.id for one in place.receiver.taken()[:heard]} & {one.id for one in place.receiver.taken()[heard:]})
    assert again == (seconds > 0), f"{again} messages came again after a step of {seconds:+g} s; {place.tail()}"
    go_on(late)


def _put_off(place: Site, clock: Clock, seconds: float, _step: str) -> None:
    """A message waits for its next try: a clock set back lets it wait until its time comes again, and no longer."""
    place.receiver.behave = answer(500)
    place.run()
    tried = len(place.receiver.messages)
    assert tried, f"nothing was tried; {place.tail()}"
    clock.step(seconds)
    place.receiver.behave = answer(204)
    place.run()
    early = len(place.receiver.messages) - tried
    assert (early > 0) == (seconds > 0), f"{early} messages after a step of {seconds:+g} s; {place.tail()}"
    clock.step(max(0.0, -seconds) + 60)  # the first wait is 30 s at most
    place.run()
    assert place.left() == (0, 0), f"left when the time had come: {place.left()}; {place.tail()}"


_Case = tuple[str, Callable[[Site, Clock, float, str], None], float]
_CASES: Final[list[_Case]] = [
    ("compared:2", _kept, -30.0),
    ("compared:2", _lost, DAY),
    ("compared:2", _lost, -DAY),
    ("sent", _in_mail, 3600.0),
    ("", _put_off, -DAY),
]
_KEPT: Final = (0.5, -0.5, 2.0, -2.0, 30.0, -30.0, -1800.0)
_LOST: Final = (1800.0, DAY, -DAY)
_HELD: Final = ("claimed:1", "counted:3", "compared:2")
_MORE: Final[list[_Case]] = [
    *((step, _kept, seconds) for step in _HELD for seconds in _KEPT),
    *((step, _lost, seconds) for step in _HELD for seconds in _LOST),
    *(("sent", _in_mail, seconds) for seconds in (DAY, -300.0, -DAY)),
    *(("", _put_off, seconds) for seconds in (-600.0, 60.0, DAY)),
]


def _revisions(place: Site) -> list[tuple[object, ...]]:
    return query(place.store, "SELECT id, token FROM revision ORDER BY id")
