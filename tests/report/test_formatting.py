"""Numbers, units and sentences."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from drift.errors import InputError
from drift.monitors.verdict import Verdict
from drift.monitors.window import Period, Window
from drift.report import formatting
from drift.stats.divergence import DIVERGENCES

NEW_YORK = ZoneInfo("America/New_York")
NOON = datetime(2011, 6, 8, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("metric", "base", "short", "spelled"),
    [
        ("js_distance", 2, "√bit", "square root of bits"),
        ("js", 2, "bit", "bits"),
        ("kl", None, "bit", "bits"),
        ("psi", None, "nat", "nats"),
        ("psi", math.e, "nat", "nats"),
        ("kl", 10, "dit", "decimal digits"),
        ("kl", 3, "log3", "logarithm to base 3"),
        ("hellinger", 2, "", ""),
        ("wasserstein", 2, "bins", "bins"),
        (None, None, "", ""),
    ],
)
def test_a_score_has_the_unit_of_its_metric_and_base(metric, base, short, spelled):
    assert formatting.unit(metric, base) == short
    assert formatting.unit_words(metric, base) == spelled


def test_the_windows_before_are_told_whatever_the_newest_one_says(monitor_page):
    """Counted again from the page: a window drifted where any column did; columns that did so oftenest come first."""
    calm = [
        replace(
            column,
            verdict=Verdict.OK,
            history=tuple(
                replace(p, verdict=Verdict.DRIFT if n < drifted else Verdict.OK) for n, p in enumerate(column.history)
            ),
        )
        for column, drifted in zip(monitor_page.columns, [2, 5, 1, 3, 1, *[0] * 99], strict=False)
    ]
    names = [column.name for column in calm]
    page = replace(monitor_page, columns=tuple(calm))
    assert formatting.sentence(page).startswith(f"None of {len(calm)} columns drifted")
    assert formatting.over_time(page) == (
        f"5 of the {len(page.timeline)} windows shown drifted, most often: "
        f"{names[1]} (5), {names[3]} (3), {names[0]} (2) and 2 more."
    )
    quiet = replace(page, columns=tuple(replace(c, history=()) for c in calm))
    assert formatting.over_time(quiet) == f"None of the {len(page.timeline)} windows shown drifted."


def test_a_page_of_one_window_tells_of_no_others(plain_page):
    assert formatting.over_time(plain_page) == ""


def test_every_divergence_has_a_unit_or_none_and_an_unknown_one_is_an_error():
    assert all(isinstance(formatting.unit(metric), str) for metric in DIVERGENCES)
    with pytest.raises(InputError, match="unknown metric"):
        formatting.unit("nonsense")


@pytest.mark.parametrize(
    ("length", "zone", "told"),
    [
        ("1w", NEW_YORK, "in the week of 2011-06-06"),
        ("1d", NEW_YORK, "on 2011-06-08"),
        ("2w", NEW_YORK, "from 2011-05-30 to 2011-06-12"),
        ("1h", NEW_YORK, "from 2011-06-08 12:00 to 13:00 UTC"),
        ("12h", NEW_YORK, "from 2011-06-08 12:00 to 2011-06-09 00:00 UTC"),
    ],
)
def test_a_window_is_named_by_its_calendar(length, zone, told):
    assert formatting.period(Period.parse(length).window_at(NOON, zone), zone) == told


def test_the_short_day_when_clocks_go_forward_is_a_day():
    window = Period.parse("1d").window_at(datetime(2011, 3, 13, 12, tzinfo=UTC), NEW_YORK)
    assert (window.end - window.start).total_seconds() == 23 * 3600
    assert formatting.period(window, NEW_YORK) == "on 2011-03-13"


def test_seven_days_that_do_not_begin_on_a_monday_are_no_week():
    window = Window(datetime(2011, 6, 8, tzinfo=UTC), datetime(2011, 6, 15, tzinfo=UTC))
    assert formatting.period(window, ZoneInfo("UTC")) == "from 2011-06-08 to 2011-06-14"


def test_the_verdict_is_one_sentence(monitor_page):
    drifted = monitor_page.counts[Verdict.DRIFT]
    worst = monitor_page.columns[0].name
    assert formatting.sentence(monitor_page).startswith(
        f"{drifted} of 8 columns drifted in the week of 2024-07-22, most: "
    )
    assert f"most: {worst}." in formatting.sentence(monitor_page)


def test_the_sentence_tells_what_could_not_be_judged(plain_page):
    assert formatting.sentence(plain_page).endswith("1 could not be judged.")


def test_no_drift_is_said_plainly(plain_page):
    calm = tuple(replace(c, verdict=Verdict.OK) for c in plain_page.columns)
    assert formatting.sentence(replace(plain_page, columns=calm)) == "None of 4 columns drifted."


def test_warnings_are_counted_apart(plain_page):
    near = (replace(plain_page.columns[0], verdict=Verdict.WARN), replace(plain_page.columns[1], verdict=Verdict.OK))
    assert formatting.sentence(replace(plain_page, columns=near)) == "None of 2 columns drifted. 1 is close to it."


def test_segments_are_not_counted_as_columns(plain_page):
    parts = tuple(replace(c, segment="north", verdict=Verdict.OK) for c in plain_page.columns[:2])
    assert (
        formatting.sentence(replace(plain_page, columns=parts))
        == "None of 2 columns, counted in each segment, drifted."
    )


@pytest.mark.parametrize(
    ("value", "told"), [(None, "–"), (0, "0"), (0.12345, "0.123"), (0.00001234, "1.23e-05"), (12345.6, "12,346")]
)
def test_numbers_have_three_digits(value, told):
    assert formatting.number(value) == told


@pytest.mark.parametrize(
    ("value", "told"), [(None, "–"), (0.0, "< 1e-9"), (0.00099, "0.001"), (2e-5, "2e-05"), (1.0, "1")]
)
def test_a_small_p_is_a_bound(value, told):
    assert formatting.p_value(value) == told


def test_every_verdict_has_a_sign_and_words():
    assert set(formatting.SIGNS) == set(formatting.NAMES) == set(Verdict)
    assert len({(formatting.SIGNS[v], formatting.NAMES[v]) for v in Verdict}) == len(Verdict)
