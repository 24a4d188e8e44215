"""One monitor: its section checked, and made into the value the core takes."""

import glob
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from drift.config import values
from drift.config.column_rules import check_columns, columns, without_default_threshold
from drift.config.diagnostics import KeyPath, Problem
from drift.config.environment import fill
from drift.config.reference_checks import check_moving, judged_by_budget
from drift.config.sections import AlertSection, MonitorSection, SourceSection, section_at
from drift.config.validation_errors import explain
from drift.config.yaml_loader import DiagnosticCollector, YamlTree
from drift.errors import InputError
from drift.monitors.spec import Alerting, FileSource, Monitor, Reference, SourceSpec, SparkSource, SqlSource
from drift.monitors.window import Window
from drift.stats.false_alarm_budget import Budget

_SQLITE: Final = ("sqlite:///", "sqlite+pysqlite:///")


def monitor(
    tree: YamlTree,
    name: str,
    environ: Mapping[str, str],
    folder: Path,
    channels: Collection[str],
    page: str | None = None,
) -> tuple[Monitor | None, list[Problem], list[Problem]]:
    """One monitor (None where it has problems), its problems, and its warnings."""
    prefix: KeyPath = ("monitors", name)
    problems: list[Problem] = []
    try:
        values.name(name)
    except ValueError as error:
        problems.append(tree.problem(prefix, str(error)))
    filled = fill(tree, prefix, environ, problems)
    try:
        section = MonitorSection.model_validate(filled, context={"channels": channels})
    except ValidationError as error:
        section = None
        problems += explain(error, tree, prefix, section_at, problems)
    if isinstance(filled, dict):
        problems += without_default_threshold(filled, tree, prefix)
    if section is None or problems:
        return None, problems, []
    told = DiagnosticCollector(tree, prefix)
    built = _monitor(section, name, folder, tree.at(prefix), told)
    built = replace(built, alerting=replace(built.alerting, page=page))
    return (None if told.problems else built), told.problems, told.warnings


def _monitor(
    section: MonitorSection, name: str, folder: Path, written: Mapping[str, Any], told: DiagnosticCollector
) -> Monitor:
    start, end = (_instant(section, key, told) for key in ("start", "end"))
    reference = _reference(section, folder, told)
    watched = columns(section)
    check_moving(reference, section.window, watched, told)
    _check_span(reference, start, end, told)
    check_columns(section, told)
    if section.false_alarms is not None and section.threshold is not None:
        left = ", ".join(judged_by_budget(watched)) or "there are none"
        told.warn(
            ("false_alarms",),
            "the threshold given judges, guarded by the noise; the budget judges only columns whose threshold is "
            f"auto: {left}",
        )
    built = Monitor(
        name=name,
        source=_source(section.source, folder),
        timestamp=section.timestamp,
        reference=reference,
        timezone=section.timezone,
        period=section.window,
        schedule=section.schedule,
        delay=section.delay,
        deadline=section.deadline,
        lookback=section.lookback,
        catch_up=section.catch_up,
        keep=section.keep,
        columns=watched,
        segments=section.segments,
        alerting=_alerting(section.alert),
        budget=section.false_alarms or Budget(),
        start=start,
        end=end,
        document=_document(written),
    )
    _check_keep(built, told)
    return built


def _check_keep(built: Monitor, told: DiagnosticCollector) -> None:
    """What is looked at again, or makes a reference that moves, must not be dropped before."""
    least = built.lookback + built.period.length
    if built.keep is not None and built.lookback and built.keep < least:
        told.refuse(
            ("keep",),
            f"windows are looked at again until {built.lookback} after their end (lookback), and would by then have "
            f"nothing left to be compared with; got {built.keep}: keep at least {_days(least)}d, or look back less",
        )
    if built.keep is not None and built.reference.moves and built.keep < (needed := built.memory + built.period.length):
        told.refuse(
            ("keep",),
            f"the reference looks back {built.memory.days} days, at windows that would be dropped by then: keep at "
            f"least {_days(needed)}d, better much more, since windows that drifted are passed over",
        )


def _days(length: timedelta) -> int:
    """Whole days that hold it."""
    return -(-length // timedelta(days=1))


def _source(given: SourceSection, folder: Path) -> SourceSpec:
    if given.spark is not None:
        return SparkSource(given.spark.table, given.spark.query, given.spark.remote)
    if given.url is not None:
        return SqlSource(absolute_url(given.url, folder), given.table, given.query, given.timeout)
    return FileSource(_absolute(given.path or "", folder))


def absolute_url(url: str, folder: Path) -> str:
    """A relative SQLite path counts from the configuration's folder, not from where drift was started."""
    for scheme in _SQLITE:
        if url.startswith(scheme):
            path = url[len(scheme) :]
            if path and not path.startswith(("/", ":memory:", "file:", "?")):
                return f"{scheme}{folder / path}"
    return url


def _absolute(path: str, folder: Path) -> str:
    """Only the path as written may hold a pattern: a folder called ``[v2]`` is just called so."""
    return path if "://" in path or Path(path).is_absolute() else str(Path(glob.escape(str(folder))) / path)


def _instant(section: MonitorSection, key: str, told: DiagnosticCollector) -> datetime | None:
    moment: datetime | None = getattr(section, key)
    return None if moment is None else _utc(moment, section.timezone, (key,), told)


def _utc(moment: datetime, timezone: ZoneInfo, path: KeyPath, told: DiagnosticCollector) -> datetime | None:
    """An instant; a naive one is read on the monitor's clocks."""
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone)).astimezone(UTC)
    except OverflowError:
        told.refuse(path, "outside the years 1 to 9999 in UTC; give a later or an earlier date")
        return None


def _reference(section: MonitorSection, folder: Path, told: DiagnosticCollector) -> Reference:
    given = section.reference
    if given.path is not None:
        return Reference(path=_absolute(given.path, folder))
    if given.rolling is not None:
        return Reference(rolling=given.rolling)
    if given.seasonal is not None:
        usual = Reference().windows
        return Reference(seasonal=given.seasonal, windows=usual if given.windows is None else given.windows)
    since, until = (
        _utc(moment, section.timezone, ("reference", key), told)
        for key, moment in (("from", given.since), ("to", given.until))
        if moment is not None
    )
    if since is None or until is None:
        return Reference()
    try:
        return Reference(Window(since, until))
    except InputError:
        told.refuse(("reference", "to"), "from comes before to; the reference is [from, to): move one of them")
        return Reference()


def _check_span(reference: Reference, start: datetime | None, end: datetime | None, told: DiagnosticCollector) -> None:
    stretch = reference.window
    if start is not None and end is not None and start >= end:
        told.refuse(("end",), "start comes before end; nothing would be watched: move one of them")
    elif start is None and end is not None and stretch is not None and end <= stretch.end:
        told.warn(("end",), "nothing is watched: windows begin where the reference ends; give a later end, or a start")
    if start is not None and stretch is not None and stretch.start <= start < stretch.end:
        told.warn(("start",), "lies inside the reference: each of those windows is held to the rest of it")


def _alerting(section: AlertSection) -> Alerting:
    usual = Alerting()
    return Alerting(
        for_windows=section.for_windows,
        keep_firing_for=section.keep_firing_for,
        notify=tuple(dict.fromkeys(section.notify)),
        verdicts=usual.verdicts if section.verdicts is None else frozenset(section.verdicts),
        labels=section.labels,
        runbook=section.runbook,
    )


def _document(written: Any) -> Any:
    """As written, dates as ISO text, so that JSON can hold it; variables not filled in."""
    if isinstance(written, dict):
        return {key: _document(value) for key, value in written.items()}
    if isinstance(written, list):
        return [_document(value) for value in written]
    return written.isoformat() if isinstance(written, date) else written
