"""Numbers, units, windows and summaries."""

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
    ("metric", "base", "symbol", "name"),
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
def test_unit_depends_on_metric_and_base(metric, base, symbol, name):
    assert formatting.unit_symbol(metric, base) == symbol
    assert formatting.unit_name(metric, base) == name


def test_history_summary_counts_windows_and_columns(monitor_page):
    """A window drifted if any column did; columns that drifted most often come first."""
    columns = [
        replace(
            column,
            verdict=Verdict.OK,
            history=tuple(
                replace(p, verdict=Verdict.DRIFT if n < drifted else Verdict.OK) for n, p in enumerate(column.history)
            ),
        )
        for column, drifted in zip(monitor_page.columns, [2, 5, 1, 3, 1, *[0] * 99], strict=False)
    ]
    names = [column.name for column in columns]
    page = replace(monitor_page, columns=tuple(columns))
    assert formatting.verdict_summary(page).startswith(f"None of {len(columns)} columns drifted")
    assert formatting.history_summary(page) == (
        f"5 of the {len(page.timeline)} windows shown drifted, most often: "
        f"{names[1]} (5), {names[3]} (3), {names[0]} (2) and 2 more."
    )
    quiet = replace(page, columns=tuple(replace(c, history=()) for c in columns))
    assert formatting.history_summary(quiet) == f"None of the {len(page.timeline)} windows shown drifted."


def test_single_window_has_no_history_summary(plain_page):
    assert formatting.history_summary(plain_page) == ""


def test_every_divergence_has_a_unit():
    assert all(isinstance(formatting.unit_symbol(metric), str) for metric in DIVERGENCES)
    with pytest.raises(InputError) as error:
        formatting.unit_symbol("nonsense")
    assert "'nonsense'" in str(error.value)


@pytest.mark.parametrize(
    ("period", "zone", "expected"),
    [
        ("1w", NEW_YORK, "in the week of 2011-06-06"),
        ("1d", NEW_YORK, "on 2011-06-08"),
        ("2w", NEW_YORK, "from 2011-05-30 to 2011-06-12"),
        ("1h", NEW_YORK, "from 2011-06-08 12:00 to 13:00 UTC"),
        ("12h", NEW_YORK, "from 2011-06-08 12:00 to 2011-06-09 00:00 UTC"),
    ],
)
def test_window_name_follows_the_calendar(period, zone, expected):
    assert formatting.format_window(Period.parse(period).window_at(NOON, zone), zone) == expected


def test_short_day_of_clock_change_is_a_day():
    window = Period.parse("1d").window_at(datetime(2011, 3, 13, 12, tzinfo=UTC), NEW_YORK)
    assert (window.end - window.start).total_seconds() == 23 * 3600
    assert formatting.format_window(window, NEW_YORK) == "on 2011-03-13"


def test_seven_days_from_wednesday_are_no_week():
    window = Window(datetime(2011, 6, 8, tzinfo=UTC), datetime(2011, 6, 15, tzinfo=UTC))
    assert formatting.format_window(window, ZoneInfo("UTC")) == "from 2011-06-08 to 2011-06-14"


def test_verdict_summary_names_count_window_and_worst_column(monitor_page):
    drifted = monitor_page.counts[Verdict.DRIFT]
    worst = monitor_page.columns[0].name
    assert formatting.verdict_summary(monitor_page).startswith(
        f"{drifted} of 8 columns drifted in the week of 2024-07-22, most: "
    )
    assert f"most: {worst}." in formatting.verdict_summary(monitor_page)


def test_verdict_summary_counts_columns_not_evaluated(plain_page):
    assert formatting.verdict_summary(plain_page).endswith(". 1 column could not be evaluated.")


def test_verdict_summary_without_drift(plain_page):
    calm = tuple(replace(c, verdict=Verdict.OK) for c in plain_page.columns)
    assert formatting.verdict_summary(replace(plain_page, columns=calm)) == "None of 4 columns drifted."


def test_verdict_summary_counts_warnings(plain_page):
    near = (replace(plain_page.columns[0], verdict=Verdict.WARN), replace(plain_page.columns[1], verdict=Verdict.OK))
    summary = formatting.verdict_summary(replace(plain_page, columns=near))
    assert summary == "None of 2 columns drifted. 1 column is close to the limit."


def test_verdict_summary_mentions_segments(plain_page):
    parts = tuple(replace(c, segment="north", verdict=Verdict.OK) for c in plain_page.columns[:2])
    assert (
        formatting.verdict_summary(replace(plain_page, columns=parts))
        == "None of 2 columns, counted in each segment, drifted."
    )


@pytest.mark.parametrize(
    ("value", "expected"), [(None, "–"), (0, "0"), (0.12345, "0.123"), (0.00001234, "1.23e-05"), (12345.6, "12,346")]
)
def test_numbers_have_three_digits(value, expected):
    assert formatting.format_number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(None, "–"), (0.0, "< 1e-9"), (0.00099, "0.001"), (2e-5, "2e-05"), (1.0, "1")]
)
def test_small_p_value_is_a_bound(value, expected):
    assert formatting.format_p(value) == expected


def test_every_verdict_has_a_distinct_sign_and_name():
    assert set(formatting.SIGNS) == set(formatting.NAMES) == set(Verdict)
    assert len({(formatting.SIGNS[v], formatting.NAMES[v]) for v in Verdict}) == len(Verdict)
