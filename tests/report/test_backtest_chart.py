"""The chart of a backtest: its height, names of columns, and kinds of cells."""

from datetime import UTC, datetime, timedelta

import pytest

from drift.monitors.verdict import Verdict
from drift.monitors.window import Window
from drift.report.backtest_chart import MAX_COLUMNS_DRAWN, Mark, Panel, backtest_png, mark_kind

START = datetime(2024, 3, 1, tzinfo=UTC)
DAYS = [Window(START + timedelta(days=i), START + timedelta(days=i + 1)) for i in range(30)]


def panel(labels: list[str]) -> Panel:
    marks = [Mark(label, DAYS[3 + i % 20], "drift") for i, label in enumerate(labels)]
    return Panel("m: js_distance 0.1", "alerts: 3", labels, DAYS, marks)


def height(png: bytes) -> int:
    """Read the height from the header: signature, then chunk IHDR with width and height (PNG, 3rd ed., 11.2.1)."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert png[12:16] == b"IHDR"
    return int.from_bytes(png[20:24], "big")


def test_height_grows_with_columns_and_panels() -> None:
    names = [f"c{i}" for i in range(MAX_COLUMNS_DRAWN + 20)]
    few, many, more = (
        height(backtest_png([panel(names[:n])])) for n in (10, MAX_COLUMNS_DRAWN, MAX_COLUMNS_DRAWN + 20)
    )
    assert few < many == more
    assert height(backtest_png([panel(names[:10])] * 2)) > 1.8 * few


@pytest.mark.parametrize("name", ["\ud800", "a.b[0]", "<b>'\"\\", "", "ñ ☔ 列"])
def test_any_column_name_can_be_drawn(name: str) -> None:
    assert height(backtest_png([panel([name, "x"])])) == height(backtest_png([panel(["y", "x"])]))


@pytest.mark.parametrize(
    ("verdict", "firing", "kind"),
    [
        (Verdict.DRIFT, True, "alert fires"),
        (Verdict.OK, True, "alert fires"),
        (Verdict.DRIFT, False, "drift"),
        (Verdict.WARN, False, "warn"),
        (Verdict.INSUFFICIENT, False, "within normal variation"),
        (Verdict.SCHEMA_ERROR, False, "not evaluated"),
        (Verdict.NO_DATA, False, "not evaluated"),
    ],
)
def test_alert_takes_precedence_over_verdict(verdict: Verdict, firing: bool, kind: str) -> None:
    assert mark_kind(verdict, firing=firing) == kind
