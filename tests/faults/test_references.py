"""The short form: a reference that kills its reader must cause no fault."""

import pytest

from tests.faults import references
from tests.faults.bench import Bench

pytestmark = [pytest.mark.slow, pytest.mark.postgres]


def test_a_reference_that_kills_its_reader_costs_other_monitors_nothing(bench: Bench) -> None:
    result = references.killing(bench, "sqlite")
    assert result.counts.faults == (0, 0, 0, 0, 0)
    assert result.how_often == "15 deaths in 1 worlds"
