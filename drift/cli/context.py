"""What every command on monitors begins with: the configuration, the store, the monitors asked for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from drift.cli.output import complain
from drift.cli.secret_files import SecretFiles
from drift.errors import ConfigError, DriftError
from drift.steps import step

if TYPE_CHECKING:
    from drift.channels import Channel
    from drift.config import Config
    from drift.monitor import Monitor
    from drift.store import Store


def load_config(path: Path, *, strict: bool = False) -> "Config":
    """The configuration; warnings and monitors that cannot be used are told on standard error."""
    from drift.config import load

    config = load(path, SecretFiles(os.environ), strict=strict)
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
        step("opened")
        yield store


def chosen(config: "Config", name: str | None) -> "list[Monitor]":
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


def single(config: "Config", name: str | None) -> "Monitor":
    """The one monitor a command is about.

    Raises
    ------
    ConfigError
        As `chosen`, and where it has to be named.
    """
    found = chosen(config, name)
    if len(found) != 1:
        raise ConfigError(f"name one monitor with --monitor; there are {', '.join(m.name for m in found) or 'none'}")
    return found[0]


def open_channels(config: "Config") -> "dict[str, Channel]":
    """Every configured channel."""
    from drift.channels import open_channel

    return {name: open_channel(name, spec.type, spec.options) for name, spec in config.channels.items()}


@dataclass(frozen=True, slots=True)
class Look:
    """What a glance at a monitor's source tells: columns watched, first and last instant, what is wrong."""

    watched: int | None = None
    span: tuple[datetime, datetime] | None = None
    problem: str = ""


def look_at(monitor: "Monitor") -> Look:
    """Is the source there, and does it hold what the monitor names?"""
    from drift.sources import open_reference, open_source

    try:
        source = open_source(monitor)
        available, span = source.columns(), source.span()
        known = set(open_reference(monitor).columns())
    except DriftError as error:
        return Look(problem=str(error))
    watched = monitor.columns.watched(available)
    if absent := [name for name in watched if name not in known]:
        told = f"columns not in the reference's data: {', '.join(absent)}; there are {', '.join(sorted(known))}"
        return Look(len(watched), span, told)
    return Look(len(watched), span, "" if span else f"no row has a {monitor.timestamp}")


def instant(moment: datetime | None, monitor: "Monitor") -> datetime | None:
    """A moment from the command line; without a time zone it is the monitor's."""
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=monitor.timezone)
