"""What a reference can teach: kinds, warnings about too few windows, and who judges in words."""

from datetime import timedelta

import pytest

from drift.config import explain_reference
from drift.monitors.spec import Reference
from drift.stats.calibration import FEW_WINDOWS, MIN_WINDOWS
from drift.stats.false_alarm_budget import Budget

STRETCH = "{from: 2011-01-01, to: 2011-04-01}"
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
def test_a_reference_that_moves_reaches_the_core(loaded, monitor, written, reference):
    found = loaded(monitor.replace(STRETCH, written)).monitors["m"].reference
    assert found == reference
    assert found.moves


@pytest.mark.parametrize(
    ("reference", "least"),  # what it looks back, and one window of a day
    [("{rolling: 28d}", 29), ("{seasonal: 1w, windows: 3}", 22), ("{seasonal: 1y, windows: 3}", 364 + 7 + 1)],
)
def test_windows_that_a_reference_is_made_of_are_kept(loaded, errors, monitor, reference, least):
    text = monitor.replace(STRETCH, reference)
    assert loaded(text + f"    keep: {least}d\n").monitors["m"].keep == least * DAY
    (told,) = errors(text + f"    keep: {least - 1}d\n")
    assert told.startswith("7: monitors.m.keep: ")
    assert f"at least {least}d" in told
    assert loaded(monitor + "    keep: 1d\n").monitors["m"].keep == DAY  # a frozen one is kept for ever


def test_windows_that_are_looked_at_again_are_kept(loaded, errors, monitor):
    text = monitor + "    lookback: 36h\n"
    assert loaded(text + "    keep: 3d\n").monitors["m"].keep == 3 * DAY
    (told,) = errors(text + "    keep: 2d\n")
    assert told.startswith("8: monitors.m.keep: ")
    assert "1 day, 12:00:00 after their end (lookback)" in told
    assert "got 2 days, 0:00:00: keep at least 3d, or look back less" in told


@pytest.mark.parametrize(
    ("season", "window"),
    [("1w", "15m"), ("1w", "1h"), ("1w", "7h"), ("1w", "1d"), ("5w", "5d"), ("4w", "2w"), ("1y", "1w"), ("1y", "1h")],
)
def test_any_window_goes_with_a_season_that_is_a_multiple_of_it(loaded, monitor, season, window):
    config = loaded(monitor.replace(STRETCH, f"{{seasonal: {season}}}") + f"    window: {window}\n")
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


def test_the_budget_stands_beside_a_number_for_single_columns_without_a_warning(loaded, monitor):
    text = monitor + "    false_alarms: 1 per 30d\n    columns: {overrides: {a: {threshold: 0.2}}}\n"
    assert loaded(text).warnings == ()


@pytest.mark.parametrize(
    ("rolling", "added", "piece"),
    [
        (MIN_WINDOWS - 1, "", f"below {MIN_WINDOWS} windows nothing can be learned"),
        (MIN_WINDOWS - 1, "", "the metric's customary number judges"),
        (MIN_WINDOWS - 1, "    threshold: 0.2\n", "the threshold given judges"),
        (
            MIN_WINDOWS - 1,
            "    threshold: 0.2\n    columns: {overrides: {a: {threshold: auto}}}\n",
            "the metric's customary number judges",
        ),
        (MIN_WINDOWS, "", f"below {FEW_WINDOWS} windows the limits that are learned are wide"),
        (FEW_WINDOWS - 1, "", f"holds {FEW_WINDOWS - 1} windows of 1d: below {FEW_WINDOWS}"),
    ],
)
def test_a_rolling_reference_of_few_windows_is_warned_about(loaded, monitor, rolling, added, piece):
    (warning,) = loaded(monitor.replace(STRETCH, f"{{rolling: {rolling}d}}") + added).warnings
    assert ":6: monitors.m.reference.rolling: " in warning
    assert piece in warning


def test_a_rolling_reference_of_windows_enough_is_not_warned_about(loaded, monitor):
    assert loaded(monitor.replace(STRETCH, f"{{rolling: {FEW_WINDOWS}d}}")).warnings == ()


def test_a_stretch_of_few_windows_is_not_warned_about(loaded, monitor):
    assert loaded(monitor.replace(STRETCH, "{from: 2011-01-01, to: 2011-01-04}")).warnings == ()


# A reference, what is appended to the monitor -> pieces of the explanation.
LEARNED = "limits are learned from these, so that false alarms stay within 1 per 90d"
CUSTOMARY = "fewer than 8, so the metric's customary number judges, guarded by the noise"
EXPLAINED = {
    # January to March 2011 are 31 + 28 + 31 days.
    "stretch": (STRETCH, "", ["90 whole windows of 1d", LEARNED]),
    "stretch in another zone": (STRETCH, "    timezone: America/New_York\n", ["90 whole windows of 1d"]),
    "broken windows do not count": (
        "{from: 2011-01-01T06:00Z, to: 2011-01-21T06:00Z}",
        "",
        ["19 whole windows of 1d", "limits are learned from these (fewer than 20, so they are wide)"],
    ),
    "few": ("{from: 2011-01-01, to: 2011-01-08}", "", ["7 whole windows of 1d", CUSTOMARY]),
    "just enough": ("{from: 2011-01-01, to: 2011-01-09}", "", ["8 whole windows of 1d", "fewer than 20"]),
    "no whole window": ("{from: 2011-01-01, to: 2011-01-02}", "    window: 1w\n", ["0 whole windows of 1w", CUSTOMARY]),
    "at the limit of what is counted": (
        "{from: 2011-01-01T00:00, to: 2011-01-21T20:00}",
        "    window: 1h\n",
        ["500 wh"],
    ),
    "many": (STRETCH, "    window: 1h\n", ["more than 500 whole windows of 1h", LEARNED]),
    "many, entered half-way": (
        "{from: 2011-01-01T00:30, to: 2011-01-21T22:00}",
        "    window: 1h\n",
        ["more than 500 whole windows"],
    ),
    "budget": (STRETCH, "    false_alarms: 2 per 4w\n", ["false alarms stay within 2 per 28d"]),
    "number": (STRETCH, "    threshold: 0.2\n", ["1d; the threshold given judges, guarded by the noise"]),
    "number, but not for all": (
        STRETCH,
        "    threshold: 0.2\n    columns: {overrides: {a: {threshold: auto}, b: {threshold: 0.3}}}\n",
        ["the threshold given judges, guarded by the noise; of a: " + LEARNED],
    ),
    "number for some": (
        STRETCH,
        "    columns: {overrides: {a: {threshold: 0.3}}}\n",
        [LEARNED + "; columns with a threshold of their own are judged by that"],
    ),
    "file": ("{path: t.csv}", "", ["a file of its own", "8 windows or more, limits are learned", "else the metric's"]),
    "rolling": ("{rolling: 28d}", "", ["the newest 28 windows of 1d", "the first 28 days of the data", LEARNED]),
    "rolling before start": ("{rolling: 36h}", "    window: 1h\n    start: 2011-05-01\n", ["newest 36 windows of 1h"]),
    "rolling begins before start": (
        "{rolling: 36h}",
        "    window: 1h\n    start: 2011-05-01\n",
        ["it begins with the 1.5 days before start (2011-05-01T00:00Z)", LEARNED],
    ),
    "rolling, few": ("{rolling: 7d}", "", ["the newest 7 windows of 1d", CUSTOMARY]),
    "season": (
        "{seasonal: 1w}",
        "    start: 2011-05-01\n",
        ["same hour of the week 7, 14, 21 days before", "before start (2011-05-01T00:00Z)", "once 8 windows or more"],
    ),
    "a quarter": ("{seasonal: 13w, windows: 2}", "", ["91, 182 days before", "from the first row on"]),
    "long season": ("{seasonal: 14w, windows: 2}", "", ["in 2 weeks about the same time 98 days before"]),
    "a year": (
        "{seasonal: 1y, windows: 1}",
        "",
        ["in 1 week about the same time 364 days before", "else the metric's"],
    ),
}


@pytest.mark.parametrize(("reference", "added", "pieces"), EXPLAINED.values(), ids=EXPLAINED)
def test_it_is_said_how_many_windows_there_are_and_who_judges(loaded, monitor, reference, added, pieces):
    told = explain_reference(loaded(monitor.replace(STRETCH, reference) + added).monitors["m"])
    for piece in pieces:
        assert piece in told
