"""What a window gives: counted where its rows are, compared with what it is held to. Nothing here writes anything."""

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
from drift.store.recheck import ABANDONED

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What counting and comparing gave: results, or the message of what went wrong."""

    results: tuple[SegmentResult, ...]
    error: str
    source: Mapping[str, Any]
    new: tuple[str, ...] = ()  # columns that came after the reference was frozen
    judged: Mapping[str, Any] | None = None
    before: tuple[SegmentResult, ...] = ()  # of a window that is looked at again: what it gave then
    final: bool = False  # an error that is not to be tried again

    @property
    def nothing_new(self) -> bool:
        """Whether the window has the rows it had."""
        return {part.segment: part.live for part in self.results} == {part.segment: part.live for part in self.before}

    @property
    def turned(self) -> tuple[SegmentResult, ...]:
        """The columns whose verdict is not what it was."""
        then = {(part.segment, c.column): c.verdict for part in self.before for c in part.columns}
        return tuple(
            replace(part, columns=tuple(c for c in part.columns if then.get((part.segment, c.column)) is not c.verdict))
            for part in self.results
        )

    @property
    def verdict(self) -> Verdict:
        """The worst segment's; `error` where the window could not be read."""
        return Verdict.ERROR if self.error else worst([part.verdict for part in self.results])


def abandoned_evaluation(claim: Claim) -> Evaluation | None:
    """What is found of a window that ended whoever worked on it (out of memory, say): an error, without another try.

    Kills are not told from deaths of the window's own making, so many are borne. But later windows of the monitor wait
    for this one, and nobody would hear of it.
    """
    if claim.lost < MAX_ATTEMPTS:
        return None
    told = (
        f"whoever worked on it came to no end, {claim.lost} times (killed? out of memory? a defect? logs may tell); "
        "it is not begun again by itself: once that is seen to, `drift backfill` checks it"
    )
    log.error("window %s of %s is given up: %s", claim.window, claim.monitor, told)
    return Evaluation((), told, {ABANDONED: claim.lost}, final=True)


def evaluate_window(source: Source, standards: ReferenceResolver, window: Window) -> Evaluation:
    """Count a window and compare it, within the monitor's deadline. What fails is found too: nothing is raised."""
    monitor = standards.monitor
    try:
        return run_with_timeout(monitor.deadline, monitor.name, "counting", lambda: _count(source, standards, window))
    except EvaluationTimeout as error:
        return Evaluation((), str(error), {})
    except Exception as error:  # a defect met by one window must not stop the next, nor pass in silence
        log.exception("window %s of %s met a defect of drift", window, standards.monitor.name)
        return Evaluation((), f"a defect of drift ({type(error).__name__}: {error}); please report it with the log", {})


def _count(source: Source, standards: ReferenceResolver, window: Window) -> Evaluation:
    seen = _provenance(source)  # before counting: rows that come meanwhile show as a change later on
    try:
        held = standards.of(window)
        results = _results(source, standards, held.segments, window)
        reach("compared")
        return Evaluation(results, "", seen, _new_columns(source, standards), held.note)
    except SourceError as error:
        return Evaluation((), str(error), seen)


def _results(
    source: Source, standards: ReferenceResolver, held: Mapping[str, SegmentReference], window: Window
) -> tuple[SegmentResult, ...]:
    monitor, reference = standards.monitor, standards.baseline.profiles
    counted = source.count(reference[""].axes, window, monitor.segments, reference)
    reach("counted")
    unknown = _unknown(held[""])
    return tuple(
        SegmentResult(
            key,
            live,
            compare_profiles(live, held.get(key, unknown), monitor.columns, window_rng(monitor.name, window, key)),
        )
        for key, live in counted.items()
    )


def _unknown(whole: SegmentReference) -> SegmentReference:
    """The reference of a segment that it does not have: no column of it can be compared."""
    told = Uncounted(Fault.NOT_COMPARABLE, "no row of the reference is of this segment")
    return SegmentReference({}, dict.fromkeys([*whole.histograms, *whole.uncounted], told))


def window_rng(monitor: str, window: Window, segment: str = "") -> np.random.Generator:
    """The same draws for the same window and segment, whoever checks it and when."""
    named = (monitor, window.start.isoformat(), *([segment] if segment else []))
    seed = hashlib.sha256("\x1f".join(named).encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(seed[:8], "little"))


def _provenance(source: Source) -> dict[str, Any]:
    try:
        return source.provenance()
    except SourceError as error:
        return {"error": str(error)}


def _new_columns(source: Source, standards: ReferenceResolver) -> tuple[str, ...]:
    """Columns to watch that the reference does not have: they cannot be checked, and are told."""
    monitor, whole = standards.monitor, standards.baseline.profiles[""]
    known = {*whole, *whole.uncounted, monitor.timestamp}
    return tuple(name for name in monitor.columns.watched(source.columns()) if name not in known)
