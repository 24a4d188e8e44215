"""Streams of values, cut as a reference cuts them: nothing of it lies beyond the edges, none of its names is unseen."""

import numpy as np

from drift.histogram import CategoricalAxis
from drift.stats.calibration.group import Group, fit_group
from tests.support.streams import Counts, Rng, counts_of, group_of

_FINE = 60


def of_numbers(rng: Rng, columns: int, windows: tuple[int, int], rows: int, concentration: float | None) -> Counts:
    """Windows of a column whose two outermost bins end where the reference does, shape (columns, windows, 13).

    The tails are cut into pieces of ever smaller shares (of each 0.7 of the one before); what lies beyond the last that
    a reference window fills is below or above.
    """
    tail = 0.7 ** np.arange(_FINE)
    fine = np.concatenate([(tail / tail.sum())[::-1], np.ones(8), tail / tail.sum()]) / 10
    counts = counts_of(rng, np.tile(fine, (columns, 1)), [rows] * sum(windows), concentration)
    told = []
    for column in counts:
        filled = np.flatnonzero(column[: windows[0]].any(axis=0))
        first, last = min(filled[0], _FINE - 1), max(filled[-1], _FINE + 8)
        parts = np.split(column, [first, *range(_FINE, _FINE + 9), last + 1], axis=1)
        told.append(np.stack([*(part.sum(axis=1) for part in parts), np.zeros(sum(windows), np.int64)], axis=1))
    return np.stack(told)


def of_names(
    rng: Rng, columns: int, windows: tuple[int, int], rows: int, concentration: float | None
) -> tuple[Group, Counts]:
    """Names by Zipf's law of exponent 1.3, 400 in all; the reference lists its first ten, others are rare or unseen.

    What the reference teaches, and the live windows, shape (columns, windows, 13).
    """
    share = 1 / np.arange(1.0, 401) ** 1.3
    counts = counts_of(rng, np.tile(share / share.sum(), (columns, 1)), [rows] * sum(windows), concentration)
    axes, told = [], []
    for column in counts:
        pooled = column[: windows[0]].sum(axis=0)
        order = np.argsort(-pooled, kind="stable")
        rare, unseen = order[10:][pooled[order[10:]] > 0], order[10:][pooled[order[10:]] == 0]
        axes.append(CategoricalAxis(tuple(f"n{i}" for i in order[:10]), rare=frozenset(f"n{i}" for i in rare)))
        missing = np.zeros((sum(windows), 1), np.int64)
        others = [column[:, some].sum(axis=1, keepdims=True) for some in (rare, unseen)]
        told.append(np.concatenate([column[:, order[:10]], *others, missing], axis=1))
    every = np.stack(told)
    return fit_group(axes, every[:, : windows[0]]), every[:, windows[0] :]


def group_and_live(counts: Counts, windows: int) -> tuple[Group, Counts]:
    """Numbers: the first windows are the reference."""
    return group_of(counts[:, :windows]), counts[:, windows:]
