"""Choosing bins: in this one place, and only from the reference."""

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
"""Rows that edges are chosen from, where there are more: a quantile is off by 0.2 % of the rows at most."""
MAX_RULE_BINS: Final = 200  # a rule of thumb meets outliers: without a bound, 'fd' asks for millions
_ABOVE_ALL_DOUBLES: Final = Decimal("1.7976931348623158E+308")  # the largest ends in ...157


@dataclass(frozen=True, slots=True)
class Bins:
    """How axes are chosen.

    Parameters
    ----------
    method : str
        For ordered columns. `quantile`: about equally many rows in each bin; a value that fills a bin by itself
        gets one of its own. `uniform`: equal widths. `fd`, `doane`: equal widths, their number by a rule of
        thumb (at most 200). `distinct`: a bin for each value, up to 1000 of them, else `quantile`. `edges`.
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


class Draw:
    """Which rows edges are chosen from, by a seed: the same ones for every column of a table.

    Parameters
    ----------
    seed : int
        Of the generator; each question starts it anew.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._usual: dict[int, npt.NDArray[np.int64]] = {}

    def one_of_each(self, stretches: int, rows: int) -> npt.NDArray[np.int64]:
        """One row of each of as many equal stretches. Rows often lie in the order of time: no time is left out."""
        if stretches != SAMPLE:
            return self._drawn(stretches, rows)
        if rows not in self._usual:  # drawn twice where two threads ask at once: they are the same rows
            self._usual[rows] = self._drawn(stretches, rows)
        return self._usual[rows]

    def _drawn(self, stretches: int, rows: int) -> npt.NDArray[np.int64]:
        starts = np.arange(stretches + 1) * rows // stretches
        within = np.random.default_rng(self._seed).random(stretches)
        drawn: npt.NDArray[np.int64] = starts[:-1] + (within * np.diff(starts)).astype(np.int64)
        drawn.flags.writeable = False
        return drawn


def choose_axis(values: Values, bins: Bins, draw: Draw | None = None) -> Axis:
    """The axis of a column, from the reference's values.

    Parameters
    ----------
    values : OrderedValues or CategoryCounts
        The reference's values.
    bins : Bins
        How to choose.
    draw : Draw or None
        Of the rows that edges are chosen from where there are more than `SAMPLE`; None takes every row.

    Returns
    -------
    NumericAxis or CategoricalAxis
        On which every finite value of the reference lies inside.

    Raises
    ------
    InputError
        Only where `edges` are named for a column that they cannot cut; never for odd data.
    """
    if bins.edges is not None:
        return _named_edges(bins.edges, values)
    if isinstance(values, CategoryCounts):
        return _choose_categories(values, bins.top) if values.present else NumericAxis((), Kind.EMPTY)
    ends = values.ends()
    if ends is None:  # no value at all; or nothing but infinities: tell the two apart
        return NumericAxis((0.0,), values.kind) if values.present else NumericAxis((), Kind.EMPTY)
    edges = _increasing(values.edge(start) for start in _starts_of(values, ends, bins, draw))
    return NumericAxis((*edges, _beyond(values, ends[1])), values.kind)


def near_duplicates(axis: Axis, most: int = 5) -> list[str]:
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


def _named_edges(edges: tuple[Edge, ...], values: Values) -> NumericAxis:
    if values.present == 0:
        return NumericAxis(edges, values.kind if values.kind in {Kind.DATETIME, Kind.DURATION} else Kind.NUMBER)
    if isinstance(values, CategoryCounts):
        raise InputError(f"edges cut ordered values; this column holds {values.kind.value} values")
    return NumericAxis(edges, values.kind)


def _choose_categories(values: CategoryCounts, top: int) -> CategoricalAxis:
    by_count = sorted(
        zip(values.keys, values.counts.tolist(), strict=True),
        key=lambda pair: (-pair[1], category_order(pair[0])),
    )
    names = [name for name, _ in by_count]
    rare = frozenset(names[top:]) if len(names) <= MAX_KNOWN else None
    return CategoricalAxis(tuple(names[:top]), rare, values.kind)


def _starts_of(values: OrderedValues, ends: tuple[Any, Any], bins: Bins, draw: Draw | None) -> list[Any]:
    """The left edges of the bins, in the data's own units; the first is the smallest value."""
    if draw is not None and values.rows > SAMPLE:
        drawn = _drawn(values, ends, draw)
        few = _few_distinct(drawn, bins)
        if few is None or _are_all(values, few):
            return _starts(drawn, bins, few, values)
    ordered = np.sort(values.finite())
    return _starts(ordered, bins, _few_distinct(ordered, bins), values)


def _drawn(values: OrderedValues, ends: tuple[Any, Any], draw: Draw) -> Ordered:
    """About `SAMPLE` finite values, one from each of as many equal stretches of the rows; and both ends. Sorted."""
    found = values.finite(draw.one_of_each(SAMPLE, values.rows))
    if len(found) < SAMPLE // 2:  # mostly missing: look at as many more rows
        stretches = SAMPLE * values.rows // max(values.present, 1)
        found = values.finite(draw.one_of_each(stretches, values.rows) if stretches < values.rows else None)
    both = np.array(ends, object if found.dtype.kind == "O" else found.dtype)
    return np.sort(np.concatenate([found, both]))


def _few_distinct(ordered: Ordered, bins: Bins) -> Ordered | None:
    """The distinct values, where each is to have a bin of its own: quantiles would merge rare ones into neighbours."""
    most = {"distinct": MAX_BINS, "quantile": bins.count}.get(bins.method, 0)
    first = np.append(True, ordered[1:] != ordered[:-1])
    return ordered[first] if np.count_nonzero(first) <= most else None


def _are_all(values: OrderedValues, distinct: Ordered) -> bool:
    """Whether a column's finite values are among some, which hold both its ends."""
    found = [_item(value) for value in distinct]
    at_least, _ = values.tally([limit for value in found for limit in (value, _following(value))])
    return sum(at_least[::2]) - sum(at_least[1::2]) == at_least[0] - at_least[-1]


def _starts(ordered: Ordered, bins: Bins, few: Ordered | None, values: OrderedValues) -> list[Any]:
    if few is not None:
        return [_item(value) for value in few]
    if bins.method in {"distinct", "quantile"}:
        return _quantile_starts(ordered, bins.count)
    if bins.method == "uniform":
        return _uniform_starts(ordered, bins.count)
    (finite, above), _ = values.tally((_item(ordered[0]), _following(_item(ordered[-1]))))
    wanted = (_fd_bins if bins.method == "fd" else _doane_bins)(ordered, finite - above)
    return _uniform_starts(ordered, max(1, min(wanted, MAX_RULE_BINS)))


def _quantile_starts(ordered: Ordered, count: int) -> list[Any]:
    """Observed values, so that an edge is as exact as the data; each bin takes its share of the rows still left.

    Plain quantiles would put a value that fills several bins together with all up to the next quantile: of
    a column that is zero in 95 % of its rows, the rest would share the bin of the zeros.
    """
    starts: list[Any] = []
    at, n = 0, len(ordered)
    for left in range(count, 0, -1):
        starts.append(_item(ordered[at]))
        wanted = at + (n - at) // left
        if wanted <= at:  # fewer rows than bins are left
            wanted = at + 1
        if wanted >= n:
            break
        first, beyond = (int(np.searchsorted(ordered, ordered[wanted], side)) for side in ("left", "right"))
        # Ties stay together: the bin ends before or after them, whichever is nearer to its share.
        at = first if first > at and wanted - first <= beyond - wanted else beyond
        if at >= n:
            break
    return starts


def _uniform_starts(ordered: Ordered, count: int) -> list[Any]:
    low, high = _item(ordered[0]), _item(ordered[-1])
    if isinstance(low, int):
        return [low + (high + 1 - low) * i // count for i in range(count)]
    # low + (high - low) * t would overflow where the range does not fit a double; rounding may pass the ends
    return [min(max(low * (1 - i / count) + high * (i / count), low), high) for i in range(count)]


def _fd_bins(ordered: Ordered, n: int) -> int:
    """Freedman and Diaconis 1981: bins of width 2 IQR n^(-1/3); Doane's number where the quartiles coincide."""
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
    of_skewness = math.sqrt(6 * (n - 2) / ((n + 1) * (n + 3)))
    return math.ceil(1 + math.log2(n) + math.log2(1 + skewness / of_skewness))


def _distances(ordered: Ordered) -> npt.NDArray[np.float64]:
    """Distances from the smallest value, in a unit (a power of two) in which none is above 2.

    Rules of thumb look only at the shape; in this unit neither squares nor distances overflow, and large
    integers that lie close together stay apart.
    """
    if ordered.dtype.kind in "iu":  # unsigned integers wrap, and so their differences are right
        distances = (ordered.astype(np.uint64) - ordered[:1].astype(np.uint64)).astype(np.float64)
    elif ordered.dtype.kind == "f":
        unit = math.frexp(max(abs(float(ordered[0])), abs(float(ordered[-1]))))[1]
        scaled = np.ldexp(ordered, -unit)
        distances = scaled - scaled[0]
    else:
        distances = (ordered - ordered[0]).astype(np.float64)
    return np.asarray(np.ldexp(distances, -math.frexp(float(distances[-1]))[1]))


def _beyond(values: OrderedValues, largest: Any) -> Edge:
    """The next representable value, so that the largest of the reference lies inside the last bin."""
    following = _following(largest)
    return values.edge(following) if following != math.inf else _ABOVE_ALL_DOUBLES


def _following(value: Any) -> Any:
    return value + 1 if isinstance(value, int) else math.nextafter(value, math.inf)


def _item(value: Any) -> Any:
    """A plain Python number, whatever array it stood in."""
    return value.item() if isinstance(value, np.generic) else value


def _increasing(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """Each once: in few or tied data, starts coincide."""
    kept: list[Edge] = []
    for edge in edges:
        if not kept or edge > kept[-1]:
            kept.append(edge)
    return tuple(kept)
