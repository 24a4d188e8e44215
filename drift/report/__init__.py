"""Reports: a page, rendered in several formats. Charts are loaded only for HTML."""

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
    "RENDERERS",
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
    from drift.report.html import render_html  # noqa: PLC0415 - Altair takes 0.2 s, which a CSV can do without

    return render_html(page)


RENDERERS: Final[Mapping[str, Callable[[Page], str]]] = {
    "html": _html,
    "json": render_json,
    "md": render_markdown,
    "csv": render_csv,
}


def render(page: Page, format: str = "html") -> str:  # noqa: A002 - the word users know from --format
    """Render a page in one of the `RENDERERS`.

    Raises
    ------
    InputError
        If the format is unknown.
    """
    if format not in RENDERERS:
        known = ", ".join(RENDERERS)
        raise InputError(f"unknown report format {format!r}; known formats are {known}", code="unknown-format")
    return RENDERERS[format](page)


def save(page: Page, path: str | os.PathLike[str], format: str | None = None) -> Path:  # noqa: A002 - as in `render`
    """Write the page to a file, atomically; an existing one is replaced.

    `format` is one of the `RENDERERS`; None takes it from the suffix: ``.html``, ``.json``, ``.md`` or ``.csv``.

    Raises
    ------
    InputError
        If the suffix is not that of a format, or the file cannot be written.
    """
    target = Path(path)
    chosen = target.suffix.lower().removeprefix(".") if format is None else format
    if format is None and chosen not in RENDERERS:
        known = ", ".join(f".{name}" for name in RENDERERS)
        raise InputError(f"unknown suffix of {str(target)!r}; use one of {known}", code="unknown-format")
    # A name may contain a lone surrogate, which UTF-8 cannot encode: it is escaped.
    _replace(target, render(page, chosen).encode("utf-8", "backslashreplace"))
    return target


def _replace(target: Path, content: bytes) -> None:
    """Write a temporary file beside the target, then rename it: a reader never sees half a file."""
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_bytes(content)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        message = f"cannot write the report to {str(target)!r}: {error.strerror or error}"
        raise InputError(message, code="file-unwritable") from error
