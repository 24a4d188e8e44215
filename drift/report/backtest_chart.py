"""A backtest as a picture: which columns would have drifted when, and what would have fired."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import altair as alt
import vl_convert

from drift.monitors.verdict import Verdict
from drift.monitors.window import Window, format_instant
from drift.report.charts import VERDICT_COLOURS

CHART_WIDTH: Final = 760
MAX_PANELS: Final = 40
"""Columns drawn; those with the most come first, so the rest had the least to show."""
_ROW: Final = 22
_SCALE: Final = 2.0
_KINDS: Final = {
    "alert fires": VERDICT_COLOURS["drift"],
    "drift": VERDICT_COLOURS["heat3"],
    "warn": VERDICT_COLOURS["heat2"],
    "within the noise": VERDICT_COLOURS["line"],
    "could not be told": VERDICT_COLOURS["soft"],
}


@dataclass(frozen=True, slots=True)
class Mark:
    """One column (its label) in one window."""

    label: str
    window: Window
    kind: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One set of rules.

    Parameters
    ----------
    title, subtitle : str
        The rules, and what came of them.
    labels : sequence of str
        Columns, from top to bottom.
    windows : sequence of Window
        Oldest first.
    marks : iterable of Mark
        What was not `ok`.
    """

    title: str
    subtitle: str
    labels: Sequence[str]
    windows: Sequence[Window]
    marks: Iterable[Mark]


def mark_kind(verdict: Verdict, *, firing: bool) -> str:
    """What a cell shows: an alert that fires comes before the verdict."""
    if firing:
        return "alert fires"
    named = {Verdict.DRIFT: "drift", Verdict.WARN: "warn", Verdict.INSUFFICIENT: "within the noise"}
    return named.get(verdict, "could not be told")


def backtest_png(panels: Sequence[Panel]) -> bytes:
    """Columns by windows, one panel for each set of rules, as a PNG two pixels to the point."""
    charts = [_chart(panel) for panel in panels]
    whole = (
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
    spec: dict[str, Any] = whole.to_dict()
    return bytes(vl_convert.vegalite_to_png(spec, scale=_SCALE))


def _chart(panel: Panel) -> Any:
    labels = [_sound(label) for label in panel.labels]
    shown = labels[:MAX_PANELS]  # the rest had no more to show
    more = f"; {len(labels) - MAX_PANELS} columns more are not drawn" if len(labels) > MAX_PANELS else ""
    first, last = (format_instant(moment) for moment in (panel.windows[0].start, panel.windows[-1].end))
    rows = [_row(_sound(mark.label), mark.window) | {"kind": mark.kind} for mark in panel.marks]
    axis = alt.Axis(tickCount=8, labelOverlap=True, labelFlush=True)
    x = alt.X("start:T", title=None, axis=axis, scale=alt.Scale(type="utc", nice=False, domain=[first, last]))
    y = alt.Y("label:N", title=None, sort=shown, scale=alt.Scale(domain=shown, paddingInner=0.18))
    ground = [{"label": label, "start": first, "end": last} for label in shown]
    lanes = alt.Chart(alt.InlineData(ground)).mark_rect(color=VERDICT_COLOURS["heat0"]).encode(x=x, x2="end:T", y=y)
    kinds = alt.Scale(domain=list(_KINDS), range=list(_KINDS.values()))
    told = [row for row in rows if row["label"] in set(shown)]
    cells = (
        alt.Chart(alt.InlineData(told)).mark_rect().encode(x=x, x2="end:T", y=y, color=alt.Color("kind:N", scale=kinds))
    )
    title = alt.TitleParams(_sound(panel.title), subtitle=_sound(panel.subtitle) + more)
    return alt.layer(lanes, cells).properties(width=CHART_WIDTH, height=_ROW * max(len(shown), 1), title=title)


def _row(label: str, window: Window) -> dict[str, str]:
    return {"label": label, "start": format_instant(window.start), "end": format_instant(window.end)}


def _sound(text: str) -> str:
    """Half a character (a lone surrogate) spelled out: no font has it, and UTF-8 cannot hold it."""
    return text.encode("utf-8", "backslashreplace").decode()
