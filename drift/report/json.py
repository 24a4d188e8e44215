"""Strict JSON, for programs."""

import json
from collections.abc import Sequence
from typing import Any, Final

from drift.monitors.comparison import ColumnResult
from drift.monitors.window import Window, format_instant
from drift.report.page import Column, Page, Point

DOCUMENT_VERSION: Final = 1


def comparison_document(
    metric: str,
    reference_rows: int,
    live_rows: int,
    results: Sequence[ColumnResult],
    labels: tuple[str, str] = ("reference", "live"),
) -> dict[str, Any]:
    """Return the document of ``drift compare --json``, without NaN.

    `metric` is the requested divergence, which columns may override. The columns are in the order of the results.
    `labels` are the names of the reference and the live data.
    """
    return {
        "version": DOCUMENT_VERSION,
        "metric": metric,
        "reference": {"rows": reference_rows, "label": labels[0]},
        "live": {"rows": live_rows, "label": labels[1]},
        "columns": [column_document(Column.from_result(r)) for r in results],
    }


def column_document(column: Column) -> dict[str, Any]:
    """Return one column: `missing` in shares (0 to 1), `reference` and `live` of a bin in rows."""
    return {
        "column": column.name,
        "kind": column.kind,
        "verdict": column.verdict.value,
        "code": column.code or None,
        "score": column.score,
        "noise_floor": column.noise_floor,
        "p_value": column.p_value,
        "interval": None if column.interval is None else list(column.interval),
        "threshold": None if column.threshold is None else column.threshold.drift,
        "missing": {"reference": column.missing_reference, "live": column.missing_live},
        "bins": [
            {"label": b.label, "reference": b.reference, "live": b.live, "contribution": b.contribution}
            for b in column.bins
        ],
        "message": column.message,
    }


def page_document(page: Page) -> dict[str, Any]:
    """Return a page: the keys of `comparison_document`, and more.

    If `threshold` is null and `level` is not, the limits were learned from reference windows: a p-value below `level`
    is drift. `reference_windows` is their number; if it is null, p-value and typical score come from the two
    samples alone. `expected` is the p-value in words, ``once in 9 years``. `detectable` is the smallest score that
    would have stood out from the noise.
    """
    return {
        "version": DOCUMENT_VERSION,
        "title": page.title,
        "generated_at": None if page.generated_at is None else format_instant(page.generated_at),
        "metric": page.metric,
        "verdict": page.verdict.value,
        "window": None if page.window is None else _ends(page.window),
        "reference": {"rows": page.reference.rows, "label": page.reference.label},
        "live": {"rows": page.live.rows, "label": page.live.label},
        "notes": list(page.notes),
        "alerts": [dict(alert) for alert in page.alerts],
        "columns": [
            {
                **column_document(c),
                "segment": c.segment,
                "metric": c.metric,
                "level": c.level,
                "reference_windows": c.reference_windows,
                "expected": c.expected,
                "history": [_point(p) for p in c.history],
            }
            for c in page.columns
        ],
    }


def _ends(window: Window) -> dict[str, str]:
    return {"start": format_instant(window.start), "end": format_instant(window.end)}


def _point(point: Point) -> dict[str, Any]:
    return {
        "window_start": format_instant(point.start),
        "window_end": format_instant(point.end),
        "score": point.score,
        "noise_floor": point.noise_floor,
        "detectable": point.detectable,
        "threshold": point.threshold,
        "level": point.level,
        "verdict": point.verdict.value,
    }


def render_json(page: Page) -> str:
    """Return the page as indented JSON.

    Raises
    ------
    ValueError
        If a value is NaN or infinite, which is a defect.
    """
    return json.dumps(page_document(page), indent=2, allow_nan=False) + "\n"
