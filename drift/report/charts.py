"""Altair specifications of the charts, without data: report.js and png.py insert it."""

from functools import cache
from typing import Any, Final

import altair as alt

from drift.monitors.verdict import Verdict
from drift.report.formatting import NAMES

# Colours of a PNG. In the page, report.js replaces each by the CSS variable of the same name, so that CSS alone
# switches between light, dark and print.
VERDICT_COLOURS: Final = {
    "ink": "#1f2933",
    "soft": "#5b6770",
    "line": "#d9dee2",
    "paper": "#ffffff",
    "reference": "#c3ccd4",
    "live": "#2f6f9f",
    "drift": "#b5401d",
    "warn": "#946200",
    "noise": "#e8ecef",
    "heat0": "#eef2f5",
    "heat1": "#d3dfe8",
    "heat2": "#a9c1d3",
    "heat3": "#f2b48f",
    "heat4": "#dd7345",
    "heat5": "#b5401d",
}
_STEPS: Final = (0.4, 0.7, 1, 1.5, 2.5)  # score relative to its limit, at which the colour of a cell changes
_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"


@cache
def specifications() -> dict[str, dict[str, Any]]:
    """Return the specifications by name: ``bins``, ``history``, ``heatmap``."""
    return {"bins": _finished(_bins()), "history": _finished(_history()), "heatmap": _finished(_heatmap())}


def _colour(name: str) -> Any:
    return alt.expr(name)


def _finished(chart: alt.LayerChart) -> dict[str, Any]:
    """Return a chart as a dict, with its parameters, without data and schema address."""
    parameters = [alt.param(name=name, value=value) for name, value in VERDICT_COLOURS.items()]
    # Width in pixels for names of bins and columns; upper end of the axis of shares.
    parameters += [alt.param(name="names", value=190), alt.param(name="largest", value=1)]
    styled = (
        chart.add_params(*parameters)
        .properties(autosize=alt.AutoSizeParams(type="fit-x", contains="padding"))
        .configure(font=_FONT, background="transparent", padding={"left": 0, "right": 2, "top": 2, "bottom": 6})
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=_colour("soft"),
            titleColor=_colour("soft"),
            gridColor=_colour("line"),
            domainColor=_colour("line"),
            tickColor=_colour("line"),
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
        )
    )
    spec: dict[str, Any] = styled.to_dict(validate=True)
    spec.pop("data", None)
    spec.pop("datasets", None)
    spec.pop("$schema")
    return spec


def _bins() -> alt.LayerChart:
    """Draw live shares as narrow bars over wide bars of the reference, and contributions to the score as text.

    Rows: ``label, reference, live`` (shares), ``moved`` (bool), ``part`` (text), in the order of the bins.
    A row without shares is a gap, which separates the special bins.
    """
    # The axis extends beyond 100 % if the text beside a bar needs the space.
    share = alt.Axis(
        format=".0%",
        tickCount=5,
        domain=False,
        ticks=False,
        title="share of rows",
        labelExpr="datum.value > 1 ? '' : datum.label",
        gridOpacity=alt.condition("datum.value > 1", alt.value(0), alt.value(1)),
    )
    tooltip = [
        alt.Tooltip("label:N", title="bin"),
        alt.Tooltip("reference:Q", title="reference", format=".2%"),
        alt.Tooltip("live:Q", title="live", format=".2%"),
        alt.Tooltip("part:N", title="contribution to the score"),
    ]
    base = alt.Chart(alt.NamedData("rows")).encode(y=_names(0.25), tooltip=tooltip)
    wide = base.mark_bar(height={"band": 1}, color=_colour("reference"), cornerRadiusEnd=2).encode(
        x=alt.X("reference:Q", axis=share, scale=alt.Scale(domainMin=0, domainMax=alt.expr("largest"), nice=False))
    )
    narrow = base.mark_bar(height={"band": 0.42}, cornerRadiusEnd=1).encode(
        x="live:Q",
        color=alt.when("datum.moved").then(alt.value(_colour("drift"))).otherwise(alt.value(_colour("live"))),
    )
    part = (
        base.mark_text(align="left", dx=6, fontSize=12, fontWeight=600, color=_colour("drift"))
        .encode(x=alt.X("end:Q"), text="text:N")
        .transform_calculate(end="max(datum.live, datum.reference)", text="datum.moved ? '◆ ' + datum.part : ''")
    )
    return alt.LayerChart(layer=[wide, narrow, part])


def _history() -> alt.LayerChart:
    """Draw scores over time, the typical score as a band, the threshold as a dashed line, verdicts as marks.

    If the limits were learned there is no threshold: a dotted line is the smallest significant score.
    Rows: ``start, end`` (ms), ``middle``, ``score``, ``noise``, ``threshold``, ``detectable``, ``ratio``,
    ``verdict``, ``verdict_name``, ``window`` (text).
    """
    tooltip = [
        alt.Tooltip("window:N", title="window"),
        alt.Tooltip("verdict_name:N", title="verdict"),
        alt.Tooltip("score:Q", title="score", format=".3~g"),
        alt.Tooltip("ratio:Q", title="relative to limit (1 = drift)", format=".2f"),
        alt.Tooltip("noise:Q", title="typical score", format=".2~g"),
    ]
    time = _time("middle:T")
    score = alt.Y(
        "score:Q", title=None, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=4, domain=False, ticks=False)
    )
    base = alt.Chart(alt.NamedData("rows")).encode(x=time)
    noise = base.mark_area(color=_colour("noise"), interpolate="step").encode(y=alt.Y("noise:Q", title=None))
    line = base.mark_line(color=_colour("live"), strokeWidth=1.5).encode(y=score)
    limit = base.mark_line(color=_colour("drift"), strokeDash=[5, 4], strokeWidth=1.2, interpolate="step").encode(
        y=alt.Y("threshold:Q", title=None)
    )
    detectable = base.mark_line(color=_colour("soft"), strokeDash=[2, 3], strokeWidth=1.2, interpolate="step").encode(
        y=alt.Y("detectable:Q", title=None)
    )
    size = alt.when("datum.verdict == 'ok'").then(alt.value(12)).otherwise(alt.value(55))
    marks = base.mark_point(filled=True, opacity=1, stroke=_colour("paper"), strokeWidth=0.8).encode(
        y=score, shape=_shape(), size=size, color=_verdict_colour(), tooltip=tooltip
    )
    return alt.LayerChart(layer=[noise, limit, detectable, line, marks])


def _heatmap() -> alt.LayerChart:
    """Draw columns by windows: colour is the score relative to its limit, a mark is a verdict other than ok.

    Rows: ``label``, ``start, end, middle`` (ms), ``ratio``, ``verdict``, ``verdict_name``, ``window`` (text),
    ``score``.
    """
    tooltip = [
        alt.Tooltip("label:N", title="column"),
        alt.Tooltip("window:N", title="window"),
        alt.Tooltip("verdict_name:N", title="verdict"),
        alt.Tooltip("ratio:Q", title="relative to limit (1 = drift)", format=".2f"),
        alt.Tooltip("score:Q", title="score", format=".3~g"),
    ]
    base = alt.Chart(alt.NamedData("rows")).encode(y=_names(0.12), tooltip=tooltip)
    cells = base.mark_rect(stroke=_colour("paper"), strokeWidth=0.6).encode(
        x=_time("start:T"),
        x2="end:T",
        color=alt.Color(
            "ratio:Q",
            legend=None,
            scale=alt.Scale(
                type="threshold", domain=list(_STEPS), range=[_colour(f"heat{i}") for i in range(len(_STEPS) + 1)]
            ),
        ),
    )
    ink = alt.when("datum.verdict == 'drift'").then(alt.value(_colour("paper"))).otherwise(alt.value(_colour("ink")))
    marks = (
        base.mark_point(filled=True, opacity=1, size=14)
        .encode(x="middle:T", shape=_shape(), color=ink)
        .transform_filter("datum.verdict != 'ok'")
    )
    return alt.LayerChart(layer=[cells, marks])


def _time(field: str) -> alt.X:
    axis = alt.Axis(title=None, grid=False, tickCount=6, labelOverlap=True, labelSeparation=10, labelFlush=True)
    return alt.X(field, scale=alt.Scale(type="utc", nice=False), axis=axis)


def _shape() -> Any:
    shapes = {Verdict.DRIFT: "diamond", Verdict.WARN: "triangle-up", Verdict.OK: "circle"}
    return alt.Shape(
        "verdict:N",
        legend=None,
        scale=alt.Scale(domain=[v.value for v in Verdict], range=[shapes.get(v, "cross") for v in Verdict]),
    )


def _verdict_colour() -> Any:
    colours = {Verdict.DRIFT: "drift", Verdict.WARN: "warn", Verdict.OK: "live"}
    return alt.Color(
        "verdict:N",
        legend=None,
        scale=alt.Scale(domain=[v.value for v in Verdict], range=[_colour(colours.get(v, "soft")) for v in Verdict]),
    )


assert set(NAMES) == set(Verdict)  # noqa: S101 - every verdict has a name


def _names(padding: float) -> alt.Y:
    """Return a row for each name, in the order of the data; `padding` is the share of a row that stays empty."""
    axis = alt.Axis(ticks=False, domain=False, labelLimit=alt.expr("names"), labelColor=_colour("ink"), labelPadding=8)
    return alt.Y("label:N", sort=None, title=None, scale=alt.Scale(paddingInner=padding), axis=axis)
