"""Output of the commands, and their exit status: 0 no drift, 1 drift, 2 wrong usage, 3 not everything was checked."""

import json
import logging
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from drift.cli import logs
from drift.cli.options import FailOn

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from drift.errors import DriftError
    from drift.monitors.verdict import Verdict

MAX_NAMES: Final = 5
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

_ENDS_WITH_CODE: Final = re.compile(r" \[[a-z]+(-[a-z]+)+\]$")

log = logging.getLogger("drift")


def console(*, stderr: bool = False) -> "Console":
    """Return a console; 200 characters wide in a pipe, so that nothing is cut off."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else 200, soft_wrap=False, highlight=False)


def write(text: str) -> None:
    """Write to standard output. A reader that stops reading (``| head``) does not change the exit status."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_text(text: str) -> None:
    """Print lines on standard output."""
    write(printable(text) + "\n")


def print_error(message: str, *, code: str) -> None:
    """Print a problem and its code on standard error; as a log record if logs are JSON, so that every line is JSON."""
    if logs.as_json():
        log.error(message, extra={"code": code})
    else:
        sys.stderr.write(printable(f"drift: {with_code(message, code)}") + "\n")


def with_code(message: str, code: str) -> str:
    """Append the code, unless the message is a list of problems, which has a code on each line."""
    return message if _ENDS_WITH_CODE.search(message) else f"{message} [{code}]"


def print_exception(error: "DriftError", subject: str = "") -> None:
    """Print an error of drift, with the name of what it is about in front."""
    print_error(f"{subject}: {error}" if subject else str(error), code=error.code)


def print_note(message: str) -> None:
    """Print on standard error what the user should know but need not act on."""
    if logs.as_json():
        log.warning(message, extra={"code": "note"})
    else:
        sys.stderr.write(printable(f"drift: note: {message}") + "\n")


def print_status(text: str) -> None:
    """Print on standard error what a command did, such as the file that it wrote."""
    if logs.as_json():
        log.info(text)
    else:
        sys.stderr.write(printable(text) + "\n")


def printable(text: str) -> str:
    """Escape control characters, which would steer a terminal: names come from data."""
    return "".join(c if c == "\n" or c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def print_json(document: Mapping[str, Any]) -> None:
    """Print strict JSON. A non-finite number is a defect and raises."""
    write(json.dumps(document, allow_nan=False, ensure_ascii=False, indent=2) + "\n")


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    numeric: Iterable[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """Print a table with coloured verdicts and states. Names are never markup.

    Parameters
    ----------
    title : str
        Printed above the table; "" for none.
    columns : sequence of str
        Heads. The text of the last column wraps.
    rows : iterable of sequences
        One value per column.
    numeric : iterable of str
        Columns to align to the right.
    spare : sequence of str
        Columns to leave out if the terminal is too narrow, in this order.
    """
    from rich.measure import measure_renderables

    screen, cells, shown = console(), [list(row) for row in rows], list(columns)
    unbounded = screen.options.update(max_width=10_000)  # otherwise no table measures wider than the screen
    table = _table(title, columns, shown, cells, set(numeric))
    for name in spare:
        if measure_renderables(screen, unbounded, [table]).minimum <= screen.width:
            break
        shown.remove(name)
        table = _table(title, columns, shown, cells, set(numeric))
    with screen.capture() as rendered:
        screen.print(table)
    write(rendered.get())


def _table(
    title: str, columns: Sequence[str], shown: Sequence[str], rows: Sequence[Sequence[object]], numeric: set[str]
) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", header_style="bold")
    for name in shown:
        last = name == shown[-1]
        table.add_column(
            name,
            justify="right" if name in numeric else "left",
            overflow="fold",
            no_wrap=not last,
            min_width=24 if last else None,
        )
    indices = [columns.index(name) for name in shown]
    for row in rows:
        cells = [format_cell(row[index]) for index in indices]
        table.add_row(*(Text(cell, style=VERDICT_STYLES.get(cell, "")) for cell in cells))
    return table


def format_cell(value: object) -> str:
    """Return the text of a cell: numbers to three digits, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}"
    return printable(str(value)).replace("\n", "\\n")


def format_limit_note(total: int, limit: int, which: str) -> str:
    """Return what to add to a count if a table shows only the first (or newest) rows."""
    return f"; showing the {which} {limit} (--limit {total} shows all)" if total > limit else ""


def format_p_cell(p_value: float | None) -> str:
    """Return a p-value to one digit, or its bound if it is smaller than can be known."""
    from drift.monitors.verdict import format_p_value

    return "" if p_value is None else format_p_value(p_value).removeprefix("= ")


def format_count(number: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 window``, ``2 windows``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def format_names(names: Sequence[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more


def exit_status(verdicts: "Iterable[Verdict]", fail_on: FailOn) -> int:
    """Return the exit status, as `diff` does: drift takes precedence over columns that could not be evaluated."""
    from drift.monitors.verdict import Verdict

    seen = set(verdicts)
    failing = {FailOn.DRIFT: {Verdict.DRIFT}, FailOn.WARN: {Verdict.DRIFT, Verdict.WARN}, FailOn.NEVER: set()}[fail_on]
    if seen & failing:
        return DRIFT
    return UNCHECKED if any(not verdict.is_conclusive for verdict in seen) else OK
