"""Resources of the short form."""

import pytest

from tests.faults.bench import Bench
from tests.faults.servers import Databases
from tests.support.nursery import Nursery


@pytest.fixture(scope="session")
def bench(postgres_server: str, nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Stores on both databases, seed 1."""
    return Bench(tmp_path_factory.mktemp("faults"), Databases(postgres_server), nursery)
