"""A row in `DIVERGENCES` is all a new metric needs: scores, verdicts, reports and configuration read the row."""

from datetime import UTC, datetime

import numpy as np
import pytest

from drift.config import starter
from drift.config.values import metric as metric_key
from drift.histogram import Histogram, Kind, NumericAxis
from drift.monitors.verdict import Verdict, default_threshold, judge
from drift.report import formatting
from drift.stats.arrays import Floats
from drift.stats.divergence import DIVERGENCES, Divergence
from drift.stats.scoring import Method, score_pair

AXIS = NumericAxis((0, 10, 20))
REFERENCE = Histogram(AXIS, [500, 3000, 4000, 2000, 500])


def squared_gaps(p: Floats, q: Floats) -> Floats:
    return (p - q) ** 2


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        DIVERGENCES, "toy", Divergence(squared_gaps, logarithmic=False, threshold=0.02, unit="squared shares")
    )


def test_it_scores_and_is_judged_by_its_default_threshold() -> None:
    moved = Histogram(AXIS, [100, 300, 300, 200, 100])
    gaps = moved.counts / 1000 - REFERENCE.counts / 10_000
    scored = score_pair(moved, REFERENCE, Method("toy"), 1)
    assert scored.value == pytest.approx(float((gaps**2).sum()))
    assert scored.contributions == pytest.approx((gaps**2).tolist())
    assert default_threshold("toy").drift == 0.02
    assert judge(scored, default_threshold("toy")).verdict is Verdict.OK
    far = score_pair(Histogram(AXIS, [1000, 0, 0, 0, 0]), REFERENCE, Method("toy"), 1)
    assert judge(far, default_threshold("toy")).verdict is Verdict.DRIFT


def test_reports_show_its_unit() -> None:
    assert formatting.unit_symbol("toy") == formatting.unit_name("toy") == "squared shares"


@pytest.mark.parametrize("root", [False, True])
def test_a_logarithmic_metric_is_in_bits_or_nats(monkeypatch: pytest.MonkeyPatch, *, root: bool) -> None:
    monkeypatch.setitem(DIVERGENCES, "toy", Divergence(squared_gaps, root=root))
    sign = "√" if root else ""
    assert [formatting.unit_symbol("toy", base) for base in (None, 2, np.e)] == [
        f"{sign}bit",
        f"{sign}bit",
        f"{sign}nat",
    ]


def test_configuration_accepts_and_explains_it() -> None:
    assert metric_key("toy") == "toy"
    now = datetime(2025, 1, 1, tzinfo=UTC)
    span = (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 12, 1, tzinfo=UTC))
    comments = starter("d.csv", {"x": Kind.NUMBER}, "ts", span, now=now)
    assert all(name in comments for name in DIVERGENCES)
