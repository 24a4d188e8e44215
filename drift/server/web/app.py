"""The application: pages for a person, `/api/v1` for a program, `/metrics` for Prometheus, probes for who runs it."""

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from fastapi.security import HTTPBearer
from jinja2 import Environment
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from drift import __version__
from drift.errors import StoreError
from drift.monitors.spec import Monitor
from drift.monitors.verdict import Verdict
from drift.notify.message import page_path
from drift.report import Page, formatting, page_from_store
from drift.report.html import Linked, asset, bundle, render_html
from drift.report.templating import strict
from drift.server.web.access import Access
from drift.server.web.api import PageFilter, StrictJSON, api, aware
from drift.server.web.auth_middleware import AuthMiddleware
from drift.server.web.metrics import registry
from drift.server.web.monitor_status import MonitorOverview, SchedulerStatus, monitor_overviews
from drift.store import Store

_TEMPLATES: Final = Path(__file__).parent / "templates"
_YEAR: Final = 365 * 24 * 3600  # seconds
CELLS: Final = 10_000  # windows times columns of a page: 100 windows of up to 100 columns

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Site:
    """What the application is about.

    Parameters
    ----------
    store : Store
        What is shown.
    service : Service
        What ticks behind it.
    monitors : mapping of str to Monitor
        Those that are checked.
    now : callable
        The time.
    broken : mapping of str to str
        Monitors that are configured and cannot be used, and why.
    lines_dropped : callable
        How many lines of the log were lost, since nobody took them.
    """

    store: Store
    service: SchedulerStatus
    monitors: Mapping[str, Monitor]
    now: Callable[[], datetime]
    broken: Mapping[str, str] = field(default_factory=dict)
    lines_dropped: Callable[[], int] = lambda: 0

    def standings(self) -> list[MonitorOverview]:
        """How every monitor stands."""
        return monitor_overviews(self.store, self.monitors, self.broken, self.service.pulse, self.now())


def create_app(site: Site, access: Access) -> FastAPI:
    """The application; all of it but the probes asks for what `access` says.

    Parameters
    ----------
    site : Site
        What is shown.
    access : Access
        Token and names.
    """
    app = FastAPI(
        title="drift",
        version=__version__,
        description="What drift has checked and found.",
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # it would see a token in an address
        dependencies=[Depends(HTTPBearer(auto_error=False, description="DRIFT_TOKEN, where one is set"))],
        redirect_slashes=False,
    )
    app.include_router(api(site.store, site.monitors, site.standings))
    _add_probes(app, site)
    _add_metrics(app, site)
    _add_pages(app, site)
    app.add_exception_handler(StoreError, _store_lost)
    app.add_middleware(AuthMiddleware, access=access)
    return app


def _store_lost(request: Request, error: Exception) -> Response:
    log.warning("%s: %s", request.url.path, error)
    return StrictJSON({"error": str(error)}, HTTPStatus.SERVICE_UNAVAILABLE)


def _add_probes(app: FastAPI, site: Site) -> None:
    @app.get("/healthz", tags=["probes"])
    def alive() -> PlainTextResponse:
        """The process answers."""
        return PlainTextResponse("ok\n")

    @app.get("/readyz", tags=["probes"])
    def ready() -> PlainTextResponse:
        """Ticks come and go through, and the store answers. Open to all: the reason names nothing."""
        reason = site.service.trouble()
        try:
            site.store.monitors()
        except StoreError as error:
            log.warning("not ready: %s", error)
            reason = "the store does not answer; the log says why"
        if reason:
            return PlainTextResponse(f"not ready: {reason}\n", HTTPStatus.SERVICE_UNAVAILABLE)
        return PlainTextResponse("ready\n")


def _add_metrics(app: FastAPI, site: Site) -> None:
    metrics = registry(site.standings, site.store, site.service, site.now, site.lines_dropped)

    @app.get("/metrics", tags=["metrics"], response_class=PlainTextResponse)
    def scrape() -> Response:
        """Prometheus's text format."""
        return Response(generate_latest(metrics), headers={"content-type": CONTENT_TYPE_LATEST})


def _add_pages(app: FastAPI, site: Site) -> None:
    @app.get("/", include_in_schema=False)
    def index() -> HTMLResponse:
        page = _environment().get_template("monitors.html")
        known = site.standings()
        shown, gone = ([one for one in known if one.configured is wanted] for wanted in (True, False))
        trouble = site.service.trouble()
        return _Page(
            page.render(
                standings=shown,
                gone=gone,
                sentence=_sentence(shown),
                trouble=trouble,
                style=_linked().style,
                w=formatting,
            )
        )

    @app.get("/monitors/{name:path}", include_in_schema=False)
    def monitor(name: str, wanted: Annotated[PageFilter, Query()]) -> HTMLResponse:
        if name not in site.store.monitors():
            known = name in site.monitors or name in site.broken
            told = "has not been checked yet" if known else "is neither configured nor stored"
            raise HTTPException(HTTPStatus.NOT_FOUND, f"monitor {name!r} {told}")
        page = _page_of(site, name, wanted.window)
        return _Page(render_html(page, _around(page, newest=wanted.window is None)))

    @app.get("/favicon.ico", include_in_schema=False)
    def icon() -> Response:
        return Response(status_code=HTTPStatus.NO_CONTENT)  # browsers ask for it, whatever a page says

    @app.get("/static/{name}", include_in_schema=False)
    def static(name: str) -> Response:
        if name not in _STATIC:
            raise HTTPException(HTTPStatus.NOT_FOUND, "no such file")
        media, text = _STATIC[name]
        # Its address changes with its content.
        headers = {"cache-control": f"private, max-age={_YEAR}, immutable"}
        return Response(text(), media_type=media, headers=headers)


_STATIC: Final[Mapping[str, tuple[str, Callable[[], str]]]] = {
    "report.css": ("text/css", cache(lambda: asset("report.css"))),
    "report.js": ("text/javascript", cache(lambda: asset("report.js"))),
    "charts.js": ("text/javascript", bundle),
}


def _page_of(site: Site, name: str, window: datetime | None) -> Page:
    """The newest windows of a monitor; or those up to the one that starts then."""
    watched = site.monitors.get(name)
    zone = None if watched is None else watched.timezone
    start = aware(window, zone or UTC)
    until = None if start is None else start + timedelta(microseconds=1)
    return page_from_store(site.store, name, now=site.now(), until=until, max_cells=CELLS, timezone=zone)


def _around(page: Page, *, newest: bool) -> Linked:
    """The addresses on the page of a monitor."""
    older = "" if page.older is None else page_path(page.title, page.older)
    return replace(_linked(), newest="" if newest else page_path(page.title), older=older)


@cache
def _linked() -> Linked:
    # To bundle the charts takes seconds: their version tells them apart as well as their content would.
    charts = f"/static/charts.js?v={version('vl-convert-python')}-{version('altair')}"
    return Linked(style=_address("report.css"), charts=charts, script=_address("report.js"))


def _address(name: str) -> str:
    digest = hashlib.sha256(asset(name).encode()).hexdigest()[:16]
    return f"/static/{name}?v={digest}"


class _Page(HTMLResponse):
    def render(self, content: str) -> bytes:
        # A name may hold half a character (a lone surrogate), which UTF-8 cannot: it is spelled out.
        return content.encode("utf-8", "backslashreplace")


def _sentence(standings: list[MonitorOverview]) -> str:
    """How they stand, all together."""
    drifted = [one.name for one in standings if one.last and one.last["verdict"] == Verdict.DRIFT]
    untold = [one.name for one in standings if one.last and not Verdict(one.last["verdict"]).is_conclusive]
    waiting = [one.name for one in standings if not one.last]
    told = f"{len(drifted)} of {len(standings)} monitors drifted in the newest window"
    told += f"; {len(untold)} could not be told" if untold else ""
    return told + (f"; {len(waiting)} not checked yet" if waiting else "")


@cache
def _environment() -> Environment:
    made = strict(_TEMPLATES)
    made.filters["page"] = page_path
    return made
