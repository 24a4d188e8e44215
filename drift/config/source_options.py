"""Base class of the options of a source; each engine keeps its options class beside it, in `drift.sources`."""

from abc import abstractmethod
from pathlib import Path

from drift.config.sections import Section
from drift.monitors.spec import SourceSpec


class SourceOptions(Section):
    """Options of one engine; field names are the keys a user writes below ``source: {NAME: {...}}``."""

    @abstractmethod
    def spec(self, folder: Path) -> SourceSpec:
        """Return the rows that the options name.

        Parameters
        ----------
        folder : Path
            The folder of the configuration: relative paths start there.
        """
