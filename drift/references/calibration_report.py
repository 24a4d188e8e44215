"""What the windows of a reference teach, column by column: who judges, by what limits, and what it would see."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from drift.histogram import Histogram
from drift.monitors.comparison import SegmentReference
from drift.monitors.spec import ColumnRule, Monitor
from drift.monitors.verdict import default_threshold
from drift.monitors.window import Window, format_instant
from drift.references.resolver import ReferenceResolver, ResolvedReference
from drift.stats.calibration import FEW_WINDOWS, MIN_WINDOWS, Band, Calibration, CalibrationWindows, TypicalScores
from drift.stats.scoring import Method
from drift.store import Store, StoredReference


@dataclass(frozen=True, slots=True)
class BinBand:
    """One bin: its share of the reference, and between which shares it stays unless its window is drift."""

    label: str
    reference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class NearestLimit:
    """A bin near a limit: so great a share (above), or so small a one, would be drift."""

    label: str
    reference: float
    limit: float
    above: bool

    def __str__(self) -> str:
        return f"{self.label} {'>' if self.above else '<'} {format_share(self.limit)}"


@dataclass(frozen=True, slots=True)
class ColumnCalibration:
    """One column of one segment.

    Parameters
    ----------
    column, segment : str
        Which.
    method : Method
        How it is scored.
    judge : str
        `learned` (what reference windows taught), `threshold` (the user's number), `customary` (the metric's), or
        `none` (it cannot be compared).
    why : str
        In words.
    threshold : float or None
        The number that judges, if one does.
    level : float or None
        The p-value below which it is drift, where what was learned judges.
    windows : int
        Reference windows that hold rows; 0 where nothing is learned.
    rows : float or None
        Median of their rows.
    mean, largest : float or None
        Score of these windows, each against its reference.
    detectable : float or None
        The smallest score that would be drift: of one bin that goes beyond its limit while the others give way; never
        below a threshold of the user's.
    nearest : tuple of Nearest
        The bins with the nearest limits, by the change of the share that it takes: one of those that the reference
        never filled, and one of those that it did.
    bins : tuple of BinBand
        All of them at that level.
    unlike : tuple of (Window, float)
        Reference windows that look unlike the others, at most three, and how often an ordinary one would. Not told of
        references that move.
    """

    column: str
    segment: str
    method: Method
    judge: str
    why: str
    threshold: float | None = None
    level: float | None = None
    windows: int = 0
    rows: float | None = None
    mean: float | None = None
    largest: float | None = None
    detectable: float | None = None
    nearest: tuple[NearestLimit, ...] = ()
    bins: tuple[BinBand, ...] = ()
    unlike: tuple[tuple[Window, float], ...] = ()

    def to_dict(self, *, bins: bool) -> dict[str, Any]:
        """Strict JSON with stable keys (docs/backtest.md), with the limits of all bins or without."""
        document = {
            "segment": self.segment,
            "column": self.column,
            "metric": self.method.metric,
            "judge": self.judge,
            "why": self.why,
            "threshold": self.threshold,
            "level": self.level,
            "windows": self.windows,
            "rows": self.rows,
            "mean": self.mean,
            "largest": self.largest,
            "detectable": self.detectable,
            "nearest": [
                {"bin": n.label, "reference": n.reference, "limit": n.limit, "side": "above" if n.above else "below"}
                for n in self.nearest
            ],
            "unlike": [
                {"window_start": format_instant(w.start), "window_end": format_instant(w.end), "p_value": p_value}
                for w, p_value in self.unlike
            ],
        }
        if bins:
            document["bins"] = [
                {"label": b.label, "reference": b.reference, "from": b.low, "to": b.high} for b in self.bins
            ]
        return document


def format_share(share: float) -> str:
    """A share for a person: to a tenth of a percent; two digits of less than that."""
    return f"{share:.1%}" if share >= 0.001 or share == 0 else f"{100 * share:.2g}%"


def next_reference(store: Store, monitor: Monitor, baseline: StoredReference, now: datetime) -> ResolvedReference:
    """What the next window is held to: the one after the newest that was checked, else the one of now."""
    if not monitor.reference.moves:
        return ReferenceResolver(monitor, baseline).of(monitor.period.window_at(now, monitor.timezone))
    past = store.history.windows(monitor.name)
    end = past.windows[-1].end if past.windows else now
    return ReferenceResolver(monitor, baseline, past).of(monitor.period.window_at(end, monitor.timezone))


def calibration_rows(
    monitor: Monitor, baseline: StoredReference, held: ResolvedReference, significance: float
) -> list[ColumnCalibration]:
    """What was learned of every column.

    Parameters
    ----------
    monitor : Monitor
        As configured.
    baseline : Baseline
        The frozen reference: columns that it could not count have no limits.
    held : Held
        What a window is held to.
    significance : float
        The p-value that a score beside the user's own threshold must have (`null_distribution.SIGNIFICANCE`).
    """
    dated = baseline.windows if held.note["reference"] == "fixed" else ()
    found: list[ColumnCalibration] = []
    for segment, standard in held.segments.items():
        found += _Segment(monitor, segment, standard, dated, significance).columns()
        found += [
            ColumnCalibration(name, segment, monitor.columns.rule(name).method, "none", lost.message)
            for name, lost in standard.uncounted.items()
        ]
    return sorted(found, key=lambda c: (c.segment, c.column))


@dataclass(frozen=True, slots=True)
class _Segment:
    monitor: Monitor
    name: str
    standard: SegmentReference
    dated: tuple[Window, ...]
    significance: float

    def columns(self) -> Iterator[ColumnCalibration]:
        calibration = self.standard.calibration
        taught, bands, ordinary = (
            calibration.calibration_windows(),
            self._bands(calibration),
            self._ordinary(calibration),
        )
        for column, reference in self.standard.histograms.items():
            rule = self.monitor.columns.rule(column)
            if column in taught:
                yield self._learned(column, reference, rule, taught[column], ordinary[column], bands[column])
            elif rule.limit is not None:
                why = f"the threshold given, guarded by the noise of two samples{self._few()}"
                yield self._plain(column, rule, "threshold", why)
            else:
                number = default_threshold(rule.method.metric).drift
                why = f"the customary {number:g}, guarded by the noise of two samples{self._few()}"
                yield self._plain(column, rule, "customary", why)

    def _few(self) -> str:
        return f": fewer than {MIN_WINDOWS} reference windows hold rows, so nothing is learned from them"

    def _plain(self, column: str, rule: ColumnRule, judge: str, why: str) -> ColumnCalibration:
        return ColumnCalibration(column, self.name, rule.method, judge, why, rule.threshold.drift)

    def _levels(self) -> Mapping[str, float]:
        """The p-value that matters: what the budget asks, or what a score over the user's number must show."""
        rules = {name: self.monitor.columns.rule(name) for name in self.standard.histograms}
        return {n: self.standard.level if rule.limit is None else self.significance for n, rule in rules.items()}

    def _bands(self, calibration: Calibration) -> Mapping[str, Band]:
        levels = self._levels()
        known = {level: calibration.bands(level) for level in set(levels.values())}
        return {name: known[levels[name]][name] for name in calibration.windows}

    def _ordinary(self, calibration: Calibration) -> Mapping[str, TypicalScores]:
        alike: dict[tuple[Method, float], list[str]] = {}
        levels = self._levels()
        for name in calibration.windows:
            alike.setdefault((self.monitor.columns.rule(name).method, levels[name]), []).append(name)
        found: dict[str, TypicalScores] = {}
        for (method, level), names in alike.items():
            found |= calibration.typical_scores(method, level, names)
        return found

    def _learned(
        self,
        column: str,
        reference: Histogram,
        rule: ColumnRule,
        taught: CalibrationWindows,
        usual: TypicalScores,
        band: Band,
    ) -> ColumnCalibration:
        wide = f"; fewer than {FEW_WINDOWS}, so limits are wide" if taught.windows < FEW_WINDOWS else ""
        why = f"limits learned from {taught.windows} reference windows{wide}"
        if rule.limit is not None:
            why = f"the threshold given, guarded by the noise of {taught.windows} reference windows"
        detectable = _finite(usual.detectable)
        if rule.limit is not None:
            detectable = max(detectable or 0.0, rule.limit.drift)
        shares = reference.counts / max(reference.rows, 1)
        bins = tuple(
            BinBand(label, share, low, high)
            for label, share, low, high in zip(
                reference.labels, shares.tolist(), band.low.tolist(), band.high.tolist(), strict=True
            )
        )
        return ColumnCalibration(
            column=column,
            segment=self.name,
            method=rule.method,
            judge="learned" if rule.limit is None else "threshold",
            why=why,
            threshold=None if rule.limit is None else rule.limit.drift,
            level=self.standard.level if rule.limit is None else None,
            windows=taught.windows,
            rows=taught.rows,
            mean=_finite(usual.mean),
            largest=_finite(usual.largest),
            detectable=detectable,
            nearest=_nearest(bins),
            bins=bins,
            unlike=tuple((self.dated[i], p_value) for i, p_value in taught.outliers) if self.dated else (),
        )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _nearest(bins: tuple[BinBand, ...]) -> tuple[NearestLimit, ...]:
    """Of the bins never filled, and of the others; a limit at 0 or 1 is none."""
    ways = [
        NearestLimit(b.label, b.reference, limit, above)
        for b in bins
        for limit, above in ((b.low, False), (b.high, True))
        if 1e-9 < limit < 1 - 1e-9 and ((limit > b.reference) if above else (limit < b.reference))
    ]
    parts = ([w for w in ways if w.reference == 0], [w for w in ways if w.reference > 0])
    return tuple(min(part, key=lambda way: abs(way.limit - way.reference)) for part in parts if part)
