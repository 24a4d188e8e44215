"""A hanging service: its watchdog ends it with status 3, and the next one continues."""

import signal
import time

import pytest

from tests.faults.bench import Bench
from tests.faults.servers import Proxy, open_proxy
from tests.faults.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

IMPATIENT_SERVICE = ("serve", "--port", "0", "--tick", "0.5", "--give-up-after", "6")
EXIT_TIMEOUT = 120.0


def test_a_service_with_a_frozen_database_ends_itself(bench: Bench) -> None:
    with bench.site("postgresql", windows=200, seed=950) as site, open_proxy(site.store) as proxy:
        proxied = site.world.configure(proxy.url, site.receiver.url)
        service = site.start(*IMPATIENT_SERVICE, config=proxied)
        site.wait_until(lambda: 0 <= site.remaining()[0] < 200, "a window")
        assert site.remaining()[0] > 0, "nothing was left to lose"
        proxy.freeze()
        assert service.wait(EXIT_TIMEOUT) == 3, site.tail()
        assert "no heartbeat of the ticks" in site.log()
        proxy.thaw()
        successor = site.serve(config=proxied)
        site.wait_until(lambda: site.remaining() == (0, 0), "the last notification")
        successor.send_signal(signal.SIGTERM)
        assert successor.wait(EXIT_TIMEOUT) == 0
        assert site.counts().faults == (0, 0, 0, 0, 0)


def test_a_service_does_not_start_with_a_frozen_database(bench: Bench) -> None:
    with bench.site("postgresql", windows=6, seed=951) as site, open_proxy(site.store) as proxy:
        proxied = site.world.configure(proxy.url, site.receiver.url)
        proxy.freeze()
        service = site.start(*IMPATIENT_SERVICE, config=proxied)
        assert service.wait(EXIT_TIMEOUT) == 3, site.tail()
        _assert_nothing_is_lost(site, proxy)


def test_sigterm_ends_a_service_with_a_frozen_database(bench: Bench) -> None:
    with bench.site("postgresql", windows=60, seed=952) as site, open_proxy(site.store) as proxy:
        proxied = site.world.configure(proxy.url, site.receiver.url)
        service = site.start("serve", "--port", "0", "--tick", "0.5", config=proxied)
        site.wait_until(lambda: 0 <= site.remaining()[0] < 60, "a window")
        proxy.freeze()
        start = time.monotonic()
        service.send_signal(signal.SIGTERM)
        assert service.wait(120) in (0, 3), site.tail()  # 3 if the driver had to connect and timed out
        assert time.monotonic() - start < 90, "longer than the stop timeout of the units under config/deploy"
        _assert_nothing_is_lost(site, proxy)


def _assert_nothing_is_lost(site: Site, proxy: Proxy) -> None:
    proxy.thaw()
    site.world.configure(site.store, site.receiver.url)
    site.settle()
    assert site.counts().faults == (0, 0, 0, 0, 0)
