"""What `drift doctor` looks at: each part by itself, so that one that fails hides no other. Writes nothing."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from drift.cli.context import look_at
from drift.errors import ConfigError, DriftError

if TYPE_CHECKING:
    from drift.config import ChannelSpec, Config
    from drift.monitor import Monitor

LIBRARIES: Final = (
    "numpy",
    "scipy",
    "pyarrow",
    "narwhals",
    "pandas",
    "polars",
    "sqlalchemy",
    "alembic",
    "psycopg",
    "apscheduler",
    "fastapi",
    "uvicorn",
    "pydantic",
    "altair",
    "vl-convert-python",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One part, and whether it works.

    Parameters
    ----------
    part : str
        `configuration`, `store`, `monitor` or `channel`.
    name : str
        Which one.
    works : bool
        Whether it does.
    message : str
        What was found, or what is wrong and what to do.
    """

    part: str
    name: str
    works: bool
    message: str


def versions() -> dict[str, str | None]:
    """Versions of drift, Python and the libraries; None of those that are not installed."""
    from drift import __version__

    return {"drift": __version__, "python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def examine(path: Path, environ: Mapping[str, str]) -> list[Finding]:
    """Look at everything that a configuration names."""
    from drift.config import load

    try:
        config = load(path, environ, strict=False)
    except ConfigError as error:
        return [Finding("configuration", str(path), works=False, message=str(error))]
    told = "; ".join([f"{len(config.monitors)} monitors, {len(config.channels)} channels", *config.warnings])
    found = [Finding("configuration", str(path), works=True, message=told), _store(config)]
    found += [Finding("monitor", name, works=False, message=why) for name, why in config.broken.items()]
    found += [_monitor(one) for one in config.monitors.values()]
    return found + [_channel(spec) for spec in config.channels.values()] + _deliveries(config)


def _store(config: "Config") -> Finding:
    from drift.store.engine import describe, parse_url, sqlite_path
    from drift.store.migrate import check, head

    name = "store"
    try:
        url = parse_url(config.store)
        name = describe(url)
        file = sqlite_path(url)
        if file is not None and not file.exists() and file.parent.is_dir():
            return Finding("store", name, works=True, message="not there yet; `drift run` makes it")
        problems = check(config.store)
    except DriftError as error:
        return Finding("store", name, works=False, message=str(error))
    return Finding("store", name, works=not problems, message="; ".join(problems) or f"schema {head()}")


def _monitor(monitor: "Monitor") -> Finding:
    from drift.window import format_instant

    found = look_at(monitor)
    if found.problem or found.span is None:
        return Finding("monitor", monitor.name, works=False, message=found.problem)
    first, last = map(format_instant, found.span)
    told = f"{found.watched} columns watched, rows from {first} to {last}"
    return Finding("monitor", monitor.name, works=True, message=told)


def _deliveries(config: "Config") -> list[Finding]:
    """What the outbox holds, where there is a store to ask."""
    from drift.store import Store

    try:
        with Store.open(config.store, create=False) as store:
            held = store.counts_by_status()["deliveries"]
    except DriftError:  # the finding on the store has said it
        return []
    pending, dead = held.get("pending", 0), held.get("dead", 0)
    told = f"{held.get('sent', 0)} messages delivered, {pending} still to be, {dead} given up"
    return [Finding("deliveries", "outbox", works=not pending and not dead, message=told)]


def _channel(spec: "ChannelSpec") -> Finding:
    from drift.channels import open_channel

    try:
        open_channel(spec.name, spec.type, spec.options)
    except DriftError as error:
        return Finding("channel", spec.name, works=False, message=str(error))
    return Finding("channel", spec.name, works=True, message=f"{spec.type}, configured; nothing was sent")
