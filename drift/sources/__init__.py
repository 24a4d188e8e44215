"""Sources of rows. Each engine counts rows where they are; all engines give equal integers for equal rows.

To add an engine:

1. Write its file or folder here: a subclass of `drift.monitors.spec.SourceSpec` that says which rows are meant, a class
   with the methods of `Source`, a function (or that class) called with ``(spec, timestamp, timezone)``, and a subclass
   of `drift.config.SourceOptions` with the keys a user writes.
2. Add its row to `ENGINES`.

`tests/support/toy_engine.py` is a complete example. An engine whose rows fit in memory can leave the counting to
`drift.sources.frames.table.Table`.
"""

import pkgutil
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from drift.histogram import Axis, Profile
from drift.monitors.spec import Columns, FileSource, Monitor, SourceSpec
from drift.monitors.window import Window

if TYPE_CHECKING:
    from drift.config import SourceOptions


class EngineType(NamedTuple):
    """One engine. Its parts are named, and imported when first used: engines need optional packages, and slow ones.

    Parameters
    ----------
    spec : str
        Its subclass of `SourceSpec`.
    opener : str
        Called with (spec, timestamp, timezone); returns a `Source`.
    options : str or None
        Its subclass of `drift.config.SourceOptions`: the keys a user writes below the engine's name. None if the keys
        are those of `drift.config.sections.SourceSection` itself.
    """

    spec: str
    opener: str
    options: str | None = None


ENGINES: Final[dict[str, EngineType]] = {
    "files": EngineType("drift.monitors.spec.FileSource", "drift.sources.files.open_file_source"),
    "sql": EngineType("drift.monitors.spec.SqlSource", "drift.sources.sql.Sql"),
    "spark": EngineType(
        "drift.monitors.spec.SparkSource",
        "drift.sources.lazy.spark.Spark",
        "drift.sources.lazy.spark_options.SparkOptions",
    ),
}


class Source(Protocol):
    """Rows that can be counted by window and segment.

    A profile is returned for each segment: its key is ``column=value``, or "" for all rows. Every method raises
    `drift.errors.SourceError` if the data cannot be read.
    """

    def columns(self) -> list[str]:
        """Return the names of the columns, without the timestamp column."""
        ...

    def span(self) -> tuple[datetime, datetime] | None:
        """Return the first and the last instant, or None if no row has one."""
        ...

    def learn(
        self, names: Sequence[str], columns: Columns, window: Window | None, segments: Sequence[str] = ()
    ) -> dict[str, Profile]:
        """Choose axes from the rows of a window, and count these rows on them.

        Parameters
        ----------
        names : sequence of str
            The columns to count.
        columns : Columns
            The rules by which axes are chosen.
        window : Window or None
            None means all rows.
        segments : sequence of str
            Columns whose values split the rows.
        """
        ...

    def count(
        self, axes: Mapping[str, Axis], window: Window | None, segments: Sequence[str], known: Collection[str]
    ) -> dict[str, Profile]:
        """Count the rows of a window on given axes.

        Parameters
        ----------
        axes : mapping of str to Axis
            The axis of each column.
        window : Window or None
            None means all rows.
        segments : sequence of str
            Columns whose values split the rows.
        known : collection of str
            Keys of the segments of the reference. Rows of other segments count as ``column=(other)``.
        """
        ...

    def count_each(
        self, axes: Mapping[str, Axis], windows: Sequence[Window], segments: Sequence[str], known: Collection[str]
    ) -> list[dict[str, Profile]]:
        """Return what `count` returns for each of several windows, which are in order and do not overlap."""
        ...

    def row_counts(self, windows: Sequence[Window]) -> list[int] | None:
        """Return the number of rows in each window, or None if this costs as much as counting the windows.

        It is called often, to detect late rows. If it returns None, `provenance` must reveal them.
        """
        ...

    def provenance(self) -> dict[str, Any]:
        """Describe the data in JSON values that change when the data changes."""
        ...


def engine_option_classes() -> "dict[str, type[SourceOptions]]":
    """Return the options class of each engine that has one, for `drift.config.load`."""
    return {name: pkgutil.resolve_name(row.options) for name, row in ENGINES.items() if row.options is not None}


def open_source(monitor: Monitor) -> Source:
    """Open the source of a monitor's live windows."""
    return _open(monitor.source, monitor.timestamp, monitor.timezone)


def open_reference(monitor: Monitor) -> Source:
    """Open the source of a monitor's reference: all rows of a separate file, or the source of the live windows."""
    if monitor.reference.path is None:
        return open_source(monitor)
    return _open(FileSource(monitor.reference.path), None, monitor.timezone)


def _open(spec: SourceSpec, timestamp: str | None, timezone: ZoneInfo) -> Source:
    name = f"{type(spec).__module__}.{type(spec).__qualname__}"
    opener = next(row.opener for row in ENGINES.values() if row.spec == name)
    source: Source = pkgutil.resolve_name(opener)(spec, timestamp, timezone)
    return source


__all__ = ["ENGINES", "EngineType", "Source", "engine_option_classes", "open_reference", "open_source"]
