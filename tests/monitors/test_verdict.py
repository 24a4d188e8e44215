"""Verdicts: a score held against a threshold, guarded by the noise."""

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
    ratio_of,
    severity,
    worst,
)
from drift.stats.calibration import FEW_WINDOWS, Evidence
from drift.stats.divergence import DIVERGENCES
from drift.stats.scoring import Method, Score, score

AXIS = NumericAxis((0, 10, 20))
WITH_DEFAULT = sorted(name for name, row in DIVERGENCES.items() if row.threshold is not None)
BOTH = Threshold(0.2, warn=0.1)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def scored(value: float, p_value: float, metric: str = "js_distance") -> Score:
    return Score(Method(metric), value, 0.03, p_value, (0.0, value), 0.07, 500, 9000, (value,))


def of_counts(live: list[int], reference: list[int], metric: str = "js_distance") -> Score:
    return score(Histogram(AXIS, live), Histogram(AXIS, reference), Method(metric), np.random.default_rng(3))


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


def test_a_threshold_under_the_noise_gives_insufficient_and_never_an_alarm() -> None:
    rng, shares = np.random.default_rng(1), [0.05, 0.3, 0.4, 0.2, 0.05]
    told = [
        judge(of_counts(rng.multinomial(40, shares).tolist(), [500, 3000, 4000, 2000, 500]), Threshold(0.005)).verdict
        for _ in range(200)
    ]
    assert told.count(Verdict.INSUFFICIENT) > 190
    assert Verdict.DRIFT not in told


@pytest.mark.parametrize("metric", WITH_DEFAULT)
def test_clear_drift_in_a_small_window_is_still_drift(metric: str) -> None:
    clear = of_counts([0, 0, 0, 0, 20], [500, 3000, 4000, 2000, 500], metric)
    assert judge(clear, default_threshold(metric)).verdict is Verdict.DRIFT


@pytest.mark.parametrize("metric", WITH_DEFAULT)
def test_a_single_row_is_never_an_alarm_where_the_reference_knows_its_bin(metric: str) -> None:
    for at in range(5):
        live = [int(i == at) for i in range(5)]
        judged = judge(of_counts(live, [500, 3000, 4000, 2000, 500], metric), default_threshold(metric))
        assert judged.verdict in {Verdict.OK, Verdict.INSUFFICIENT}


def test_reasons_name_the_numbers() -> None:
    assert judge(scored(0.05, 0.5), BOTH).message == "js_distance 0.05 is under the threshold 0.2 (noise 0.03)"
    assert (
        judge(scored(0.15, 2e-5), BOTH).message
        == "js_distance 0.15 reaches the warning threshold 0.1 (noise 0.03, p = 2e-05)"
    )
    assert judge(scored(0.25, 0.0), default_threshold("js_distance")).message == (
        "js_distance 0.25 reaches the customary threshold 0.1 (noise 0.03, p < 1e-9)"
    )
    reason = judge(scored(0.25, 0.04), BOTH).message
    for part in ("500 live and 9000 reference rows", "p = 0.04", "only 0.07 or more would stand out"):
        assert part in reason


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"drift": 0}, "drift is a finite number above 0; got 0"),
        ({"drift": -0.1}, "got -0.1"),
        ({"drift": math.nan}, "got nan"),
        ({"drift": math.inf}, "got inf"),
        ({"drift": 0.1, "warn": 0.0}, "warn is a finite number above 0; got 0.0"),
        ({"drift": 0.1, "warn": 0.2}, r"warn \(0.2\) lies above drift \(0.1\)"),
    ],
)
def test_a_threshold_that_is_none_is_named(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Threshold(**arguments)


def test_a_metric_without_a_default_threshold_asks_for_one() -> None:
    with pytest.raises(InputError, match=r"ks.*js_distance, js, kl, psi") as error:
        default_threshold("ks")
    assert error.value.code == "no-default-threshold"
    assert default_threshold("psi") == Threshold(0.2, customary=True)


def test_the_worst_of_some_verdicts() -> None:
    assert worst([]) is Verdict.OK
    assert worst([Verdict.OK, Verdict.INSUFFICIENT]) is Verdict.INSUFFICIENT
    assert worst([Verdict.WARN, Verdict.DRIFT, Verdict.ERROR]) is Verdict.DRIFT
    assert len({severity(verdict) for verdict in Verdict}) == len(Verdict)
    assert [v for v in Verdict if v.told] == [Verdict.OK, Verdict.WARN, Verdict.DRIFT]


@pytest.mark.parametrize(
    ("detectable", "verdict"), [(0.1, Verdict.OK), (0.3, Verdict.OK), (0.31, Verdict.INSUFFICIENT)]
)
def test_a_customary_limit_within_the_noise_gives_way_to_it_until_the_window_is_too_small(
    detectable: float, verdict: Verdict
) -> None:
    score = replace(scored(0.12, 0.4), detectable=detectable)
    judged = judge(score, default_threshold("js_distance"))
    assert judged.verdict is verdict
    assert judged.code == "within-noise"
    assert judge(score, Threshold(0.1)).verdict is Verdict.INSUFFICIENT, "a limit of one's own does not give way"


def learned(p_value: float, level: float = 1e-3, windows: int = 60, period: timedelta = DAY) -> LearnedEvidence:
    return LearnedEvidence(Evidence(p_value, 2, False, 0.1, 0.2, windows), level, period)


@pytest.mark.parametrize(
    ("p_value", "verdict"),
    [(0.0, Verdict.DRIFT), (0.00099, Verdict.DRIFT), (0.001, Verdict.OK), (0.5, Verdict.OK), (1.0, Verdict.OK)],
)
@pytest.mark.parametrize("value", [1e-6, 0.09, 0.11, 0.9])
def test_where_no_limit_is_named_reference_windows_judge_whatever_the_score(
    p_value: float, verdict: Verdict, value: float
) -> None:
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
def test_a_limit_of_the_users_judges_and_reference_windows_guard_it(
    value: float, p_value: float, verdict: Verdict
) -> None:
    """The score's p-value is the reference windows', once there are enough; the budget's level has no say."""
    judged = judge(scored(value, p_value), BOTH, learned(p_value, level=0.9))
    assert judged.verdict is verdict
    assert ("60 reference windows vary this much" in judged.message) is (verdict is Verdict.INSUFFICIENT)


@pytest.mark.parametrize(("windows", "said"), [(8, True), (FEW_WINDOWS - 1, True), (FEW_WINDOWS, False), (60, False)])
@pytest.mark.parametrize("p_value", [1e-9, 0.5])
def test_a_judgement_learned_from_few_windows_says_so(windows: int, said: bool, p_value: float) -> None:
    reason = judge(scored(0.2, 0.0), default_threshold("js_distance"), learned(p_value, windows=windows)).message
    assert (f"learned from {windows} windows only" in reason) is said


def test_a_reason_says_how_often_an_ordinary_window_is_as_strange_and_what_the_budget_asks() -> None:
    auto = default_threshold("js_distance")
    assert judge(scored(0.14, 0.0), auto, learned(1 / (9 * 365.2425))).message == (
        "js_distance 0.14, noise 0.03; expected this often: once in 9 years"
    )
    assert judge(scored(0.04, 0.0), auto, learned(1 / 14, level=1 / 900, period=HOUR)).message == (
        "js_distance 0.04, noise 0.03; expected this often: once in 14 hours, the budget asks for once in 5 weeks"
    )


@pytest.mark.parametrize(
    ("p_value", "period", "told"),
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
def test_a_p_value_is_told_as_how_often_such_a_window_comes(p_value: float, period: timedelta, told: str) -> None:
    assert format_frequency(p_value, period) == told


YEARS = 365.2425


@pytest.mark.parametrize(
    ("p_value", "level", "told"),
    [
        # Apart as they are: no more digits than anybody needs.
        (1 / 14, 1 / YEARS / 3, ("once in 2 weeks", "once in 3 years")),
        (1e-12, 1 / YEARS / 3, ("less than once in 1,000 years", "once in 3 years")),
        # Alike when rounded: as many digits as tell them apart, in both.
        (1 / (2.9 * YEARS), 1 / (3.1 * YEARS), ("once in 2.9 years", "once in 3.1 years")),
        (1 / (3.01 * YEARS), 1 / (3.04 * YEARS), ("once in 3.01 years", "once in 3.04 years")),
        (1 / (3.0001 * YEARS), 1 / (3.001 * YEARS), ("once in 3.000 years", "once in 3.001 years")),
        (1 / 13.4, 1 / 12.6, ("once in 13.4 days", "once in 12.6 days")),
        (1 / (11_408 * YEARS), 1 / (12_000 * YEARS), ("once in 11,408.0 years", "once in 12,000.0 years")),
        # Closer than that.
        (
            1 / (3 * YEARS),
            1.00001 / (3 * YEARS),
            ("a little less often than once in 3.000 years", "once in 3.000 years"),
        ),
        (
            1 / (3 * YEARS),
            0.99999 / (3 * YEARS),
            ("a little more often than once in 3.000 years", "once in 3.000 years"),
        ),
        (0.0, 1e-12, ("less than once in 1,000,000 years", "less than once in 1,000,000 years")),
    ],
)
def test_what_comes_and_what_the_budget_asks_are_told_apart(
    p_value: float, level: float, told: tuple[str, str]
) -> None:
    assert format_frequencies(p_value, level, DAY) == told


@pytest.mark.parametrize("period", [timedelta(), timedelta(hours=-1)])
def test_windows_of_no_length_come_at_no_rate(period: timedelta) -> None:
    with pytest.raises(InputError, match="longer than nothing"):
        format_frequencies(1e-3, 1e-4, period)


def test_equal_numbers_are_told_alike() -> None:
    same = format_frequencies(1e-3, 1e-3, DAY)
    assert same[0] == same[1]


def test_a_reason_near_the_limit_tells_both_numbers_apart() -> None:
    near = learned(1 / (3.01 * YEARS), level=1 / (3.04 * YEARS))
    assert judge(scored(0.1, 0.0), default_threshold("js_distance"), near).message.endswith(
        "expected this often: once in 3.01 years, the budget asks for once in 3.04 years"
    )


@pytest.mark.parametrize("level", [0.01, 1e-4, 1e-9])
def test_the_way_to_drift_is_one_at_the_level_and_grows_beyond(level: float) -> None:
    assert ratio_of(level, level) == pytest.approx(1)
    assert ratio_of(1.0, level) == 0
    assert ratio_of(level**2, level) == pytest.approx(2)
    assert ratio_of(0.0, level) == pytest.approx(-300 / math.log10(level))
