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


def parse_time(text: str) -> datetime:
    """A date or time as ISO 8601 has them, such as those drift prints."""
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError as error:
        told = "expected a date or time such as 2024-02-09, 2024-02-09T10:00 or 2024-02-09T10:00Z"
        raise typer.BadParameter(f"{text!r} is no time; {told}") from error


def parse_worker(text: str) -> str:
    """The name of a worker: plain enough that what a shell or an orchestrator left unfilled, ``$(POD)``, is none."""
    from drift.runner.worker import POST

    if POST.fullmatch(text) is None:
        told = "expected letters, digits and . _ @ -, up to 100, such as drift-0; and one that nobody else bears"
        raise typer.BadParameter(f"{text!r} is no name of a worker; {told}")
    return text


class Revisions(StrEnum):
    """Which checks of a window to list."""

    NEWEST = "newest"
    ALL = "all"


ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", help="Configuration: a YAML file or a folder of them.", show_default=True)
]
DEFAULT_CONFIG = Path("drift.yaml")
MonitorName = Annotated[str | None, typer.Option("--monitor", "-m", help="Only this monitor.")]
SHOWN = 40
Limit = Annotated[int, typer.Option(min=1, help="At most so many windows in the table.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print strict JSON instead of a table.")]
Fail = Annotated[FailOn, typer.Option("--fail-on", help="What exit status 1 means: warn, drift or never.")]
Since = Annotated[
    datetime | None,
    typer.Option("--from", parser=parse_time, metavar="TIME", help="From this date or time on, ISO 8601."),
]
Until = Annotated[
    datetime | None,
    typer.Option("--to", parser=parse_time, metavar="TIME", help="Up to this date or time, itself left out."),
]
# No variable of the environment: whoever looks into a container by `exec` has those, and would bear its name, too.
WorkerName = Annotated[
    str | None,
    typer.Option(
        "--worker",
        parser=parse_worker,
        metavar="NAME",
        help="A name that no other process bears meanwhile: what the last of that name had in hand is free at once.",
    ),
]
