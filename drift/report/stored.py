"""The page of a monitor, from what the store holds: its newest window, and its columns over time."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from drift.comparison import SegmentResult
from drift.report.model import Column, Page, Point, Side
from drift.report.words import period
from drift.scoring import Method
from drift.verdict import Verdict, ratio_of
from drift.window import Window

if TYPE_CHECKING:
    from drift.store import Store

MOST_WINDOWS: Final = 100


def page_from_store(
    store: "Store",
    monitor: str,
    *,
    now: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
    most: int = MOST_WINDOWS,
    credit: str | None = None,
    timezone: ZoneInfo | None = None,
) -> Page:
    """The page of a monitor: the newest window that could be checked, and those before it.

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
    every = [row for row in store.windows(monitor, since, until) if row["revision"] is not None]
    checked = every[-most:]
    timeline = tuple(_window(row) for row in checked)
    told, results = _newest_told(store, monitor, timeline)
    notes = [_untold(row, zone) for row in checked[told + 1 :]]
    if len(checked) < len(every):
        notes.append(f"Shown are the newest {len(checked)} of {len(every)} windows; the store keeps the others.")
    if not checked:
        notes.append("No window has been checked yet: `drift run` checks those that are due.")
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
        timezone=zone,
        alerts=tuple(store.alerts(monitor, "firing")),
        notes=tuple(notes),
        credit=credit,
        budget=judged.get("budget") if any(c.level for part in results for c in part.columns) else None,
    )


def _zone(document: Mapping[str, Any]) -> ZoneInfo:
    named = str(document.get("timezone") or "UTC")
    return ZoneInfo("UTC" if "${" in named else named)


def _metric(results: Sequence[SegmentResult]) -> str:
    """That of most columns."""
    used = Counter(c.scored.method.metric for part in results for c in part.columns if c.scored is not None)
    return used.most_common(1)[0][0] if used else Method().metric


def _newest_told(store: "Store", monitor: str, timeline: Sequence[Window]) -> tuple[int, tuple[SegmentResult, ...]]:
    """The newest window that has results, by its place (-1 if none has), and the results."""
    for place in reversed(range(len(timeline))):
        if results := store.results(monitor, timeline[place].start):
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
    points: defaultdict[tuple[str, str], list[Point]] = defaultdict(list)
    first, last = timeline[0].start, timeline[-1].end
    for row in store.scores(monitor, since=first, until=last):
        points[row["segment"], row["column"]].append(_point(row))
    return tuple(
        Column.from_result(result, part.segment, points[part.segment, result.column], length(window))
        for part in results
        for result in part.columns
    )


def _point(row: Mapping[str, Any]) -> Point:
    window = _window(row)
    return Point(
        start=window.start,
        end=window.end,
        score=row["score"],
        noise_floor=row["noise_floor"],
        threshold=row["threshold"],
        verdict=Verdict(row["verdict"]),
        ratio=_ratio(row),
        level=row["level"],
        detectable=row["detectable"],
    )


def _ratio(row: Mapping[str, Any]) -> float | None:
    """As `ColumnResult.ratio`, of a stored score."""
    if row["score"] is None:
        return None
    if row["level"] is not None:
        return ratio_of(row["p_value"], row["level"])
    return None if row["threshold"] is None else float(row["score"] / row["threshold"])


def _window(row: Mapping[str, Any]) -> Window:
    return Window(datetime.fromisoformat(row["window_start"]), datetime.fromisoformat(row["window_end"]))


def length(window: Window) -> timedelta:
    """Of a window, on the calendar: a week that loses an hour, as clocks go forward, is a week."""
    exact = window.end - window.start
    days = timedelta(days=round(exact / timedelta(days=1)))
    return days if abs(days - exact) <= timedelta(hours=1) else exact


def _untold(row: Mapping[str, Any], zone: ZoneInfo) -> str:
    return f"What the monitor saw {period(_window(row), zone)} could not be checked: {row['message']}"


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
