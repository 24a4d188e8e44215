"""What a page of many windows is drawn from: the newest ones and how their columns scored, and no more of each."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from drift.monitors.window import Window
from drift.store.tables import monitor, profile, revision, score, watched_column, window

_SOME: Final = 5_000  # values in one IN (...): SQLite takes 32,766, PostgreSQL 65,535


class WindowSummary(NamedTuple):
    """A checked window, by its newest revision; `columns` are those of all segments."""

    window: Window
    verdict: str
    message: str
    columns: int


class Trend(NamedTuple):
    """One window of a column; as the row of `Store.scores` says it."""

    window: Window
    score: float | None
    noise_floor: float | None
    p_value: float | None
    detectable: float | None
    threshold: float | None
    level: float | None
    verdict: str


Trends = dict[tuple[str, str], list[Trend]]
"""By segment and column, oldest window first."""


def newest(
    connection: Connection, monitor_name: str, most: int, since: datetime | None, until: datetime | None
) -> list[WindowSummary]:
    """The newest checked windows that start in [since, until), up to `most`, oldest first."""
    query = (
        select(window.c.start_at, window.c.end_at, revision.c.verdict, revision.c.message, revision.c.columns)
        .join(monitor, monitor.c.id == window.c.monitor_id)
        .join(revision, (revision.c.window_id == window.c.id) & (revision.c.number == window.c.revision))
        .where(monitor.c.name == monitor_name)
        .order_by(window.c.start_at.desc(), window.c.end_at.desc())
        .limit(most)
    )
    if since is not None:
        query = query.where(window.c.start_at >= since)
    if until is not None:
        query = query.where(window.c.start_at < until)
    found = [WindowSummary(Window(start, end), *told) for start, end, *told in connection.execute(query)]
    return found[::-1]


def trends(connection: Connection, monitor_name: str, windows: Sequence[Window]) -> Trends:
    """How each column scored in some windows of a monitor, by their newest revisions.

    Names and windows are looked up once, not once a row: a page of a wide monitor has 20,000.
    """
    wanted = set(windows)
    heads = (
        select(profile.c.id, profile.c.segment, window.c.start_at, window.c.end_at)
        .join(revision, revision.c.id == profile.c.revision_id)
        .join(window, (window.c.id == revision.c.window_id) & (window.c.revision == revision.c.number))
        .join(monitor, monitor.c.id == window.c.monitor_id)
        .where(monitor.c.name == monitor_name, window.c.start_at.in_({one.start for one in wanted}))
    )
    places = {
        key: (segment, one) for key, segment, *ends in connection.execute(heads) if (one := Window(*ends)) in wanted
    }
    known = select(watched_column.c.id, watched_column.c.name).join(
        monitor, monitor.c.id == watched_column.c.monitor_id
    )
    names = dict(connection.execute(known.where(monitor.c.name == monitor_name)).all())
    told = ("value", "noise_floor", "p_value", "detectable", "threshold_drift", "level", "verdict")
    query = select(score.c.profile_id, score.c.column_id, *(score.c[name] for name in told))
    found: Trends = {}
    keys = list(places)
    for first in range(0, len(keys), _SOME):
        rows = connection.execute(query.where(score.c.profile_id.in_(keys[first : first + _SOME])))
        for key, column_id, *values in rows.all():
            segment, one = places[key]
            found.setdefault((segment, names[column_id]), []).append(Trend(one, *values))
    for each in found.values():
        each.sort(key=attrgetter("window.start"))
    return found
