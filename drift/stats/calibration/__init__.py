"""Noise of real windows: how windows in which nothing changed differ from each other, learned column by column.

Rows of real windows are no independent draws: days differ though nothing changed. So each window of the reference
is held against all others, never against itself, and a live window is held against what that showed.

- `strangeness`: how far a window's strangest bin lies from where ordinary windows have it;
- `novelty`: rows in bins that the reference never filled;
- `tail`: how often an ordinary window is as strange.

What is assumed: the live window, had nothing changed, would be one more like the reference's, in no particular
order (exchangeable). A trend, a season that the reference does not hold, or a kind of day rarer than the
reference is long (a storm a year, on a reference of two months) looks like a change.
"""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from drift.histogram import Axis, Histogram, History
from drift.stats.calibration.group import Group, learn, neighbours
from drift.stats.calibration.outliers import outliers
from drift.stats.calibration.typical_scores import typical_scores
from drift.stats.scoring import Method

MIN_WINDOWS: Final = 8
"""Reference windows that hold rows, below which nothing is learned from them."""
FEW_WINDOWS: Final = 20
"""Below so many, what is learned is widened so much that a message says it."""
_CELLS: Final = 2_000_000
"""Numbers in one pass: what fits a few tens of megabytes for each intermediate."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """How an ordinary window compares with this one, in one column.

    Parameters
    ----------
    p_value : float
        How often an ordinary window is as strange.
    bin : int
        Index of the bin that speaks.
    new : bool
        It is one that no reference window filled.
    low, high : float
        The least and the largest share of that bin in the reference windows.
    windows : int
        Reference windows that were looked at.
    """

    p_value: float
    bin: int
    new: bool
    low: float
    high: float
    windows: int


@dataclass(frozen=True, slots=True)
class TypicalScores:
    """How ordinary windows score beside the rest of the reference, in the score's own unit.

    Parameters
    ----------
    mean, largest : float
        Of the reference windows' scores, each against all others.
    detectable : float
        The smallest score that would be told from them: of one bin that leaves its band, the others giving way.
    """

    mean: float
    largest: float
    detectable: float


@dataclass(frozen=True, slots=True)
class Band:
    """The shares between which the bins of one column stay, shape (k,) each."""

    low: Array
    high: Array


@dataclass(frozen=True, slots=True)
class CalibrationWindows:
    """The windows behind one column.

    Parameters
    ----------
    windows : int
        How many hold rows.
    rows : float
        Median of their rows.
    unlike : tuple of (int, float)
        Numbers of those that look unlike the others, at most three, and how often an ordinary one would.
    """

    windows: int
    rows: float
    unlike: tuple[tuple[int, float], ...]


class Calibration:
    """What the reference windows say about each column.

    Parameters
    ----------
    histories : mapping of str to History
        By column. A column with fewer than `MIN_WINDOWS` windows that hold rows is left out.
    own : mapping of str to (History, Histogram), optional
        The reference of each of these windows, and that of the live one, where every window has its own (the same
        hour of earlier weeks): how windows differ from that is then what is learned.

    Examples
    --------
    >>> import numpy as np
    >>> from drift.histogram import Histogram, History, NumericAxis
    >>> axis, rng = NumericAxis((0, 1, 2, 3)), np.random.default_rng(7)
    >>> days = History(axis, rng.multinomial(1000, [0, 0.2, 0.3, 0.5, 0, 0], size=60))
    >>> today = Histogram(axis, [0, 210, 280, 460, 0, 50])
    >>> found = Calibration({"age": days}).evidence({"age": today})["age"]
    >>> axis.labels[found.bin], found.new, found.p_value < 1e-6
    ('missing', True, True)
    """

    def __init__(
        self, histories: Mapping[str, History], own: Mapping[str, tuple[History, Histogram]] | None = None
    ) -> None:
        self._own = own
        self._groups: list[tuple[Group, dict[str, int], npt.NDArray[np.bool_]]] = []
        self._axes: dict[str, Axis] = {}
        self._windows: dict[str, int] = {}
        self._ordinary: dict[tuple[str, Method, float], TypicalScores] = {}  # the same for every window held to it
        alike: dict[Hashable, list[str]] = {}
        filled = {name: np.asarray(history.counts.any(axis=1)) for name, history in histories.items()}
        for name, history in histories.items():
            if np.count_nonzero(filled[name]) >= MIN_WINDOWS:
                key = (history.axis.n_bins, neighbours(history.axis), filled[name].tobytes())
                alike.setdefault(key, []).append(name)
        for names in alike.values():
            where = filled[names[0]]
            some = max(1, _CELLS // (histories[names[0]].axis.n_bins * int(np.count_nonzero(where))))
            for start in range(0, len(names), some):
                self._learn({name: histories[name] for name in names[start : start + some]}, where)

    def _learn(self, histories: Mapping[str, History], filled: npt.NDArray[np.bool_]) -> None:
        axes = {name: history.axis for name, history in histories.items()}
        own = None
        if self._own is not None:
            pairs = [self._own[name] for name in histories]
            own = np.stack([h.counts for h, _ in pairs])[:, filled], np.stack([live.counts for _, live in pairs])
        group = learn(list(axes.values()), np.stack([h.counts for h in histories.values()])[:, filled], own)
        self._groups.append((group, {name: at for at, name in enumerate(histories)}, filled))
        self._axes |= axes
        self._windows |= dict.fromkeys(axes, group.windows)

    def __len__(self) -> int:
        return len(self._axes)

    @property
    def windows(self) -> Mapping[str, int]:
        """Reference windows behind each column that something was learned of."""
        return self._windows

    def evidence(self, live: Mapping[str, Histogram]) -> dict[str, Evidence]:
        """What speaks for a change, in each column that is known and has rows on the same axis."""
        told: dict[str, Evidence] = {}
        for group, places, _ in self._groups:
            here = [n for n in places if n in live and live[n].axis == self._axes[n] and live[n].counts.any()]
            if not here:
                continue
            counts = np.ones((len(places), group.lowest.shape[1]))  # of columns that are not asked for: anything
            counts[[places[n] for n in here]] = [live[n].counts for n in here]
            p_value, which, new = group.evidence(counts)
            for name in here:
                at = places[name]
                spoke = int(which[at])
                low, high = float(group.lowest[at, spoke]), float(group.highest[at, spoke])
                told[name] = Evidence(float(p_value[at]), spoke, bool(new[at]), low, high, group.windows)
        return told

    def bands(self, level: float, rows: Mapping[str, int] | None = None) -> dict[str, Band]:
        """The shares between which bins stay unless the p-value of a window falls below `level`.

        Parameters
        ----------
        level : float
            A p-value.
        rows : mapping of str to int, optional
            Size of the window in question; else that of the reference's windows (their median).
        """
        found = {}
        for group, places, _ in self._groups:
            size = np.median(group.rows, axis=1)
            for name, at in places.items():
                size[at] = (rows or {}).get(name, size[at])
            low, high = group.bands(level, size[:, None])
            found.update({name: Band(low[at], high[at]) for name, at in places.items()})
        return found

    def taught(self) -> dict[str, CalibrationWindows]:
        """The windows behind each column, and which of them may be incidents (`drift.stats.calibration.outliers`)."""
        found = {}
        for group, places, filled in self._groups:
            which, p_value, number = outliers(group)
            numbers, rows = np.flatnonzero(filled)[which], np.median(group.rows, axis=1)
            for name, at in places.items():
                unlike = zip(numbers[at, : number[at]].tolist(), p_value[at, : number[at]].tolist(), strict=True)
                found[name] = CalibrationWindows(group.windows, float(rows[at]), tuple(unlike))
        return found

    def ordinary(self, method: Method, level: float, columns: Collection[str]) -> dict[str, TypicalScores]:
        """How ordinary windows of some columns score by a method, and the smallest score told from them at a level."""
        found = {name: known for name in columns if (known := self._ordinary.get((name, method, level)))}
        for group, places, _ in self._groups:
            here = [name for name in places if name in columns and name not in found]
            if here:
                at = np.array([places[name] for name in here])
                mean, largest, seen = typical_scores(group, at, method, level)
                numbers = zip(mean.tolist(), largest.tolist(), seen.tolist(), strict=True)
                found.update({n: TypicalScores(*three) for n, three in zip(here, numbers, strict=True)})
                self._ordinary.update({(n, method, level): found[n] for n in here})
        return found

    def carried_over(self, starts: Array, ends: Array) -> float:
        """Correlation of strangeness between a window and the next: how far strange windows come in rows.

        Parameters
        ----------
        starts, ends : array, shape (windows,)
            When the windows of the histories begin and end, in any unit. Histories of other lengths are passed over.

        Returns
        -------
        float
            The mean over columns, plus a standard error of one column's; from 0 to 0.99. 0 where fewer than
            `MIN_WINDOWS` windows follow another.
        """
        found: list[float] = []
        for group, _, filled in self._groups:
            if len(filled) != len(starts):
                continue
            begins, stops = starts[filled], ends[filled]
            before = np.flatnonzero(begins[1:] == stops[:-1])
            if len(before) >= MIN_WINDOWS:
                logs = np.log(group.strange.in_time + 1)
                away = logs - logs.mean(axis=1, keepdims=True)
                spread = np.maximum((away * away).mean(axis=1), 1e-12)
                alike = (away[:, before + 1] * away[:, before]).mean(axis=1) / spread
                found += (alike + len(before) ** -0.5).tolist()
        return float(np.clip(np.mean(found), 0.0, 0.99)) if found else 0.0
