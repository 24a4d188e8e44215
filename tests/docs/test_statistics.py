"""docs/statistics.md says what is so."""

import math
import re
from datetime import timedelta

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from drift.stats.calibration import FEW_WINDOWS, MIN_WINDOWS
from drift.stats.divergence import js, js_distance, kl, psi
from drift.stats.false_alarm_budget import Budget
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([^|]*?) (\d[\d.]*) \| ([^|]*) \| (\d\.\d{3}) \|$", PAGE, flags=re.MULTILINE)

# How a number there becomes a distance in the root of bits, by what the row calls it.
TO_DISTANCE = {
    "a distance in √nats": lambda number: number / math.sqrt(math.log(2)),
    "a distance in √bits": lambda number: number,
    "a divergence in bits": math.sqrt,
    "nats, for small changes PSI ≈ 8 JS": lambda number: math.sqrt(number / 8 / math.log(2)),
}


@pytest.mark.parametrize(("tool", "number", "what", "told"), ROWS)
def test_a_translated_threshold_is_what_its_unit_says(tool: str, number: str, what: str, told: str) -> None:
    meaning = next(convert for name, convert in TO_DISTANCE.items() if what.startswith(name))
    assert meaning(float(number)) == pytest.approx(float(told), abs=5e-4), tool


def test_every_tool_of_the_table_is_there() -> None:
    assert len(ROWS) == 7


def test_scipys_default_is_the_distance_in_nats() -> None:
    p, q = np.array([0.2, 0.3, 0.5]), np.array([0.4, 0.3, 0.3])
    assert float(js_distance(p, q)) * math.sqrt(math.log(2)) == pytest.approx(jensenshannon(p, q))


def test_small_changes_are_four_js_in_kl_eight_in_psi() -> None:
    q = np.array([0.2, 0.3, 0.5])
    p = q + np.array([0.001, 0.001, -0.002])
    nats = float(js(p, q, base=math.e))
    assert float(kl(p, q, base=math.e)) == pytest.approx(4 * nats, rel=0.01)
    assert float(psi(p, q)) == pytest.approx(8 * nats, rel=0.01)


def test_the_page_names_the_numbers_of_the_program() -> None:
    assert f"holds {MIN_WINDOWS} windows or more" in PAGE
    assert f"From {MIN_WINDOWS} to {FEW_WINDOWS - 1} windows" in PAGE
    day = timedelta(days=1)
    assert Budget(100, day).level(1, day) == pytest.approx(0.01)
    assert "at most 0.01" in PAGE
    assert f"`false_alarms: {Budget()}` (the default)" in PAGE
