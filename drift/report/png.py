"""One column's chart as a picture, for chats and e-mail that take no page."""

import copy
from typing import Any, Final

import vl_convert

from drift.errors import InputError
from drift.report import chart_data
from drift.report.charts import VERDICT_COLOURS, specifications
from drift.report.page import Column, Page

WIDTH: Final = 640
_ROW: Final = 24
_SCALE: Final = 2.0


def column_png(page: Page, name: str, segment: str = "") -> bytes:
    """Reference and live shares of one column's bins as a PNG, 640 points wide at two pixels each.

    Raises
    ------
    InputError
        Where the page holds no such column, or the column has no bins.
    """
    column = page.column(name, segment)
    if not column.bins:
        raise InputError(f"column {column.label!r} has no bins to draw: {column.message}")
    rows = _rows(column)
    spec = copy.deepcopy(specifications()["bins"])
    longest = max(max(row["reference"], row["live"]) for row in rows)
    _set(spec, "longest", 1.15 * longest)
    spec["config"] |= {"font": "sans-serif"}  # the picture is drawn here, by whatever fonts are here
    spec |= {
        "data": {"values": rows},
        "width": WIDTH,
        "height": _ROW * len(rows),
        "background": VERDICT_COLOURS["paper"],
        "padding": 12,
        "title": {"text": _sound(column.label), "subtitle": "grey: reference; narrow: live", "anchor": "start"},
    }
    return bytes(vl_convert.vegalite_to_png(spec, scale=_SCALE))


def _set(spec: dict[str, Any], name: str, value: float) -> None:
    for parameter in spec["params"]:
        if parameter["name"] == name:
            parameter["value"] = value


def _rows(column: Column) -> list[dict[str, Any]]:
    """The bins drawn, as `report.js` makes them of the same numbers; without gaps."""
    reference = sum(b.reference for b in column.bins) or 1
    live = sum(b.live for b in column.bins) or 1
    return [
        {
            "label": _sound(bar.label),
            "reference": bar.reference / reference,
            "live": bar.live / live,
            "moved": place in column.moved,
            "part": _part(bar.contribution, column.score),
        }
        for place, bar in ((i, column.bins[i]) for i in chart_data.drawn(column))
        if bar.label not in chart_data.SPECIAL or bar.reference or bar.live
    ]


def _part(contribution: float | None, score: float | None) -> str:
    return "–" if contribution is None or not score else f"{contribution / score:.0%}"


def _sound(text: str) -> str:
    """Half a character (a lone surrogate) spelled out: no font has it, and UTF-8 cannot hold it."""
    return text.encode("utf-8", "backslashreplace").decode()
