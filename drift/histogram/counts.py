"""Histograms: integer counts on an axis, special bins included."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from drift.errors import AxisError, InputError
from drift.histogram.axis import Axis, CategoricalAxis, NumericAxis, axis_from_dict
from drift.histogram.kinds import Category, Edge

Counts = npt.NDArray[np.int64]
_VERSION: Final = 1
_MAX_COUNT: Final = 2**63 - 1


@dataclass(frozen=True, eq=False, slots=True)
class Histogram:
    """Exact 64-bit counts on an axis; they sum to the number of rows.

    Parameters
    ----------
    axis : NumericAxis or CategoricalAxis
        How values are cut.
    counts : array_like of int, shape (axis.n_bins,)
        Rows in each bin, special bins included.

    Raises
    ------
    InputError
        If counts are negative, not integers, not one for each bin, or their sum exceeds 64 bits.

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
            message = f"counts must be integers; got {given.dtype}; round or cast them first"
            raise InputError(message, code="invalid-input")
        if given.shape != (axis.n_bins,):
            message = f"expected {axis.n_bins} counts, one for each bin of {axis!r}; got {given.shape}"
            raise InputError(message, code="axis-mismatch")
        if (given < 0).any():
            raise InputError(f"counts must not be negative; got {given.min()}", code="invalid-input")
        # Python integers do not overflow but are slow: they are used only if a sum of floats comes close to the limit.
        if given.sum(dtype=np.float64) > _MAX_COUNT / 2 and (total := sum(given.tolist())) > _MAX_COUNT:
            raise InputError(f"a histogram holds at most 2**63 - 1 rows; got {total}", code="invalid-input")
        own = given.astype(np.int64)  # always a copy: a histogram never shares memory with its caller
        own.flags.writeable = False
        object.__setattr__(self, "axis", axis)
        object.__setattr__(self, "counts", own)

    @property
    def rows(self) -> int:
        """Number of rows, missing values included."""
        return int(self.counts.sum())

    @property
    def missing(self) -> int:
        """Number of rows whose value is NaN, null, None or NaT."""
        return int(self.counts[-1])

    @property
    def labels(self) -> tuple[str, ...]:
        """One readable name for each bin."""
        return self.axis.labels

    def __add__(self, other: "Histogram") -> "Histogram":
        if not isinstance(other, Histogram):
            return NotImplemented
        if self.axis != other.axis:
            message = f"histograms on different axes cannot be added; left: {self.axis!r}, right: {other.axis!r}"
            raise AxisError(message, code="axis-mismatch")
        # The sum of two int64 counts fits uint64, so one that exceeds int64 is refused and does not overflow.
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
        """Return the same rows on a coarser axis.

        Parameters
        ----------
        keep : iterable
            Numeric axis: the remaining edges. Categorical axis: the categories that keep a bin of their own; the
            others become `rare`.

        Raises
        ------
        AxisError
            If an edge or category to keep is not on the axis, or 1 and True would both become rare.
        """
        if isinstance(self.axis, NumericAxis):
            return _merge_edges(self.axis, self.counts, list(keep))
        return _merge_categories(self.axis, self.counts, list(keep))

    def to_dict(self) -> dict[str, Any]:
        """Return a versioned document for JSON."""
        return {"version": _VERSION, "axis": self.axis.to_dict(), "counts": self.counts.tolist()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Histogram":
        """Return the histogram of a document of `to_dict`, of this version or an older one.

        Raises
        ------
        InputError
            If the version of the document is unknown, or the document is malformed.
        """
        if document.get("version") != _VERSION:
            message = (
                f"unknown version {document.get('version')!r} of a histogram document; this drift reads {_VERSION}"
            )
            raise InputError(message, code="invalid-input")
        try:
            axis, counts = document["axis"], list(document["counts"])
        except (KeyError, TypeError) as error:
            raise InputError(f"malformed histogram document: {error!r}", code="invalid-input") from error
        if wrong := [n for n in counts if type(n) is not int or not 0 <= n <= _MAX_COUNT]:
            reason = f"counts must be integers from 0 to 2**63 - 1; got {wrong[0]!r}"
            raise InputError(f"malformed histogram document: {reason}", code="invalid-input")
        return cls(axis_from_dict(axis), np.array(counts, dtype=np.int64))


def _merge_edges(axis: NumericAxis, counts: Counts, keep: list[Any]) -> Histogram:
    if unknown := [edge for edge in keep if edge not in axis.edges]:
        raise AxisError(f"cannot keep {unknown}: not edges of {axis!r}", code="axis-mismatch")
    kept = [edge for edge in axis.edges if edge in keep]
    starts = [0, *(i + 1 for i, edge in enumerate(axis.edges) if edge in keep), axis.n_bins - 1]
    return Histogram(NumericAxis(tuple(kept), axis.kind), np.add.reduceat(counts, starts))


def _merge_categories(axis: CategoricalAxis, counts: Counts, keep: list[Any]) -> Histogram:
    listed = {(type(c), c): i for i, c in enumerate(axis.categories)}
    wanted = {(type(c), c) for c in keep}
    if unknown := wanted - listed.keys():
        raise AxisError(f"cannot keep {[key for _, key in unknown]}: not listed by {axis!r}", code="axis-mismatch")
    kept = [(c, i) for (t, c), i in listed.items() if (t, c) in wanted]
    moved = [(c, i) for (t, c), i in listed.items() if (t, c) not in wanted]
    rare = None if axis.rare is None else axis.rare | {c for c, _ in moved}
    if rare is not None and axis.rare is not None and len(rare) != len(axis.rare) + len(moved):
        message = f"1 and True (or 0 and False) cannot both be rare; keep a bin for one of them in {axis!r}"
        raise AxisError(message, code="axis-mismatch")
    merged = counts[[*(i for _, i in kept), *range(len(axis.categories), axis.n_bins)]]
    merged[len(kept)] += counts[[i for _, i in moved]].sum()
    return Histogram(CategoricalAxis(tuple(c for c, _ in kept), rare, axis.kind), merged)
