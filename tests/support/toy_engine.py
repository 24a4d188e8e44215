"""A complete engine in one file, its configuration included: rows that a formula gives, one an hour."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from drift.config import SourceOptions
from drift.histogram import Axis, Profile
from drift.monitors.spec import Columns, SourceSpec
from drift.monitors.window import Window
from drift.sources.frames.table import Table

START = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class HourlyRows(SourceSpec):
    """Row i is at hour i after `START`."""

    rows: int

    def __str__(self) -> str:
        return f"{self.rows} rows"


class HourlyOptions(SourceOptions):
    """Keys below `source: {hourly: ...}`."""

    rows: int

    def spec(self, folder: Path) -> HourlyRows:  # noqa: ARG002 - no key is a path
        return HourlyRows(self.rows)


class ToyEngine:
    """A `drift.sources.Source` that leaves the counting to `Table`."""

    def __init__(self, spec: HourlyRows, timestamp: str, timezone: ZoneInfo) -> None:
        self._table = Table.from_arrow(hourly_rows(spec.rows))
        self._timestamp, self._timezone = timestamp, timezone

    def columns(self) -> list[str]:
        return [name for name in self._table.columns if name != self._timestamp]

    def span(self) -> tuple[datetime, datetime] | None:
        return self._table.span(self._timestamp, self._timezone)

    def learn(
        self, names: Sequence[str], columns: Columns, window: Window | None, segments: Sequence[str] = ()
    ) -> dict[str, Profile]:
        parts = self._within(window).split(segments)
        whole = parts.pop("").learn(names, columns)
        return {"": whole, **{key: part.count(whole.axes) for key, part in parts.items()}}

    def count(
        self, axes: Mapping[str, Axis], window: Window | None, segments: Sequence[str], known: Collection[str]
    ) -> dict[str, Profile]:
        return {key: part.count(axes) for key, part in self._within(window).split(segments, known).items()}

    def count_each(
        self, axes: Mapping[str, Axis], windows: Sequence[Window], segments: Sequence[str], known: Collection[str]
    ) -> list[dict[str, Profile]]:
        return [self.count(axes, window, segments, known) for window in windows]

    def row_counts(self, windows: Sequence[Window]) -> list[int] | None:
        return [self._within(window).rows for window in windows]

    def provenance(self) -> dict[str, Any]:
        return {"rows": self._table.rows}

    def _within(self, window: Window | None) -> Table:
        return self._table if window is None else self._table.within(window, self._timestamp, self._timezone)


def hourly_rows(rows: int) -> pa.Table:
    """Rows of three columns: the instant, a number and a plan."""
    numbers = range(rows)
    return pa.table(
        {
            "ts": pa.array([START + timedelta(hours=i) for i in numbers], pa.timestamp("us", "UTC")),
            "x": [None if i % 10 == 9 else i % 7 for i in numbers],
            "plan": [("free", "pro", "team")[i % 3] for i in numbers],
        }
    )
