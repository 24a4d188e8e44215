"""Processes of drift by the hundred, without a second of imports for each."""

from collections.abc import Iterator

import pytest

from tests.support.nursery import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Forks the short processes; one for each process of the tests."""
    with Nursery() as made:
        yield made
