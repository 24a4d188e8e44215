"""The numbers behind the charts, as compact as the page needs: one small JSON document for each column."""

from datetime import UTC
from typing import Any, Final
from zoneinfo import ZoneInfo

from drift.histogram.labels import ABOVE, BELOW, MISSING, OTHER, RARE, UNSEEN
from drift.monitors.verdict import Verdict
from drift.monitors.window import Window
from drift.report.formatting import NAMES, SIGNS, calendar_zone, period
from drift.report.page import Column, Page, Point

# Categories with these very names stand in quotes on their axis, so a bare label is the special bin.
SPECIAL: Final = frozenset({BELOW, ABOVE, MISSING, RARE, UNSEEN, OTHER})
MAX_BARS: Final = 24
VERDICTS: Final = tuple(Verdict)  # one digit each


def bins(column: Column) -> dict[str, Any] | None:
    """Labels, counts of both sides, parts of the score (in thousandths) and which bins get a bar, if not all."""
    if not column.bins:
        return None
    bars = drawn(column)
    return {
        "labels": [b.label for b in column.bins],
        "reference": [b.reference for b in column.bins],
        "live": [b.live for b in column.bins],
        "parts": [_part(b.contribution, column.score) for b in column.bins],
        "moved": list(column.moved),
        "special": [i for i, b in enumerate(column.bins) if b.label in SPECIAL],
    } | ({} if len(bars) == len(column.bins) else {"drawn": bars})


def _part(contribution: float | None, score: float | None) -> int | None:
    return round(1000 * contribution / score) if contribution is not None and score else None


def drawn(column: Column) -> list[int]:
    """Indices of the bins that get a bar of their own, in the bins' order.

    All of them, unless there are too many to read: then those that moved most and hold most rows on either
    side, and the special ones that hold rows; the others are summed in one bar (and are all in the table).
    """
    every = range(len(column.bins))
    if len(column.bins) <= MAX_BARS:
        return list(every)
    special = [i for i in every if column.bins[i].label in SPECIAL]
    plain = [i for i in every if column.bins[i].label not in SPECIAL]
    reference = sum(b.reference for b in column.bins) or 1
    live = sum(b.live for b in column.bins) or 1

    def weight(index: int) -> tuple[float, float]:
        one = column.bins[index]
        return one.contribution or 0.0, max(one.reference / reference, one.live / live)

    kept = sorted(plain, key=weight, reverse=True)[: MAX_BARS - len(special) - 1]
    return sorted([*kept, *special])


def history(column: Column, page: Page) -> dict[str, Any] | None:
    """The column's scores aligned with the page's timeline: null where a window holds none.

    `ratio` is how far each was on the way to drift, in percent; `stands` the smallest score that would have stood out.
    Verdicts are digits, indices into those of `timeline`, and ``-`` where a window holds none.
    """
    if not page.timeline or not column.history:
        return None
    known = {p.start: p for p in column.history}
    points = [known.get(w.start) for w in page.timeline]
    return {
        "score": [_short(p.score, 3) if p else None for p in points],
        "noise": _same([_short(p.noise_floor, 2) if p else None for p in points]),
        "threshold": _same([_short(p.threshold, 3) if p else None for p in points]),
        "stands": _same([_short(_stands_out(p), 2) if p else None for p in points]),
        "ratio": [None if p is None or p.ratio is None else round(100 * p.ratio) for p in points],
        "verdict": "".join(str(VERDICTS.index(p.verdict)) if p else "-" for p in points),
    }


def _stands_out(point: Point) -> float | None:
    """Where reference windows judged, the smallest score that would have stood out from them.

    None where it lies within the noise: one quiet bin can give a window away that scores less than ordinary ones do,
    and a line there would say nothing.
    """
    if point.level is None or point.detectable is None or point.noise_floor is None:
        return None
    return point.detectable if point.detectable > point.noise_floor else None


def _short(value: float | None, digits: int) -> float | None:
    return None if value is None else float(f"{value:.{digits}g}")


def _same(values: list[float | None]) -> list[float | None] | float | None:
    """One number instead of a list of equal ones."""
    told = {v for v in values if v is not None}
    return told.pop() if len(told) == 1 else values


def timeline(page: Page) -> dict[str, Any]:
    """What the histories share: the windows (clock time of the calendar, as if UTC) and the verdicts' names."""
    return {
        "windows": [[*_clock(window, page.timezone), period(window, page.timezone)] for window in page.timeline],
        "verdicts": [[v.value, f"{SIGNS[v]} {NAMES[v]}"] for v in VERDICTS],
        "columns": [c.label for c in page.columns],
    }


def _clock(window: Window, timezone: ZoneInfo) -> tuple[int, int]:
    """Both ends in milliseconds since 1970 of the local clock: axes then break at local midnights."""
    zone = calendar_zone(window, timezone)
    start, end = (moment.astimezone(zone).replace(tzinfo=UTC) for moment in (window.start, window.end))
    return int(start.timestamp() * 1000), int(end.timestamp() * 1000)
