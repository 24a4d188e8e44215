"""Which of the ways to count a frame is taken."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import narwhals as nw

from drift.histogram import Axis, Profile
from drift.monitors.spec import Columns
from drift.sources.frames.read_frame import read_frame
from drift.sources.lazy import LazyTable
from drift.sources.lazy.dask import DaskTable
from drift.sources.lazy.plain_columns import is_lazy


class CountableRows(Protocol):
    """Rows to be counted, wherever they are."""

    @property
    def columns(self) -> Any:
        """Names, in order."""
        ...

    def learn(self, names: Sequence[str], columns: Columns, *, seed: int = 0) -> Profile:
        """Choose axes from the rows, and count them."""
        ...

    def count(self, axes: Mapping[str, Axis]) -> Profile:
        """Count on axes chosen before."""
        ...


def open_frame(frame: Any) -> CountableRows:
    """A frame in memory as it is; a lazy or distributed one is counted where it is.

    Raises
    ------
    SourceError
        Where it is no data frame.
    """
    native = nw.to_native(frame, pass_through=True)
    if nw.dependencies.is_dask_dataframe(native):
        return DaskTable(native)
    return LazyTable(native) if is_lazy(native) else read_frame(native)
