"""Data frames of any library, opened for counting."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import narwhals as nw

from drift.histogram import Axis, Profile
from drift.monitors.spec import Columns
from drift.sources.frames.read_frame import read_frame
from drift.sources.lazy.dask import DaskTable
from drift.sources.lazy.lazy_table import LazyTable
from drift.sources.lazy.plain_columns import is_lazy


class CountableRows(Protocol):
    """Rows that can be counted as a whole."""

    @property
    def columns(self) -> Any:
        """Names, in order."""
        ...

    def learn(self, names: Sequence[str], columns: Columns, *, seed: int = 0) -> Profile:
        """Choose axes from the rows, and count the rows on them."""
        ...

    def count(self, axes: Mapping[str, Axis]) -> Profile:
        """Count the rows on given axes."""
        ...


def open_frame(frame: Any) -> CountableRows:
    """Open a data frame: eager ones are counted in memory, lazy and distributed ones by their own engine.

    Raises
    ------
    SourceError
        If `frame` is not a data frame.
    """
    native = nw.to_native(frame, pass_through=True)
    if nw.dependencies.is_dask_dataframe(native):
        return DaskTable(native)
    return LazyTable(native) if is_lazy(native) else read_frame(native)
