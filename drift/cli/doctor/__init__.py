"""What `drift doctor` looks at, each part by itself: one that fails hides no other. It writes and sends nothing."""

import platform
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from drift.cli.doctor.channels import look_at_channel, look_at_deliveries
from drift.cli.doctor.check_result import Finding
from drift.cli.doctor.monitors import look_at_monitors, look_at_windows
from drift.cli.doctor.store import look_at_store
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
    """Versions of drift, Python and the libraries; None of those that are not installed."""
    from drift import __version__

    return {"drift": __version__, "python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def examine(path: Path, environ: Mapping[str, str], now: Callable[[], datetime]) -> list[Finding]:
    """Look at everything that a configuration names.

    Parameters
    ----------
    path : Path
        The configuration.
    environ : mapping of str to str
        Fills in its variables.
    now : callable
        This host's time.
    """
    from drift.config import load

    try:
        config = load(path, environ, strict=False)
    except ConfigError as error:
        return [Finding("configuration", str(path), works=False, message=str(error))]
    told = "; ".join([f"{len(config.monitors)} monitors, {len(config.channels)} channels", *config.warnings])
    found = [Finding("configuration", str(path), works=True, message=told), *look_at_store(config, now)]
    found += [Finding("monitor", name, works=False, message=why) for name, why in config.broken.items()]
    found += look_at_monitors(config, now) + look_at_windows(config)
    return found + [look_at_channel(spec) for spec in config.channels.values()] + look_at_deliveries(config, now())
