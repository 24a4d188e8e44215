"""The short form of a reference that ends whoever reads it. Five zeros."""

import pytest

from tests.faults import references
from tests.faults.bench import Bench

pytestmark = [pytest.mark.slow, pytest.mark.postgres]


def test_a_reference_that_ends_its_readers_costs_other_monitors_nothing(bench: Bench) -> None:
    result = references.killing(bench, "sqlite")
    assert result.counts.faults == (0, 0, 0, 0, 0)
    assert result.runs == "15 deaths in 1 worlds"
