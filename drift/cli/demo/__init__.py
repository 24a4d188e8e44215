"""The command `drift demo`."""

from pathlib import Path
from typing import Annotated

import typer


def demo_command(
    folder: Annotated[Path, typer.Option(help="Folder for data, configuration, store and report.")] = Path(
        "drift-demo"
    ),
) -> None:
    """Find real drift in real data: the bike rentals of 2012, week by week, compared with those of 2011."""
    from drift.cli.demo.show import run_demo

    run_demo(folder)
