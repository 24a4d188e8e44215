"""A PostgreSQL database for rows, not for a store."""

from collections.abc import Iterator

import pytest

from tests.support.postgres import _database


@pytest.fixture(scope="session")
def warehouse_url(postgres_server: str) -> Iterator[str]:
    """A database of this process; each test makes tables of its own names."""
    yield from _database(postgres_server, "template1")
