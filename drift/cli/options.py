"""Options that several commands share, in one wording."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class FailOn(StrEnum):
    """Where exit status 1 begins."""

    WARN = "warn"
    DRIFT = "drift"
    NEVER = "never"


class Revisions(StrEnum):
    """Which checks of a window to list."""

    NEWEST = "newest"
    ALL = "all"


ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", help="Configuration: a YAML file or a folder of them.", show_default=True)
]
DEFAULT_CONFIG = Path("drift.yaml")
MonitorName = Annotated[str | None, typer.Option("--monitor", "-m", help="Only this monitor.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print strict JSON instead of a table.")]
Fail = Annotated[FailOn, typer.Option("--fail-on", help="What exit status 1 means: warn, drift or never.")]
Since = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]),
]
Until = Annotated[
    datetime | None,
    typer.Option("--to", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]),
]
