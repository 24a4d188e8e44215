"""Compact data of the charts in a page: one small JSON document for each column."""

from datetime import UTC
from typing import Any, Final
from zoneinfo import ZoneInfo

from drift.histogram.labels import ABOVE, BELOW, MISSING, OTHER, RARE, UNSEEN
from drift.monitors.verdict import Verdict
from drift.monitors.window import Window
from drift.report.formatting import NAMES, SIGNS, calendar_zone, format_window
from drift.report.page import Column, Page, Point

# A category with one of these names is quoted on its axis, so that the bare label is always the special bin.
SPECIAL_LABELS: Final = frozenset({BELOW, ABOVE, MISSING, RARE, UNSEEN, OTHER})
MAX_BARS: Final = 24
VERDICTS: Final = tuple(Verdict)  # at most ten: `history` codes each as one digit


def bins(column: Column) -> dict[str, Any] | None:
    """Return labels, counts, contributions to the score (in thousandths), and which bins to draw if not all."""
    if not column.bins:
        return None
    bars = bins_drawn(column)
    return {
        "labels": [b.label for b in column.bins],
        "reference": [b.reference for b in column.bins],
        "live": [b.live for b in column.bins],
        "parts": [_part(b.contribution, column.score) for b in column.bins],
        "moved": list(column.moved),
        "special": [i for i, b in enumerate(column.bins) if b.label in SPECIAL_LABELS],
    } | ({} if len(bars) == len(column.bins) else {"drawn": bars})


def _part(contribution: float | None, score: float | None) -> int | None:
    return round(1000 * contribution / score) if contribution is not None and score else None


def bins_drawn(column: Column) -> list[int]:
    """Return the indices of the bins to draw, in their order.

    If there are too many to read, these are the special bins, and those that moved most or have most rows on either
    side. The chart sums the rest in one bar; the table has all bins.
    """
    indices = range(len(column.bins))
    if len(column.bins) <= MAX_BARS:
        return list(indices)
    special = [i for i in indices if column.bins[i].label in SPECIAL_LABELS]
    plain = [i for i in indices if column.bins[i].label not in SPECIAL_LABELS]
    reference = sum(b.reference for b in column.bins) or 1
    live = sum(b.live for b in column.bins) or 1

    def weight(index: int) -> tuple[float, float]:
        bar = column.bins[index]
        return bar.contribution or 0.0, max(bar.reference / reference, bar.live / live)

    kept = sorted(plain, key=weight, reverse=True)[: MAX_BARS - len(special) - 1]
    return sorted([*kept, *special])


def history(column: Column, page: Page) -> dict[str, Any] | None:
    """Return the column's scores aligned with the page's timeline, null in windows without the column.

    `ratio` is the score relative to its limit, in percent; `detectable` the smallest score that would have stood out.
    Each verdict is a digit, an index into the verdicts of `timeline`, or ``-`` in windows without the column.
    """
    if not page.timeline or not column.history:
        return None
    by_start = {p.start: p for p in column.history}
    points = [by_start.get(w.start) for w in page.timeline]
    return {
        "score": [_round(p.score, 3) if p else None for p in points],
        "noise": _collapse([_round(p.noise_floor, 2) if p else None for p in points]),
        "threshold": _collapse([_round(p.threshold, 3) if p else None for p in points]),
        "detectable": _collapse([_round(_detectable(p), 2) if p else None for p in points]),
        "ratio": [None if p is None or p.ratio is None else round(100 * p.ratio) for p in points],
        "verdict": "".join(str(VERDICTS.index(p.verdict)) if p else "-" for p in points),
    }


def _detectable(point: Point) -> float | None:
    """Return the smallest score that would have stood out from the reference windows.

    None if it is within the noise: a change of one steady bin can be significant at a score below that of unchanged
    windows, and a line there would mislead.
    """
    if point.level is None or point.detectable is None or point.noise_floor is None:
        return None
    return point.detectable if point.detectable > point.noise_floor else None


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else float(f"{value:.{digits}g}")


def _collapse(values: list[float | None]) -> list[float | None] | float | None:
    """Return one number instead of a list of equal ones."""
    distinct = {v for v in values if v is not None}
    return distinct.pop() if len(distinct) == 1 else values


def timeline(page: Page) -> dict[str, Any]:
    """Return what the histories share: windows (local clock time, as if UTC), names of verdicts and columns."""
    return {
        "windows": [[*_clock(window, page.timezone), format_window(window, page.timezone)] for window in page.timeline],
        "verdicts": [[v.value, f"{SIGNS[v]} {NAMES[v]}"] for v in VERDICTS],
        "columns": [c.label for c in page.columns],
    }


def _clock(window: Window, timezone: ZoneInfo) -> tuple[int, int]:
    """Return both ends in milliseconds since 1970 of the local clock, so that axes break at local midnight."""
    zone = calendar_zone(window, timezone)
    start, end = (moment.astimezone(zone).replace(tzinfo=UTC) for moment in (window.start, window.end))
    return int(start.timestamp() * 1000), int(end.timestamp() * 1000)
