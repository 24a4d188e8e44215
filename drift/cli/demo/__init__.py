"""The command `drift demo`: the whole product on real data with real drift."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    folder: Annotated[Path, typer.Option(help="Where to put it.")] = Path("drift-demo"),
) -> None:
    """Real drift in real data: the bike rentals of 2012, week by week, against the weeks of 2011."""
    from drift.cli.demo.show import run_demo

    run_demo(folder)


def register(app: typer.Typer) -> None:
    """Add the command `drift demo`."""
    app.command()(demo)
