"""A service that hangs where nothing can wake it: its watchdog ends it with status 3, and the next one goes on."""

import signal
import time

import pytest

from tests.faults.bench import Bench
from tests.faults.servers import Wire, wired
from tests.faults.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

GIVEN_UP = ("serve", "--port", "0", "--tick", "0.5", "--give-up-after", "6")
PATIENCE = 120.0


def test_a_service_with_a_frozen_database_ends_itself(bench: Bench) -> None:
    with bench.site("postgresql", windows=200, seed=950) as place, wired(place.store) as wire:
        through = place.world.configure(wire.url, place.receiver.url)
        service = place.start(*GIVEN_UP, config=through)
        place.until(lambda: 0 <= place.left()[0] < 200, "a window")
        assert place.left()[0] > 0, "something must be left to lose"
        wire.freeze()
        assert service.wait(PATIENCE) == 3, place.tail()
        assert "no heartbeat of the ticks" in place.log()
        wire.thaw()
        successor = place.serve(config=through)
        place.until(lambda: place.left() == (0, 0), "the last message")
        successor.send_signal(signal.SIGTERM)
        assert successor.wait(PATIENCE) == 0
        assert place.counts().faults == (0, 0, 0, 0, 0)


def test_a_service_does_not_start_with_a_frozen_database(bench: Bench) -> None:
    with bench.site("postgresql", windows=6, seed=951) as place, wired(place.store) as wire:
        through = place.world.configure(wire.url, place.receiver.url)
        wire.freeze()
        service = place.start(*GIVEN_UP, config=through)
        assert service.wait(PATIENCE) == 3, place.tail()
        _nothing_is_lost(place, wire)


def test_sigterm_ends_a_service_with_a_frozen_database(bench: Bench) -> None:
    with bench.site("postgresql", windows=60, seed=952) as place, wired(place.store) as wire:
        through = place.world.configure(wire.url, place.receiver.url)
        service = place.start("serve", "--port", "0", "--tick", "0.5", config=through)
        place.until(lambda: 0 <= place.left()[0] < 60, "a window")
        wire.freeze()
        begun = time.monotonic()
        service.send_signal(signal.SIGTERM)
        assert service.wait(120) in (0, 3), place.tail()  # the driver gives up by itself, where it has to connect
        assert time.monotonic() - begun < 90, "the grace of the units under config/deploy"
        _nothing_is_lost(place, wire)


def _nothing_is_lost(place: Site, wire: Wire) -> None:
    wire.thaw()
    place.world.configure(place.store, place.receiver.url)
    place.settle()
    assert place.counts().faults == (0, 0, 0, 0, 0)
