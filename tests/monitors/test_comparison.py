"""Results of columns: the message names the bins that moved, the numbers and the reference windows."""

import numpy as np
import pytest

from drift.histogram import CategoricalAxis, Histogram, History, NumericAxis, Profile
from drift.monitors.comparison import ColumnResult, SegmentReference, compare_profiles
from drift.monitors.spec import ColumnRule, Columns
from drift.monitors.verdict import Threshold, Verdict
from drift.stats.calibration import Calibration

AXIS = NumericAxis((0, 10, 20))
NAMES = CategoricalAxis(("cash", "card"))


def compare(live: Histogram, reference: Histogram | History, rule: ColumnRule | None = None) -> ColumnResult:
    """Compare one column with one histogram, or with the windows of a history."""
    columns = Columns(default=rule or ColumnRule())
    if isinstance(reference, History):
        pooled = SegmentReference({"x": reference.pooled}, calibration=Calibration({"x": reference}), level=1e-4)
    else:
        pooled = SegmentReference({"x": reference})
    (result,) = compare_profiles(Profile({"x": live}, live.rows), pooled, columns, np.random.default_rng(1))
    return result


def payments(missing: float, windows: int = 60) -> History:
    """Windows of 1,000 rows; of all rows, the share `missing` has no value."""
    shares = [0.6 - missing, 0.4, 0, 0, missing]
    return History(NAMES, np.random.default_rng(5).multinomial(1000, shares, size=windows))


def test_threshold_messages_name_the_bins_that_moved() -> None:
    result = compare(Histogram(AXIS, [0, 200, 800, 0, 0]), Histogram(AXIS, [0, 5000, 5000, 0, 0]))
    assert result.code == "threshold-reached"
    assert result.explanation == (
        "share of [0, 10) fell from 50.0% to 20.0% (66% of the score), "
        "share of [10, 20) rose from 50.0% to 80.0% (34% of the score)"
    )
    assert result.message.startswith(f"{result.explanation}; JS distance {result.score:.3g} ")


@pytest.mark.parametrize(
    ("missing", "counts", "moved"),
    [
        (0.002, [560, 390, 0, 0, 50], "missing rose to 5.0% (0.0-0.6% in 60 reference windows)"),
        (0.002, [300, 698, 0, 0, 2], "share of card rose to 69.8% (36.7-43.2% in 60 reference windows)"),
        (0.2, [500, 500, 0, 0, 0], "missing fell to 0.0% (17.1-22.3% in 60 reference windows)"),
        (0.002, [550, 400, 0, 48, 2], "unseen rose to 4.8% (never in 60 reference windows)"),
    ],
)
def test_learned_messages_name_the_most_unusual_bin(missing: float, counts: list[int], moved: str) -> None:
    result = compare(Histogram(NAMES, counts), payments(missing))
    assert result.code == "beyond-normal-variation"
    assert (result.verdict, result.threshold, result.level, result.windows) == (Verdict.DRIFT, None, 1e-4, 60)
    assert result.message.startswith(f"{moved}; JS distance {result.score:.3g}, typically {result.noise_floor:.2g};")


def test_users_threshold_keeps_its_number_beside_learned_noise() -> None:
    result = compare(Histogram(NAMES, [300, 698, 0, 0, 2]), payments(0.002), ColumnRule(limit=Threshold(0.1)))
    assert (result.code, result.threshold, result.level) == ("threshold-reached", Threshold(0.1), None)
    assert "in 60 reference windows" in result.message


def test_detectable_is_the_smallest_significant_score() -> None:
    result = compare(Histogram(AXIS, [0, 500, 500, 0, 0]), Histogram(AXIS, [0, 5000, 5000, 0, 0]))
    assert result.verdict is Verdict.OK
    assert result.scored is not None
    assert result.detectable == result.scored.detectable


@pytest.mark.parametrize(("is_default", "excluded"), [(True, False), (False, True)])
def test_only_drift_by_default_threshold_stays_in_references(is_default: bool, excluded: bool) -> None:
    rule = ColumnRule(limit=None if is_default else Threshold(0.1))
    result = compare(Histogram(AXIS, [0, 200, 800, 0, 0]), Histogram(AXIS, [0, 5000, 5000, 0, 0]), rule)
    assert result.verdict is Verdict.DRIFT
    assert result.excluded_from_reference is excluded
