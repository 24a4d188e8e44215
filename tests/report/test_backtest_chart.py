"""The picture of a backtest: as high as what it shows, whatever columns are called."""

from datetime import UTC, datetime, timedelta

import pytest

from drift.monitors.verdict import Verdict
from drift.monitors.window import Window
from drift.report.backtest_chart import MAX_PANELS, Mark, Panel, backtest_png, mark_kind

START = datetime(2024, 3, 1, tzinfo=UTC)
DAYS = [Window(START + timedelta(days=i), START + timedelta(days=i + 1)) for i in range(30)]


def panel(labels: list[str]) -> Panel:
    marks = [Mark(label, DAYS[3 + i % 20], "drift") for i, label in enumerate(labels)]
    return Panel("m: js_distance 0.1", "alerts: 3", labels, DAYS, marks)


def height(png: bytes) -> int:
    """From the header: signature, then the chunk IHDR with width and height (PNG, 3rd ed., section 11.2.1)."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert png[12:16] == b"IHDR"
    return int.from_bytes(png[20:24], "big")


def test_a_picture_has_a_lane_a_column_up_to_a_limit_and_a_panel_a_set_of_rules() -> None:
    names = [f"c{i}" for i in range(MAX_PANELS + 20)]
    few, many, more = (height(backtest_png([panel(names[:n])])) for n in (10, MAX_PANELS, MAX_PANELS + 20))
    assert few < many == more
    assert height(backtest_png([panel(names[:10])] * 2)) > 1.8 * few


@pytest.mark.parametrize("name", ["\ud800", "a.b[0]", "<b>'\"\\", "", "ñ ☔ 列"])
def test_columns_may_be_called_anything(name: str) -> None:
    assert height(backtest_png([panel([name, "x"])])) == height(backtest_png([panel(["y", "x"])]))


@pytest.mark.parametrize(
    ("verdict", "firing", "kind"),
    [
        (Verdict.DRIFT, True, "alert fires"),
        (Verdict.OK, True, "alert fires"),
        (Verdict.DRIFT, False, "drift"),
        (Verdict.WARN, False, "warn"),
        (Verdict.INSUFFICIENT, False, "within the noise"),
        (Verdict.SCHEMA_ERROR, False, "could not be told"),
        (Verdict.NO_DATA, False, "could not be told"),
    ],
)
def test_a_cell_shows_the_alert_before_the_verdict(verdict: Verdict, firing: bool, kind: str) -> None:
    assert mark_kind(verdict, firing=firing) == kind
