"""Verdicts of scores, by thresholds and by limits learned from reference windows."""

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from drift.errors import InputError
from drift.histogram import Histogram, NumericAxis
from drift.monitors.verdict import (
    LearnedEvidence,
    Threshold,
    Verdict,
    default_threshold,
    format_frequencies,
    format_frequency,
    judge,
    ratio_to_limit,
    severity,
    worst,
)
from drift.stats.calibration import FEW_WINDOWS, Evidence
from drift.stats.divergence import DIVERGENCES
from drift.stats.scoring import Method, Score, score_pair

AXIS = NumericAxis((0, 10, 20))
WITH_DEFAULT = sorted(name for name, row in DIVERGENCES.items() if row.threshold is not None)
BOTH = Threshold(0.2, warn=0.1)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def scored(value: float, p_value: float, metric: str = "js_distance") -> Score:
    return Score(Method(metric), value, 0.03, p_value, (0.0, value), 0.07, 500, 9000, (value,))


def of_counts(live: list[int], reference: list[int], metric: str = "js_distance") -> Score:
    return score_pair(Histogram(AXIS, live), Histogram(AXIS, reference), Method(metric), np.random.default_rng(3))


@pytest.mark.parametrize(
    ("value", "p_value", "threshold", "verdict", "code"),
    [
        (0.0, 1.0, BOTH, Verdict.OK, "within-limit"),
        (0.0999, 0.0, BOTH, Verdict.OK, "within-limit"),
        (0.1, 0.0, BOTH, Verdict.WARN, "warning-threshold-reached"),
        (0.1999, 0.00099, BOTH, Verdict.WARN, "warning-threshold-reached"),
        (0.2, 0.0, BOTH, Verdict.DRIFT, "threshold-reached"),
        (0.9, 0.00099, BOTH, Verdict.DRIFT, "threshold-reached"),
        (0.9, 0.001, BOTH, Verdict.INSUFFICIENT, "within-noise"),
        (0.15, 0.001, BOTH, Verdict.INSUFFICIENT, "within-noise"),
        (0.15, 0.0, Threshold(0.2), Verdict.OK, "within-limit"),
        (0.15, 0.9, Threshold(0.2), Verdict.OK, "within-limit"),
        (0.2, 0.0, Threshold(0.2, warn=0.2), Verdict.DRIFT, "threshold-reached"),
    ],
)
def test_verdict_and_code_of_a_score(
    value: float, p_value: float, threshold: Threshold, verdict: Verdict, code: str
) -> None:
    judged = judge(scored(value, p_value), threshold)
    assert (judged.verdict, judged.code) == (verdict, code)


def test_threshold_below_noise_gives_insufficient_never_an_alarm() -> None:
    rng, shares = np.random.default_rng(1), [0.05, 0.3, 0.4, 0.2, 0.05]
    verdicts = [
        judge(of_counts(rng.multinomial(40, shares).tolist(), [500, 3000, 4000, 2000, 500]), Threshold(0.005)).verdict
        for _ in range(200)
    ]
    assert verdicts.count(Verdict.INSUFFICIENT) > 190
    assert Verdict.DRIFT not in verdicts


@pytest.mark.parametrize("metric", WITH_DEFAULT)
def test_clear_drift_in_a_small_window_is_still_drift(metric: str) -> None:
    clear = of_counts([0, 0, 0, 0, 20], [500, 3000, 4000, 2000, 500], metric)
    assert judge(clear, default_threshold(metric)).verdict is Verdict.DRIFT


@pytest.mark.parametrize("metric", WITH_DEFAULT)
def test_a_single_row_in_a_known_bin_is_no_alarm(metric: str) -> None:
    for at in range(5):
        live = [int(i == at) for i in range(5)]
        judged = judge(of_counts(live, [500, 3000, 4000, 2000, 500], metric), default_threshold(metric))
        assert judged.verdict in {Verdict.OK, Verdict.INSUFFICIENT}


@pytest.mark.parametrize(
    ("value", "p_value", "threshold", "parts"),
    [
        (0.05, 0.5, BOTH, ("JS distance 0.05", "threshold 0.2", "typical score 0.03")),
        (0.15, 2e-5, BOTH, ("JS distance 0.15", "warning threshold 0.1", "typical score 0.03", "p = 2e-05")),
        (0.25, 0.0, default_threshold("js_distance"), ("JS distance 0.25", "default threshold 0.1", "p < 1e-9")),
        (0.25, 0.04, BOTH, ("500 live", "9,000 reference", "p = 0.04", "detectable score is 0.07")),
    ],
)
def test_messages_name_the_numbers(value: float, p_value: float, threshold: Threshold, parts: tuple[str, ...]) -> None:
    message = judge(scored(value, p_value), threshold).message
    assert [part for part in parts if part not in message] == []


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({"drift": 0}, ("drift", "got 0")),
        ({"drift": -0.1}, ("drift", "got -0.1")),
        ({"drift": math.nan}, ("drift", "got nan")),
        ({"drift": math.inf}, ("drift", "got inf")),
        ({"drift": 0.1, "warn": 0.0}, ("warn", "got 0.0")),
        ({"drift": 0.1, "warn": 0.2}, ("warn (0.2)", "drift (0.1)")),
    ],
)
def test_invalid_thresholds_are_refused(arguments: dict[str, Any], parts: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as error:
        Threshold(**arguments)
    assert error.value.code == "invalid-value"
    assert [part for part in parts if part not in str(error.value)] == []


def test_a_metric_without_a_default_threshold_asks_for_one() -> None:
    with pytest.raises(InputError, match=r"ks.*js_distance, js, kl, psi") as error:
        default_threshold("ks")
    assert error.value.code == "no-default-threshold"
    assert default_threshold("psi") == Threshold(0.2, is_default=True)


def test_worst_verdict_and_severity() -> None:
    assert worst([]) is Verdict.OK
    assert worst([Verdict.OK, Verdict.INSUFFICIENT]) is Verdict.INSUFFICIENT
    assert worst([Verdict.WARN, Verdict.DRIFT, Verdict.ERROR]) is Verdict.DRIFT
    assert len({severity(verdict) for verdict in Verdict}) == len(Verdict)
    assert [v for v in Verdict if v.is_conclusive] == [Verdict.OK, Verdict.WARN, Verdict.DRIFT]


@pytest.mark.parametrize(
    ("detectable", "verdict"), [(0.1, Verdict.OK), (0.3, Verdict.OK), (0.31, Verdict.INSUFFICIENT)]
)
def test_default_threshold_gives_way_to_noise_unless_blind(detectable: float, verdict: Verdict) -> None:
    score = replace(scored(0.12, 0.4), detectable=detectable)
    judged = judge(score, default_threshold("js_distance"))
    assert judged.verdict is verdict
    assert judged.code == "within-noise"
    assert judge(score, Threshold(0.1)).verdict is Verdict.INSUFFICIENT, "the user's threshold does not give way"


def learned(p_value: float, level: float = 1e-3, windows: int = 60, period: timedelta = DAY) -> LearnedEvidence:
    return LearnedEvidence(Evidence(p_value, 2, False, 0.1, 0.2, windows), level, period)


@pytest.mark.parametrize(
    ("p_value", "verdict"),
    [(0.0, Verdict.DRIFT), (0.00099, Verdict.DRIFT), (0.001, Verdict.OK), (0.5, Verdict.OK), (1.0, Verdict.OK)],
)
@pytest.mark.parametrize("value", [1e-6, 0.09, 0.11, 0.9])
def test_reference_windows_decide_without_a_users_threshold(p_value: float, verdict: Verdict, value: float) -> None:
    judged = judge(scored(value, 0.5), default_threshold("js_distance"), learned(p_value))
    code = "beyond-normal-variation" if verdict is Verdict.DRIFT else "within-limit"
    assert (judged.verdict, judged.code) == (verdict, code)


@pytest.mark.parametrize(
    ("value", "p_value", "verdict"),
    [
        (0.05, 0.0, Verdict.OK),
        (0.15, 0.0, Verdict.WARN),
        (0.25, 0.00099, Verdict.DRIFT),
        (0.25, 0.001, Verdict.INSUFFICIENT),
        (0.15, 0.5, Verdict.INSUFFICIENT),
    ],
)
def test_reference_windows_guard_the_users_threshold(value: float, p_value: float, verdict: Verdict) -> None:
    """The p-value of the score comes from the reference windows; the limit of the budget plays no part."""
    judged = judge(scored(value, p_value), BOTH, learned(p_value, level=0.9))
    assert judged.verdict is verdict
    assert (judged.code == "within-noise") is (verdict is Verdict.INSUFFICIENT)
    assert ("60 reference windows" in judged.message) is (verdict is Verdict.INSUFFICIENT)


@pytest.mark.parametrize(
    ("windows", "is_named"), [(8, True), (FEW_WINDOWS - 1, True), (FEW_WINDOWS, False), (60, False)]
)
@pytest.mark.parametrize("p_value", [1e-9, 0.5])
def test_messages_name_a_small_number_of_reference_windows(windows: int, is_named: bool, p_value: float) -> None:
    message = judge(scored(0.2, 0.0), default_threshold("js_distance"), learned(p_value, windows=windows)).message
    assert (f"only {windows} reference windows" in message) is is_named


@pytest.mark.parametrize(
    ("evidence", "frequency", "limit"),
    [
        ((1 / (9 * 365.2425), 1 / (4 * 365.2425), DAY), "by chance about once in 9 years", "once in 4 years"),
        ((1 / 14, 1 / 900, HOUR), "by chance about once in 14 hours", "once in 5 weeks"),
        ((1e-12, 1 / 900, HOUR), "by chance less than once in 1,000 years", "once in 5 weeks"),
    ],
)
def test_learned_messages_say_how_unlikely(
    evidence: tuple[float, float, timedelta], frequency: str, limit: str
) -> None:
    p_value, level, period = evidence
    judged = judge(scored(0.14, 0.0), default_threshold("js_distance"), learned(p_value, level, period=period))
    assert judged.message == f"JS distance 0.14, typically 0.03; {frequency} (limit: {limit})"


@pytest.mark.parametrize(
    ("p_value", "period", "text"),
    [
        (1.0, DAY, "once in 24 hours"),
        (0.5, DAY, "once in 2 days"),
        (1 / 13, DAY, "once in 13 days"),
        (1 / 14, DAY, "once in 2 weeks"),
        (1 / 730.485, DAY, "once in 2 years"),
        (1 / 729, DAY, "once in 104 weeks"),
        (1 / 90, timedelta(weeks=1), "once in 90 weeks"),
        (1.0, HOUR, "once in 60 minutes"),
        (1 / 365_000, DAY, "once in 999 years"),
        (1 / 366_000, DAY, "less than once in 1,000 years"),
        (0.0, HOUR, "less than once in 1,000 years"),
    ],
)
def test_frequency_of_a_p_value(p_value: float, period: timedelta, text: str) -> None:
    assert format_frequency(p_value, period) == text


YEARS = 365.2425


@pytest.mark.parametrize(
    ("p_value", "level", "texts"),
    [
        # Different without more digits.
        (1 / 14, 1 / YEARS / 3, ("once in 2 weeks", "once in 3 years")),
        (1e-12, 1 / YEARS / 3, ("less than once in 1,000 years", "once in 3 years")),
        # Equal when rounded: both get the digits that distinguish them.
        (1 / (2.9 * YEARS), 1 / (3.1 * YEARS), ("once in 2.9 years", "once in 3.1 years")),
        (1 / (3.01 * YEARS), 1 / (3.04 * YEARS), ("once in 3.01 years", "once in 3.04 years")),
        (1 / (3.0001 * YEARS), 1 / (3.001 * YEARS), ("once in 3.000 years", "once in 3.001 years")),
        (1 / 13.4, 1 / 12.6, ("once in 13.4 days", "once in 12.6 days")),
        (1 / (11_408 * YEARS), 1 / (12_000 * YEARS), ("once in 11,408.0 years", "once in 12,000.0 years")),
        # Equal at the most digits.
        (
            1 / (3 * YEARS),
            1.00001 / (3 * YEARS),
            ("slightly less often than once in 3.000 years", "once in 3.000 years"),
        ),
        (
            1 / (3 * YEARS),
            0.99999 / (3 * YEARS),
            ("slightly more often than once in 3.000 years", "once in 3.000 years"),
        ),
        (0.0, 1e-12, ("less than once in 1,000,000 years", "less than once in 1,000,000 years")),
    ],
)
def test_frequencies_of_window_and_limit_differ(p_value: float, level: float, texts: tuple[str, str]) -> None:
    assert format_frequencies(p_value, level, DAY) == texts


@pytest.mark.parametrize("period", [timedelta(), timedelta(hours=-1)])
def test_windows_without_length_have_no_frequency(period: timedelta) -> None:
    with pytest.raises(InputError) as error:
        format_frequencies(1e-3, 1e-4, period)
    assert error.value.code == "invalid-value"


def test_equal_p_values_have_equal_frequencies() -> None:
    frequency, limit = format_frequencies(1e-3, 1e-3, DAY)
    assert frequency == limit


def test_messages_near_the_limit_distinguish_both_numbers() -> None:
    near = learned(1 / (3.01 * YEARS), level=1 / (3.04 * YEARS))
    message = judge(scored(0.1, 0.0), default_threshold("js_distance"), near).message
    assert message.endswith("by chance about once in 3.01 years (limit: once in 3.04 years)")


@pytest.mark.parametrize("level", [0.01, 1e-4, 1e-9])
def test_ratio_is_one_at_the_limit_and_grows_beyond(level: float) -> None:
    assert ratio_to_limit(level, level) == pytest.approx(1)
    assert ratio_to_limit(1.0, level) == 0
    assert ratio_to_limit(level**2, level) == pytest.approx(2)
    assert ratio_to_limit(0.0, level) == pytest.approx(-300 / math.log10(level))
