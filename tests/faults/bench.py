"""Resources of a scenario, and its result."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.faults.ledger import Counts
from tests.faults.servers import Databases
from tests.faults.site import Site, open_site
from tests.faults.world import World
from tests.support.nursery import Nursery


@dataclass(frozen=True)
class Result:
    """One row of the table.

    Parameters
    ----------
    name : str
        The scenario.
    store : str
        Kind of the database.
    how_often : str
        Number of repetitions, in words.
    counts : Counts
        Sum over all repetitions.
    details : str
        Further observations.
    """

    name: str
    store: str
    how_often: str
    counts: Counts
    details: str = ""


@dataclass
class Bench:
    """Resources that all scenarios share.

    Parameters
    ----------
    folder : Path
        Folder for files.
    databases : Databases
        Creates stores.
    nursery : Nursery
        Runs short processes.
    seed : int
        Random seed.
    full : bool
        Whether to run the long form.
    minutes : float
        Duration of the soak on each database.
    """

    folder: Path
    databases: Databases
    nursery: Nursery
    seed: int = 1
    full: bool = False
    minutes: float = 2.0

    def rng(self, *part: int) -> np.random.Generator:
        """Return a generator for one part, independent of what ran before."""
        return np.random.default_rng([self.seed, *part])

    @contextmanager
    def site(
        self, kind: str, windows: int, seed: int = 0, certificate: Path | None = None, **world: int | float
    ) -> Iterator[Site]:
        """Create data, a store and a receiver."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        data = World(folder, windows, self.seed * 1000 + seed, **world)  # type: ignore[arg-type]
        with open_site(self.databases.create(kind, folder), data, self.nursery, certificate) as site:
            yield site
