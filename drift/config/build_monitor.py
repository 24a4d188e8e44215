"""One monitor: its section validated, and made into the value the core takes."""

import glob
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from drift.config import values
from drift.config.column_rules import build_columns, check_columns, metrics_without_default
from drift.config.diagnostics import KeyPath, Problem
from drift.config.environment import fill
from drift.config.reference_checks import budget_columns, check_moving
from drift.config.sections import AlertSection, MonitorSection, SourceSection, section_at
from drift.config.validation_errors import code_of, explain
from drift.config.yaml_loader import DiagnosticCollector, YamlTree
from drift.errors import InputError
from drift.monitors.spec import Alerting, FileSource, Monitor, Reference, SourceSpec, SqlSource
from drift.monitors.window import Window
from drift.stats.false_alarm_budget import Budget

_SQLITE: Final = ("sqlite:///", "sqlite+pysqlite:///")


def build_monitor(
    tree: YamlTree,
    name: str,
    environ: Mapping[str, str],
    folder: Path,
    section_type: type[MonitorSection],
    channels: Collection[str],
    page: str | None = None,
) -> tuple[Monitor | None, list[Problem], list[Problem]]:
    """Return one monitor (None if it has problems), its problems, and its warnings."""
    prefix: KeyPath = ("monitors", name)
    problems: list[Problem] = []
    try:
        values.name(name)
    except ValueError as error:
        problems.append(tree.problem(prefix, str(error), code=code_of(error)))
    filled = fill(tree, prefix, environ, problems)
    try:
        section = section_type.model_validate(filled, context={"channels": channels, "folder": folder})
    except ValidationError as error:
        section = None
        problems += explain(error, tree, prefix, partial(section_at, section_type), problems)
    if isinstance(filled, dict):
        problems += metrics_without_default(filled, tree, prefix)
    if section is None or problems:
        return None, problems, []
    diagnostics = DiagnosticCollector(tree, prefix)
    monitor = _build(section, name, folder, tree.at(prefix), diagnostics)
    monitor = replace(monitor, alerting=replace(monitor.alerting, page=page))
    return (None if diagnostics.problems else monitor), diagnostics.problems, diagnostics.warnings


def _build(
    section: MonitorSection, name: str, folder: Path, written: Mapping[str, Any], diagnostics: DiagnosticCollector
) -> Monitor:
    start, end = (_instant(section, key, diagnostics) for key in ("start", "end"))
    reference = _reference(section, folder, diagnostics)
    columns = build_columns(section)
    check_moving(reference, section.window, columns, diagnostics)
    _check_span(reference, start, end, diagnostics)
    check_columns(section, diagnostics)
    if section.false_alarms is not None and section.threshold is not None:
        names = ", ".join(budget_columns(columns)) or "there are none"
        diagnostics.warn(
            ("false_alarms",),
            "the monitor's threshold decides instead of the budget; the budget applies only to columns whose threshold "
            f"is auto: {names}",
            code="budget-unused",
        )
    monitor = Monitor(
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
        columns=columns,
        segments=section.segments,
        alerting=_alerting(section.alert),
        budget=section.false_alarms or Budget(),
        start=start,
        end=end,
        document=_document(written),
    )
    _check_keep(monitor, diagnostics)
    return monitor


def _check_keep(monitor: Monitor, diagnostics: DiagnosticCollector) -> None:
    """Refuse to drop windows that a re-check or a moving reference still needs."""
    minimum = monitor.lookback + monitor.period.length
    if monitor.keep is not None and monitor.lookback and monitor.keep < minimum:
        diagnostics.refuse(
            ("keep",),
            f"windows are re-checked until {monitor.lookback} after their end (lookback), but their histograms would "
            f"be dropped before; got {monitor.keep}: keep at least {_days(minimum)}d, or shorten lookback",
            code="keep-too-short",
        )
    if monitor.keep is not None and monitor.reference.moves:
        needed = monitor.reference_lookback + monitor.period.length
        if monitor.keep < needed:
            diagnostics.refuse(
                ("keep",),
                f"the reference uses windows of the last {monitor.reference_lookback.days} days, but they would be "
                f"dropped before; keep at least {_days(needed)}d, preferably much more, because windows that drifted "
                "are skipped",
                code="keep-too-short",
            )


def _days(length: timedelta) -> int:
    """Return a length of time in days, rounded up."""
    return -(-length // timedelta(days=1))


def _source(section: SourceSection, folder: Path) -> SourceSpec:
    if options := section.engine_options():
        spec: SourceSpec = options[0].spec(folder)
        return spec
    if section.url is not None:
        return SqlSource(absolute_url(section.url, folder), section.table, section.query, section.timeout)
    return FileSource(_absolute(section.path or "", folder))


def absolute_url(url: str, folder: Path) -> str:
    """Return a database URL; a relative SQLite path starts at the configuration's folder."""
    for scheme in _SQLITE:
        if url.startswith(scheme):
            path = url[len(scheme) :]
            if path and not path.startswith(("/", ":memory:", "file:", "?")):
                return f"{scheme}{folder / path}"
    return url


def _absolute(path: str, folder: Path) -> str:
    """Return an absolute path; only the written part is a pattern, a folder called ``[v2]`` is not."""
    return path if "://" in path or Path(path).is_absolute() else str(Path(glob.escape(str(folder))) / path)


def _instant(section: MonitorSection, key: str, diagnostics: DiagnosticCollector) -> datetime | None:
    moment: datetime | None = getattr(section, key)
    return None if moment is None else _utc(moment, section.timezone, (key,), diagnostics)


def _utc(moment: datetime, timezone: ZoneInfo, path: KeyPath, diagnostics: DiagnosticCollector) -> datetime | None:
    """Return an instant in UTC; a naive one is in the monitor's time zone."""
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone)).astimezone(UTC)
    except OverflowError:
        message = "outside the years 1 to 9999 in UTC; give a later or an earlier date"
        diagnostics.refuse(path, message, code="invalid-value")
        return None


def _reference(section: MonitorSection, folder: Path, diagnostics: DiagnosticCollector) -> Reference:
    written = section.reference
    if written.path is not None:
        return Reference(path=_absolute(written.path, folder))
    if written.rolling is not None:
        return Reference(rolling=written.rolling)
    if written.seasonal is not None:
        windows = Reference().windows if written.windows is None else written.windows
        return Reference(seasonal=written.seasonal, windows=windows)
    start, end = (
        _utc(moment, section.timezone, ("reference", key), diagnostics)
        for key, moment in (("from", written.since), ("to", written.until))
        if moment is not None
    )
    if start is None or end is None:
        return Reference()
    try:
        return Reference(Window(start, end))
    except InputError:
        message = "the reference is [from, to), so from must come before to; change one of them"
        diagnostics.refuse(("reference", "to"), message, code="invalid-range")
        return Reference()


def _check_span(
    reference: Reference, start: datetime | None, end: datetime | None, diagnostics: DiagnosticCollector
) -> None:
    span = reference.window
    if start is not None and end is not None and start >= end:
        message = "end is not after start, so no window would be monitored; change one of them"
        diagnostics.refuse(("end",), message, code="invalid-range")
    elif start is None and end is not None and span is not None and end <= span.end:
        message = "no window is monitored: windows start at the end of the reference; give a later end, or a start"
        diagnostics.warn(("end",), message, code="nothing-monitored")
    if start is not None and span is not None and span.start <= start < span.end:
        message = "inside the reference: each window there is compared with the rest of the reference"
        diagnostics.warn(("start",), message, code="start-in-reference")


def _alerting(section: AlertSection) -> Alerting:
    verdicts = Alerting().verdicts if section.verdicts is None else frozenset(section.verdicts)
    return Alerting(
        for_windows=section.for_windows,
        keep_firing_for=section.keep_firing_for,
        notify=tuple(dict.fromkeys(section.notify)),
        verdicts=verdicts,
        labels=section.labels,
        runbook=section.runbook,
    )


def _document(written: Any) -> Any:
    """Return the section as written, for JSON: dates as ISO text, variables not filled in."""
    if isinstance(written, dict):
        return {key: _document(value) for key, value in written.items()}
    if isinstance(written, list):
        return [_document(value) for value in written]
    return written.isoformat() if isinstance(written, date) else written
