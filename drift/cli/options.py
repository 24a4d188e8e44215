"""Options shared by several commands."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class FailOn(StrEnum):
    """The verdict from which the exit status is 1."""

    WARN = "warn"
    DRIFT = "drift"
    NEVER = "never"


def parse_time(text: str) -> datetime:
    """Parse a date or time in ISO 8601."""
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError as error:
        expected = "expected a date or time such as 2024-02-09, 2024-02-09T10:00 or 2024-02-09T10:00Z"
        raise typer.BadParameter(f"{text!r} is not a time; {expected}") from error


def parse_worker(text: str) -> str:
    """Check the name of a worker. A variable that was not expanded, such as ``$(POD)``, is not a name."""
    from drift.runner.worker import WORKER_NAME

    if WORKER_NAME.fullmatch(text) is None:
        expected = "expected up to 100 letters, digits and . _ @ -, such as drift-0, unique among running processes"
        raise typer.BadParameter(f"{text!r} is not a worker name; {expected}")
    return text


class RevisionChoice(StrEnum):
    """The revisions of a window to list."""

    NEWEST = "newest"
    ALL = "all"


ConfigFile = Annotated[
    Path,
    typer.Option("--config", "-c", help="Configuration: a YAML file, or a folder of YAML files.", show_default=True),
]
DEFAULT_CONFIG = Path("drift.yaml")
MonitorName = Annotated[str | None, typer.Option("--monitor", "-m", help="Only this monitor.")]
MAX_ROWS_SHOWN = 40
Limit = Annotated[int, typer.Option(min=1, help="Maximum number of windows in the table.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print strict JSON instead of a table.")]
Fail = Annotated[FailOn, typer.Option("--fail-on", help="Verdict that sets exit status 1: warn, drift or never.")]
Since = Annotated[
    datetime | None,
    typer.Option("--from", parser=parse_time, metavar="TIME", help="Start of the range, in ISO 8601; included."),
]
Until = Annotated[
    datetime | None,
    typer.Option("--to", parser=parse_time, metavar="TIME", help="End of the range, in ISO 8601; excluded."),
]
# Not an environment variable: a second process in the same container (`exec`) would inherit the name.
WorkerName = Annotated[
    str | None,
    typer.Option(
        "--worker",
        parser=parse_worker,
        metavar="NAME",
        help="Unique name of this process. A restart under the same name takes over its leases at once.",
    ),
]
