"""Two services that bear one name at a time, against the operator's promise: nothing is lost, nothing is doubled."""

import signal

import pytest

from tests.faults.bench import Bench
from tests.faults.database import again

pytestmark = [pytest.mark.slow, pytest.mark.postgres]


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_two_services_of_one_name_lose_and_double_nothing(bench: Bench, store: str) -> None:
    with bench.site(store, windows=80, seed=960) as place:
        twins = [place.start("serve", "--port", "0", "--tick", "0.3", "--worker", "twin") for _ in range(2)]
        place.until(lambda: place.left() == (0, 0), "the last message")
        for one in twins:
            one.send_signal(signal.SIGTERM)
        assert [one.wait(60) for one in twins] == [0, 0]
        assert place.counts().faults == (0, 0, 0, 0, 0)
        assert "two workers bear the name twin" in place.log()


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_restarts_beside_a_twin_of_the_name_stop_nothing(bench: Bench, store: str, in_namespace: list[str]) -> None:
    """Each start takes away what the other has in hand just then: its late results are refused, and found again.

    In a container, where it cannot see that the other lives.
    """
    with bench.site(store, windows=80, seed=961) as place:
        place.start("serve", "--port", "0", "--tick", "0.3", "--worker", "twin")
        place.until(lambda: 0 <= place.left()[0] < 80, "a window")
        while place.left()[0]:
            twin = place.start("serve", "--port", "0", "--tick", "0.3", "--worker", "twin", by=in_namespace)
            place.sleep(2.5)
            twin.kill()
            twin.wait()
        place.until(lambda: again(place.store, place.left()), "the last message")  # what a killed one had taken to send
        assert place.counts().faults == (0, 0, 0, 0, 0)
