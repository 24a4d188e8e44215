"""Choice of bins, from the reference only."""

import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from drift.errors import InputError
from drift.histogram import MAX_KNOWN, Axis, CategoricalAxis, Edge, Kind, NumericAxis, category_order
from drift.histogram.column_values import CategoryCounts, OrderedValues, Values

Ordered = npt.NDArray[Any]
METHODS: Final = ("quantile", "uniform", "fd", "doane", "distinct", "edges")
MAX_BINS: Final = 1000
SAMPLE: Final = 100_000
"""Maximum of rows that edges are chosen from: a quantile is off by 0.2 % of the rows at most."""
MAX_RULE_BINS: Final = 200  # without a limit, 'fd' asks for millions of bins if there are outliers
_ABOVE_ALL_DOUBLES: Final = Decimal("1.7976931348623158E+308")  # the largest ends in ...157


@dataclass(frozen=True, slots=True)
class Bins:
    """How axes are chosen.

    Parameters
    ----------
    method : str
        For ordered columns. `quantile`: about equally many rows in each bin; a value that fills a bin alone gets a
        bin of its own. `uniform`: equal widths. `fd`, `doane`: equal widths, their number by a rule of thumb (at most
        200). `distinct`: a bin for each value, up to 1000 of them, else `quantile`. `edges`: as given.
    count : int
        Number of bins of `quantile` and `uniform`.
    edges : tuple or None
        The edges of method `edges`.
    top : int
        Number of listed categories, for categorical columns.

    Raises
    ------
    InputError
        If the method is unknown, or a number out of range.
    """

    method: str = "quantile"
    count: int = 10
    edges: tuple[Edge, ...] | None = None
    top: int = 50

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            known = ", ".join(METHODS)
            raise InputError(f"unknown method {self.method!r} of bins; use one of {known}", code="invalid-value")
        if (self.edges is None) == (self.method == "edges"):
            raise InputError("edges and the method 'edges' must be given together", code="invalid-value")
        if self.edges is not None:
            NumericAxis(self.edges)
        if not 1 <= self.count <= MAX_BINS:
            raise InputError(f"the number of bins must be from 1 to {MAX_BINS}; got {self.count}", code="invalid-value")
        if not 1 <= self.top <= MAX_KNOWN:
            message = f"the number of listed categories must be from 1 to {MAX_KNOWN}; got {self.top}"
            raise InputError(message, code="invalid-value")


class RowSampler:
    """Random rows to choose edges from: the same ones for every column, because every sample starts from the seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._cached: dict[int, npt.NDArray[np.int64]] = {}

    def sample(self, size: int, rows: int) -> npt.NDArray[np.int64]:
        """Return one row of each of `size` equal parts of the rows, which are often in the order of time."""
        if size != SAMPLE:
            return self._draw(size, rows)
        if rows not in self._cached:  # two threads may both draw them: they are the same rows
            self._cached[rows] = self._draw(size, rows)
        return self._cached[rows]

    def _draw(self, size: int, rows: int) -> npt.NDArray[np.int64]:
        starts = np.arange(size + 1) * rows // size
        within = np.random.default_rng(self._seed).random(size)
        drawn: npt.NDArray[np.int64] = starts[:-1] + (within * np.diff(starts)).astype(np.int64)
        drawn.flags.writeable = False
        return drawn


def choose_axis(values: Values, bins: Bins, sampler: RowSampler | None = None) -> Axis:
    """Choose the axis of a column from the reference's values.

    Every finite value of the reference is between its edges. A sampler chooses the rows if there are more than
    `SAMPLE`; without one, every row is used.

    Raises
    ------
    InputError
        Only if `edges` are given for a column of categories; never for unusual data.
    """
    if bins.edges is not None:
        return _given_edges(bins.edges, values)
    if isinstance(values, CategoryCounts):
        return _choose_categories(values, bins.top) if values.present else NumericAxis((), Kind.EMPTY)
    extremes = values.extremes()
    if extremes is None:  # no values, or infinities only
        return NumericAxis((0.0,), values.kind) if values.present else NumericAxis((), Kind.EMPTY)
    edges = _increasing(values.edge(start) for start in _starts_of(values, extremes, bins, sampler))
    return NumericAxis((*edges, _beyond(values, extremes[1])), values.kind)


def near_duplicates(axis: Axis, limit: int = 5) -> list[str]:
    """Return warnings for categories that differ only by Unicode normalisation, case or outer spaces."""
    if not isinstance(axis, CategoricalAxis):
        return []
    seen: dict[str, str] = {}
    warnings = []
    for name in sorted(n for n in {*axis.categories, *(axis.rare or ())} if isinstance(n, str)):
        folded = unicodedata.normalize("NFKC", name).casefold().strip()
        if folded in seen:
            warnings.append(f"{seen[folded]!r} and {name!r} are two categories but look alike")
        seen.setdefault(folded, name)
    return warnings[:limit]


def _given_edges(edges: tuple[Edge, ...], values: Values) -> NumericAxis:
    if values.present == 0:
        return NumericAxis(edges, values.kind if values.kind in {Kind.DATETIME, Kind.DURATION} else Kind.NUMBER)
    if isinstance(values, CategoryCounts):
        message = f"edges need ordered values, and this column holds {values.kind.value} values"
        raise InputError(message, code="not-comparable")
    return NumericAxis(edges, values.kind)


def _choose_categories(values: CategoryCounts, top: int) -> CategoricalAxis:
    pairs = zip(values.keys, values.counts.tolist(), strict=True)
    names = [name for name, _ in sorted(pairs, key=lambda pair: (-pair[1], category_order(pair[0])))]
    rare = frozenset(names[top:]) if len(names) <= MAX_KNOWN else None
    return CategoricalAxis(tuple(names[:top]), rare, values.kind)


def _starts_of(values: OrderedValues, extremes: tuple[Any, Any], bins: Bins, sampler: RowSampler | None) -> list[Any]:
    """Left edges of the bins, in the data's own units; the first is the smallest value."""
    if sampler is not None and values.rows > SAMPLE:
        sample = _sample(values, extremes, sampler)
        few = _few_distinct(sample, bins)
        if few is None or _are_all(values, few):
            return _starts(sample, bins, few, values)
    ordered = np.sort(values.finite())
    return _starts(ordered, bins, _few_distinct(ordered, bins), values)


def _sample(values: OrderedValues, extremes: tuple[Any, Any], sampler: RowSampler) -> Ordered:
    """About `SAMPLE` finite values, one from each of as many equal parts of the rows, and both extremes; sorted."""
    sample = values.finite(sampler.sample(SAMPLE, values.rows))
    if len(sample) < SAMPLE // 2:  # mostly missing: sample more rows
        size = SAMPLE * values.rows // max(values.present, 1)
        sample = values.finite(sampler.sample(size, values.rows) if size < values.rows else None)
    both = np.array(extremes, object if sample.dtype.kind == "O" else sample.dtype)
    return np.sort(np.concatenate([sample, both]))


def _few_distinct(ordered: Ordered, bins: Bins) -> Ordered | None:
    """Distinct values if each gets a bin of its own, else None: quantiles would merge rare ones into neighbours."""
    limit = {"distinct": MAX_BINS, "quantile": bins.count}.get(bins.method, 0)
    first = np.append(True, ordered[1:] != ordered[:-1])
    return ordered[first] if np.count_nonzero(first) <= limit else None


def _are_all(values: OrderedValues, distinct: Ordered) -> bool:
    """Whether `distinct`, which includes both extremes of a column, holds all its finite values."""
    limits = [limit for value in map(_item, distinct) for limit in (value, _following(value))]
    at_least, _ = values.count_at_least(limits)
    return sum(at_least[::2]) - sum(at_least[1::2]) == at_least[0] - at_least[-1]


def _starts(ordered: Ordered, bins: Bins, few: Ordered | None, values: OrderedValues) -> list[Any]:
    if few is not None:
        return [_item(value) for value in few]
    if bins.method in {"distinct", "quantile"}:
        return _quantile_starts(ordered, bins.count)
    if bins.method == "uniform":
        return _uniform_starts(ordered, bins.count)
    (finite, above), _ = values.count_at_least((_item(ordered[0]), _following(_item(ordered[-1]))))
    number = (_fd_bins if bins.method == "fd" else _doane_bins)(ordered, finite - above)
    return _uniform_starts(ordered, max(1, min(number, MAX_RULE_BINS)))


def _quantile_starts(ordered: Ordered, count: int) -> list[Any]:
    """Observed values, so that an edge is as exact as the data; each bin takes its share of the remaining rows.

    Plain quantiles would put a value that fills several bins into one bin with all values up to the next quantile: if
    a column is zero in 95 % of its rows, the rest would share the bin of the zeros.
    """
    starts: list[Any] = []
    start, n = 0, len(ordered)
    for remaining in range(count, 0, -1):
        starts.append(_item(ordered[start]))
        target = max(start + (n - start) // remaining, start + 1)  # at least one row, if fewer rows than bins remain
        if target >= n:
            break
        first, beyond = (int(np.searchsorted(ordered, ordered[target], side)) for side in ("left", "right"))
        # Ties stay together: the bin ends before or after them, whichever is nearer to its share.
        start = first if first > start and target - first <= beyond - target else beyond
        if start >= n:
            break
    return starts


def _uniform_starts(ordered: Ordered, count: int) -> list[Any]:
    low, high = _item(ordered[0]), _item(ordered[-1])
    if isinstance(low, int):
        return [low + (high + 1 - low) * i // count for i in range(count)]
    # low + (high - low) * t overflows if the range exceeds the largest double; rounding may pass the extremes
    return [min(max(low * (1 - i / count) + high * (i / count), low), high) for i in range(count)]


def _fd_bins(ordered: Ordered, n: int) -> int:
    """Freedman and Diaconis 1981: bins of width 2 IQR n^(-1/3); Doane's number if the quartiles coincide."""
    distances = _distances(ordered)
    low, high = np.quantile(distances, (0.25, 0.75))
    width = 2 * float(high - low) / n ** (1 / 3)
    return math.ceil(min(float(distances[-1]) / width, MAX_RULE_BINS)) if width > 0 else _doane_bins(ordered, n)


def _doane_bins(ordered: Ordered, n: int) -> int:
    """Doane 1976: Sturges' 1 + log2 n, and more of them the more skewed the data are."""
    distances = _distances(ordered)
    deviation = distances - distances.mean()
    spread = float(np.sqrt(np.mean(deviation**2)))
    if n < 3 or spread == 0:
        return 1
    skewness = abs(float(np.mean((deviation / spread) ** 3)))
    standard_error = math.sqrt(6 * (n - 2) / ((n + 1) * (n + 3)))  # of the skewness
    return math.ceil(1 + math.log2(n) + math.log2(1 + skewness / standard_error))


def _distances(ordered: Ordered) -> npt.NDArray[np.float64]:
    """Distances from the smallest value, in a unit (a power of two) in which none exceeds 2.

    Rules of thumb depend only on the shape of the data. In this unit, neither squares nor distances overflow, and
    large integers that are close together remain distinct.
    """
    if ordered.dtype.kind in "iu":  # differences of unsigned integers are exact because they wrap
        distances = (ordered.astype(np.uint64) - ordered[:1].astype(np.uint64)).astype(np.float64)
    elif ordered.dtype.kind == "f":
        unit = math.frexp(max(abs(float(ordered[0])), abs(float(ordered[-1]))))[1]
        scaled = np.ldexp(ordered, -unit)
        distances = scaled - scaled[0]
    else:
        distances = (ordered - ordered[0]).astype(np.float64)
    return np.asarray(np.ldexp(distances, -math.frexp(float(distances[-1]))[1]))


def _beyond(values: OrderedValues, largest: Any) -> Edge:
    """Next representable value, so that the largest value of the reference is inside the last bin."""
    following = _following(largest)
    return values.edge(following) if following != math.inf else _ABOVE_ALL_DOUBLES


def _following(value: Any) -> Any:
    return value + 1 if isinstance(value, int) else math.nextafter(value, math.inf)


def _item(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _increasing(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """Drop repeated edges: starts coincide if values are few or tied."""
    result: list[Edge] = []
    for edge in edges:
        if not result or edge > result[-1]:
            result.append(edge)
    return tuple(result)
