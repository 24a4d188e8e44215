"""HTML in one file that needs no network: styles, scripts, charts and data are inside."""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import altair as alt
import vl_convert
from markupsafe import Markup

from drift.monitors.verdict import Verdict
from drift.report import chart_data, formatting
from drift.report.charts import specifications
from drift.report.page import Page
from drift.report.templating import environment

_HERE: Final = Path(__file__).parent
MAX_OPEN_COLUMNS: Final = 8  # column details that are open at first


@dataclass(frozen=True, slots=True)
class Linked:
    """Addresses on a server of the parts that a self-contained page has inside, and of related pages.

    `home` is the list of monitors. `newest` is this monitor's newest windows, "" if the page shows them; `older` those
    before the windows of the page, "" if there are none.
    """

    style: str
    charts: str
    script: str
    home: str = "/"
    newest: str = ""
    older: str = ""


def render_html(page: Page, linked: Linked | None = None) -> str:
    """Render a page.

    Without the addresses of style and scripts (`linked`) everything is in the page, which then forbids network access
    and all scripts except its own (Content-Security-Policy, by hashes).
    """
    inline = None if linked else {"style": asset("report.css"), "charts": bundle(), "script": asset("report.js")}
    return (
        environment()
        .get_template("page.html")
        .render(
            page=page,
            columns=[_details(page, i) for i in range(len(page.columns))],
            linked=linked,
            inline=inline and {name: Markup(text) for name, text in inline.items()},  # noqa: S704 - files of this package
            policy=inline and _policy(inline),
            specifications=specifications(),
            timeline=chart_data.timeline(page) if page.timeline else None,
            fmt=formatting,
        )
    )


def asset(name: str) -> str:
    """Return the text of `report.css` or `report.js`."""
    return (_HERE / "static" / name).read_text(encoding="utf-8")


@cache
def bundle() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script (0.9 MB), in the version for which Altair writes."""
    major, minor, *_ = alt.SCHEMA_VERSION.lstrip("v").split(".")
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=f"{major}.{minor}"))


def _details(page: Page, index: int) -> dict[str, Any]:
    column = page.columns[index]
    data = {"bins": chart_data.bins(column), "history": chart_data.history(column, page)}
    return {
        "column": column,
        "id": f"c{index}",
        "open": len(page.columns) == 1 or (index < MAX_OPEN_COLUMNS and column.verdict is Verdict.DRIFT),
        "data": {name: value for name, value in data.items() if value is not None},
    }


def _policy(inline: dict[str, str]) -> str:
    scripts = " ".join(_hash(inline[name]) for name in ("charts", "script"))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {_hash(inline['style'])}; img-src data:; base-uri 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
