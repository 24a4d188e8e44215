"""Hundreds of drift processes, without a second of imports for each."""

from collections.abc import Iterator

import pytest

from tests.support.nursery import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """One nursery for each test process."""
    with Nursery() as nursery:
        yield nursery
