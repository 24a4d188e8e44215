"""Reports: one page, in several formats. Charts load only where HTML is written."""

import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from drift.errors import InputError
from drift.report.csv import render_csv, table_csv
from drift.report.json import comparison_document, render_json
from drift.report.markdown import render_markdown
from drift.report.page import Column, Page, Point, Side
from drift.report.stored_page import page_from_store
from drift.report.templating import render_fragment

__all__ = [
    "FORMATS",
    "Column",
    "Page",
    "Point",
    "Side",
    "comparison_document",
    "page_from_store",
    "render",
    "render_fragment",
    "save",
    "table_csv",
]


def _html(page: Page) -> str:
    from drift.report.html import render_html  # noqa: PLC0415 - Altair takes 0.2 s that a CSV need not wait for

    return render_html(page)


FORMATS: Final[Mapping[str, Callable[[Page], str]]] = {
    "html": _html,
    "json": render_json,
    "md": render_markdown,
    "csv": render_csv,
}


def render(page: Page, format: str = "html") -> str:  # noqa: A002 - the word users know from --format
    """The page in one of the `FORMATS`.

    Raises
    ------
    InputError
        For a format there is none of.
    """
    if format not in FORMATS:
        raise InputError(f"unknown report format {format!r}; known are {', '.join(FORMATS)}")
    return FORMATS[format](page)


def save(page: Page, path: str | os.PathLike[str], format: str | None = None) -> Path:  # noqa: A002 - as in `render`
    """Write the page to a file, in the format its suffix names: all of it, or nothing.

    Parameters
    ----------
    page : Page
        What to write.
    path : str or path
        A file that is there is replaced at once.
    format : str, optional
        One of the `FORMATS`; None takes it from the path, which then ends in ``.html``, ``.json``, ``.md`` or ``.csv``.

    Raises
    ------
    InputError
        Where the suffix names no format, or the folder cannot be written to.
    """
    target = Path(path)
    named = target.suffix.lower().removeprefix(".") if format is None else format
    if format is None and named not in FORMATS:
        known = ", ".join(f".{name}" for name in FORMATS)
        raise InputError(f"cannot tell the format of {str(target)!r} by its suffix; use one of {known}")
    # A name may hold half a character (a lone surrogate), which UTF-8 cannot: it is spelled out.
    _replace(target, render(page, named).encode("utf-8", "backslashreplace"))
    return target


def _replace(target: Path, content: bytes) -> None:
    """Write beside the target, then rename: a reader sees the old file or the new one, never half of one."""
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        beside.write_bytes(content)
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise InputError(f"cannot write the report to {str(target)!r}: {error.strerror or error}") from error
