"""Histories of checked windows: what rolling and seasonal references and backtests are made of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Select, select

from drift.histogram import History
from drift.monitors.verdict import Verdict
from drift.monitors.window import Window
from drift.store.dimension_keys import AxisCache, axes_by_id
from drift.store.plan import CHECK
from drift.store.tables import (
    COUNTS_DTYPE,
    histogram,
    monitor,
    profile,
    revision,
    score,
    watched_column,
    window,
)

T = TypeVar("T")
_SOME: Final = 5_000  # values in one IN (...): SQLite takes 32,766, PostgreSQL 65,535

Place = tuple[str, int]
"""A segment, and the number of a window."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowHistories:
    """What is stored of several checked windows, each by its newest revision.

    Parameters
    ----------
    windows : tuple of Window
        In the order of time.
    histories : mapping of str to mapping of str to History
        By segment, then column. A row of zeros is a window without rows, or one in which the column was not counted
        on the axis that the newest of these windows has.
    drifted : mapping of str to mapping of str to ndarray of bool, shape (windows,)
        As `histories`: whether references leave the window out (`ColumnResult.excluded_from_reference`).
    """

    windows: tuple[Window, ...]
    histories: Mapping[str, Mapping[str, History]]
    drifted: Mapping[str, Mapping[str, npt.NDArray[np.bool_]]]


def past(
    connection: Connection,
    book: AxisCache,
    monitor_name: str,
    *,
    starts: Sequence[datetime] | None,
    since: datetime | None,
    until: datetime | None,
    before: datetime | None,
    most: int | None,
) -> WindowHistories:
    """The checked windows that all of the conditions hold for; see `Store.past`."""
    query = _checked(monitor_name, since, until, before)
    if starts is None:
        rows: list[Any] = list(connection.execute(query.limit(most)))
    else:
        parts = _parts(sorted(set(starts)))
        rows = [row for some in parts for row in connection.execute(query.where(window.c.start_at.in_(some)))]
    rows.sort(key=lambda row: (row.start_at, row.end_at))
    rows = rows if most is None else rows[max(len(rows) - most, 0) :]
    places = _places(connection, [row.id for row in rows])
    rows, places = _kept(rows, places)
    names = _names(connection, monitor_name)
    histories: dict[str, dict[str, History]] = {}
    drifted: dict[str, dict[str, npt.NDArray[np.bool_]]] = {}
    for (segment, column_id), history in _counted(connection, book, places, len(rows)).items():
        histories.setdefault(segment, {})[names[column_id]] = history
        drifted.setdefault(segment, {})[names[column_id]] = np.zeros(len(rows), np.bool_)
    for profile_id, column_id in _drifted(connection, places):
        segment, number = places[profile_id]
        drifted[segment][names[column_id]][number] = True
    return WindowHistories(tuple(Window(row.start_at, row.end_at) for row in rows), histories, drifted)


def _checked(monitor_name: str, since: datetime | None, until: datetime | None, before: datetime | None) -> Select[Any]:
    """The newest revision of each window, the newest window first."""
    query = (
        select(revision.c.id, revision.c.verdict, window.c.start_at, window.c.end_at)
        .join(window, window.c.id == revision.c.window_id)
        .join(monitor, monitor.c.id == window.c.monitor_id)
        .where(monitor.c.name == monitor_name, window.c.kind == CHECK, revision.c.number == window.c.revision)
        .where(monitor.c.thinned_until.is_(None) | (window.c.start_at > monitor.c.thinned_until))
        .order_by(window.c.start_at.desc(), window.c.end_at.desc())
    )
    if since is not None:
        query = query.where(window.c.start_at >= since)
    if until is not None:
        query = query.where(window.c.start_at < until)
    return query if before is None else query.where(window.c.start_at < before)


def _kept(rows: list[Any], places: dict[int, Place]) -> tuple[list[Any], dict[int, Place]]:
    """Without windows that were thinned out: only one that could not be read has no profile by itself."""
    counted = {number for _, number in places.values()}
    left = [i for i, row in enumerate(rows) if i in counted or row.verdict == Verdict.ERROR.value]
    new = {old: number for number, old in enumerate(left)}
    return [rows[i] for i in left], {key: (segment, new[number]) for key, (segment, number) in places.items()}


def _places(connection: Connection, revisions: Sequence[int]) -> dict[int, Place]:
    """Of each profile, by its key. Revisions are in the order of their windows."""
    number = {key: i for i, key in enumerate(revisions)}
    heads = select(profile.c.id, profile.c.segment, profile.c.revision_id)
    return {
        row.id: (row.segment, number[row.revision_id])
        for some in _parts(revisions)
        for row in connection.execute(heads.where(profile.c.revision_id.in_(some)).order_by(profile.c.id))
    }


def _names(connection: Connection, monitor_name: str) -> dict[int, str]:
    query = select(watched_column.c.id, watched_column.c.name).join(
        monitor, monitor.c.id == watched_column.c.monitor_id
    )
    return dict(connection.execute(query.where(monitor.c.name == monitor_name)).all())


def _counted(
    connection: Connection, book: AxisCache, places: Mapping[int, Place], windows: int
) -> dict[tuple[str, int], History]:
    """The history of each segment and column."""
    columns = ("profile_id", "column_id", "axis_id", "counts")
    query = select(*(histogram.c[name] for name in columns)).where(histogram.c.axis_id.is_not(None))
    found: dict[tuple[str, int], list[tuple[int, int, bytes]]] = {}
    newest: dict[int, tuple[int, int]] = {}
    for some in _parts(list(places)):
        for profile_id, column_id, axis_id, counts in connection.execute(query.where(histogram.c.profile_id.in_(some))):
            segment, number = places[profile_id]
            found.setdefault((segment, column_id), []).append((number, axis_id, counts))
            if number >= newest.get(column_id, (-1, 0))[0]:
                newest[column_id] = (number, axis_id)
    axes = axes_by_id(connection, book, (axis_id for _, axis_id in newest.values()))
    histories = {}
    for (segment, column_id), rows in found.items():
        wanted = newest[column_id][1]
        axis, same = axes[wanted], [row for row in rows if row[1] == wanted]
        matrix = np.zeros((windows, axis.n_bins), np.int64)
        held = np.frombuffer(b"".join(row[2] for row in same), COUNTS_DTYPE)
        matrix[[row[0] for row in same]] = held.reshape(-1, axis.n_bins)
        histories[segment, column_id] = History(axis, matrix)
    return histories


def _drifted(connection: Connection, places: Mapping[int, Place]) -> Iterator[tuple[int, int]]:
    """Profile and column of each `ColumnResult.excluded_from_reference`; it has a score, and so a histogram."""
    query = select(score.c.profile_id, score.c.column_id).where(
        score.c.verdict == Verdict.DRIFT.value, score.c.customary.is_not(True)
    )
    for some in _parts(list(places)):
        for row in connection.execute(query.where(score.c.profile_id.in_(some))):
            yield row.profile_id, row.column_id


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), _SOME):
        yield values[start : start + _SOME]
