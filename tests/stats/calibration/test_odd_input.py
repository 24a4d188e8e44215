"""Odd references and windows: a verdict with a reason, never a crash, never NaN; warnings are errors."""

import math

import numpy as np
import pytest

from drift.histogram import Axis, CategoricalAxis, Counts, Histogram, History, NumericAxis, Profile
from drift.monitors.comparison import ColumnResult, SegmentReference, compare_profiles
from drift.monitors.spec import ColumnRule, Columns
from drift.monitors.verdict import Threshold, Verdict
from drift.stats.calibration import MIN_WINDOWS, Calibration
from drift.stats.divergence import DIVERGENCES
from drift.stats.scoring import Method
from tests.support.streams import counts_of, numbers, shares_of

AXIS = numbers(4)
AUTO = Columns()


def days(seed: int = 1, windows: int = 30, bins: int = 4, rows: int = 500) -> Counts:
    rng = np.random.default_rng(seed)
    return counts_of(rng, shares_of(rng, 1, bins), [rows] * windows)[0]


def reference_of(histories: dict[str, History]) -> SegmentReference:
    """The reference of a monitor: all windows pooled, and their calibration."""
    return SegmentReference({name: h.pooled for name, h in histories.items()}, calibration=Calibration(histories))


def judged(reference: Counts, live: Counts | list[int], axis: Axis = AXIS, columns: Columns = AUTO) -> ColumnResult:
    """Compare one column and check that the result is complete."""
    window = Histogram(axis, np.asarray(live))
    segment = reference_of({"x": History(axis, reference)})
    (result,) = compare_profiles(Profile({"x": window}, window.rows), segment, columns, np.random.default_rng(1))
    assert_complete(result)
    return result


def assert_complete(result: ColumnResult) -> None:
    assert result.message
    if result.scored is not None:
        scored = result.scored
        for number in (scored.value, scored.noise_floor, scored.p_value, scored.detectable, *scored.interval):
            assert math.isfinite(number), result
        assert 0 <= scored.p_value <= 1
        assert not math.isnan(result.ratio)


@pytest.mark.parametrize("windows", [1, 2, MIN_WINDOWS - 1])
def test_few_reference_windows_fall_back_to_two_samples(windows: int) -> None:
    reference = days(windows=windows)
    unchanged = judged(reference, days(2)[0] * 0 + reference[0])
    assert unchanged.verdict is Verdict.OK
    assert unchanged.windows is None
    assert judged(reference, [0, 0, 0, 0, 0, 0, 500]).verdict is Verdict.DRIFT


def test_eight_windows_decide_and_the_message_calls_them_few() -> None:
    result = judged(days(windows=MIN_WINDOWS), days(windows=MIN_WINDOWS)[0])
    assert (result.verdict, result.windows) == (Verdict.OK, MIN_WINDOWS)
    assert "learned from only 8 reference windows" in result.message


def test_a_window_without_rows_has_no_data() -> None:
    result = judged(days(), [0] * 7)
    assert result.verdict is Verdict.NO_DATA


def test_references_without_rows_have_no_data() -> None:
    result = judged(np.zeros((30, 7), np.int64), days()[0])
    assert result.verdict is Verdict.NO_DATA


def test_a_column_that_is_all_missing_stays_so_or_drifts() -> None:
    lost = np.tile([0, 0, 0, 0, 0, 0, 500], (30, 1))
    assert judged(lost, lost[0]).verdict is Verdict.OK
    back = judged(lost, days()[0])
    assert back.verdict is Verdict.DRIFT
    assert judged(days(), lost[0]).verdict is Verdict.DRIFT


@pytest.mark.parametrize("at", [0, 5, 6])
def test_rows_in_bins_never_filled_are_drift(at: int) -> None:
    reference = days()
    reference[:, 6] = 0
    live = reference[0].copy()
    live[at] += 60
    result = judged(reference, live)
    assert result.verdict is Verdict.DRIFT
    assert "never in 30 reference windows" in result.message


def test_an_incident_in_the_reference_costs_power() -> None:
    """Three windows of thirty lost a bin: an equal deviation is no drift, a clearly larger one is."""
    reference = days()
    reference[[4, 5, 6], 6] += 250
    assert judged(reference, reference[5]).verdict is Verdict.OK
    assert judged(reference, days(windows=31)[30]).verdict is Verdict.OK
    assert judged(reference, [0, 0, 0, 0, 0, 500, 0]).verdict is Verdict.DRIFT


@pytest.mark.parametrize("bins", [1, 2, 200])
def test_axes_of_two_or_two_hundred_bins(bins: int) -> None:
    every = days(windows=41, bins=bins, rows=5000)
    axis = numbers(bins)
    results = [judged(every[:30], live, axis) for live in every[30:]]
    assert {result.verdict for result in results} == {Verdict.OK}
    assert judged(every[:30], np.roll(every[30], 3), axis).verdict is Verdict.DRIFT


def test_windows_of_one_row_are_not_drift() -> None:
    reference = days(windows=60)
    for at in range(1, 5):
        assert judged(reference, [int(i == at) for i in range(7)]).verdict is not Verdict.DRIFT
    single = counts_of(np.random.default_rng(3), shares_of(np.random.default_rng(4), 1, 4), [1] * 60)[0]
    for at in range(7):
        assert judged(single, [int(i == at) for i in range(7)]).verdict is not Verdict.DRIFT
    assert judged(single, days()[0]).verdict.is_conclusive


@pytest.mark.parametrize(
    "axis", [NumericAxis((0,)), CategoricalAxis(("a", "b", "c", "d")), CategoricalAxis(("a", "b", "c", "d"), rare=None)]
)
def test_axes_of_every_form(axis: Axis) -> None:
    rng = np.random.default_rng(5)
    reference = counts_of(rng, rng.dirichlet(np.full(axis.n_bins, 3.0), size=1), [300] * 31)[0]
    assert judged(reference[:30], reference[30], axis).verdict is Verdict.OK
    assert judged(reference[:30], [300, *[0] * (axis.n_bins - 1)], axis).verdict is Verdict.DRIFT


def test_categories_without_a_single_one() -> None:
    axis = CategoricalAxis(())
    reference = np.tile([0, 0, 100], (20, 1))
    assert judged(reference, [0, 0, 90], axis).verdict is Verdict.OK
    assert judged(reference, [0, 80, 10], axis).verdict is Verdict.DRIFT


def test_columns_may_differ_in_length_axis_and_gaps() -> None:
    holed = days(2)
    holed[::3] = 0
    histories = {
        "long": History(AXIS, days(windows=90)),
        "short": History(AXIS, days(3, windows=3)),
        "holed": History(AXIS, holed),
        "names": History(CategoricalAxis(("a", "b", "c", "d")), days(4)),
        "empty": History(AXIS, np.zeros((30, 7), np.int64)),
        "none": History(AXIS, np.zeros((0, 7), np.int64)),
        "gone": History(AXIS, days(5)),
        "other": History(AXIS, days(6)),
    }
    live = {name: Histogram(h.axis, days(9)[0]) for name, h in histories.items() if name not in {"gone", "other"}}
    live |= {"new": Histogram(AXIS, days(8)[0])}
    results = {
        r.column: r
        for r in compare_profiles(Profile(live, 500), reference_of(histories), AUTO, np.random.default_rng(1))
    }
    assert set(results) == {*histories, "new"}
    for result in results.values():
        assert_complete(result)
    assert {name: results[name].windows for name in ("long", "short", "holed", "names")} == {
        "long": 90,
        "short": None,
        "holed": 20,
        "names": 30,
    }
    assert results["gone"].verdict is Verdict.SCHEMA_ERROR
    assert results["empty"].verdict is Verdict.NO_DATA
    assert results["new"].verdict is Verdict.NOT_COMPARABLE


def test_a_live_column_on_other_edges_gets_no_evidence() -> None:
    calibration = Calibration({"x": History(AXIS, days())})
    live = {"x": Histogram(NumericAxis((0, 1, 2, 3, 5)), days()[0]), "y": Histogram(AXIS, [1] * 7)}
    assert calibration.evidence(live) == {}


@pytest.mark.parametrize("metric", sorted(n for n, row in DIVERGENCES.items() if row.threshold is not None))
def test_every_metric_has_finite_noise_where_bins_are_empty(metric: str) -> None:
    columns = Columns(ColumnRule(method=Method(metric)))
    result = judged(days(), days(2)[0], columns=columns)
    assert result.windows == 30
    assert judged(days(), [0, 0, 0, 0, 0, 0, 1], columns=columns).verdict is not Verdict.ERROR


@pytest.mark.parametrize("metric", ["hellinger", "kl", "total_variation"])
def test_reference_windows_guard_a_configured_threshold(metric: str) -> None:
    columns = Columns(ColumnRule(method=Method(metric), limit=Threshold(1e-6)))
    unchanged = judged(days(), days(windows=31)[30], columns=columns)
    assert unchanged.verdict is Verdict.INSUFFICIENT
    assert "30 reference windows vary this much" in unchanged.message
    assert judged(days(), [0, 0, 0, 0, 0, 0, 500], columns=columns).verdict is Verdict.DRIFT


def test_huge_and_tiny_windows_side_by_side() -> None:
    rng = np.random.default_rng(6)
    reference = counts_of(rng, shares_of(rng, 1, 4), np.geomspace(1, 1e9, 40).astype(np.int64))[0]
    for live in reference[[0, 20, 39]]:
        assert judged(reference, live).verdict is Verdict.OK
