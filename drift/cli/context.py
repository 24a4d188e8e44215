"""Configuration, store and monitors of a command, and the summary of a monitor's source."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from drift.cli.output import print_error, print_note
from drift.cli.secret_files import SecretFiles
from drift.errors import ConfigError, DriftError, InputError
from drift.failpoints import reach

if TYPE_CHECKING:
    from drift.config import Config
    from drift.monitors.spec import Monitor
    from drift.notify.channels import Channel
    from drift.runner.worker import Worker
    from drift.sources import Source
    from drift.store import Store
    from drift.store.references import StoredReference

NO_REFERENCE = "this configuration has no frozen reference yet; `drift run` freezes it"


def utc_now() -> datetime:
    """Return this host's time in UTC, in whole seconds. Commands read it here and pass it on."""
    return datetime.now(UTC).replace(microsecond=0)


def load_config(path: Path, *, strict: bool = False) -> "Config":
    """Load the configuration; report warnings and invalid monitors on standard error."""
    from drift.config import load
    from drift.notify.channels import channel_option_classes
    from drift.sources import engine_option_classes

    config = load(path, SecretFiles(os.environ), channel_option_classes(), engine_option_classes(), strict=strict)
    for warning in config.warnings:
        print_note(warning)
    for name, problem in config.broken.items():
        print_error(f"monitor {name!r} is left out: {problem}", code="invalid-configuration")
    return config


@contextmanager
def open_store(config: "Config") -> "Iterator[Store]":
    """Open the configured store; close it at the end."""
    from drift.store import Store

    with Store.open(config.store) as store:
        reach("opened")
        yield store


def this_worker(store: "Store", name: str | None) -> "Worker":
    """Return this process as a worker, under the name given by `--worker`, if any."""
    from drift.runner.worker import Worker

    return Worker.current() if name is None else Worker.current().with_assigned_name(name, store.now())


def selected_monitors(config: "Config", name: str | None) -> "list[Monitor]":
    """Return the monitor of that name, or all monitors if there is no name.

    Raises
    ------
    ConfigError
        If no monitor has that name, or it is invalid.
    """
    if name is None:
        return list(config.monitors.values())
    if name in config.broken:
        raise ConfigError(config.broken[name])
    if name not in config.monitors:
        known = ", ".join(config.monitors) or "none"
        raise ConfigError(f"the configuration has no monitor {name!r}; it has {known}", code="unknown-monitor")
    return [config.monitors[name]]


def single_monitor(config: "Config", name: str | None) -> "Monitor":
    """Return the monitor of that name, or the only monitor if there is no name.

    Raises
    ------
    ConfigError
        As `selected_monitors`, and if there are several monitors and no name.
    """
    monitors = selected_monitors(config, name)
    if len(monitors) != 1:
        known = ", ".join(m.name for m in monitors) or "none"
        raise ConfigError(f"choose one monitor with --monitor; the configuration has {known}", code="ambiguous-monitor")
    return monitors[0]


def open_channels(config: "Config") -> "dict[str, Channel]":
    """Open every configured channel."""
    from drift.notify.channels import open_channel

    return {name: open_channel(spec) for name, spec in config.channels.items()}


def localize(moment: datetime, monitor: "Monitor") -> datetime:
    """Place a moment of the command line that has no time zone in the monitor's."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=monitor.timezone)


def require_order(start: datetime, end: datetime) -> None:
    """Check that `--from` lies before `--to`.

    Raises
    ------
    InputError
        If it does not.
    """
    if not start < end:
        raise InputError(
            f"--from ({start.isoformat()}) is not before --to ({end.isoformat()}); swap them", code="invalid-range"
        )


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """The state of a monitor's source: number of watched columns, first and last instant, and what is wrong.

    `problem` and `code` are empty if nothing is wrong.
    """

    watched: int | None = None
    span: tuple[datetime, datetime] | None = None
    problem: str = ""
    code: str = ""


def stored_reference(store: "Store", monitor: "Monitor") -> "StoredReference | None":
    """Return the monitor's current reference, or None if none is frozen for this configuration."""
    from drift.references import current_reference

    definition = store.monitors.find(monitor.name)
    return None if definition is None else current_reference(store, monitor, definition.monitor_id)


def frozen_references(config: "Config") -> "dict[str, StoredReference | None]":
    """Return the frozen reference of each monitor; None if the next run will freeze it.

    A store that does not exist yet has none.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    from drift.store import Store
    from drift.store.engine import parse_url, sqlite_path

    path = sqlite_path(parse_url(config.store))
    if path is not None and not os.path.exists(path):  # noqa: PTH110 - Path.exists raises without search permission
        return dict.fromkeys(config.monitors)
    with Store.open(config.store, create=False) as store:
        return {name: stored_reference(store, monitor) for name, monitor in config.monitors.items()}


def summarise_source(monitor: "Monitor", frozen: "Mapping[str, StoredReference | None]") -> SourceSummary:
    """Check that the source can be read, has the monitor's columns, and has rows for the reference.

    Parameters
    ----------
    monitor : Monitor
        The monitor.
    frozen : mapping of str to StoredReference or None
        From `frozen_references`; empty if the store cannot be read.
    """
    from drift.sources import open_reference, open_source

    try:
        source = open_source(monitor)
        available, span = source.columns(), source.span()
        in_reference = set(open_reference(monitor).columns())
        watched = monitor.columns.watched(available)
        problem, code = "", ""
        if absent := [name for name in watched if name not in in_reference]:
            known = ", ".join(sorted(in_reference))
            problem = f"the reference data lacks the columns {', '.join(absent)}; it has {known}"
            code = "column-missing"
        elif span is None:
            problem, code = f"no row has a {monitor.timestamp}", "no-rows"
        elif (reference := frozen.get(monitor.name)) is not None:
            problem, code = _lost_columns(reference, available), "column-missing"
        elif monitor.name in frozen:
            problem, code = _empty_reference(monitor, source, span), "no-rows"
    except DriftError as error:
        return SourceSummary(problem=str(error), code=error.code)
    return SourceSummary(len(watched), span, problem, code if problem else "")


def _lost_columns(reference: "StoredReference", available: "Sequence[str]") -> str:
    """Name the columns of the frozen reference that the source no longer has."""
    lost = sorted(set(reference.profiles[""]) - set(available))
    if not lost:
        return ""
    return (
        f"the source no longer has these columns of the frozen reference: {', '.join(lost)}; every window will be a "
        "schema_error: restore them, or list them under columns: exclude, which freezes the reference again"
    )


def _empty_reference(monitor: "Monitor", source: "Source", span: tuple[datetime, datetime]) -> str:
    """Say so if the range that the next run will freeze has no rows. Reads timestamps only."""
    from drift.monitors.window import format_instant

    window = monitor.reference_range(span)
    if window is None:
        return ""
    if window.start <= span[1] and span[0] < window.end:
        counts = source.row_counts([window])
        rows = source.count({}, window, (), ())[""].rows if counts is None else counts[0]
        if rows:
            return ""
    first, last = map(format_instant, span)
    return f"the reference ({window}) has no rows; the data spans {first} to {last}"
