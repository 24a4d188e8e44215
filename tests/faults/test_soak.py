"""The short form, part four: random faults, two minutes on each database."""

import pytest

from tests.faults import soak
from tests.faults.bench import Bench
from tests.faults.servers import KINDS


@pytest.mark.slow(seconds=150)
@pytest.mark.postgres
@pytest.mark.parametrize("kind", KINDS)
def test_random_faults_cost_nothing(bench: Bench, kind: str) -> None:
    assert soak.soak(bench, kind).counts.faults == (0, 0, 0, 0, 0)
