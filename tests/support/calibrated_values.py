"""Streams of values on the axes of a reference: none of its values is beyond the edges, no category unseen."""

import numpy as np

from drift.histogram import CategoricalAxis, Counts
from drift.stats.calibration.group import Group, fit_group
from tests.support.streams import Rng, counts_of, group_of

_FINE = 60


def of_numbers(rng: Rng, columns: int, windows: tuple[int, int], rows: int, concentration: float | None) -> Counts:
    """Draw windows of columns whose outermost edges are the extremes of the reference, shape (columns, windows, 13).

    The tails are cut into pieces of decreasing shares (each 0.7 of the previous one); the rows beyond the last piece
    that a reference window fills are below or above.
    """
    tail = 0.7 ** np.arange(_FINE)
    fine = np.concatenate([(tail / tail.sum())[::-1], np.ones(8), tail / tail.sum()]) / 10
    counts = counts_of(rng, np.tile(fine, (columns, 1)), [rows] * sum(windows), concentration)
    result = []
    for column in counts:
        filled = np.flatnonzero(column[: windows[0]].any(axis=0))
        first, last = min(filled[0], _FINE - 1), max(filled[-1], _FINE + 8)
        parts = np.split(column, [first, *range(_FINE, _FINE + 9), last + 1], axis=1)
        result.append(np.stack([*(part.sum(axis=1) for part in parts), np.zeros(sum(windows), np.int64)], axis=1))
    return np.stack(result)


def of_names(
    rng: Rng, columns: int, windows: tuple[int, int], rows: int, concentration: float | None
) -> tuple[Group, Counts]:
    """Draw 400 categories by Zipf's law of exponent 1.3; the reference lists its first ten, others are rare or unseen.

    Returns the calibration on the reference, and the live windows, shape (columns, windows, 13).
    """
    share = 1 / np.arange(1.0, 401) ** 1.3
    counts = counts_of(rng, np.tile(share / share.sum(), (columns, 1)), [rows] * sum(windows), concentration)
    axes, columns_counts = [], []
    for column in counts:
        pooled = column[: windows[0]].sum(axis=0)
        order = np.argsort(-pooled, kind="stable")
        rare, unseen = order[10:][pooled[order[10:]] > 0], order[10:][pooled[order[10:]] == 0]
        axes.append(CategoricalAxis(tuple(f"n{i}" for i in order[:10]), rare=frozenset(f"n{i}" for i in rare)))
        missing = np.zeros((sum(windows), 1), np.int64)
        others = [column[:, members].sum(axis=1, keepdims=True) for members in (rare, unseen)]
        columns_counts.append(np.concatenate([column[:, order[:10]], *others, missing], axis=1))
    all_counts = np.stack(columns_counts)
    return fit_group(axes, all_counts[:, : windows[0]]), all_counts[:, windows[0] :]


def group_and_live(counts: Counts, windows: int) -> tuple[Group, Counts]:
    """Calibrate on the first windows; return the others as live windows."""
    return group_of(counts[:, :windows]), counts[:, windows:]
