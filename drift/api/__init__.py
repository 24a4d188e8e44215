"""`drift.compare` and `drift.profile`: ad-hoc comparisons without configuration or store."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from drift.api.comparison import Comparison
from drift.errors import InputError
from drift.histogram import Axis, Edge, Fault, Profile, Uncounted
from drift.histogram.binning import Bins
from drift.monitors.comparison import compare_profiles
from drift.monitors.spec import ColumnRule, Columns
from drift.monitors.verdict import Threshold
from drift.sources.files import FileTable
from drift.sources.files.discovery import without_secrets
from drift.sources.open_frame import CountableRows, open_frame
from drift.stats.scoring import Method
from drift.stats.smoothing import Smoothing

Data = Any
"""A data frame that Narwhals supports, a path or glob of files, or a Profile."""


def compare(
    reference: Data,
    live: Data,
    *,
    metric: str = "js_distance",
    threshold: float | Mapping[str, float] | Threshold | None = None,
    smoothing: Smoothing | None = None,
    base: float | Literal["e"] | None = None,
    bins: Bins | int | str | Sequence[Edge] | None = None,
    include: str | Iterable[str] | None = None,
    exclude: str | Iterable[str] | None = None,
    overrides: Mapping[str, ColumnRule] | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare live data with reference data, column by column.

    Parameters
    ----------
    reference, live : data frame, path or Profile
        Frames of pandas, Polars, PyArrow, ...; a path or glob of files; or a profile (the live one on the axes of
        the reference).
    metric : str
        A name in `drift.stats.divergence.DIVERGENCES`. Divergences are of live from reference: KL(live || reference).
    threshold : float, mapping, Threshold or None
        A score at or above it is drift; or ``{"warn": 0.05, "drift": 0.1}``. None is the default threshold of the
        metric. A score counts only if it is significant.
    smoothing, base : optional
        See `drift.stats.scoring.Method`; None is the default of the metric.
    bins : Bins, int, str, sequence of edges, or None
        How axes are chosen from the reference: a number of quantile bins, a method, or the edges themselves; None is
        ten quantile bins and fifty categories.
    include, exclude : str or iterable of str
        Only these columns; all columns but these.
    overrides : mapping of str to ColumnRule
        Rules of single columns.
    seed : int
        Seed of random draws: the sample that edges of large data are chosen from, intervals, and noise without a
        formula.

    Returns
    -------
    Comparison
        A mapping from column to result, the most severe first.

    Raises
    ------
    SourceError
        If a side cannot be read.
    InputError
        If a metric, smoothing, threshold or column name is invalid.

    Examples
    --------
    >>> import polars as pl
    >>> reference = pl.DataFrame({"age": [20, 30, 40, 50] * 50, "plan": ["free", "free", "free", "pro"] * 50})
    >>> live = pl.DataFrame({"age": [20, 30, 40, 50] * 20, "plan": ["pro", "pro", "free", "team"] * 20})
    >>> report = compare(reference, live)
    >>> report.drifted
    ('plan',)
    >>> round(report["plan"].score, 3)
    0.5
    """
    rule = ColumnRule(_bins(bins), Method(metric, smoothing, math.e if base == "e" else base), _threshold(threshold))
    for name, each in {"": rule, **(overrides or {})}.items():
        if not isinstance(each, ColumnRule):
            raise InputError(
                f"overrides must be drift.ColumnRule values; {name!r} has a {type(each).__name__}", code="invalid-value"
            )
        _ = each.threshold  # refuses a metric without a default threshold once, not column by column
    columns = Columns(rule, overrides or {}, None if include is None else _names(include), _names(exclude or ()))
    reference_profile = _profile(reference, None, columns, seed)
    live_profile = _profile(live, reference_profile, columns, seed)
    _check_names(columns, reference_profile, live_profile)
    return Comparison(
        metric=metric,
        reference=reference_profile,
        live=live_profile,
        columns=compare_profiles(live_profile, reference_profile, columns, np.random.default_rng(seed)),
        labels=(_label(reference, "reference"), _label(live, "live")),
    )


def profile(
    data: Data,
    *,
    axes: Profile | Mapping[str, Axis] | None = None,
    bins: Bins | int | str | Sequence[Edge] | None = None,
) -> Profile:
    """Count data on axes chosen from it, or on those of another profile.

    Parameters
    ----------
    data : data frame or path
        The data.
    axes : Profile, mapping of str to axis, or None
        The axes; None chooses them from the data.
    bins : Bins or None
        How to choose the axes.

    Raises
    ------
    SourceError
        If the data cannot be read.
    InputError
        If both `axes` and `bins` are given.
    """
    table = _table(data)
    if axes is None:
        return table.learn(list(table.columns), Columns(ColumnRule(_bins(bins))))
    if bins is not None:
        raise InputError("`bins` choose axes but `axes` are given; pass only one of them", code="invalid-value")
    return table.count(axes.axes if isinstance(axes, Profile) else axes)


def _bins(given: Bins | int | str | Sequence[Edge] | None) -> Bins:
    if given is None or isinstance(given, Bins):
        return given or Bins()
    if isinstance(given, str):
        return Bins(given)
    return Bins(count=given) if isinstance(given, int) else Bins("edges", edges=tuple(given))


def _threshold(given: float | Mapping[str, float] | Threshold | None) -> Threshold | None:
    if given is None or isinstance(given, Threshold):
        return given
    if isinstance(given, Mapping) and "drift" in given and given.keys() <= {"warn", "drift"}:
        return Threshold(given["drift"], given.get("warn"))
    if isinstance(given, int | float) and not isinstance(given, bool):
        return Threshold(float(given))
    message = f"a threshold must be a number, or {{'warn': 0.05, 'drift': 0.1}}; got {given!r}"
    raise InputError(message, code="invalid-value")


def _check_names(columns: Columns, reference: Profile, live: Profile) -> None:
    """Refuse a column name that neither side has."""
    present = {n for side in (reference, live) for n in side} | {
        n for side in (reference, live) for n, lost in side.uncounted.items() if lost.fault is not Fault.ABSENT
    }
    named = {*(columns.include or ()), *columns.overrides} - set(columns.exclude)
    if unknown := sorted(n for n in named if n not in present or (_absent(n, reference) and n not in live)):
        message = f"neither side has a column {', '.join(map(repr, unknown))}; check the spelling"
        raise InputError(message, code="column-missing")


def _absent(name: str, side: Profile) -> bool:
    lost = side.uncounted.get(name)
    return lost is not None and lost.fault is Fault.ABSENT


def _names(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _profile(data: Data, reference: Profile | None, columns: Columns, seed: int) -> Profile:
    if isinstance(data, Profile):
        kept = columns.watched([*data, *data.uncounted])
        absent = Uncounted(Fault.NOT_COMPARABLE if reference is None else Fault.SCHEMA_ERROR, "not in the profile")
        histograms = {name: data[name] for name in kept if name in data}
        lost = {name: data.uncounted.get(name, absent) for name in kept if name not in data}
        return replace(data, histograms=histograms, uncounted=lost)
    table = _table(data)
    if reference is None:
        return table.learn(columns.watched(list(table.columns)), columns, seed=seed)
    counted = table.count(reference.axes)
    new = [n for n in columns.watched(list(table.columns)) if n not in reference and n not in reference.uncounted]
    fault = Fault.NOT_COMPARABLE
    uncounted = {n: Uncounted(fault, f"column {n!r} is new: the reference does not have it") for n in new}
    return replace(counted, uncounted={**counted.uncounted, **uncounted})


def _table(data: Data) -> CountableRows:
    if isinstance(data, str | Path):
        return FileTable(str(data))
    return open_frame(data)


def _label(data: Data, otherwise: str) -> str:
    return without_secrets(str(data)) if isinstance(data, str | Path) else otherwise
