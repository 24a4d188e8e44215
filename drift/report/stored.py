"""The page of a monitor, from what the store holds: its newest window, and its columns over time."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from drift.comparison import SegmentResult
from drift.report.model import Column, Page, Point, Side
from drift.report.words import period
from drift.scoring import Method
from drift.verdict import Verdict
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
    reference = next((c.reference for part in results for c in part.columns if c.reference is not None), None)
    return Page(
        title=monitor,
        generated_at=now,
        metric=_metric(results),
        reference=Side(_reference(document), reference.rows if reference else 0),
        live=Side(str(window) if window else "no window", results[0].live.rows if results else 0),
        columns=_columns(store, monitor, results, timeline),
        timeline=timeline if len(timeline) > 1 else (),
        window=window,
        timezone=zone,
        alerts=tuple(store.alerts(monitor, "firing")),
        notes=tuple(notes),
        credit=credit,
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
    store: "Store", monitor: str, results: Sequence[SegmentResult], timeline: Sequence[Window]
) -> tuple[Column, ...]:
    if not results:
        return ()
    points: defaultdict[tuple[str, str], list[Point]] = defaultdict(list)
    first, last = timeline[0].start, timeline[-1].end
    for row in store.scores(monitor, since=first, until=last):
        points[row["segment"], row["column"]].append(_point(row))
    return tuple(
        Column.from_result(result, part.segment, points[part.segment, result.column])
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
    )


def _window(row: Mapping[str, Any]) -> Window:
    return Window(datetime.fromisoformat(row["window_start"]), datetime.fromisoformat(row["window_end"]))


def _untold(row: Mapping[str, Any], zone: ZoneInfo) -> str:
    return f"What the monitor saw {period(_window(row), zone)} could not be checked: {row['message']}"


def _reference(document: Mapping[str, Any]) -> str:
    """What the definition calls the reference: a stretch of time, or a file."""
    told = document.get("reference")
    if not isinstance(told, Mapping):
        return "reference"
    if told.get("path"):
        return str(told["path"])
    return f"{told.get('from', 'the beginning')} to {told.get('to', 'the end')}"
