"""Profiles in and out: histograms as compact bytes on axes that are kept once."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from sqlalchemy import Connection, select

from drift.histogram import Fault, Histogram, Profile, Uncounted
from drift.store.dimension_keys import AxisCache, axes_by_id, axis_ids, column_ids
from drift.store.tables import COUNTS_DTYPE, histogram, profile, watched_column

Owner = Literal["revision_id", "baseline_id"]


def write_profiles(
    connection: Connection,
    book: AxisCache,
    monitor_id: int,
    owner: Owner,
    owner_id: int,
    profiles: Mapping[str, Profile],
) -> dict[str, int]:
    """Write the profiles of all segments; gives the key of each."""
    if not profiles:
        return {}
    axes = axis_ids(connection, book, (h.axis for p in profiles.values() for h in p.histograms.values()))
    columns = column_ids(connection, monitor_id, (name for p in profiles.values() for name in (*p, *p.uncounted)))
    heads = [{owner: owner_id, "segment": segment, "rows": value.rows} for segment, value in profiles.items()]
    made = connection.execute(profile.insert().returning(profile.c.id, sort_by_parameter_order=True), heads)
    keys = dict(zip(profiles, made.scalars(), strict=True))
    rows: list[dict[str, Any]] = []
    for segment, value in profiles.items():
        for name, counted in value.histograms.items():
            row = _row(keys[segment], columns[name])
            row |= {"axis_id": axes[book.digest(counted.axis)], "counts": counted.counts.astype(COUNTS_DTYPE).tobytes()}
            rows.append(row)
        for name, lost in value.uncounted.items():
            rows.append(_row(keys[segment], columns[name]) | {"fault": lost.fault.value, "message": lost.message})
    if rows:
        connection.execute(histogram.insert(), rows)
    return keys


def _row(profile_id: int, column_id: int) -> dict[str, Any]:
    nothing = {"axis_id": None, "counts": None, "fault": None, "message": None}
    return {"profile_id": profile_id, "column_id": column_id, **nothing}


def read_profiles(connection: Connection, book: AxisCache, owner: Owner, owner_id: int) -> dict[str, Profile]:
    """The profiles of a revision or a baseline, by segment."""
    heads = select(profile.c.id, profile.c.segment, profile.c.rows).where(profile.c[owner] == owner_id)
    return {
        head.segment: _read(connection, book, head.id, head.rows)
        for head in connection.execute(heads.order_by(profile.c.id)).all()
    }


def _read(connection: Connection, book: AxisCache, profile_id: int, rows: int) -> Profile:
    query = (
        select(watched_column.c.name, histogram)
        .join(watched_column, watched_column.c.id == histogram.c.column_id)
        .where(histogram.c.profile_id == profile_id)
        .order_by(histogram.c.column_id)
    )
    found = connection.execute(query).all()
    axes = axes_by_id(connection, book, (row.axis_id for row in found if row.axis_id is not None))
    counted: dict[str, Histogram] = {}
    lost: dict[str, Uncounted] = {}
    for row in found:
        if row.counts is None:
            lost[row.name] = Uncounted(Fault(row.fault), row.message)
        else:
            counted[row.name] = Histogram(axes[row.axis_id], np.frombuffer(row.counts, COUNTS_DTYPE))
    return Profile(counted, rows, lost)
