"""Kinds of reference, warnings about too few windows, and the explanation in words."""

from datetime import timedelta

import pytest

from drift.config import explain_reference
from drift.monitors.spec import Reference
from drift.stats.calibration import FEW_WINDOWS, MIN_WINDOWS
from drift.stats.false_alarm_budget import Budget

RANGE = "{from: 2011-01-01, to: 2011-04-01}"
DAY, WEEK = timedelta(days=1), timedelta(weeks=1)


@pytest.mark.parametrize(
    ("written", "reference"),
    [
        ("{rolling: 28d}", Reference(rolling=28 * DAY)),
        ("{rolling: 672h}", Reference(rolling=28 * DAY)),
        ("{seasonal: 1w}", Reference(seasonal=WEEK, windows=3)),
        ("{seasonal: 4w, windows: 60}", Reference(seasonal=4 * WEEK, windows=60)),
        ("{seasonal: 28d, windows: '2'}", Reference(seasonal=4 * WEEK, windows=2)),
        ("{seasonal: 52w}", Reference(seasonal=52 * WEEK)),
        ("{seasonal: 1y, windows: 1}", Reference(seasonal=364 * DAY, windows=1)),
        ("{seasonal: ' 1y '}", Reference(seasonal=364 * DAY)),
        ("{rolling: 28d, windows: }", Reference(rolling=28 * DAY)),
    ],
)
def test_a_moving_reference_reaches_the_core(loaded, monitor, written, reference):
    built = loaded(monitor.replace(RANGE, written)).monitors["m"].reference
    assert built == reference
    assert built.moves


@pytest.mark.parametrize(
    ("reference", "minimum"),  # the days it looks back, and one window of a day
    [("{rolling: 28d}", 29), ("{seasonal: 1w, windows: 3}", 22), ("{seasonal: 1y, windows: 3}", 364 + 7 + 1)],
)
def test_windows_of_a_moving_reference_must_be_kept(loaded, errors, monitor, reference, minimum):
    text = monitor.replace(RANGE, reference)
    assert loaded(text + f"    keep: {minimum}d\n").monitors["m"].keep == minimum * DAY
    (line,) = errors(text + f"    keep: {minimum - 1}d\n")
    assert line.startswith("7: monitors.m.keep: ")
    assert f"at least {minimum}d" in line
    assert line.endswith("[keep-too-short]")
    assert loaded(monitor + "    keep: 1d\n").monitors["m"].keep == DAY  # a fixed reference is kept forever


def test_windows_within_lookback_must_be_kept(loaded, errors, monitor):
    text = monitor + "    lookback: 36h\n"
    assert loaded(text + "    keep: 3d\n").monitors["m"].keep == 3 * DAY
    (line,) = errors(text + "    keep: 2d\n")
    assert line.startswith("8: monitors.m.keep: ")
    assert all(data in line for data in ("1 day, 12:00:00", "2 days, 0:00:00", "at least 3d"))
    assert line.endswith("[keep-too-short]")


@pytest.mark.parametrize(
    ("season", "window"),
    [("1w", "15m"), ("1w", "1h"), ("1w", "7h"), ("1w", "1d"), ("5w", "5d"), ("4w", "2w"), ("1y", "1w"), ("1y", "1h")],
)
def test_a_season_is_valid_for_windows_that_divide_it(loaded, monitor, season, window):
    config = loaded(monitor.replace(RANGE, f"{{seasonal: {season}}}") + f"    window: {window}\n")
    assert config.monitors["m"].reference.moves
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("written", "budget"),
    [("1 per 90d", Budget()), ("0.5 per 4w", Budget(0.5, 28 * DAY)), ("12 per 365d", Budget(12, 365 * DAY))],
)
def test_false_alarms_become_the_budget(loaded, monitor, written, budget):
    config = loaded(f"{monitor}    false_alarms: {written}\n")
    assert config.monitors["m"].budget == budget
    assert config.warnings == ()


def test_a_budget_with_thresholds_of_single_columns_gives_no_warning(loaded, monitor):
    text = monitor + "    false_alarms: 1 per 30d\n    columns: {overrides: {a: {threshold: 0.2}}}\n"
    assert loaded(text).warnings == ()


@pytest.mark.parametrize(
    ("rolling", "added", "data"),
    [
        (MIN_WINDOWS - 1, "", f"spans {MIN_WINDOWS - 1} windows of 1d; fewer than {MIN_WINDOWS}"),
        (MIN_WINDOWS - 1, "", "the metric's default threshold"),
        (MIN_WINDOWS - 1, "    threshold: 0.2\n", "the given threshold"),
        (
            MIN_WINDOWS - 1,
            "    threshold: 0.2\n    columns: {overrides: {a: {threshold: auto}}}\n",
            "the metric's default threshold",
        ),
        (MIN_WINDOWS, "", f"spans {MIN_WINDOWS} windows of 1d"),
        (FEW_WINDOWS - 1, "", f"fewer than {FEW_WINDOWS}"),
    ],
)
def test_a_rolling_reference_of_few_windows_gives_a_warning(loaded, monitor, rolling, added, data):
    (warning,) = loaded(monitor.replace(RANGE, f"{{rolling: {rolling}d}}") + added).warnings
    assert ":6: monitors.m.reference.rolling: " in warning
    assert data in warning
    assert warning.endswith("[few-reference-windows]")


def test_a_rolling_reference_of_enough_windows_gives_no_warning(loaded, monitor):
    assert loaded(monitor.replace(RANGE, f"{{rolling: {FEW_WINDOWS}d}}")).warnings == ()


def test_a_fixed_reference_of_few_windows_gives_no_warning(loaded, monitor):
    assert loaded(monitor.replace(RANGE, "{from: 2011-01-01, to: 2011-01-04}")).warnings == ()


# A reference, what is appended to the monitor -> pieces of the explanation.
LEARNED = "limits are learned from these, so that false alarms stay within 1 per 90d"
DEFAULT = "fewer than 8, so the metric's default threshold decides, only if the score also exceeds the noise"
EXPLAINED = {
    # January to March 2011 are 31 + 28 + 31 days.
    "range": (RANGE, "", ["90 whole windows of 1d", LEARNED]),
    "range in another time zone": (RANGE, "    timezone: America/New_York\n", ["90 whole windows of 1d"]),
    "partial windows do not count": (
        "{from: 2011-01-01T06:00Z, to: 2011-01-21T06:00Z}",
        "",
        ["19 whole windows of 1d", "limits are learned from these (fewer than 20, so they are wide)"],
    ),
    "few": ("{from: 2011-01-01, to: 2011-01-08}", "", ["7 whole windows of 1d", DEFAULT]),
    "exactly enough": ("{from: 2011-01-01, to: 2011-01-09}", "", ["8 whole windows of 1d", "fewer than 20"]),
    "no whole window": ("{from: 2011-01-01, to: 2011-01-02}", "    window: 1w\n", ["0 whole windows of 1w", DEFAULT]),
    "at the counting limit": (
        "{from: 2011-01-01T00:00, to: 2011-01-21T20:00}",
        "    window: 1h\n",
        ["500 wh"],
    ),
    "many": (RANGE, "    window: 1h\n", ["more than 500 whole windows of 1h", LEARNED]),
    "many, with a partial first window": (
        "{from: 2011-01-01T00:30, to: 2011-01-21T22:00}",
        "    window: 1h\n",
        ["more than 500 whole windows"],
    ),
    "budget": (RANGE, "    false_alarms: 2 per 4w\n", ["false alarms stay within 2 per 28d"]),
    "number": (
        RANGE,
        "    threshold: 0.2\n",
        ["1d; the given threshold decides, only if the score also exceeds the noise"],
    ),
    "number, but not for all": (
        RANGE,
        "    threshold: 0.2\n    columns: {overrides: {a: {threshold: auto}, b: {threshold: 0.3}}}\n",
        ["the given threshold decides, only if the score also exceeds the noise; for a: " + LEARNED],
    ),
    "number for some": (
        RANGE,
        "    columns: {overrides: {a: {threshold: 0.3}}}\n",
        [LEARNED + "; for columns with their own threshold, that threshold decides"],
    ),
    "file": (
        "{path: t.csv}",
        "",
        ["a separate file", "8 windows or more, limits are learned", "otherwise the metric's"],
    ),
    "rolling": ("{rolling: 28d}", "", ["the newest 28 windows of 1d", "the first 28 days of the data", LEARNED]),
    "rolling before start": ("{rolling: 36h}", "    window: 1h\n    start: 2011-05-01\n", ["newest 36 windows of 1h"]),
    "rolling begins before start": (
        "{rolling: 36h}",
        "    window: 1h\n    start: 2011-05-01\n",
        ["at first, the 1.5 days before start (2011-05-01T00:00Z)", LEARNED],
    ),
    "rolling, few": ("{rolling: 7d}", "", ["the newest 7 windows of 1d", DEFAULT]),
    "season": (
        "{seasonal: 1w}",
        "    start: 2011-05-01\n",
        ["same hour of the week 7, 14, 21 days before", "before start (2011-05-01T00:00Z)", "once 8 windows or more"],
    ),
    "a quarter": ("{seasonal: 13w, windows: 2}", "", ["91, 182 days before", "from the first row on"]),
    "long season": ("{seasonal: 14w, windows: 2}", "", ["in 2 weeks around the same time 98 days before"]),
    "a year": (
        "{seasonal: 1y, windows: 1}",
        "",
        ["in 1 week around the same time 364 days before", "otherwise the metric's"],
    ),
}


@pytest.mark.parametrize(("reference", "added", "pieces"), EXPLAINED.values(), ids=EXPLAINED)
def test_the_explanation_names_windows_and_the_deciding_rule(loaded, monitor, reference, added, pieces):
    explanation = explain_reference(loaded(monitor.replace(RANGE, reference) + added).monitors["m"])
    for piece in pieces:
        assert piece in explanation
