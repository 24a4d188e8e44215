"""Jinja templates, in which names are data and never markup. Does not load charts."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from drift.report import formatting
from drift.report.page import Page

_TEMPLATES: Final = Path(__file__).parent / "templates"
_DATE: Final = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")


def render_fragment(page: Page) -> str:
    """Return the summary and the table of all columns, without scripts, for notebooks."""
    return environment().get_template("fragment.html").render(page=page, fmt=formatting)


def strict(templates: Path) -> Environment:
    """Return the templates of a folder. Every value is escaped; an unknown name is an error."""
    return Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def environment() -> Environment:
    """Return the templates of the report."""
    templates = strict(_TEMPLATES)
    templates.filters.update(
        block=_block,
        dates=_dates,
        number=formatting.format_number,
        percent=formatting.format_percent,
        p_value=formatting.format_p,
    )
    return templates


def _block(value: Any) -> Markup:
    """Return JSON for a script block. No name in it can end the block."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - no `<` is left


def _dates(text: str) -> Markup:
    """Keep dates from breaking at their hyphens."""
    return Markup(_DATE.sub(r'<span class="still">\g<0></span>', str(escape(text))))  # noqa: S704 - escaped first
