"""What commands print, and the exit status: 0 no drift, 1 drift, 2 wrong usage, 3 not everything could be checked."""

import json
import logging
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from drift.cli import logs
from drift.cli.options import FailOn

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from drift.monitors.verdict import Verdict

OK, DRIFT, USAGE, UNCHECKED = 0, 1, 2, 3

VERDICT_STYLES: Final = {
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


def write(text: str) -> None:
    """To standard output. A reader that has seen enough (``| head``) ends the output, not the exit status."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str) -> None:
    """Some lines to a person, on standard output."""
    write(printable(text) + "\n")


def complain(text: str) -> None:
    """Some lines to a person, on standard error; a log record where logs are JSON, so that each line is."""
    if logs.as_json():
        logging.getLogger("drift").error(text.removeprefix("drift: "))
    else:
        sys.stderr.write(printable(text) + "\n")


def printable(text: str) -> str:
    """Without what would steer a terminal: names come from data."""
    return "".join(c if c == "\n" or c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def print_json(document: Mapping[str, Any]) -> None:
    """Strict JSON: no NaN; non-finite numbers are a defect and raise."""
    write(json.dumps(document, allow_nan=False, ensure_ascii=False, indent=2) + "\n")


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    numeric: Iterable[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """A table; verdicts and states in their colours, numbers to the right; names are never markup.

    Where the terminal is too narrow, the columns in `spare` are left out, the first first; the last column folds.
    """
    from rich.measure import measure_renderables

    screen, held, kept = console(), [list(row) for row in rows], list(columns)
    endless = screen.options.update(max_width=10_000)  # else no table measures more than the screen
    table = _table(title, columns, kept, held, set(numeric))
    for name in spare:
        if measure_renderables(screen, endless, [table]).minimum <= screen.width:
            break
        kept.remove(name)
        table = _table(title, columns, kept, held, set(numeric))
    with screen.capture() as drawn:
        screen.print(table)
    write(drawn.get())


def _table(
    title: str, columns: Sequence[str], kept: Sequence[str], rows: Sequence[Sequence[object]], numeric: set[str]
) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", header_style="bold")
    for name in kept:
        last = name == kept[-1]
        table.add_column(
            name,
            justify="right" if name in numeric else "left",
            overflow="fold",
            no_wrap=not last,
            min_width=24 if last else None,
        )
    places = [columns.index(name) for name in kept]
    for row in rows:
        cells = [format_cell(row[place]) for place in places]
        table.add_row(*(Text(cell, style=VERDICT_STYLES.get(cell, "")) for cell in cells))
    return table


def format_cell(value: object) -> str:
    """A cell's text; numbers to three digits, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}"
    return printable(str(value)).replace("\n", "\\n")


def format_limit_note(all_of_them: int, limit: int, which: str) -> str:
    """What to add to a count where a table holds but the first (or newest) of the rows."""
    return f"; the {which} {limit} are shown (--limit {all_of_them} shows all)" if all_of_them > limit else ""


def format_p_cell(p_value: float | None) -> str:
    """A p-value to one digit; what is smaller than anything that was checked is not told to more."""
    from drift.monitors.verdict import format_p_value

    return "" if p_value is None else format_p_value(p_value).removeprefix("= ")


def exit_status(verdicts: "Iterable[Verdict]", fail_on: FailOn) -> int:
    """As of `diff`: what was found comes first, then what could not be told."""
    from drift.monitors.verdict import Verdict

    found = set(verdicts)
    bad = {FailOn.DRIFT: {Verdict.DRIFT}, FailOn.WARN: {Verdict.DRIFT, Verdict.WARN}, FailOn.NEVER: set()}[fail_on]
    if found & bad:
        return DRIFT
    return UNCHECKED if any(not verdict.is_conclusive for verdict in found) else OK
