"""Columns of one kind and number of bins, calibrated together: one pass of NumPy for thousands of columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drift.histogram import Axis, CategoricalAxis, NumericAxis
from drift.stats.calibration.deviation import DeviationModel, fit_deviation_model
from drift.stats.calibration.novelty import Novelty, design_effect, mean_design_effect
from drift.stats.calibration.tail import Tail, fit_tail

Array = npt.NDArray[np.float64]

Neighbours = tuple[tuple[int, int], ...]
"""Bins that the reference may leave empty by construction, each with the bin its rows are counted with instead."""


def neighbours(axis: Axis) -> Neighbours:
    """Below and above go with the first and last bin, unseen with rare."""
    if isinstance(axis, CategoricalAxis):
        return ((axis.n_bins - 2, axis.n_bins - 3),) if axis.rare is not None else ()
    return ((0, 1), (axis.n_bins - 2, axis.n_bins - 3)) if len(axis.edges) > 1 else ()


def names_once(axis: Axis, counts: npt.NDArray[np.int64], cluster: float) -> float:
    """About how many names occurred in one cluster of rows in the reference; counts of shape (N, k).

    Of the listed names: those of one window. Of R rare names that share M rows, M / `cluster` clusters: R^2 over these,
    were their numbers geometric, and taken twice, since those of names have longer tails.
    """
    if isinstance(axis, NumericAxis) or axis.rare is None:
        return 0.0
    names, clusters = len(axis.rare), float(counts[:, -3].sum()) / cluster
    listed = int(np.count_nonzero((counts[:, : len(axis.categories)] > 0).sum(axis=0) == 1))
    return listed + (min(names, 2 * names * names / clusters) if clusters else names)


@dataclass(frozen=True, slots=True)
class Group:
    """What is known of C columns of k bins, from N windows.

    Parameters
    ----------
    folds : tuple of (int, int, array of bool of shape (C,))
        Bins that the reference left empty are counted with a neighbour: source, target, for which columns.
    strange, tail, novelty
        See there.
    lowest, highest : array, shape (C, k)
        The least and the largest share of a bin in any window.
    rows : array, shape (C, N)
        Rows of the windows.
    counts : array of int, shape (C, N, k)
        The windows.
    own : array of int, shape (C, N, k), or None
        The reference of each window, where each has its own; else it is all other windows.
    held : array of int, shape (C, k)
        What the live window is held to.
    """

    folds: tuple[tuple[int, int, npt.NDArray[np.bool_]], ...]
    strange: DeviationModel
    tail: Tail
    novelty: Novelty
    lowest: Array
    highest: Array
    rows: Array
    counts: npt.NDArray[np.int64]
    own: npt.NDArray[np.int64] | None
    held: npt.NDArray[np.int64]

    @property
    def windows(self) -> int:
        """Reference windows behind it."""
        return self.strange.windows

    def evidence(self, counts: Array) -> tuple[Array, npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """P-value, the bin that speaks, and whether it is one never filled; shape (C,), counts of shape (C, k).

        Two questions are asked (is a bin out of its band, is a bin filled that never was), so the smaller p-value
        counts twice (Bonferroni).
        """
        away = self.strange.of(self._folded(counts))
        for at, never in self._only_new():
            away[never, at] = 0.0
        by_band, by_novelty = self.tail.p_value(away.max(axis=1)), self.novelty.p_value(counts)
        new = by_novelty[0] < by_band
        p_value = np.minimum(1.0, 2 * np.minimum(by_band, by_novelty[0]))
        return p_value, np.where(new, by_novelty[1], away.argmax(axis=1)), new

    def bands(self, level: float, rows: Array) -> tuple[Array, Array]:
        """The shares between which a window's bins stay unless its p-value falls below `level`, shape (C, k) each.

        `rows`, shape (C, 1), is the size of the window. A bin counted with its neighbour has a band from 0.
        """
        low, high = self.strange.band(self.tail.limit(level / 2)[:, None], rows)
        new = self.novelty.limit(level / 2, rows)
        by_construction = {at for at, _ in self._only_new()}
        for i, at in enumerate(self.novelty.bins):
            never = self.novelty.never[:, i]
            seen = 1.0 if at in by_construction else high[never, at]  # asked both questions, the first to answer
            low[never, at], high[never, at] = 0.0, np.minimum(seen, new[never, i])
        return low, high

    def _only_new(self) -> list[tuple[int, npt.NDArray[np.bool_]]]:
        """Bins that are zero by construction, for which columns: how they vary says nothing. `missing` is not one."""
        return [(at, self.novelty.never[:, i]) for i, at in enumerate(self.novelty.bins[:-1])]

    def _folded(self, counts: Array) -> Array:
        return fold(counts, self.folds)


def fold(counts: Array, folds: Sequence[tuple[int, int, npt.NDArray[np.bool_]]]) -> Array:
    """Count the rows of bins that the reference never filled with their neighbours'; counts of shape (C, ..., k)."""
    folded = counts.copy()
    for source, target, never in folds:
        folded[never, ..., target] += folded[never, ..., source]
        folded[never, ..., source] = 0
    return folded


def learn(
    axes: Sequence[Axis],
    counts: npt.NDArray[np.int64],
    own: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None,
) -> Group:
    """Calibrate C columns on N windows, none of them empty; counts of shape (C, N, k), axes alike.

    `own` holds the reference of each window, shape (C, N, k), and of the live one, shape (C, k), where they differ.
    """
    values, pooled = counts.astype(np.float64), counts.sum(axis=1)
    beside = neighbours(axes[0])
    folds = tuple((source, target, (pooled[:, source] == 0) & (pooled[:, target] > 0)) for source, target in beside)
    merged = fold(values, folds)
    beside_own = None
    if own is not None:
        beside_own = fold(own[0].astype(np.float64), folds), fold(own[1].astype(np.float64), folds)
    strange = fit_deviation_model(merged, beside_own)
    filled = np.count_nonzero(merged.sum(axis=1), axis=1)
    rows = values.sum(axis=2)
    shares = values / rows[:, :, None]
    return Group(
        folds=folds,
        strange=strange,
        tail=fit_tail(strange.ordinary, filled),
        novelty=_novelty(axes, counts, values, beside),
        lowest=shares.min(axis=1),
        highest=shares.max(axis=1),
        rows=rows,
        counts=counts,
        own=None if own is None else own[0],
        held=pooled if own is None else own[1],
    )


def _novelty(axes: Sequence[Axis], counts: npt.NDArray[np.int64], values: Array, beside: Neighbours) -> Novelty:
    """What is known of the bins that the reference may never have filled: those with a neighbour, and `missing`.

    `values` are the counts of shape (C, N, k) as floats.
    """
    pooled, rows = counts.sum(axis=1), values.sum(axis=2)
    missing = counts.shape[2] - 1
    never = [*(pooled[:, source] == 0 for source, _ in beside), pooled[:, missing] == 0]
    sides = [design_effect(values[:, :, target], rows) for _, target in beside]
    named = isinstance(axes[0], CategoricalAxis)
    if named:  # names come together as the rare ones do, or as all do: a window may be of one name alone
        alike = mean_design_effect(values[:, :, :-1], rows)
        sides = [(1 + np.maximum(side, alike)) / 2 for side in sides]
    together = [*sides, np.ones(len(axes))]
    once = np.array([names_once(axis, *known) for axis, *known in zip(axes, counts, together[0], strict=True)])
    nothing = np.zeros(len(axes))
    return Novelty(
        bins=(*(source for source, _ in beside), missing),
        never=np.stack(never, axis=1),
        rows=rows.sum(axis=1, keepdims=True),
        cluster=np.stack(together, axis=1),
        named=named,
        once=np.stack([*(once for _ in beside), nothing], axis=1),
    )
