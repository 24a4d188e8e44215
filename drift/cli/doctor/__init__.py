"""The checks of `drift doctor`. They are independent: a failed one hides no other. They write and send nothing."""

import platform
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from drift.cli.doctor.channels import check_channel, check_deliveries
from drift.cli.doctor.check_result import CheckResult
from drift.cli.doctor.monitors import check_monitor_sources, check_windows
from drift.cli.doctor.store import check_store
from drift.cli.output import format_count
from drift.errors import ConfigError

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


def versions() -> dict[str, str | None]:
    """Return the versions of drift, Python and the libraries; None if one is not installed."""
    from drift import __version__

    return {"drift": __version__, "python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def examine(path: Path, environ: Mapping[str, str], now: Callable[[], datetime]) -> list[CheckResult]:
    """Check everything that a configuration names.

    Parameters
    ----------
    path : Path
        The configuration.
    environ : mapping of str to str
        Values of its variables.
    now : callable
        Returns this host's time.
    """
    from drift.config import load
    from drift.notify.channels import channel_option_classes
    from drift.sources import engine_option_classes

    try:
        config = load(path, environ, channel_option_classes(), engine_option_classes(), strict=False)
    except ConfigError as error:
        return [CheckResult("configuration", str(path), works=False, message=str(error), code=error.code)]
    size = f"{format_count(len(config.monitors), 'monitor')}, {format_count(len(config.channels), 'channel')}"
    return [
        CheckResult("configuration", str(path), works=True, message="; ".join([size, *config.warnings])),
        *check_store(config, now),
        *(
            CheckResult("monitor", name, works=False, message=problem, code="invalid-configuration")
            for name, problem in config.broken.items()
        ),
        *check_monitor_sources(config, now),
        *check_windows(config),
        *map(check_channel, config.channels.values()),
        *check_deliveries(config, now()),
    ]
