"""Evaluate one window: count its rows at the source and compare them with the reference. Writes nothing."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from drift.errors import SourceError
from drift.failpoints import reach
from drift.histogram import Fault, Uncounted
from drift.monitors.comparison import SegmentReference, SegmentResult, compare_profiles
from drift.monitors.verdict import Verdict, worst
from drift.monitors.window import Window
from drift.references.resolver import ReferenceResolver
from drift.runner.lease import MAX_ATTEMPTS
from drift.runner.timeout import EvaluationTimeout, run_with_timeout
from drift.sources import Source
from drift.store import Claim
from drift.store.work_items import ABANDONED

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Result of counting and comparing one window, or the reason why it failed."""

    results: tuple[SegmentResult, ...]  # one for each segment, the whole window first; empty after an error
    error: str  # why the window could not be evaluated; empty if it could
    source: Mapping[str, Any]  # provenance; strict JSON
    code: str = ""  # that of the `DriftError`, ``evaluation-timeout``, ``evaluation-abandoned`` or ``internal-error``
    new_columns: tuple[str, ...] = ()  # watched columns that appeared after the reference was frozen
    judged: Mapping[str, Any] | None = None  # how the scores were judged; strict JSON
    previous: tuple[SegmentResult, ...] = ()  # in a re-check, the results of the revision before
    final: bool = False  # whether the error is not retried

    @property
    def is_unchanged(self) -> bool:
        """Whether the window has the same rows as before."""
        return {part.segment: part.live for part in self.results} == {part.segment: part.live for part in self.previous}

    @property
    def changed_columns(self) -> tuple[SegmentResult, ...]:
        """The results, reduced to columns whose verdict changed."""
        before = {(part.segment, c.column): c.verdict for part in self.previous for c in part.columns}
        return tuple(
            replace(
                part, columns=tuple(c for c in part.columns if before.get((part.segment, c.column)) is not c.verdict)
            )
            for part in self.results
        )

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all segments; `error` if the window could not be evaluated."""
        return Verdict.ERROR if self.error else worst([part.verdict for part in self.results])


def abandoned_evaluation(claim: Claim) -> Evaluation | None:
    """Return an error without evaluating the window if it crashed `MAX_ATTEMPTS` workers (out of memory, say).

    A worker that was killed for another reason looks the same, so many crashes are allowed. But later windows of the
    monitor wait for this one, and without an error no alert would say so.
    """
    if claim.crashes < MAX_ATTEMPTS:
        return None
    reason = (
        f"the worker crashed {claim.crashes} times while evaluating this window (killed, out of memory, or a defect? "
        "see its log); not retried automatically; fix the cause, then run `drift backfill`"
    )
    log.error(
        "window %s of %s is abandoned: %s", claim.window, claim.monitor, reason, extra={"code": "evaluation-abandoned"}
    )
    return Evaluation((), reason, {ABANDONED: claim.crashes}, "evaluation-abandoned", final=True)


def evaluate_window(source: Source, resolver: ReferenceResolver, window: Window) -> Evaluation:
    """Count a window and compare it with its reference, within the monitor's deadline; never raises an `Exception`."""
    monitor = resolver.monitor
    try:
        return run_with_timeout(monitor.deadline, monitor.name, "counting", lambda: _evaluate(source, resolver, window))
    except EvaluationTimeout as error:
        return Evaluation((), str(error), {}, error.code)
    except Exception as error:  # a defect in one window must not stop the next one
        message = "window %s of %s could not be evaluated because of a defect in drift"
        log.exception(message, window, monitor.name, extra={"code": "internal-error"})
        reason = f"a defect in drift ({type(error).__name__}: {error}); please report it with the log"
        return Evaluation((), reason, {}, "internal-error")


def _evaluate(source: Source, resolver: ReferenceResolver, window: Window) -> Evaluation:
    provenance = _provenance(source)  # before counting: rows that arrive meanwhile are then noticed as a change
    try:
        reference = resolver.resolve(window)
        results = _compare(source, resolver, reference.segments, window)
        reach("compared")
        return Evaluation(results, "", provenance, new_columns=_new_columns(source, resolver), judged=reference.note)
    except SourceError as error:
        return Evaluation((), str(error), provenance, error.code)


def _compare(
    source: Source, resolver: ReferenceResolver, references: Mapping[str, SegmentReference], window: Window
) -> tuple[SegmentResult, ...]:
    monitor, baseline = resolver.monitor, resolver.frozen.profiles
    profiles = source.count(baseline[""].axes, window, monitor.segments, baseline)
    reach("counted")
    unknown = _unknown_segment(references[""])
    return tuple(
        SegmentResult(
            segment,
            live,
            compare_profiles(
                live, references.get(segment, unknown), monitor.columns, window_rng(monitor.name, window, segment)
            ),
        )
        for segment, live in profiles.items()
    )


def _unknown_segment(whole: SegmentReference) -> SegmentReference:
    """Return the reference of a segment without reference rows: no column of it can be compared."""
    reason = Uncounted(Fault.NOT_COMPARABLE, "the reference has no rows of this segment")
    return SegmentReference({}, dict.fromkeys([*whole.histograms, *whole.uncounted], reason))


def window_rng(monitor: str, window: Window, segment: str = "") -> np.random.Generator:
    """Return a generator that depends on the monitor, the window and the segment only, so that results repeat."""
    parts = (monitor, window.start.isoformat(), *([segment] if segment else []))
    seed = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(seed[:8], "little"))


def _provenance(source: Source) -> dict[str, Any]:
    try:
        return source.provenance()
    except SourceError as error:
        return {"error": str(error)}


def _new_columns(source: Source, resolver: ReferenceResolver) -> tuple[str, ...]:
    """Return watched columns that the reference does not have: they cannot be checked, but are reported."""
    monitor, baseline = resolver.monitor, resolver.frozen.profiles[""]
    known = {*baseline, *baseline.uncounted, monitor.timestamp}
    return tuple(name for name in monitor.columns.watched(source.columns()) if name not in known)
