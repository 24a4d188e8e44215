"""A fixture that runs hundreds of drift processes without the second of imports that each would need."""

from collections.abc import Iterator

import pytest

from tests.support.nursery import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """One nursery per test process."""
    with Nursery() as nursery:
        yield nursery
