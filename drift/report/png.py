"""PNG of one column, for chats and e-mail."""

import copy
from typing import Any, Final

import vl_convert

from drift.errors import InputError
from drift.report import chart_data
from drift.report.charts import VERDICT_COLOURS, specifications
from drift.report.formatting import escape_surrogates
from drift.report.page import Column, Page

WIDTH: Final = 640
_ROW: Final = 24
_SCALE: Final = 2.0


def column_png(page: Page, name: str, segment: str = "") -> bytes:
    """Draw the reference and live shares of one column's bins as a PNG, 640 points wide at two pixels each.

    Raises
    ------
    InputError
        If the page has no such column, or the column has no bins.
    """
    column = page.column(name, segment)
    if not column.bins:
        raise InputError(f"column {column.label!r} has no bins to draw: {column.message}", code="no-bins")
    rows = _rows(column)
    spec = copy.deepcopy(specifications()["bins"])
    largest_share = max(max(row["reference"], row["live"]) for row in rows)
    _set_parameter(spec, "largest", 1.15 * largest_share)
    spec["config"] |= {"font": "sans-serif"}  # whatever fonts this machine has
    spec |= {
        "data": {"values": rows},
        "width": WIDTH,
        "height": _ROW * len(rows),
        "background": VERDICT_COLOURS["paper"],
        "padding": 12,
        "title": {
            "text": escape_surrogates(column.label),
            "subtitle": "wide grey bars: reference; narrow bars: live",
            "anchor": "start",
        },
    }
    return bytes(vl_convert.vegalite_to_png(spec, scale=_SCALE))


def _set_parameter(spec: dict[str, Any], name: str, value: float) -> None:
    for parameter in spec["params"]:
        if parameter["name"] == name:
            parameter["value"] = value


def _rows(column: Column) -> list[dict[str, Any]]:
    """Return the rows of the chart, as `report.js` builds them, without gaps."""
    reference = sum(b.reference for b in column.bins) or 1
    live = sum(b.live for b in column.bins) or 1
    return [
        {
            "label": escape_surrogates(bar.label),
            "reference": bar.reference / reference,
            "live": bar.live / live,
            "moved": index in column.moved,
            "part": _part(bar.contribution, column.score),
        }
        for index, bar in ((i, column.bins[i]) for i in chart_data.bins_drawn(column))
        if bar.label not in chart_data.SPECIAL_LABELS or bar.reference or bar.live
    ]


def _part(contribution: float | None, score: float | None) -> str:
    return "–" if contribution is None or not score else f"{contribution / score:.0%}"
