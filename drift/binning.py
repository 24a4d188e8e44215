"""Choosing bins: in this one place, and only from the reference."""

import math
import unicodedata
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from drift.errors import InputError
from drift.histogram import MAX_KNOWN, Axis, CategoricalAxis, Edge, Kind, NumericAxis, category_order
from drift.values import CategoryCounts, Values

Ordered = npt.NDArray[Any]
METHODS: Final = ("quantile", "uniform", "fd", "doane", "distinct", "edges")
MAX_BINS: Final = 1000
MAX_RULE_BINS: Final = 200  # a rule of thumb meets outliers: without a bound, 'fd' asks for millions


@dataclass(frozen=True, slots=True)
class Bins:
    """How axes are chosen.

    Parameters
    ----------
    method : str
        `quantile`, `uniform`, `fd`, `doane`, `distinct` or `edges`, for ordered columns.
    count : int
        Bins of `quantile` and `uniform`.
    edges : tuple or None
        The edges themselves, for method `edges`.
    top : int
        Categories listed, for columns of categories.

    Raises
    ------
    InputError
        For an unknown method, or numbers out of range.
    """

    method: str = "quantile"
    count: int = 10
    edges: tuple[Edge, ...] | None = None
    top: int = 50

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"unknown way to choose bins {self.method!r}; known are {', '.join(METHODS)}")
        if (self.edges is None) == (self.method == "edges"):
            raise InputError("edges are given exactly where bins are chosen by method 'edges'")
        if self.edges is not None:
            NumericAxis(self.edges)
        if not 1 <= self.count <= MAX_BINS:
            raise InputError(f"bins are 1 to {MAX_BINS} in number; got {self.count}")
        if not 1 <= self.top <= MAX_KNOWN:
            raise InputError(f"listed categories are 1 to {MAX_KNOWN} in number; got {self.top}")


def choose_axis(values: Values, bins: Bins) -> Axis:
    """The axis of a column, from the reference's values.

    Parameters
    ----------
    values : OrderedValues or CategoryCounts
        The reference's values.
    bins : Bins
        How to choose.

    Returns
    -------
    NumericAxis or CategoricalAxis
        On which every finite value of the reference lies inside.

    Raises
    ------
    InputError
        Only where `edges` are named for a column that they cannot cut; never for odd data.
    """
    if isinstance(values, CategoryCounts):
        if bins.method == "edges":
            raise InputError(f"edges cut ordered values; this column holds {values.kind.value} values")
        return _choose_categories(values, bins.top)
    if bins.edges is not None:
        return NumericAxis(bins.edges, values.kind)
    if values.kind is Kind.EMPTY or len(values.data) == 0:
        return NumericAxis((), Kind.EMPTY)
    finite = values.data[np.isfinite(values.data)] if values.is_float else values.data
    if len(finite) == 0:  # nothing but infinities: tell the two apart
        return NumericAxis((0.0,), values.kind)
    ordered = np.sort(finite)
    edges = [values.edge(edge) for edge in [*_starts(ordered, bins), _successor(_item(ordered[-1]))]]
    return NumericAxis(_increasing(edges), values.kind)


def lookalikes(axis: Axis, most: int = 5) -> list[str]:
    """Warnings for pairs of names that differ only by Unicode normalisation, case or outer spaces."""
    if not isinstance(axis, CategoricalAxis):
        return []
    seen: dict[str, str] = {}
    warnings = []
    for name in sorted(n for n in {*axis.categories, *(axis.rare or ())} if isinstance(n, str)):
        folded = unicodedata.normalize("NFKC", name).casefold().strip()
        if folded in seen:
            warnings.append(f"{seen[folded]!r} and {name!r} count as two categories but look like one")
        seen.setdefault(folded, name)
    return warnings[:most]


def _choose_categories(values: CategoryCounts, top: int) -> CategoricalAxis:
    by_count = sorted(
        zip(values.keys, values.counts.tolist(), strict=True),
        key=lambda pair: (-pair[1], category_order(pair[0])),
    )
    names = [name for name, _ in by_count]
    rare = frozenset(names[top:]) if len(names) <= MAX_KNOWN else None
    return CategoricalAxis(tuple(names[:top]), rare, values.kind)


def _starts(ordered: Ordered, bins: Bins) -> list[Any]:
    """The left edges of the bins, in the data's own units; the first is the smallest value."""
    if bins.method in {"distinct", "quantile"}:
        # Quantiles of a few distinct values would merge the rare ones into their neighbours.
        distinct = np.unique(ordered)
        if len(distinct) <= (MAX_BINS if bins.method == "distinct" else bins.count):
            return list(distinct.tolist())
        return _quantile_starts(ordered, bins.count)
    if bins.method == "uniform":
        return _uniform_starts(ordered, bins.count)
    width = _fd_bins(ordered) if bins.method == "fd" else _doane_bins(ordered)
    return _uniform_starts(ordered, max(1, min(width, MAX_RULE_BINS)))


def _quantile_starts(ordered: Ordered, count: int) -> list[Any]:
    """Observed values, so that an edge is as exact as the data: a share i/count lies below the i-th."""
    return [_item(ordered[len(ordered) * i // count]) for i in range(count)]


def _uniform_starts(ordered: Ordered, count: int) -> list[Any]:
    low, high = _item(ordered[0]), _item(ordered[-1])
    if isinstance(low, int):
        return [low + (high - low) * i // count for i in range(count)]
    # low + (high - low) * t would overflow where the range does not fit a double
    return [low * (1 - i / count) + high * (i / count) for i in range(count)]


def _fd_bins(ordered: Ordered) -> int:
    """Freedman and Diaconis 1981: bins of width 2 IQR n^(-1/3)."""
    low, q1, q3, high = (float(ordered[i]) for i in _quartiles(len(ordered)))
    width = 2 * (q3 - q1) / len(ordered) ** (1 / 3)
    bins = (high / width - low / width) if width > 0 else 1.0
    return math.ceil(min(bins, MAX_RULE_BINS))


def _quartiles(n: int) -> tuple[int, int, int, int]:
    return 0, (n - 1) // 4, (n - 1) * 3 // 4, n - 1


def _doane_bins(ordered: Ordered) -> int:
    """Doane 1976: Sturges' 1 + log2 n, and more of them the more skewed the data are."""
    n = len(ordered)
    if n < 3:
        return 1
    scaled = ordered.astype(np.float64)
    scaled = scaled / max(1.0, float(np.abs(scaled).max()))  # cubes must not overflow
    deviation = scaled - scaled.mean()
    spread = float(np.sqrt(np.mean(deviation**2)))
    if spread == 0:
        return 1
    skewness = abs(float(np.mean((deviation / spread) ** 3)))
    of_skewness = math.sqrt(6 * (n - 2) / ((n + 1) * (n + 3)))
    return math.ceil(1 + math.log2(n) + math.log2(1 + skewness / of_skewness))


def _successor(largest: Any) -> Any:
    """The next representable value, so that the largest of the reference lies inside the last bin."""
    return largest + 1 if isinstance(largest, int) else math.nextafter(largest, math.inf)


def _item(value: Any) -> Any:
    """A plain Python number, whatever array it stood in."""
    return value.item() if isinstance(value, np.generic) else value


def _increasing(edges: list[Edge]) -> tuple[Edge, ...]:
    """Duplicates collapse, as those of quantiles in tied data do; what no double can hold falls away."""
    kept: list[Edge] = []
    for edge in edges:
        if math.isfinite(edge) and (not kept or edge > kept[-1]):
            kept.append(edge)
    return tuple(kept)
