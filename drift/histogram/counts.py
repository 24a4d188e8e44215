"""A histogram: integer counts on an axis, special bins included."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from drift.errors import AxisError, InputError
from drift.histogram.axis import Axis, CategoricalAxis, NumericAxis, axis_from_dict
from drift.histogram.kinds import Category, Edge

Counts = npt.NDArray[np.int64]
VERSION: Final = 1
_MOST: Final = 2**63 - 1


@dataclass(frozen=True, eq=False, slots=True)
class Histogram:
    """Exact 64-bit counts on an axis; they add up to the rows seen.

    Parameters
    ----------
    axis : NumericAxis or CategoricalAxis
        How values are cut.
    counts : array_like of int, shape (axis.n_bins,)
        Rows in each bin, special bins included.

    Raises
    ------
    InputError
        Where counts are negative, not integers, not one for each bin, or too many for 64 bits in sum.

    Examples
    --------
    >>> h = Histogram(NumericAxis((0, 10)), [1, 5, 0, 2])
    >>> (h + h).rows
    16
    >>> h
    Histogram(8 rows: below 1, [0, 10) 5, above 0, missing 2)
    """

    axis: Axis
    counts: Counts

    def __init__(self, axis: Axis, counts: npt.ArrayLike) -> None:
        given = np.asarray(counts)
        if given.dtype.kind not in "iu":
            raise InputError(f"counts are integers; got {given.dtype} (round or cast them where you know why)")
        if given.shape != (axis.n_bins,):
            raise InputError(f"expected {axis.n_bins} counts, one for each bin of {axis!r}; got {given.shape}")
        if (given < 0).any():
            raise InputError(f"counts are not negative; got {given.min()}")
        # Summed as Python integers, which do not wrap, but only where floats (exact to 1 in 2**52) say it is close.
        if given.sum(dtype=np.float64) > _MOST / 2 and (total := sum(given.tolist())) > _MOST:
            raise InputError(f"counts add up to at most 2**63 - 1 rows; got {total}")
        own = given.astype(np.int64)  # always a copy: a histogram never shares memory with its maker
        own.flags.writeable = False
        object.__setattr__(self, "axis", axis)
        object.__setattr__(self, "counts", own)

    @property
    def rows(self) -> int:
        """Rows seen, missing ones included."""
        return int(self.counts.sum())

    @property
    def missing(self) -> int:
        """Rows whose value is NaN, null, None or NaT."""
        return int(self.counts[-1])

    @property
    def labels(self) -> tuple[str, ...]:
        """One readable name for each bin."""
        return self.axis.labels

    def __add__(self, other: "Histogram") -> "Histogram":
        if not isinstance(other, Histogram):
            return NotImplemented
        if self.axis != other.axis:
            raise AxisError(f"histograms add on equal axes only; left has {self.axis!r}, right {other.axis!r}")
        # Two int64 counts always fit uint64: what is too much for int64 is seen, and refused, not wrapped.
        return Histogram(self.axis, self.counts.astype(np.uint64) + other.counts.astype(np.uint64))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return self.axis == other.axis and np.array_equal(self.counts, other.counts)

    def __hash__(self) -> int:
        return hash((self.axis, self.counts.tobytes()))

    def __repr__(self) -> str:
        bins = ", ".join(f"{label} {n}" for label, n in zip(self.labels, self.counts, strict=True))
        return f"Histogram({self.rows} rows: {bins})"

    def merge_bins(self, keep: Iterable[Edge | Category]) -> "Histogram":
        """The same rows on a coarser axis.

        Parameters
        ----------
        keep : iterable
            Numeric axis: the edges that stay. Categorical axis: the categories that keep a bin of their
            own; the others become `rare`.

        Raises
        ------
        AxisError
            Where something to keep is not on the axis, or 1 and True would both become rare.
        """
        if isinstance(self.axis, NumericAxis):
            return _merge_edges(self.axis, self.counts, list(keep))
        return _merge_categories(self.axis, self.counts, list(keep))

    def to_dict(self) -> dict[str, Any]:
        """Versioned form that JSON can hold."""
        return {"version": VERSION, "axis": self.axis.to_dict(), "counts": self.counts.tolist()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Histogram":
        """Rebuild from the dict form, of this version or an older one.

        Raises
        ------
        InputError
            Where the document is of an unknown version, or malformed.
        """
        if document.get("version") != VERSION:
            found = document.get("version")
            raise InputError(f"histogram document of version {found!r}; this drift reads {VERSION}")
        try:
            axis, counts = document["axis"], list(document["counts"])
        except (KeyError, TypeError) as error:
            raise InputError(f"malformed histogram document: {error!r}") from error
        if wrong := [n for n in counts if type(n) is not int or not 0 <= n <= _MOST]:
            raise InputError(
                f"malformed histogram document: counts are whole numbers from 0 to 2**63 - 1; got {wrong[0]!r}"
            )
        return cls(axis_from_dict(axis), np.array(counts, dtype=np.int64))


def _merge_edges(axis: NumericAxis, counts: Counts, keep: list[Any]) -> Histogram:
    unknown = [edge for edge in keep if edge not in axis.edges]
    if unknown:
        raise AxisError(f"cannot keep {unknown}: not edges of {axis!r}")
    kept = [edge for edge in axis.edges if edge in keep]
    starts = [0, *(i + 1 for i, edge in enumerate(axis.edges) if edge in keep), axis.n_bins - 1]
    return Histogram(NumericAxis(tuple(kept), axis.kind), np.add.reduceat(counts, starts))


def _merge_categories(axis: CategoricalAxis, counts: Counts, keep: list[Any]) -> Histogram:
    listed = {(type(c), c): i for i, c in enumerate(axis.categories)}
    wanted = {(type(c), c) for c in keep}
    if unknown := wanted - listed.keys():
        raise AxisError(f"cannot keep {[key for _, key in unknown]}: not listed by {axis!r}")
    kept = [(c, i) for (t, c), i in listed.items() if (t, c) in wanted]
    moved = [(c, i) for (t, c), i in listed.items() if (t, c) not in wanted]
    rare = None if axis.rare is None else axis.rare | {c for c, _ in moved}
    if rare is not None and axis.rare is not None and len(rare) != len(axis.rare) + len(moved):
        raise AxisError(f"1 and True (or 0 and False) cannot both be rare; keep one of them apart in {axis!r}")
    merged = counts[[*(i for _, i in kept), *range(len(axis.categories), axis.n_bins)]]
    merged[len(kept)] += counts[[i for _, i in moved]].sum()
    return Histogram(CategoricalAxis(tuple(c for c, _ in kept), rare, axis.kind), merged)
