"""Profiles and results of checked windows, as values: for reports, rolling and seasonal references, and backtests."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Select, select

from drift.histogram import Histogram, History, Profile
from drift.monitors.comparison import ColumnResult, SegmentResult, importance_key
from drift.monitors.verdict import Threshold, Verdict
from drift.monitors.window import Window
from drift.stats.divergence import contributions
from drift.stats.scoring import Method, Score
from drift.stats.smoothing import NAMED, smooth
from drift.store.database import StoreDatabase
from drift.store.dimension_keys import AxisCache, axes_by_id, chunks, column_names
from drift.store.profiles import read_profiles
from drift.store.tables import (
    COUNTS_DTYPE,
    histogram,
    method,
    monitor,
    profile_table,
    revision,
    score_table,
    watched_column,
    window,
)
from drift.store.work_items import CHECK

_LABELS: Final = {"held": "reference_counts", "customary": "is_default"}  # of columns whose names are not plain

ProfilePosition = tuple[str, int]
"""A segment, and the index of a window."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowHistories:
    """Counts of several checked windows, each by its newest revision."""

    windows: tuple[Window, ...]  # in the order of time
    # By segment, then column. A row of zeros is a window without rows, or one in which the column was not counted on
    # its axis in the newest of these windows.
    histories: Mapping[str, Mapping[str, History]]
    # As `histories`: whether references leave the window out (`ColumnResult.excluded_from_reference`), shape
    # (windows,)
    drifted: Mapping[str, Mapping[str, npt.NDArray[np.bool_]]]


class HistoryStore:
    """Profiles and results of checked windows."""

    def __init__(self, database: StoreDatabase) -> None:
        self._database = database

    def profile(self, name: str, start: datetime, revision: int | None = None, segment: str = "") -> Profile | None:
        """Return the histograms of a segment ("" is all rows) of a monitor's window; None if there are none.

        `revision` is the number of the revision; None is the newest.
        """
        with self._database.read() as connection:
            row = _revision(connection, name, start, revision)
            if row is None:
                return None
            return read_profiles(connection, self._database.axes, "revision_id", row.id).get(segment)

    def results(self, name: str, start: datetime, revision: int | None = None) -> tuple[SegmentResult, ...]:
        """Return the results of a window as they were committed; empty if there are none.

        Contributions of bins are computed from the histograms of both sides and the method.
        """
        with self._database.read() as connection:
            row = _revision(connection, name, start, revision)
            return () if row is None else _results(connection, self._database.axes, row)

    def judged(self, name: str, start: datetime, revision: int | None = None) -> dict[str, Any] | None:
        """Return how the scores of a window were judged (`Outcome.judged`); None if that was not stored."""
        with self._database.read() as connection:
            row = _revision(connection, name, start, revision)
        return None if row is None else row.judged

    def windows(
        self,
        name: str,
        *,
        starts: Sequence[datetime] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> WindowHistories:
        """Return the counts of a monitor's checked windows; none for a monitor that the store does not know.

        Only windows that start at exactly one of the `starts`, and in [since, until); of these only the newest ones, up
        to `limit`. None is no condition.

        Notes
        -----
        A window that could not be read counts as checked, with counts of zero. If the length of a monitor's windows has
        changed, windows of both lengths are returned.
        """
        with self._database.read() as connection:
            rows = _checked_rows(connection, _checked(name, since, until), starts, limit)
            positions = _positions(connection, [row.id for row in rows])
            rows, positions = _without_pruned(rows, positions)
            names = column_names(connection, name)
            counted = _histories(connection, self._database.axes, positions, len(rows))
            excluded = list(_excluded(connection, positions))
        histories: dict[str, dict[str, History]] = {}
        drifted: dict[str, dict[str, npt.NDArray[np.bool_]]] = {}
        for (segment, column_id), history in counted.items():
            histories.setdefault(segment, {})[names[column_id]] = history
            drifted.setdefault(segment, {})[names[column_id]] = np.zeros(len(rows), np.bool_)
        for profile_id, column_id in excluded:
            segment, index = positions[profile_id]
            drifted[segment][names[column_id]][index] = True
        return WindowHistories(tuple(Window(row.start_at, row.end_at) for row in rows), histories, drifted)


def _revision(connection: Connection, name: str, start: datetime, number: int | None) -> Any:
    query = (
        select(revision)
        .join(window, window.c.id == revision.c.window_id)
        .join(monitor, monitor.c.id == window.c.monitor_id)
        .where(monitor.c.name == name, window.c.start_at == start)
        .where(revision.c.number == (window.c.revision if number is None else number))
        .order_by(revision.c.id.desc())
        .limit(1)
    )
    return connection.execute(query).one_or_none()


def _results(connection: Connection, cache: AxisCache, checked: Any) -> tuple[SegmentResult, ...]:
    live = read_profiles(connection, cache, "revision_id", checked.id)
    reference = read_profiles(connection, cache, "baseline_id", checked.baseline_id) if checked.baseline_id else {}
    scores = (column.label(_LABELS.get(column.name, column.name)) for column in score_table.c)
    query = (
        select(
            *scores, profile_table.c.segment, watched_column.c.name, method.c.metric, method.c.base, method.c.smoothing
        )
        .join(profile_table, profile_table.c.id == score_table.c.profile_id)
        .join(watched_column, watched_column.c.id == score_table.c.column_id)
        .outerjoin(method, method.c.id == score_table.c.method_id)
        .where(profile_table.c.revision_id == checked.id)
    )
    columns: dict[str, list[ColumnResult]] = {segment: [] for segment in live}
    for row in connection.execute(query):
        live_side = live[row.segment].histograms.get(row.name)
        reference_side = reference[row.segment].histograms.get(row.name) if row.segment in reference else None
        if row.reference_counts is not None and reference_side is not None:  # a moving reference has its own counts
            reference_side = Histogram(reference_side.axis, np.frombuffer(row.reference_counts, COUNTS_DTYPE))
        columns[row.segment].append(_column_result(row, live_side, reference_side))
    return tuple(
        SegmentResult(segment, live[segment], tuple(sorted(results, key=importance_key)))
        for segment, results in columns.items()
    )


def _column_result(row: Any, live: Histogram | None, reference: Histogram | None) -> ColumnResult:
    threshold = None
    if row.threshold_drift is not None:
        threshold = Threshold(row.threshold_drift, row.threshold_warn, row.is_default)
    scored = None
    if row.value is not None and live is not None and reference is not None:
        scored = _score(row, live, reference)
    verdict = Verdict(row.verdict)
    return ColumnResult(
        row.name, verdict, row.code or "", row.message, threshold, scored, live, reference, row.windows, row.level
    )


def _score(row: Any, live: Histogram, reference: Histogram) -> Score:
    smoothing = row.smoothing if row.smoothing in {*NAMED, "perks"} else float(row.smoothing)
    p, q = smooth(live.counts, smoothing), smooth(reference.counts, smoothing)
    return Score(
        method=Method(row.metric, smoothing, row.base),
        value=row.value,
        noise_floor=row.noise_floor,
        p_value=row.p_value,
        interval=(row.low, row.high),
        detectable=row.detectable,
        live_rows=live.rows,
        reference_rows=reference.rows,
        contributions=tuple(contributions(row.metric, p, q, row.base).tolist()),
    )


def _checked(name: str, since: datetime | None, until: datetime | None) -> Select[Any]:
    """Select the newest revision of each window, the newest window first."""
    query = (
        select(revision.c.id, revision.c.verdict, window.c.start_at, window.c.end_at)
        .join(window, window.c.id == revision.c.window_id)
        .join(monitor, monitor.c.id == window.c.monitor_id)
        .where(monitor.c.name == name, window.c.kind == CHECK, revision.c.number == window.c.revision)
        .where(monitor.c.thinned_until.is_(None) | (window.c.start_at > monitor.c.thinned_until))
        .order_by(window.c.start_at.desc(), window.c.end_at.desc())
    )
    if since is not None:
        query = query.where(window.c.start_at >= since)
    return query if until is None else query.where(window.c.start_at < until)


def _checked_rows(
    connection: Connection, query: Select[Any], starts: Sequence[datetime] | None, limit: int | None
) -> list[Any]:
    if starts is None:
        rows: list[Any] = list(connection.execute(query.limit(limit)))
    else:
        parts = chunks(sorted(set(starts)))
        rows = [row for part in parts for row in connection.execute(query.where(window.c.start_at.in_(part)))]
    rows.sort(key=lambda row: (row.start_at, row.end_at))
    return rows if limit is None else rows[max(len(rows) - limit, 0) :]


def _without_pruned(
    rows: list[Any], positions: dict[int, ProfilePosition]
) -> tuple[list[Any], dict[int, ProfilePosition]]:
    """Leave out pruned windows: without a profile is only a window that could not be read."""
    counted = {index for _, index in positions.values()}
    kept = [i for i, row in enumerate(rows) if i in counted or row.verdict == Verdict.ERROR.value]
    new_index = {old: new for new, old in enumerate(kept)}
    moved = {key: (segment, new_index[index]) for key, (segment, index) in positions.items()}
    return [rows[i] for i in kept], moved


def _positions(connection: Connection, revisions: Sequence[int]) -> dict[int, ProfilePosition]:
    """Return the position of each profile by its key. Revisions are in the order of their windows."""
    index = {key: i for i, key in enumerate(revisions)}
    query = select(profile_table.c.id, profile_table.c.segment, profile_table.c.revision_id)
    return {
        row.id: (row.segment, index[row.revision_id])
        for part in chunks(revisions)
        for row in connection.execute(query.where(profile_table.c.revision_id.in_(part)).order_by(profile_table.c.id))
    }


def _histories(
    connection: Connection, cache: AxisCache, positions: Mapping[int, ProfilePosition], windows: int
) -> dict[tuple[str, int], History]:
    """Return the history of each segment and column, on the column's newest axis."""
    columns = ("profile_id", "column_id", "axis_id", "counts")
    query = select(*(histogram.c[name] for name in columns)).where(histogram.c.axis_id.is_not(None))
    counted: dict[tuple[str, int], list[tuple[int, int, bytes]]] = {}
    newest: dict[int, tuple[int, int]] = {}
    for part in chunks(list(positions)):
        for profile_id, column_id, axis_id, counts in connection.execute(query.where(histogram.c.profile_id.in_(part))):
            segment, index = positions[profile_id]
            counted.setdefault((segment, column_id), []).append((index, axis_id, counts))
            if index >= newest.get(column_id, (-1, 0))[0]:
                newest[column_id] = (index, axis_id)
    axes = axes_by_id(connection, cache, (axis_id for _, axis_id in newest.values()))
    histories = {}
    for (segment, column_id), rows in counted.items():
        wanted = newest[column_id][1]
        axis, same = axes[wanted], [row for row in rows if row[1] == wanted]
        matrix = np.zeros((windows, axis.n_bins), np.int64)
        joined = np.frombuffer(b"".join(row[2] for row in same), COUNTS_DTYPE)
        matrix[[row[0] for row in same]] = joined.reshape(-1, axis.n_bins)
        histories[segment, column_id] = History(axis, matrix)
    return histories


def _excluded(connection: Connection, positions: Mapping[int, ProfilePosition]) -> Iterator[tuple[int, int]]:
    """Yield profile and column of each `ColumnResult.excluded_from_reference`; each has a score, and so a histogram."""
    query = select(score_table.c.profile_id, score_table.c.column_id).where(
        score_table.c.verdict == Verdict.DRIFT.value, score_table.c["customary"].is_not(True)
    )
    for part in chunks(list(positions)):
        for row in connection.execute(query.where(score_table.c.profile_id.in_(part))):
            yield row.profile_id, row.column_id
