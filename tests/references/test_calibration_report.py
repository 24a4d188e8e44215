"""Reported limits are those that decide: windows just inside and just outside of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from drift.histogram import Fault, Histogram, History, NumericAxis, Profile, Uncounted
from drift.monitors.comparison import compare_profiles
from drift.monitors.spec import ColumnRule, Columns, FileSource, Monitor, Reference
from drift.monitors.verdict import Threshold, Verdict
from drift.monitors.window import Period, Window
from drift.references.calibration_report import ColumnCalibration, calibration_rows, format_share, next_reference
from drift.references.resolver import ReferenceResolver, ResolvedReference
from drift.stats.null_distribution import SIGNIFICANCE
from drift.store import Store, StoredReference

DAY = timedelta(days=1)
START = datetime(2024, 3, 4, tzinfo=UTC)
AXIS = NumericAxis(tuple(range(6)))
ROWS = 10_000


def frozen_of(windows: int, incident: int | None = None) -> StoredReference:
    rng = np.random.default_rng(2)
    shares = np.stack([np.r_[0, rng.dirichlet(np.full(5, 300.0)), 0, 0] for _ in range(windows)])
    if incident is not None:
        shares[incident] = np.r_[0, 0.6, 0.1, 0.1, 0.1, 0.1, 0, 0]
    counts = np.stack([rng.multinomial(ROWS, share) for share in shares])
    days = tuple(Window(START + i * DAY, START + (i + 1) * DAY) for i in range(windows))
    history = History(AXIS, counts)
    lost = {"blob": Uncounted(Fault.NOT_COMPARABLE, "bytes cannot be binned")}
    whole = Profile({"x": history.pooled}, int(counts.sum()), lost)
    return StoredReference(1, {"": whole}, {}, START, days, {"": {"x": history}})


def monitor_of(limit: Threshold | None = None) -> Monitor:
    return Monitor(
        name="m",
        source=FileSource(str(Path("data.parquet"))),
        timestamp="ts",
        reference=Reference(Window(START, START + 60 * DAY)),
        timezone=ZoneInfo("UTC"),
        period=Period.parse("1d"),
        columns=Columns(ColumnRule(limit=limit)),
    )


def calibration(monitor: Monitor, frozen: StoredReference) -> tuple[ColumnCalibration, ResolvedReference]:
    resolved = ReferenceResolver(monitor, frozen).resolve(Window(START + 70 * DAY, START + 71 * DAY))
    rows = {c.column: c for c in calibration_rows(monitor, frozen, resolved, SIGNIFICANCE)}
    assert rows["blob"].decided_by == "none"
    assert "bytes cannot be binned" in rows["blob"].explanation
    return rows["x"], resolved


def verdict(monitor: Monitor, resolved: ResolvedReference, shares: np.ndarray) -> Verdict:
    counts = np.round(shares * ROWS).astype(int)
    counts[counts.argmax()] += ROWS - counts.sum()
    live = Profile({"x": Histogram(AXIS, counts)}, ROWS)
    reference = replace(resolved.segments[""], uncounted={})
    (result,) = compare_profiles(live, reference, monitor.columns, np.random.default_rng(0))
    return result.verdict


@pytest.mark.parametrize("windows", [12, 60])
def test_bin_just_outside_its_limits_is_drift_just_inside_not(windows: int) -> None:
    monitor = monitor_of()
    found, resolved = calibration(monitor, frozen_of(windows))
    assert (found.decided_by, found.windows, found.rows) == ("learned", windows, ROWS)
    assert found.level == resolved.segments[""].level
    shares = np.array([b.reference for b in found.bins])
    for at in range(1, 6):
        for limit, inwards in ((found.bins[at].low, 1), (found.bins[at].high, -1)):
            for way, expected in ((0.003 * inwards, Verdict.OK), (-0.003 * inwards, Verdict.DRIFT)):
                moved = shares.copy()
                moved[at] = limit + way
                others = np.delete(np.arange(len(shares)), at)
                moved[others] *= (1 - moved[at]) / shares[others].sum()
                assert verdict(monitor, resolved, moved) is expected, (at, limit, way)


def test_nearest_limits_are_of_an_empty_and_a_filled_bin() -> None:
    found, _ = calibration(monitor_of(), frozen_of(60))
    never, filled = found.nearest
    assert (never.label, never.above, never.reference) == ("missing", True, 0.0)
    widths = [min(b.reference - b.low, b.high - b.reference) for b in found.bins if b.reference > 0]
    assert abs(filled.limit - filled.reference) == min(widths)
    assert str(never) == f"missing > {format_share(never.limit)}"


def test_detectable_is_at_least_the_users_threshold() -> None:
    high, _ = calibration(monitor_of(Threshold(0.4)), frozen_of(60))
    assert (high.decided_by, high.threshold, high.level, high.detectable) == ("threshold", 0.4, None, 0.4)
    low, _ = calibration(monitor_of(Threshold(1e-6)), frozen_of(60))
    assert low.detectable is not None
    assert low.detectable > 1e-6, "the noise is more than that"


@pytest.mark.parametrize(("limit", "judge", "number"), [(None, "customary", 0.1), (Threshold(0.3), "threshold", 0.3)])
def test_nothing_is_learned_from_few_windows(limit: Threshold | None, judge: str, number: float) -> None:
    found, _ = calibration(monitor_of(limit), frozen_of(7))
    assert (found.decided_by, found.threshold, found.windows, found.detectable) == (judge, number, 0, None)
    assert "fewer than 8 reference windows" in found.explanation


def test_outlier_in_the_reference_is_named_by_its_date() -> None:
    found, _ = calibration(monitor_of(), frozen_of(60, incident=17))
    assert [window.start for window, _ in found.outliers] == [START + 17 * DAY]
    calm, _ = calibration(monitor_of(), frozen_of(60))
    assert calm.outliers == ()
    widths = [[b.high - b.low for b in each.bins if b.reference > 0] for each in (found, calm)]
    assert sum(widths[0]) > sum(widths[1]), "and it widens the limits"


def test_moving_reference_is_reported_for_the_next_window(store: Store) -> None:
    monitor = replace(monitor_of(), reference=Reference(rolling=20 * DAY))
    frozen = frozen_of(60)
    resolved = next_reference(
        store, monitor, frozen, START + 60 * DAY
    )  # nothing was evaluated: the next window is the current one
    (found, _) = sorted(
        calibration_rows(monitor, frozen, resolved, SIGNIFICANCE), key=lambda c: c.decided_by != "learned"
    )
    assert (resolved.note["reference"], found.windows, found.outliers) == ("rolling", 20, ())
    assert resolved.note["to"] == "2024-05-03T00:00Z"


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0.0%"), (0.0412, "4.1%"), (0.001, "0.1%"), (0.00023, "0.023%"), (1.0, "100.0%")]
)
def test_format_share_keeps_significant_digits(share: float, text: str) -> None:
    assert format_share(share) == text
