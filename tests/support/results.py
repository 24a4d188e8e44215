"""Results of real comparisons for tests of alerts and notifications."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from drift.histogram import Fault, Histogram, NumericAxis, Profile, Uncounted
from drift.monitors.comparison import ColumnResult, SegmentResult, compare_profiles
from drift.monitors.spec import Alerting, ColumnRule, Columns, FileSource, Monitor, Reference
from drift.monitors.verdict import Threshold, Verdict
from drift.monitors.window import Period, Window

T0 = datetime(2011, 6, 6, tzinfo=UTC)
AXIS = NumericAxis((0, 10, 20))
EVEN = (0, 5000, 5000, 0, 0)
COUNTS: Mapping[Verdict, Sequence[int]] = {
    Verdict.OK: EVEN,
    Verdict.WARN: (0, 4600, 5400, 0, 0),  # js_distance 0.034 by the formula, between the limits below
    Verdict.DRIFT: (0, 2000, 8000, 0, 0),
    Verdict.INSUFFICIENT: (0, 2, 4, 0, 0),
    Verdict.NO_DATA: (0, 0, 0, 0, 0),
}


def day(n: int) -> Window:
    """Return the n-th day."""
    return Window(T0 + timedelta(days=n), T0 + timedelta(days=n + 1))


def monitor(alerting: Alerting | None = None, segments: tuple[str, ...] = ()) -> Monitor:
    """Return a monitor with these alert rules."""
    return Monitor(
        name="bikes",
        source=FileSource("unread.parquet"),
        timestamp="ts",
        reference=Reference(),
        timezone=ZoneInfo("UTC"),
        period=Period(1, "d"),
        segments=segments,
        alerting=alerting or Alerting(),
    )


def segment(verdicts: Mapping[str, Verdict], name: str = "") -> SegmentResult:
    """Return a segment whose columns have these verdicts, from histograms and faults."""
    counted = {c: COUNTS[v] for c, v in verdicts.items() if v in COUNTS}
    lost = {c: Uncounted(Fault(v.value), f"{c} is {v.value}") for c, v in verdicts.items() if v not in COUNTS}
    reference = Profile({c: Histogram(AXIS, EVEN) for c in verdicts}, sum(EVEN))
    columns: list[ColumnResult] = []
    rows = []
    for column, counts in counted.items():  # one profile each: a profile's columns share its number of rows
        live = Profile({column: Histogram(AXIS, counts)}, sum(counts))
        rows.append(live.rows)
        columns += _compare(live, Profile({column: reference[column]}, sum(EVEN)))
    rest = Profile({}, max(rows, default=1000), lost)
    columns += [r for r in _compare(rest, Profile({c: reference[c] for c in lost}, sum(EVEN))) if r.column in lost]
    judged = {r.column: r.verdict for r in columns}
    assert judged == dict(verdicts)
    return SegmentResult(name, rest, tuple(columns))


def _compare(live: Profile, reference: Profile) -> tuple[ColumnResult, ...]:
    rule = ColumnRule(limit=Threshold(0.1, 0.02))
    return compare_profiles(live, reference, Columns(default=rule), np.random.default_rng(7))


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """The functions above, by name."""
    return SimpleNamespace(T0=T0, day=day, monitor=monitor, segment=segment)
