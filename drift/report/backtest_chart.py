"""Chart of a backtest: which columns would have drifted, and which alerts would have fired, in which windows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import altair as alt
import vl_convert

from drift.monitors.verdict import Verdict
from drift.monitors.window import Window, format_instant
from drift.report.charts import VERDICT_COLOURS
from drift.report.formatting import escape_surrogates

CHART_WIDTH: Final = 760
MAX_COLUMNS_DRAWN: Final = 40
"""Maximum columns drawn. Those with the most alerts and drifted windows come first."""
_ROW: Final = 22
_SCALE: Final = 2.0
_KINDS: Final = {
    "alert fires": VERDICT_COLOURS["drift"],
    "drift": VERDICT_COLOURS["heat3"],
    "warn": VERDICT_COLOURS["heat2"],
    "within normal variation": VERDICT_COLOURS["line"],
    "not evaluated": VERDICT_COLOURS["soft"],
}


@dataclass(frozen=True, slots=True)
class Mark:
    """One column, by its label, in one window."""

    label: str
    window: Window
    kind: str


@dataclass(frozen=True, slots=True)
class Panel:
    """The chart of one set of rules: the title names the rules, the subtitle their result.

    Labels of columns are drawn from top to bottom, windows oldest first. Marks are columns and windows that are not
    `ok`.
    """

    title: str
    subtitle: str
    labels: Sequence[str]
    windows: Sequence[Window]
    marks: Iterable[Mark]


def mark_kind(verdict: Verdict, *, firing: bool) -> str:
    """Return the kind of a cell: a firing alert takes precedence over the verdict."""
    if firing:
        return "alert fires"
    kinds = {Verdict.DRIFT: "drift", Verdict.WARN: "warn", Verdict.INSUFFICIENT: "within normal variation"}
    return kinds.get(verdict, "not evaluated")


def backtest_png(panels: Sequence[Panel]) -> bytes:
    """Draw columns by windows as a PNG, one panel for each set of rules, at two pixels per point."""
    charts = [_chart(panel) for panel in panels]
    chart = (
        alt.vconcat(*charts, spacing=28)
        .configure(font="sans-serif", background=VERDICT_COLOURS["paper"], padding=16)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=VERDICT_COLOURS["soft"], domain=False, ticks=False, grid=False, labelFontSize=12, labelLimit=240
        )
        .configure_title(
            anchor="start", fontSize=14, subtitleFontSize=12, subtitleColor=VERDICT_COLOURS["soft"], offset=10
        )
        .configure_legend(title=None, orient="bottom", labelFontSize=12, symbolType="square", symbolStrokeWidth=0)
    )
    spec: dict[str, Any] = chart.to_dict()
    return bytes(vl_convert.vegalite_to_png(spec, scale=_SCALE))


def _chart(panel: Panel) -> Any:
    labels = [escape_surrogates(label) for label in panel.labels]
    shown = labels[:MAX_COLUMNS_DRAWN]
    more = f"; {len(labels) - MAX_COLUMNS_DRAWN} more columns not drawn" if len(labels) > MAX_COLUMNS_DRAWN else ""
    first, last = (format_instant(moment) for moment in (panel.windows[0].start, panel.windows[-1].end))
    rows = [_row(escape_surrogates(mark.label), mark.window) | {"kind": mark.kind} for mark in panel.marks]
    axis = alt.Axis(tickCount=8, labelOverlap=True, labelFlush=True)
    x = alt.X("start:T", title=None, axis=axis, scale=alt.Scale(type="utc", nice=False, domain=[first, last]))
    y = alt.Y("label:N", title=None, sort=shown, scale=alt.Scale(domain=shown, paddingInner=0.18))
    background = [{"label": label, "start": first, "end": last} for label in shown]
    lanes = alt.Chart(alt.InlineData(background)).mark_rect(color=VERDICT_COLOURS["heat0"]).encode(x=x, x2="end:T", y=y)
    kinds = alt.Scale(domain=list(_KINDS), range=list(_KINDS.values()))
    drawn = [row for row in rows if row["label"] in set(shown)]
    cells = (
        alt.Chart(alt.InlineData(drawn))
        .mark_rect()
        .encode(x=x, x2="end:T", y=y, color=alt.Color("kind:N", scale=kinds))
    )
    title = alt.TitleParams(escape_surrogates(panel.title), subtitle=escape_surrogates(panel.subtitle) + more)
    return alt.layer(lanes, cells).properties(width=CHART_WIDTH, height=_ROW * max(len(shown), 1), title=title)


def _row(label: str, window: Window) -> dict[str, str]:
    return {"label": label, "start": format_instant(window.start), "end": format_instant(window.end)}
