"""Normal variation between real windows, fitted to the reference windows of each column.

Rows of real windows are not independent draws: days differ although nothing changed. So each reference window is
compared with all others, never with itself, and a live window is compared with the result.

- `deviation`: distance of a window's most unusual bin from where the reference windows have it;
- `novelty`: rows in bins that the reference never filled;
- `tail`: p-value of a deviation.

Assumption: if nothing changed, the live window is exchangeable with the reference windows. A trend, a season that the
reference does not include, or a kind of day rarer than the reference is long (one storm a year, on a reference of two
months) looks like a change.
"""

from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from drift.histogram import Histogram, History
from drift.stats.arrays import Floats, Mask
from drift.stats.calibration.group import Group, fit_group, neighbours
from drift.stats.calibration.outliers import find_outliers
from drift.stats.calibration.typical_scores import score_windows
from drift.stats.scoring import Method

MIN_WINDOWS: Final = 8
"""Minimum of reference windows with rows for a calibration."""
FEW_WINDOWS: Final = 20
"""Below this number of windows, the limits are so wide that messages point it out."""
_MAX_CELLS: Final = 2_000_000
"""Maximum size of an intermediate array: a few tens of megabytes."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Result of comparing a live window with the reference windows, in one column.

    `low` and `high` are the range of the share of `bin` in the reference windows.
    """

    p_value: float  # probability that an unchanged window is at least as unusual
    bin: int  # index of the most unusual bin
    new: bool  # no reference window filled that bin
    low: float
    high: float
    windows: int  # number of reference windows


@dataclass(frozen=True, slots=True)
class TypicalScores:
    """Scores of the reference windows of one column, each against all others, in the unit of the method.

    `detectable` is the smallest score beyond normal variation: one bin leaves its band, the others move in proportion.
    """

    mean: float
    largest: float
    detectable: float


@dataclass(frozen=True, slots=True)
class Band:
    """Lowest and highest normal share of each bin of one column, shape (k,) each."""

    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class CalibrationWindows:
    """Reference windows behind the calibration of one column.

    `outliers` are index and p-value of the windows that differ from the others, at most three (see `outliers.py`).
    """

    windows: int  # number of windows that hold rows
    rows: float  # median of their rows
    outliers: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class _FittedGroup:
    """A group, the position of each column in it, and which windows of the histories hold rows."""

    group: Group
    positions: dict[str, int]
    filled: Mask


class Calibration:
    """Normal variation of each column, fitted to its reference windows.

    Parameters
    ----------
    histories : mapping of str to History
        By column. Columns with fewer than `MIN_WINDOWS` windows that hold rows are skipped.
    own : mapping of str to (History, Histogram), optional
        If every window has a reference of its own (the same hour of earlier weeks): the references of the windows in
        `histories`, and that of the live window. The calibration then describes how windows differ from their own
        reference.

    Examples
    --------
    >>> import numpy as np
    >>> from drift.histogram import Histogram, History, NumericAxis
    >>> axis, rng = NumericAxis((0, 1, 2, 3)), np.random.default_rng(7)
    >>> days = History(axis, rng.multinomial(1000, [0, 0.2, 0.3, 0.5, 0, 0], size=60))
    >>> today = Histogram(axis, [0, 210, 280, 460, 0, 50])
    >>> evidence = Calibration({"age": days}).evidence({"age": today})["age"]
    >>> axis.labels[evidence.bin], evidence.new, evidence.p_value < 1e-6
    ('missing', True, True)
    """

    def __init__(
        self, histories: Mapping[str, History], own: Mapping[str, tuple[History, Histogram]] | None = None
    ) -> None:
        self._own = own
        self._groups = [
            self._fit({name: histories[name] for name in names}, filled) for names, filled in _batches(histories)
        ]
        self._axes = {name: histories[name].axis for fitted in self._groups for name in fitted.positions}
        self._windows = {name: fitted.group.windows for fitted in self._groups for name in fitted.positions}
        # Typical scores do not depend on the live window, so they are computed once.
        self._typical: dict[tuple[str, Method, float], TypicalScores] = {}

    def _fit(self, histories: Mapping[str, History], filled: Mask) -> _FittedGroup:
        own = None
        if self._own is not None:
            pairs = [self._own[name] for name in histories]
            own = np.stack([h.counts for h, _ in pairs])[:, filled], np.stack([live.counts for _, live in pairs])
        axes = [history.axis for history in histories.values()]
        group = fit_group(axes, np.stack([h.counts for h in histories.values()])[:, filled], own)
        return _FittedGroup(group, {name: position for position, name in enumerate(histories)}, filled)

    def __len__(self) -> int:
        return len(self._axes)

    @property
    def windows(self) -> Mapping[str, int]:
        """Number of reference windows of each calibrated column."""
        return self._windows

    def evidence(self, live: Mapping[str, Histogram]) -> dict[str, Evidence]:
        """Compare a live window with the reference windows: each calibrated column that has rows on the same axis."""
        result: dict[str, Evidence] = {}
        for fitted in self._groups:
            group, positions = fitted.group, fitted.positions
            names = [n for n in positions if n in live and live[n].axis == self._axes[n] and live[n].counts.any()]
            if not names:
                continue
            counts = np.ones((len(positions), group.lowest.shape[1]))  # any counts will do for the other columns
            counts[[positions[n] for n in names]] = [live[n].counts for n in names]
            p_value, bins, new = group.evidence(counts)
            for name in names:
                i = positions[name]
                moved = int(bins[i])
                low, high = float(group.lowest[i, moved]), float(group.highest[i, moved])
                result[name] = Evidence(float(p_value[i]), moved, bool(new[i]), low, high, group.windows)
        return result

    def bands(self, level: float, rows: Mapping[str, int] | None = None) -> dict[str, Band]:
        """Return the shares between which bins stay unless the p-value of a window falls below `level`.

        `rows` is the size of the window by column; default: the median size of the reference windows.
        """
        result = {}
        for fitted in self._groups:
            size = np.median(fitted.group.rows, axis=1)
            for name, i in fitted.positions.items():
                size[i] = (rows or {}).get(name, size[i])
            low, high = fitted.group.bands(level, size[:, None])
            result.update({name: Band(low[i], high[i]) for name, i in fitted.positions.items()})
        return result

    def calibration_windows(self) -> dict[str, CalibrationWindows]:
        """Return the reference windows behind each column, and which of them may be incidents."""
        result = {}
        for fitted in self._groups:
            windows, p_value, number = find_outliers(fitted.group)
            indices, rows = np.flatnonzero(fitted.filled)[windows], np.median(fitted.group.rows, axis=1)
            for name, i in fitted.positions.items():
                outliers = zip(indices[i, : number[i]].tolist(), p_value[i, : number[i]].tolist(), strict=True)
                result[name] = CalibrationWindows(fitted.group.windows, float(rows[i]), tuple(outliers))
        return result

    def typical_scores(self, method: Method, level: float, columns: Collection[str]) -> dict[str, TypicalScores]:
        """Return the scores of the reference windows of some columns by a method; uncalibrated columns are skipped.

        `level`, the p-value below which a window is beyond normal variation, defines the smallest detectable score.
        """
        result = {name: known for name in columns if (known := self._typical.get((name, method, level)))}
        for fitted in self._groups:
            names = [name for name in fitted.positions if name in columns and name not in result]
            if names:
                scores = score_windows(fitted.group, np.array([fitted.positions[n] for n in names]), method, level)
                rows = zip(*(part.tolist() for part in scores), strict=True)
                result.update({name: TypicalScores(*row) for name, row in zip(names, rows, strict=True)})
                self._typical.update({(name, method, level): result[name] for name in names})
        return result

    def autocorrelation(self, starts: Floats, ends: Floats) -> float:
        """Return the correlation between the deviations of a window and the next: unusual windows come in runs.

        Parameters
        ----------
        starts, ends : array, shape (windows,)
            Start and end of the windows of the histories, in any unit. Histories of other lengths are skipped.

        Returns
        -------
        float
            The mean over columns, plus a standard error of one column's; from 0 to 0.99. 0 if fewer than
            `MIN_WINDOWS` windows follow another.
        """
        correlations: list[float] = []
        for fitted in self._groups:
            if len(fitted.filled) != len(starts):
                continue
            begins, stops = starts[fitted.filled], ends[fitted.filled]
            before = np.flatnonzero(begins[1:] == stops[:-1])
            if len(before) >= MIN_WINDOWS:
                logs = np.log(fitted.group.model.deviations + 1)
                distance = logs - logs.mean(axis=1, keepdims=True)
                variance = np.maximum((distance * distance).mean(axis=1), 1e-12)
                correlation = (distance[:, before + 1] * distance[:, before]).mean(axis=1) / variance
                correlations += (correlation + len(before) ** -0.5).tolist()
        return float(np.clip(np.mean(correlations), 0.0, 0.99)) if correlations else 0.0


def _batches(histories: Mapping[str, History]) -> Iterator[tuple[list[str], Mask]]:
    """Columns to fit together, and which of their windows hold rows: like axes, the same windows, limited memory."""
    filled = {name: np.asarray(history.counts.any(axis=1)) for name, history in histories.items()}
    alike: dict[Hashable, list[str]] = {}
    for name, history in histories.items():
        if np.count_nonzero(filled[name]) >= MIN_WINDOWS:
            key = (history.axis.n_bins, neighbours(history.axis), filled[name].tobytes())
            alike.setdefault(key, []).append(name)
    for names in alike.values():
        windows = filled[names[0]]
        size = max(1, _MAX_CELLS // (histories[names[0]].axis.n_bins * int(np.count_nonzero(windows))))
        for start in range(0, len(names), size):
            yield names[start : start + size], windows
