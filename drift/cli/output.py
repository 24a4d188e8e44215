"""What commands print, and the exit status: 0 no drift, 1 drift, 2 wrong usage, 3 not everything could be checked."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from drift.cli.options import FailOn

if TYPE_CHECKING:
    from rich.console import Console

    from drift.verdict import Verdict

OK, DRIFT, USAGE, UNCHECKED = 0, 1, 2, 3

COLOURS: Final = {
    "drift": "bold red",
    "firing": "bold red",
    "error": "bold magenta",
    "schema_error": "bold magenta",
    "dead": "bold magenta",
    "failed": "bold magenta",
    "no_data": "magenta",
    "warn": "yellow",
    "pending": "yellow",
    "insufficient": "cyan",
    "not_comparable": "cyan",
    "ok": "green",
    "resolved": "green",
}


def console(*, stderr: bool = False) -> "Console":
    """A terminal to print to; wide where it is a pipe, so that nothing is cut."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else 200, soft_wrap=False, highlight=False)


def say(text: str) -> None:
    """One line to a person, on standard output."""
    sys.stdout.write(text + "\n")


def complain(text: str) -> None:
    """One line to a person, on standard error."""
    sys.stderr.write(text + "\n")


def print_json(document: Mapping[str, Any]) -> None:
    """Strict JSON: no NaN; non-finite numbers are a defect and raise."""
    sys.stdout.write(json.dumps(document, allow_nan=False, ensure_ascii=False, indent=2) + "\n")


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, numeric: Iterable[str] = ()
) -> None:
    """A table; verdicts and states in their colours, numbers to the right; names are never markup."""
    from rich.table import Table
    from rich.text import Text

    right = set(numeric)
    table = Table(title=title or None, title_justify="left", header_style="bold", expand=False)
    for name in columns:
        last = name == columns[-1]
        table.add_column(
            name,
            justify="right" if name in right else "left",
            overflow="fold",
            no_wrap=name in right,
            ratio=1 if last and len(columns) > 4 else None,
        )
    for row in rows:
        table.add_row(*(Text(cell := shown(value), style=COLOURS.get(cell, "")) for value in row))
    console().print(table)


def shown(value: object) -> str:
    """A cell's text; numbers to three digits, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)


def shown_p(p_value: float | None) -> str:
    """A p-value to one digit; what is smaller than anything that was checked is not told to more."""
    if p_value is None:
        return ""
    return "< 1e-9" if p_value < 1e-9 else f"{p_value:.1g}"


def exit_status(verdicts: "Iterable[Verdict]", fail_on: FailOn) -> int:
    """As of `diff`: what was found comes first, then what could not be told."""
    from drift.verdict import Verdict

    found = set(verdicts)
    bad = {FailOn.DRIFT: {Verdict.DRIFT}, FailOn.WARN: {Verdict.DRIFT, Verdict.WARN}, FailOn.NEVER: set()}[fail_on]
    if found & bad:
        return DRIFT
    return UNCHECKED if any(not verdict.told for verdict in found) else OK
