"""The page of a monitor from the store: its newest window, and its columns over time."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from drift.monitors.comparison import SegmentResult
from drift.monitors.verdict import Verdict, ratio_to_limit
from drift.monitors.window import Window
from drift.report.formatting import format_window
from drift.report.page import Column, Page, Point, Side
from drift.stats.scoring import Method

if TYPE_CHECKING:
    from drift.store import Store
    from drift.store.queries import Trend, WindowSummary

MAX_WINDOWS: Final = 100
MIN_WINDOWS_SHOWN: Final = 20
NO_WINDOW: Final = "No window has been checked yet: `drift run` checks the windows that are due."


def page_from_store(
    store: "Store",
    monitor: str,
    *,
    now: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
    max_windows: int = MAX_WINDOWS,
    max_cells: int | None = None,
    credit: str | None = None,
    timezone: ZoneInfo | None = None,
) -> Page:
    """Build the page of a monitor: the newest window with results, and the windows before it.

    Reads only what the page shows, however many windows are stored.

    Parameters
    ----------
    since, until : datetime, optional
        Only windows that begin in [since, until).
    max_windows : int
        Number of newest windows in the history.
    max_cells : int, optional
        Reduces the windows until windows times columns is at most this, but not below 20 windows.
    credit : str, optional
        Origin of the data, if its licence requires attribution.
    timezone : ZoneInfo, optional
        Time zone of days; None takes it from the stored definition (UTC if that contains ``${NAME}``).

    Raises
    ------
    StoreError
        If the store has no such monitor.
    """
    document = store.monitors.document(monitor)
    zone = timezone or _zone(document)
    summaries, older = _fit(
        store.queries.newest_windows(monitor, max_windows + 1, since, until), max_windows, max_cells
    )
    timeline = tuple(summary.window for summary in summaries)
    newest, results = _newest_with_results(store, monitor, summaries)
    notes = [_not_evaluated(summary, zone) for summary in summaries[newest + 1 :]]
    if older is not None:
        notes.append(f"Only the newest {len(summaries)} windows are shown; the store has older ones.")
    if not summaries:
        notes.append(NO_WINDOW if since is None and until is None else "No window in this range has been checked.")
    window = timeline[newest] if results else None
    reference_note = (store.history.judged(monitor, window.start) if window else None) or {}
    rows = max((c.reference.rows for part in results for c in part.columns if c.reference), default=0)
    return Page(
        title=monitor,
        generated_at=now,
        metric=_metric(results),
        reference=Side(_reference_label(document, reference_note, zone), rows),
        live=Side(str(window) if window else "no window", results[0].live.rows if results else 0),
        columns=_columns(store, monitor, results, timeline, window),
        timeline=timeline if len(timeline) > 1 else (),
        window=window,
        older=older,
        timezone=zone,
        alerts=tuple(store.queries.alerts(monitor, "firing")),
        notes=tuple(notes),
        credit=credit,
        budget=reference_note.get("budget") if any(c.level for part in results for c in part.columns) else None,
    )


def _fit(
    summaries: "Sequence[WindowSummary]", max_windows: int, max_cells: int | None
) -> "tuple[Sequence[WindowSummary], datetime | None]":
    """Return the newest windows that fit on a page, and the start of the next older one, if there is one."""
    columns = max((summary.columns for summary in summaries), default=0) or 1
    fitting = max_windows if max_cells is None else min(max_windows, max(max_cells // columns, MIN_WINDOWS_SHOWN))
    return summaries[-fitting:], summaries[-fitting - 1].window.start if len(summaries) > fitting else None


def _zone(document: Mapping[str, Any]) -> ZoneInfo:
    name = str(document.get("timezone") or "UTC")
    return ZoneInfo("UTC" if "${" in name else name)


def _metric(results: Sequence[SegmentResult]) -> str:
    """Return the divergence of most columns."""
    metrics = Counter(c.scored.method.metric for part in results for c in part.columns if c.scored is not None)
    return metrics.most_common(1)[0][0] if metrics else Method().metric


def _newest_with_results(
    store: "Store", monitor: str, summaries: "Sequence[WindowSummary]"
) -> tuple[int, tuple[SegmentResult, ...]]:
    """Return the index of the newest window with results (-1 if there is none), and the results."""
    for index in reversed(range(len(summaries))):
        if summaries[index].columns and (results := store.history.results(monitor, summaries[index].window.start)):
            return index, results
    return -1, ()


def _columns(
    store: "Store", monitor: str, results: Sequence[SegmentResult], timeline: Sequence[Window], window: Window | None
) -> tuple[Column, ...]:
    if window is None:
        return ()
    trends = store.queries.trends(monitor, timeline)
    duration = nominal_length(window)
    return tuple(
        Column.from_result(
            result, part.segment, [_point(t) for t in trends.get((part.segment, result.column), ())], duration
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
    """Return the score relative to its limit, as `ColumnResult.ratio`, from a stored score."""
    if trend.score is None:
        return None
    if trend.level is not None and trend.p_value is not None:
        return ratio_to_limit(trend.p_value, trend.level)
    return None if trend.threshold is None else trend.score / trend.threshold


def nominal_length(window: Window) -> timedelta:
    """Return the length of a window on the calendar: a week in which the clocks change is a week."""
    exact = window.end - window.start
    days = timedelta(days=round(exact / timedelta(days=1)))
    return days if days and abs(days - exact) <= timedelta(hours=1) else exact


def _not_evaluated(summary: "WindowSummary", zone: ZoneInfo) -> str:
    return f"Window {format_window(summary.window, zone)} could not be evaluated: {summary.message}"


def _reference_label(document: Mapping[str, Any], note: Mapping[str, Any], zone: ZoneInfo) -> str:
    """Name the reference by its range or file; a moving one by its range for the window shown."""
    reference = document.get("reference")
    kind = note.get("reference")
    if kind in {"rolling", "seasonal"}:
        first, last = (f"{datetime.fromisoformat(note[end]).astimezone(zone):%Y-%m-%d}" for end in ("from", "to"))
        return f"{note['windows']} windows from {first} to {last} ({kind})"
    if not isinstance(reference, Mapping):
        return "reference"
    if reference.get("path"):
        return str(reference["path"])
    return f"{reference.get('from', 'the beginning')} to {reference.get('to', 'the end')}"
