"""What every command on monitors begins with: the configuration, the store, the monitors asked for."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from drift.cli.output import complain
from drift.cli.secret_files import SecretFiles
from drift.errors import ConfigError, DriftError
from drift.failpoints import reach

if TYPE_CHECKING:
    from drift.config import Config
    from drift.monitors.spec import Monitor
    from drift.notify.channels import Channel
    from drift.runner.worker import Worker
    from drift.sources import Source
    from drift.store import Store
    from drift.store.definitions import StoredReference


def load_config(path: Path, *, strict: bool = False) -> "Config":
    """The configuration; warnings and monitors that cannot be used are told on standard error."""
    from drift.config import load
    from drift.notify.channels import option_classes

    config = load(path, SecretFiles(os.environ), option_classes(), strict=strict)
    for warning in config.warnings:
        complain(f"drift: note: {warning}")
    for name, why in config.broken.items():
        complain(f"drift: monitor {name!r} is left out: {why}")
    return config


@contextmanager
def open_store(config: "Config") -> "Iterator[Store]":
    """The configured store, closed at the end."""
    from drift.store import Store

    with Store.open(config.store) as store:
        reach("opened")
        yield store


def this_worker(store: "Store", post: str | None) -> "Worker":
    """This process as the one that checks windows, under the name that its operator gave, if any."""
    from drift.runner.worker import Worker

    return Worker.this() if post is None else Worker.this().at(post, store.now())


def selected_monitors(config: "Config", name: str | None) -> "list[Monitor]":
    """The monitors a command is about.

    Raises
    ------
    ConfigError
        Where there is none of that name, or it is broken.
    """
    if name is None:
        return list(config.monitors.values())
    if name in config.broken:
        raise ConfigError(config.broken[name])
    if name not in config.monitors:
        raise ConfigError(f"no monitor {name!r} in the configuration; there are {', '.join(config.monitors) or 'none'}")
    return [config.monitors[name]]


def single_monitor(config: "Config", name: str | None) -> "Monitor":
    """The one monitor a command is about.

    Raises
    ------
    ConfigError
        As `selected_monitors`, and where it has to be named.
    """
    found = selected_monitors(config, name)
    if len(found) != 1:
        raise ConfigError(f"name one monitor with --monitor; there are {', '.join(m.name for m in found) or 'none'}")
    return found[0]


def open_channels(config: "Config") -> "dict[str, Channel]":
    """Every configured channel."""
    from drift.notify.channels import open_channel

    return {name: open_channel(spec) for name, spec in config.channels.items()}


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """What a glance at a monitor's source tells: columns watched, first and last instant, what is wrong."""

    watched: int | None = None
    span: tuple[datetime, datetime] | None = None
    problem: str = ""


def frozen_references(config: "Config") -> "dict[str, StoredReference | None]":
    """The frozen reference of each monitor; None for one that the next run freezes.

    Raises
    ------
    StoreError
        Where the store cannot be asked. One that is not there yet holds none.
    """
    from drift.references import current_reference
    from drift.store import Store
    from drift.store.engine import parse_url, sqlite_path

    path = sqlite_path(parse_url(config.store))
    if path is not None and not os.path.exists(path):  # noqa: PTH110 - Path.exists raises where it may not look
        return dict.fromkeys(config.monitors)
    with Store.open(config.store, create=False) as store:
        known = {one.name: (one, store.find(one.name)) for one in config.monitors.values()}
        return {
            name: None if definition is None else current_reference(store, one, definition.monitor_id)
            for name, (one, definition) in known.items()
        }


def summarise_source(monitor: "Monitor", frozen: "Mapping[str, StoredReference | None]") -> SourceSummary:
    """Is the source there, does it hold what the monitor names, and has the reference rows?

    Parameters
    ----------
    monitor : Monitor
        Which one.
    frozen : mapping of str to StoredReference or None
        As `frozen_references` gives it; empty where the store cannot be asked.
    """
    from drift.sources import open_reference, open_source

    try:
        source = open_source(monitor)
        available, span = source.columns(), source.span()
        known = set(open_reference(monitor).columns())
        watched = monitor.columns.watched(available)
        if absent := [name for name in watched if name not in known]:
            told = f"columns not in the reference's data: {', '.join(absent)}; there are {', '.join(sorted(known))}"
        elif span is None:
            told = f"no row has a {monitor.timestamp}"
        elif (baseline := frozen.get(monitor.name)) is not None:
            told = _gone(baseline, available)
        elif monitor.name in frozen:
            told = _without_rows(monitor, source, span)
        else:
            told = ""
    except DriftError as error:
        return SourceSummary(problem=str(error))
    return SourceSummary(len(watched), span, told)


def _gone(baseline: "StoredReference", available: "Sequence[str]") -> str:
    """Columns that the frozen reference has and the source no longer."""
    gone = sorted(set(baseline.profiles[""]) - set(available))
    if not gone:
        return ""
    return (
        f"columns of the frozen reference that the source no longer has: {', '.join(gone)}; every window will say so "
        "(schema_error): bring them back, or name them under columns: exclude, which freezes the reference anew"
    )


def _without_rows(monitor: "Monitor", source: "Source", span: tuple[datetime, datetime]) -> str:
    """Whether the stretch that the next run is to freeze is empty: no source reads more for that than timestamps."""
    from drift.monitors.window import format_instant

    stretch = monitor.stretch(span)
    if stretch is None:
        return ""
    if stretch.start <= span[1] and span[0] < stretch.end:
        counted = source.row_counts([stretch])
        rows = source.count({}, stretch, (), ())[""].rows if counted is None else counted[0]
        if rows:
            return ""
    first, last = map(format_instant, span)
    return f"the reference ({stretch}) holds no rows; the data spans {first} to {last}"


def instant(moment: datetime | None, monitor: "Monitor") -> datetime | None:
    """A moment from the command line; without a time zone it is the monitor's."""
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=monitor.timezone)
