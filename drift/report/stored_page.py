"""The page of a monitor, from what the store holds: its newest window, and its columns over time."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from drift.monitors.comparison import SegmentResult
from drift.monitors.verdict import Verdict, ratio_to_limit
from drift.monitors.window import Window
from drift.report.formatting import period
from drift.report.page import Column, Page, Point, Side
from drift.stats.scoring import Method

if TYPE_CHECKING:
    from drift.store import Store
    from drift.store.trends import Trend, WindowSummary

MAX_WINDOWS: Final = 100
MIN_WINDOWS_SHOWN: Final = 20
NOTHING: Final = "No window has been checked yet: `drift run` checks those that are due."


def page_from_store(
    store: "Store",
    monitor: str,
    *,
    now: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
    most: int = MAX_WINDOWS,
    cells: int | None = None,
    credit: str | None = None,
    timezone: ZoneInfo | None = None,
) -> Page:
    """The page of a monitor: the newest window that could be checked, and those before it.

    However many windows are stored, no more is read than is shown.

    Parameters
    ----------
    store : Store
        Where it is kept.
    monitor : str
        The monitor's name.
    now : datetime
        When the page is made, with a time zone.
    since, until : datetime, optional
        Only windows that begin in [since, until).
    most : int
        Windows of history, the newest.
    cells : int, optional
        Fewer windows where these times columns would be more than so many, but 20 at least.
    credit : str, optional
        Where the data comes from, if its licence wants that said.
    timezone : ZoneInfo, optional
        In which days are named; None takes it from the definition, as far as that tells it (it keeps ``${NAME}``).

    Raises
    ------
    StoreError
        Where no monitor is called so.
    """
    document = store.document(monitor)
    zone = timezone or _zone(document)
    checked, older = _fitting(store.newest(monitor, most + 1, since, until), most, cells)
    timeline = tuple(one.window for one in checked)
    told, results = _newest_told(store, monitor, checked)
    notes = [_untold(one, zone) for one in checked[told + 1 :]]
    if older is not None:
        notes.append(f"Shown are {len(checked)} windows; the store keeps older ones.")
    if not checked:
        notes.append(NOTHING if since is None and until is None else "No window that began then has been checked.")
    window = timeline[told] if results else None
    judged = (store.judging(monitor, window.start) if window else None) or {}
    reference = max((c.reference.rows for part in results for c in part.columns if c.reference), default=0)
    return Page(
        title=monitor,
        generated_at=now,
        metric=_metric(results),
        reference=Side(_reference(document, judged, zone), reference),
        live=Side(str(window) if window else "no window", results[0].live.rows if results else 0),
        columns=_columns(store, monitor, results, timeline, window),
        timeline=timeline if len(timeline) > 1 else (),
        window=window,
        older=older,
        timezone=zone,
        alerts=tuple(store.alerts(monitor, "firing")),
        notes=tuple(notes),
        credit=credit,
        budget=judged.get("budget") if any(c.level for part in results for c in part.columns) else None,
    )


def _fitting(
    seen: "Sequence[WindowSummary]", most: int, cells: int | None
) -> "tuple[Sequence[WindowSummary], datetime | None]":
    """The newest windows that a page has room for; and where the next older one begins, if there is one."""
    widest = max((one.columns for one in seen), default=0) or 1
    room = most if cells is None else min(most, max(cells // widest, MIN_WINDOWS_SHOWN))
    return seen[-room:], seen[-room - 1].window.start if len(seen) > room else None


def _zone(document: Mapping[str, Any]) -> ZoneInfo:
    named = str(document.get("timezone") or "UTC")
    return ZoneInfo("UTC" if "${" in named else named)


def _metric(results: Sequence[SegmentResult]) -> str:
    """That of most columns."""
    used = Counter(c.scored.method.metric for part in results for c in part.columns if c.scored is not None)
    return used.most_common(1)[0][0] if used else Method().metric


def _newest_told(
    store: "Store", monitor: str, checked: "Sequence[WindowSummary]"
) -> tuple[int, tuple[SegmentResult, ...]]:
    """The newest window that has results, by its place (-1 if none has), and the results."""
    for place in reversed(range(len(checked))):
        if checked[place].columns and (results := store.results(monitor, checked[place].window.start)):
            return place, results
    return -1, ()


def _columns(
    store: "Store",
    monitor: str,
    results: Sequence[SegmentResult],
    timeline: Sequence[Window],
    window: Window | None,
) -> tuple[Column, ...]:
    if window is None:
        return ()
    trends = store.trends(monitor, timeline)
    lasting = length(window)
    return tuple(
        Column.from_result(
            result, part.segment, [_point(t) for t in trends.get((part.segment, result.column), ())], lasting
        )
        for part in results
        for result in part.columns
    )


def _point(trend: "Trend") -> Point:
    return Point(
        start=trend.window.start,
        end=trend.window.end,
        score=trend.score,
        noise_floor=trend.noise_floor,
        threshold=trend.threshold,
        verdict=Verdict(trend.verdict),
        ratio=_ratio(trend),
        level=trend.level,
        detectable=trend.detectable,
    )


def _ratio(trend: "Trend") -> float | None:
    """As `ColumnResult.ratio`, of a stored score."""
    if trend.score is None:
        return None
    if trend.level is not None and trend.p_value is not None:
        return ratio_to_limit(trend.p_value, trend.level)
    return None if trend.threshold is None else trend.score / trend.threshold


def length(window: Window) -> timedelta:
    """Of a window, on the calendar: a week that loses an hour, as clocks go forward, is a week."""
    exact = window.end - window.start
    days = timedelta(days=round(exact / timedelta(days=1)))
    return days if days and abs(days - exact) <= timedelta(hours=1) else exact


def _untold(one: "WindowSummary", zone: ZoneInfo) -> str:
    return f"What the monitor saw {period(one.window, zone)} could not be checked: {one.message}"


def _reference(document: Mapping[str, Any], judged: Mapping[str, Any], zone: ZoneInfo) -> str:
    """What the definition calls the reference, a stretch of time or a file; of one that moves, where it stood."""
    told = document.get("reference")
    kind = judged.get("reference")
    if kind in {"rolling", "seasonal"}:
        first, last = (f"{datetime.fromisoformat(judged[end]).astimezone(zone):%Y-%m-%d}" for end in ("from", "to"))
        return f"{judged['windows']} windows from {first} to {last} ({kind})"
    if not isinstance(told, Mapping):
        return "reference"
    if told.get("path"):
        return str(told["path"])
    return f"{told.get('from', 'the beginning')} to {told.get('to', 'the end')}"
