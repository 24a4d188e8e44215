"""Where rows come from: one room for each kind of engine, and all give equal integers for the same rows.

`memory` holds frames, `files` streams, `sql` and `lazy` (Polars, DuckDB, Dask, Spark) count where the rows are. To
add one: write `sources/NAME.py` with a class that keeps to `Source`, give it a spec in `drift/monitors/spec.py`, and
choose it in `open_source`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from drift.histogram import Axis, Profile
from drift.monitors.spec import Columns, FileSource, Monitor, SourceSpec, SqlSource
from drift.monitors.window import Window
from drift.sources.files import Files


class Source(Protocol):
    """What every engine can do. Each call raises SourceError where the data cannot be read."""

    def columns(self) -> list[str]:
        """Names of the columns, the timestamp's excepted."""
        ...

    def span(self) -> tuple[datetime, datetime] | None:
        """First and last instant; None where no row has one."""
        ...

    def learn(
        self, names: Sequence[str], columns: Columns, window: Window | None, segments: Sequence[str] = ()
    ) -> dict[str, Profile]:
        """Choose axes from the rows of a window, and count them; by segment, "" is all rows."""
        ...

    def count(
        self, axes: Mapping[str, Axis], window: Window | None, segments: Sequence[str], known: Collection[str]
    ) -> dict[str, Profile]:
        """Count the rows of a window on axes chosen before, by the segments known to the reference."""
        ...

    def count_each(
        self, axes: Mapping[str, Axis], windows: Sequence[Window], segments: Sequence[str], known: Collection[str]
    ) -> list[dict[str, Profile]]:
        """What `count` gives for each of several windows, which are in the order of time and do not overlap."""
        ...

    def row_counts(self, windows: Sequence[Window]) -> list[int] | None:
        """How many rows each of several windows holds; None where only counting them would tell.

        It is asked often, to see whether rows came late. Without it, `provenance` has to show that.
        """
        ...

    def provenance(self) -> dict[str, Any]:
        """What was read, in a form that changes when the data does."""
        ...


def open_source(monitor: Monitor) -> Source:
    """The source of a monitor's live windows."""
    return _open(monitor.source, monitor.timestamp, monitor.timezone)


def open_reference(monitor: Monitor) -> Source:
    """The source of its reference: a file of its own, all of it, or the same source."""
    if monitor.reference.path is None:
        return open_source(monitor)
    return Files(monitor.reference.path, None, monitor.timezone)


def _open(spec: SourceSpec, timestamp: str | None, timezone: ZoneInfo) -> Source:
    if isinstance(spec, SqlSource):
        from drift.sources.sql import Sql  # noqa: PLC0415 - quick start-up: SQLAlchemy

        return Sql(spec, timestamp, timezone)
    if isinstance(spec, FileSource):
        return Files(spec.path, timestamp, timezone)
    from drift.sources.lazy.spark import open_spark  # noqa: PLC0415 - quick start-up, and an optional extra

    return open_spark(spec, timestamp, timezone)


__all__ = ["Files", "Source", "open_reference", "open_source"]
