"""Two services with one name at a time, against the operator's promise: nothing is lost, nothing is doubled."""

import signal

import pytest

from tests.faults.bench import Bench
from tests.faults.database import nothing_left

pytestmark = [pytest.mark.slow, pytest.mark.postgres]


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_two_services_with_one_name_lose_and_double_nothing(bench: Bench, store: str) -> None:
    with bench.site(store, windows=80, seed=960) as site:
        twins = [site.start("serve", "--port", "0", "--tick", "0.3", "--worker", "twin") for _ in range(2)]
        site.wait_until(lambda: site.remaining() == (0, 0), "the last notification")
        for twin in twins:
            twin.send_signal(signal.SIGTERM)
        assert [twin.wait(60) for twin in twins] == [0, 0]
        assert site.counts().faults == (0, 0, 0, 0, 0)
        assert "two running workers have the name twin" in site.log()


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_restarts_beside_a_service_with_the_same_name_stop_nothing(
    bench: Bench, store: str, in_namespace: list[str]
) -> None:
    """Each start takes over the leases of the other service, whose late results are refused and computed again.

    The restarted one runs in a container, where it cannot see that the other lives.
    """
    with bench.site(store, windows=80, seed=961) as site:
        site.start("serve", "--port", "0", "--tick", "0.3", "--worker", "twin")
        site.wait_until(lambda: 0 <= site.remaining()[0] < 80, "a window")
        while site.remaining()[0]:
            twin = site.start("serve", "--port", "0", "--tick", "0.3", "--worker", "twin", by=in_namespace)
            site.sleep(2.5)
            twin.kill()
            twin.wait()
        # Deliveries of killed twins must become due first.
        site.wait_until(lambda: nothing_left(site.store, site.remaining()), "the last notification")
        assert site.counts().faults == (0, 0, 0, 0, 0)
