"""What a check found, as values again: profiles and results of a stored window."""

from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from drift.histogram import Histogram, Profile
from drift.monitors.comparison import ColumnResult, SegmentResult, importance_key
from drift.monitors.verdict import Threshold, Verdict
from drift.stats.divergence import contributions
from drift.stats.scoring import Method, Score
from drift.stats.smoothing import NAMED, smooth
from drift.store.dimension_keys import AxisCache
from drift.store.profiles import read_profiles
from drift.store.tables import COUNTS_DTYPE, method, monitor, profile, revision, score, watched_column, window


def _revision(connection: Connection, monitor_name: str, start: datetime, number: int | None) -> Any:
    query = (
        select(revision)
        .join(window, window.c.id == revision.c.window_id)
        .join(monitor, monitor.c.id == window.c.monitor_id)
        .where(monitor.c.name == monitor_name, window.c.start_at == start)
        .order_by(revision.c.id.desc())
        .limit(1)
    )
    wanted = revision.c.number == (window.c.revision if number is None else number)
    return connection.execute(query.where(wanted)).one_or_none()


def stored_profile(
    connection: Connection, book: AxisCache, monitor_name: str, start: datetime, number: int | None, segment: str
) -> Profile | None:
    """The histograms of one checked window."""
    found = _revision(connection, monitor_name, start, number)
    if found is None:
        return None
    return read_profiles(connection, book, "revision_id", found.id).get(segment)


def stored_results(
    connection: Connection, book: AxisCache, monitor_name: str, start: datetime, number: int | None
) -> tuple[SegmentResult, ...]:
    """What a check found, whole: contributions follow from the histograms of both sides and the method."""
    found = _revision(connection, monitor_name, start, number)
    if found is None:
        return ()
    live = read_profiles(connection, book, "revision_id", found.id)
    reference = read_profiles(connection, book, "baseline_id", found.baseline_id) if found.baseline_id else {}
    query = (
        select(score, profile.c.segment, watched_column.c.name, method.c.metric, method.c.base, method.c.smoothing)
        .join(profile, profile.c.id == score.c.profile_id)
        .join(watched_column, watched_column.c.id == score.c.column_id)
        .outerjoin(method, method.c.id == score.c.method_id)
        .where(profile.c.revision_id == found.id)
    )
    columns: dict[str, list[ColumnResult]] = {segment: [] for segment in live}
    for row in connection.execute(query):
        now = live[row.segment].histograms.get(row.name)
        then = reference[row.segment].histograms.get(row.name) if row.segment in reference else None
        if row.held is not None and then is not None:  # the reference moved on: on the same axis, with its own counts
            then = Histogram(then.axis, np.frombuffer(row.held, COUNTS_DTYPE))
        columns[row.segment].append(_result(row, now, then))
    return tuple(
        SegmentResult(segment, live[segment], tuple(sorted(results, key=importance_key)))
        for segment, results in columns.items()
    )


def stored_judging(
    connection: Connection, monitor_name: str, start: datetime, number: int | None
) -> dict[str, Any] | None:
    """How the scores of a checked window were judged, as `finish` got it."""
    found = _revision(connection, monitor_name, start, number)
    return None if found is None else found.judged


def _result(row: Any, live: Histogram | None, reference: Histogram | None) -> ColumnResult:
    threshold = None
    if row.threshold_drift is not None:
        threshold = Threshold(row.threshold_drift, row.threshold_warn, row.customary)
    scored = None
    if row.value is not None and live is not None and reference is not None:
        scored = _scored(row, live, reference)
    verdict = Verdict(row.verdict)
    return ColumnResult(
        row.name, verdict, row.code or "", row.message, threshold, scored, live, reference, row.windows, row.level
    )


def _scored(row: Any, live: Histogram, reference: Histogram) -> Score:
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
