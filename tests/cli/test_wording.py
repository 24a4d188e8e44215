"""Help texts of every command, compared with a snapshot that is reviewed for its wording."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from drift.cli import app
from tests.support.snapshots import matches_snapshot

WORDED_BY_TYPER = {"help", "install_completion", "show_completion"}


def walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Walk the command tree, groups first. Some Typer releases vendor Click, so its classes are not named here."""
    yield name, command
    for child_name, child in getattr(command, "commands", {}).items():
        yield from walk(child, f"{name} {child_name}")


def describe(name: str, command: Any) -> Iterator[str]:
    yield name
    yield from (f"    {line}".rstrip() for line in inspect.cleandoc(command.help or "").splitlines())
    for parameter in command.params:
        if parameter.name not in WORDED_BY_TYPER:
            is_option = parameter.param_type_name == "option"
            yield f"  {', '.join(parameter.opts) if is_option else parameter.name.upper()}: {parameter.help}"
    yield ""


def help_texts() -> str:
    """Return the help of commands and options from the command tree: rendered boxes differ between releases."""
    tree = walk(typer.main.get_command(app), "drift")
    return "\n".join(line for name, command in tree for line in describe(name, command))


def test_help_texts_match_the_snapshot() -> None:
    assert matches_snapshot(Path(__file__).parent / "snapshots" / "help.txt", help_texts())
