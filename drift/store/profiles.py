"""Profiles in the store: histograms as compact bytes on axes that are stored once."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from sqlalchemy import Connection, select

from drift.histogram import Fault, Histogram, Profile, Uncounted
from drift.store.dimension_keys import AxisCache, axes_by_id, axis_ids, column_ids
from drift.store.tables import COUNTS_DTYPE, histogram, profile_table, watched_column

ProfileOwner = Literal["revision_id", "baseline_id"]


def write_profiles(
    connection: Connection,
    cache: AxisCache,
    monitor_id: int,
    owner: ProfileOwner,
    owner_id: int,
    profiles: Mapping[str, Profile],
) -> dict[str, int]:
    """Write the profiles of all segments; return their keys by segment."""
    if not profiles:
        return {}
    axes = axis_ids(connection, cache, (h.axis for p in profiles.values() for h in p.histograms.values()))
    columns = column_ids(connection, monitor_id, (name for p in profiles.values() for name in (*p, *p.uncounted)))
    heads = [{owner: owner_id, "segment": segment, "rows": value.rows} for segment, value in profiles.items()]
    inserted = connection.execute(
        profile_table.insert().returning(profile_table.c.id, sort_by_parameter_order=True), heads
    )
    keys = dict(zip(profiles, inserted.scalars(), strict=True))
    rows: list[dict[str, Any]] = []
    for segment, value in profiles.items():
        for name, counted in value.histograms.items():
            counts = counted.counts.astype(COUNTS_DTYPE).tobytes()
            row = _row(keys[segment], columns[name])
            rows.append(row | {"axis_id": axes[cache.digest(counted.axis)], "counts": counts})
        for name, uncounted in value.uncounted.items():
            row = _row(keys[segment], columns[name])
            rows.append(row | {"fault": uncounted.fault.value, "message": uncounted.message})
    if rows:
        connection.execute(histogram.insert(), rows)
    return keys


def _row(profile_id: int, column_id: int) -> dict[str, Any]:
    empty = {"axis_id": None, "counts": None, "fault": None, "message": None}
    return {"profile_id": profile_id, "column_id": column_id, **empty}


def read_profiles(connection: Connection, cache: AxisCache, owner: ProfileOwner, owner_id: int) -> dict[str, Profile]:
    """Return the profiles of a revision or a reference, by segment."""
    columns = profile_table.c
    heads = select(columns.id, columns.segment, columns.rows).where(columns[owner] == owner_id)
    return {
        head.segment: _read(connection, cache, head.id, head.rows)
        for head in connection.execute(heads.order_by(columns.id)).all()
    }


def _read(connection: Connection, cache: AxisCache, profile_id: int, total: int) -> Profile:
    query = (
        select(watched_column.c.name, histogram)
        .join(watched_column, watched_column.c.id == histogram.c.column_id)
        .where(histogram.c.profile_id == profile_id)
        .order_by(histogram.c.column_id)
    )
    rows = connection.execute(query).all()
    axes = axes_by_id(connection, cache, (row.axis_id for row in rows if row.axis_id is not None))
    counted: dict[str, Histogram] = {}
    uncounted: dict[str, Uncounted] = {}
    for row in rows:
        if row.counts is None:
            uncounted[row.name] = Uncounted(Fault(row.fault), row.message)
        else:
            counted[row.name] = Histogram(axes[row.axis_id], np.frombuffer(row.counts, COUNTS_DTYPE))
    return Profile(counted, total, uncounted)
