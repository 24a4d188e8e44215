"""Limits learned from the windows of a reference, column by column: what decides, and what change is detectable."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from drift.histogram import Histogram
from drift.monitors.comparison import SegmentReference
from drift.monitors.spec import ColumnRule, Monitor
from drift.monitors.window import Window, format_instant
from drift.references.resolver import ReferenceResolver, ResolvedReference
from drift.stats.calibration import FEW_WINDOWS, MIN_WINDOWS, Band, Calibration, CalibrationWindows, TypicalScores
from drift.stats.scoring import Method
from drift.store import Store, StoredReference


@dataclass(frozen=True, slots=True)
class BinBand:
    """The share of one bin in the reference, and the limits beyond which it is drift."""

    label: str
    reference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class NearestLimit:
    """The nearest limit of a bin: a share beyond it, above or below, is drift."""

    label: str
    reference: float
    limit: float
    above: bool

    def __str__(self) -> str:
        return f"{self.label} {'>' if self.above else '<'} {format_share(self.limit)}"


@dataclass(frozen=True, slots=True)
class ColumnCalibration:
    """The limits of one column of one segment."""

    column: str
    segment: str
    method: Method
    # `learned` (limits learned from reference windows), `threshold` (the user's), `customary` (the default of the
    # metric), or `none` (not comparable). Values of the JSON key `judge`.
    decided_by: str
    explanation: str  # the same in words
    threshold: float | None = None  # the threshold that decides, if one does
    level: float | None = None  # the p-value below which it is drift, if learned limits decide
    windows: int = 0  # reference windows with rows; 0 if nothing is learned
    rows: float | None = None  # median number of their rows
    # mean, largest: scores of these windows, each against its reference
    mean: float | None = None
    largest: float | None = None
    # The smallest score that is drift: one bin goes beyond its limit and the others give way in proportion; never
    # below a threshold of the user
    detectable: float | None = None
    # The limits that need the smallest change of a share: one of a bin that is empty in the reference, and one of a
    # bin that is not
    nearest: tuple[NearestLimit, ...] = ()
    bins: tuple[BinBand, ...] = ()
    # Unusual reference windows, at most three, with their p-values. Empty for references that move.
    outliers: tuple[tuple[Window, float], ...] = ()

    def to_dict(self, *, bins: bool) -> dict[str, Any]:
        """Return strict JSON with stable keys (docs/backtest.md), with or without the limits of all bins."""
        document = {
            "segment": self.segment,
            "column": self.column,
            "metric": self.method.metric,
            "judge": self.decided_by,
            "why": self.explanation,
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
                for w, p_value in self.outliers
            ],
        }
        if bins:
            document["bins"] = [
                {"label": b.label, "reference": b.reference, "from": b.low, "to": b.high} for b in self.bins
            ]
        return document


def format_share(share: float) -> str:
    """Return a share in percent: to a tenth of a percent; below that, two digits."""
    return f"{share:.1%}" if share >= 0.001 or share == 0 else f"{100 * share:.2g}%"


def next_reference(store: Store, monitor: Monitor, frozen: StoredReference, now: datetime) -> ResolvedReference:
    """Return the reference of the next window: the one after the newest evaluated window, else the current one."""
    if not monitor.reference.moves:
        return ReferenceResolver(monitor, frozen).resolve(monitor.period.window_at(now, monitor.timezone))
    evaluated = store.history.windows(monitor.name)
    end = evaluated.windows[-1].end if evaluated.windows else now
    return ReferenceResolver(monitor, frozen, evaluated).resolve(monitor.period.window_at(end, monitor.timezone))


def calibration_rows(
    monitor: Monitor, frozen: StoredReference, reference: ResolvedReference, significance: float
) -> list[ColumnCalibration]:
    """Return the limits of every column; columns that the reference could not count have none.

    `significance` is the p-value below which a score at the user's threshold counts (`null_distribution.SIGNIFICANCE`).
    """
    windows = frozen.windows if reference.note["reference"] == "fixed" else ()
    rows: list[ColumnCalibration] = []
    for name, segment in reference.segments.items():
        rows += _Segment(monitor, name, segment, windows, significance).columns()
        rows += [
            ColumnCalibration(column, name, monitor.columns.rule(column).method, "none", lost.message)
            for column, lost in segment.uncounted.items()
        ]
    return sorted(rows, key=lambda c: (c.segment, c.column))


@dataclass(frozen=True, slots=True)
class _Segment:
    """One segment of a reference; `windows` are its windows if they are those of the frozen reference."""

    monitor: Monitor
    name: str
    reference: SegmentReference
    windows: tuple[Window, ...]
    significance: float

    def columns(self) -> Iterator[ColumnCalibration]:
        calibration = self.reference.calibration
        windows, bands = calibration.calibration_windows(), self._bands(calibration)
        typical_scores = self._typical_scores(calibration)
        for column, histogram in self.reference.histograms.items():
            rule = self.monitor.columns.rule(column)
            if column in windows:
                yield self._learned(column, histogram, rule, windows[column], typical_scores[column], bands[column])
            else:
                yield self._not_learned(column, rule)

    def _not_learned(self, column: str, rule: ColumnRule) -> ColumnCalibration:
        is_default = rule.limit is None
        number = rule.threshold.drift
        explanation = (
            f"{'default' if is_default else 'given'} threshold {number:g}, guarded by the noise of two samples: "
            f"fewer than {MIN_WINDOWS} reference windows have rows, so no limits are learned from them"
        )
        decided_by = "customary" if is_default else "threshold"
        return ColumnCalibration(column, self.name, rule.method, decided_by, explanation, number)

    def _levels(self) -> Mapping[str, float]:
        """Return the limit on the p-value of each column: the budget's, or the significance beside a threshold."""
        rules = {name: self.monitor.columns.rule(name) for name in self.reference.histograms}
        return {n: self.reference.level if rule.limit is None else self.significance for n, rule in rules.items()}

    def _bands(self, calibration: Calibration) -> Mapping[str, Band]:
        levels = self._levels()
        by_level = {level: calibration.bands(level) for level in set(levels.values())}
        return {name: by_level[levels[name]][name] for name in calibration.windows}

    def _typical_scores(self, calibration: Calibration) -> Mapping[str, TypicalScores]:
        groups: dict[tuple[Method, float], list[str]] = {}
        levels = self._levels()
        for name in calibration.windows:
            groups.setdefault((self.monitor.columns.rule(name).method, levels[name]), []).append(name)
        scores: dict[str, TypicalScores] = {}
        for (method, level), names in groups.items():
            scores |= calibration.typical_scores(method, level, names)
        return scores

    def _learned(
        self,
        column: str,
        histogram: Histogram,
        rule: ColumnRule,
        windows: CalibrationWindows,
        typical: TypicalScores,
        band: Band,
    ) -> ColumnCalibration:
        detectable = _finite(typical.detectable)
        if rule.limit is None:
            wide = f"; fewer than {FEW_WINDOWS}, so limits are wide" if windows.windows < FEW_WINDOWS else ""
            explanation = f"limits learned from {windows.windows} reference windows{wide}"
        else:
            detectable = max(detectable or 0.0, rule.limit.drift)
            explanation = f"given threshold, guarded by the noise of {windows.windows} reference windows"
        shares = histogram.counts / max(histogram.rows, 1)
        bins = tuple(
            BinBand(label, share, low, high)
            for label, share, low, high in zip(
                histogram.labels, shares.tolist(), band.low.tolist(), band.high.tolist(), strict=True
            )
        )
        return ColumnCalibration(
            column=column,
            segment=self.name,
            method=rule.method,
            decided_by="learned" if rule.limit is None else "threshold",
            explanation=explanation,
            threshold=None if rule.limit is None else rule.limit.drift,
            level=self.reference.level if rule.limit is None else None,
            windows=windows.windows,
            rows=windows.rows,
            mean=_finite(typical.mean),
            largest=_finite(typical.largest),
            detectable=detectable,
            nearest=_nearest(bins),
            bins=bins,
            outliers=tuple((self.windows[i], p_value) for i, p_value in windows.outliers) if self.windows else (),
        )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _nearest(bins: tuple[BinBand, ...]) -> tuple[NearestLimit, ...]:
    """Return the nearest limit of bins empty in the reference, and of the others; 0 and 1 are no limits."""
    limits = [
        NearestLimit(b.label, b.reference, limit, above)
        for b in bins
        for limit, above in ((b.low, False), (b.high, True))
        if 1e-9 < limit < 1 - 1e-9 and ((limit > b.reference) if above else (limit < b.reference))
    ]
    groups = ([each for each in limits if each.reference == 0], [each for each in limits if each.reference > 0])
    return tuple(min(group, key=lambda each: abs(each.limit - each.reference)) for group in groups if group)
