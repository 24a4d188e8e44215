"""Templates in which names are data, never markup. Loads no charts."""

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
    """The verdict and the table of all columns, without scripts: what a notebook shows."""
    return environment().get_template("fragment.html").render(page=page, w=formatting)


def strict(templates: Path) -> Environment:
    """The templates of a folder, every value escaped; an unknown name is an error, not an empty place."""
    return Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def environment() -> Environment:
    """The report's templates."""
    made = strict(_TEMPLATES)
    made.filters.update(
        block=_block, dates=_dates, number=formatting.number, percent=formatting.percent, p_value=formatting.p_value
    )
    return made


def _block(value: Any) -> Markup:
    """JSON for a script block: no name in it can end the block."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - the only sign that could leave a script block is gone


def _dates(text: str) -> Markup:
    """Text whose dates do not break at their hyphens."""
    return Markup(_DATE.sub(r'<span class="still">\g<0></span>', str(escape(text))))  # noqa: S704 - escaped first
