"""Calibration of columns with equally many bins at once: one pass of NumPy for thousands of columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drift.histogram import Axis, CategoricalAxis, Counts, NumericAxis
from drift.stats.arrays import Floats, Indices, Mask
from drift.stats.calibration.deviation import DeviationModel, fit_deviation_model
from drift.stats.calibration.novelty import Novelty, design_effect, mean_design_effect
from drift.stats.calibration.tail import Tail, fit_tail

Neighbours = tuple[tuple[int, int], ...]
"""Bins that are empty in the reference by construction, each with the bin its rows are added to."""

Folds = Sequence[tuple[int, int, Mask]]


def neighbours(axis: Axis) -> Neighbours:
    """Return the pairs (below, first bin) and (above, last bin), or (unseen, rare)."""
    if isinstance(axis, CategoricalAxis):
        return ((axis.n_bins - 2, axis.n_bins - 3),) if axis.rare is not None else ()
    return ((0, 1), (axis.n_bins - 2, axis.n_bins - 3)) if len(axis.edges) > 1 else ()


def count_singletons(axis: Axis, counts: Counts, cluster: float) -> float:
    """Estimate how many categories occurred in a single cluster of rows in the reference; counts of shape (N, k).

    Of the listed categories, those of one window. Of R rare categories that share M rows, hence M / `cluster`
    clusters: R^2 over these if the numbers of rows were geometric, doubled because their real tails are longer.
    """
    if isinstance(axis, NumericAxis) or axis.rare is None:
        return 0.0
    rare, clusters = len(axis.rare), float(counts[:, -3].sum()) / cluster
    listed = int(np.count_nonzero((counts[:, : len(axis.categories)] > 0).sum(axis=0) == 1))
    return listed + (min(rare, 2 * rare * rare / clusters) if clusters else rare)


@dataclass(frozen=True, slots=True)
class Group:
    """Calibration of C columns with k bins on N reference windows.

    Parameters
    ----------
    folds : sequence of (int, int, array of bool of shape (C,))
        Bins that are empty in the reference and counted with a neighbour: source, target, for which columns.
    model, tail, novelty
        The fitted parts.
    lowest, highest : array, shape (C, k)
        Range of the share of each bin over the windows.
    rows : array, shape (C, N)
        Rows of the windows.
    counts : array of int, shape (C, N, k)
        Counts of the windows.
    own : array of int, shape (C, N, k), or None
        Each window's own reference, if windows have one; otherwise a window's reference is all other windows.
    live_reference : array of int, shape (C, k)
        Reference of the live window.
    """

    folds: Folds
    model: DeviationModel
    tail: Tail
    novelty: Novelty
    lowest: Floats
    highest: Floats
    rows: Floats
    counts: Counts
    own: Counts | None
    live_reference: Counts

    @property
    def windows(self) -> int:
        return self.model.windows

    def evidence(self, counts: Floats) -> tuple[Floats, Indices, Mask]:
        """Return p-value, most unusual bin, and whether that bin is new; shape (C,), counts of shape (C, k).

        Two tests are made (is a bin outside its band, is a new bin filled), so the smaller p-value counts twice
        (Bonferroni).
        """
        deviations = self.model.bin_deviations(fold(counts, self.folds))
        for bin_index, never in self._empty_by_construction():
            deviations[never, bin_index] = 0.0
        by_band, by_novelty = self.tail.p_value(deviations.max(axis=1)), self.novelty.p_value(counts)
        new = by_novelty[0] < by_band
        p_value = np.minimum(1.0, 2 * np.minimum(by_band, by_novelty[0]))
        return p_value, np.where(new, by_novelty[1], deviations.argmax(axis=1)), new

    def bands(self, level: float, rows: Floats) -> tuple[Floats, Floats]:
        """Return the lowest and highest share of each bin at which a window's p-value is at least `level`.

        Both of shape (C, k). `rows`, shape (C, 1), is the size of the window. A bin that is counted with its neighbour
        has a band from 0.
        """
        low, high = self.model.band(self.tail.limit(level / 2)[:, None], rows)
        new = self.novelty.limit(level / 2, rows)
        by_construction = {bin_index for bin_index, _ in self._empty_by_construction()}
        for i, bin_index in enumerate(self.novelty.bins):
            never = self.novelty.never[:, i]
            # `missing` is subject to both tests; the stricter limit holds.
            by_band = 1.0 if bin_index in by_construction else high[never, bin_index]
            low[never, bin_index], high[never, bin_index] = 0.0, np.minimum(by_band, new[never, i])
        return low, high

    def _empty_by_construction(self) -> list[tuple[int, Mask]]:
        """Bins whose share in the reference is zero by construction, and for which columns; never `missing`."""
        return [(bin_index, self.novelty.never[:, i]) for i, bin_index in enumerate(self.novelty.bins[:-1])]


def fold(counts: Floats, folds: Folds) -> Floats:
    """Add the rows of bins that the reference never filled to their neighbours; counts of shape (C, ..., k)."""
    folded = counts.copy()
    for source, target, never in folds:
        folded[never, ..., target] += folded[never, ..., source]
        folded[never, ..., source] = 0
    return folded


def fit_group(axes: Sequence[Axis], counts: Counts, own: tuple[Counts, Counts] | None = None) -> Group:
    """Calibrate C columns, whose axes have one kind and number of bins, on N windows.

    Parameters
    ----------
    counts : array of int, shape (C, N, k)
        No window is empty.
    own : pair of arrays of int, shapes (C, N, k) and (C, k), optional
        Each window's own reference and that of the live window, if windows have one.
    """
    values, pooled = counts.astype(np.float64), counts.sum(axis=1)
    pairs = neighbours(axes[0])
    folds = tuple((source, target, (pooled[:, source] == 0) & (pooled[:, target] > 0)) for source, target in pairs)
    folded = fold(values, folds)
    folded_own = None if own is None else (fold(own[0].astype(float), folds), fold(own[1].astype(float), folds))
    model = fit_deviation_model(folded, folded_own)
    filled = np.count_nonzero(folded.sum(axis=1), axis=1)
    rows = values.sum(axis=2)
    shares = values / rows[:, :, None]
    return Group(
        folds=folds,
        model=model,
        tail=fit_tail(model.sorted_deviations, filled),
        novelty=_fit_novelty(axes, counts, values, pairs),
        lowest=shares.min(axis=1),
        highest=shares.max(axis=1),
        rows=rows,
        counts=counts,
        own=None if own is None else own[0],
        live_reference=pooled if own is None else own[1],
    )


def _fit_novelty(axes: Sequence[Axis], counts: Counts, values: Floats, pairs: Neighbours) -> Novelty:
    """Fit the bins that the reference may never have filled: those with a neighbour, and `missing`."""
    pooled, rows = counts.sum(axis=1), values.sum(axis=2)
    missing = counts.shape[2] - 1
    never = [*(pooled[:, source] == 0 for source, _ in pairs), pooled[:, missing] == 0]
    sizes = [design_effect(values[:, :, target], rows) for _, target in pairs]
    categorical = isinstance(axes[0], CategoricalAxis)
    if categorical:  # categories cluster as the rare ones do, or as all do: a window may hold a single category
        overall = mean_design_effect(values[:, :, :-1], rows)
        sizes = [(1 + np.maximum(size, overall)) / 2 for size in sizes]
    cluster = [*sizes, np.ones(len(axes))]
    once = np.array([count_singletons(*column) for column in zip(axes, counts, cluster[0], strict=True)])
    return Novelty(
        bins=(*(source for source, _ in pairs), missing),
        never=np.stack(never, axis=1),
        rows=rows.sum(axis=1, keepdims=True),
        cluster=np.stack(cluster, axis=1),
        categorical=categorical,
        once=np.stack([*(once for _ in pairs), np.zeros(len(axes))], axis=1),
    )
