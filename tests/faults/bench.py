"""What every scenario is given, and what it gives back."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.faults.ledger import Counts
from tests.faults.servers import Databases
from tests.faults.site import Site, site
from tests.faults.world import World
from tests.support.nursery import Nursery


@dataclass(frozen=True)
class Result:
    """One line of the table.

    Parameters
    ----------
    name : str
        What was done.
    store : str
        To which database.
    runs : str
        How often.
    counts : Counts
        What the ledger says, over all of it.
    note : str
        What else was seen.
    """

    name: str
    store: str
    runs: str
    counts: Counts
    note: str = ""


@dataclass
class Bench:
    """Where scenarios are run.

    Parameters
    ----------
    folder : Path
        For files.
    databases : Databases
        Makes stores.
    nursery : Nursery
        Runs many short processes.
    seed : int
        Of everything that is drawn.
    full : bool
        The long form.
    minutes : float
        Of the soak, on each database.
    """

    folder: Path
    databases: Databases
    nursery: Nursery
    seed: int = 1
    full: bool = False
    minutes: float = 2.0

    def rng(self, *what: int) -> np.random.Generator:
        """Draws for one part, the same whatever ran before."""
        return np.random.default_rng([self.seed, *what])

    @contextmanager
    def site(
        self, kind: str, windows: int, seed: int = 0, certificate: Path | None = None, **world: int | float
    ) -> Iterator[Site]:
        """A world, its store and its receiver."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        made = World(folder, windows, self.seed * 1000 + seed, **world)  # type: ignore[arg-type]
        with site(self.databases.fresh(kind, folder), made, self.nursery, certificate) as place:
            yield place
