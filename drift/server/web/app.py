"""The web application: pages, `/api/v1`, `/metrics` for Prometheus, and probes."""

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

from fastapi import Depends, FastAPI, Query
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from fastapi.security import HTTPBearer
from jinja2 import Template
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from drift import __version__
from drift.errors import StoreError
from drift.monitors.spec import Monitor
from drift.monitors.verdict import Verdict
from drift.notify.message import page_path
from drift.report import Page, formatting, page_from_store
from drift.report.html import Linked, asset, bundle, render_html
from drift.report.templating import strict
from drift.server.web.access import Access
from drift.server.web.api import PageFilter, api_router, to_utc
from drift.server.web.auth_middleware import AuthMiddleware
from drift.server.web.metrics import StoreCollector
from drift.server.web.monitor_status import MonitorOverview, SchedulerStatus, monitor_overviews
from drift.server.web.responses import RequestRefused, add_error_handlers
from drift.store import Store

_YEAR_SECONDS: Final = 365 * 24 * 3600
MAX_PAGE_CELLS: Final = 10_000  # windows times columns of a page: 100 windows of up to 100 columns

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Site:
    """Content of the application."""

    store: Store
    scheduler: SchedulerStatus  # of this process
    monitors: Mapping[str, Monitor]  # those that are checked
    now: Callable[[], datetime]
    broken: Mapping[str, str] = field(default_factory=dict)  # configured monitors that cannot be used, and why
    lines_dropped: Callable[[], int] = lambda: 0  # log lines that were lost because the log was not read

    def overviews(self) -> list[MonitorOverview]:
        """Return the current state of every monitor."""
        return monitor_overviews(self.store, self.monitors, self.broken, self.scheduler.health, self.now())


def create_app(site: Site, access: Access) -> FastAPI:
    """Return the application; all routes except the probes enforce `access`."""
    app = FastAPI(
        title="drift",
        version=__version__,
        description="Results of drift's checks.",
        docs_url=None,  # these pages load scripts from other hosts
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # it would record a token in a URL
        dependencies=[Depends(HTTPBearer(auto_error=False, description="DRIFT_TOKEN, if one is set"))],
        redirect_slashes=False,
    )
    app.include_router(api_router(site.store, site.monitors, site.overviews))
    _add_probes(app, site)
    _add_metrics(app, site)
    _add_pages(app, site)
    add_error_handlers(app)
    app.add_middleware(AuthMiddleware, access=access)
    return app


def _add_probes(app: FastAPI, site: Site) -> None:
    @app.get("/healthz", tags=["probes"])
    def healthz() -> PlainTextResponse:
        """The process is running."""
        return PlainTextResponse("ok\n")

    @app.get("/readyz", tags=["probes"])
    def readyz() -> PlainTextResponse:
        """Ticks succeed and the store responds. Open to all, so the reason contains no names."""
        reason = site.scheduler.not_ready_reason()
        try:
            site.store.monitors.names()
        except StoreError as error:
            log.warning("not ready: %s", error, extra={"code": error.code})
            reason = "the store does not respond; see the log"
        if reason:
            return PlainTextResponse(f"not ready: {reason}\n", HTTPStatus.SERVICE_UNAVAILABLE)
        return PlainTextResponse("ready\n")


def _add_metrics(app: FastAPI, site: Site) -> None:
    metrics = CollectorRegistry(auto_describe=False)  # registration must not read the store
    metrics.register(StoreCollector(site.overviews, site.store, site.scheduler, site.now, site.lines_dropped))

    @app.get("/metrics", tags=["metrics"], response_class=PlainTextResponse)
    def scrape() -> Response:
        """Metrics in Prometheus's text format."""
        return Response(generate_latest(metrics), headers={"content-type": CONTENT_TYPE_LATEST})


def _add_pages(app: FastAPI, site: Site) -> None:
    @app.get("/", include_in_schema=False)
    def index() -> HTMLResponse:
        overviews = site.overviews()
        configured, removed = ([one for one in overviews if one.configured is wanted] for wanted in (True, False))
        text = _template().render(
            monitors=configured,
            removed=removed,
            summary=_summary(configured),
            not_ready_reason=site.scheduler.not_ready_reason(),
            style=_assets().style,
            w=formatting,
        )
        return _Page(text)

    @app.get("/monitors/{name:path}", include_in_schema=False)
    def monitor(name: str, query: Annotated[PageFilter, Query()]) -> HTMLResponse:
        if name not in site.store.monitors.names():
            if name in site.monitors or name in site.broken:
                message, code = f"monitor {name!r} has not been checked yet", "not-checked"
            else:
                message, code = f"monitor {name!r} is neither configured nor stored", "unknown-monitor"
            raise RequestRefused(404, message, code=code)
        page = _monitor_page(site, name, query.window)
        return _Page(render_html(page, _links(page, newest=query.window is None)))

    @app.get("/favicon.ico", include_in_schema=False)
    def icon() -> Response:
        return Response(status_code=HTTPStatus.NO_CONTENT)  # browsers request it for every page

    @app.get("/static/{name}", include_in_schema=False)
    def static(name: str) -> Response:
        if name not in _STATIC:
            raise RequestRefused(404, f"there is no file {name!r}", code="not-found")
        media, text = _STATIC[name]
        # The URL changes with the content.
        headers = {"cache-control": f"private, max-age={_YEAR_SECONDS}, immutable"}
        return Response(text(), media_type=media, headers=headers)


_STATIC: Final[Mapping[str, tuple[str, Callable[[], str]]]] = {
    "report.css": ("text/css", cache(lambda: asset("report.css"))),
    "report.js": ("text/javascript", cache(lambda: asset("report.js"))),
    "charts.js": ("text/javascript", bundle),
}


def _monitor_page(site: Site, name: str, window: datetime | None) -> Page:
    """Return the page of a monitor's newest windows, or of those up to the one that starts at `window`."""
    monitor = site.monitors.get(name)
    zone = None if monitor is None else monitor.timezone
    start = to_utc(window, zone or UTC)
    until = None if start is None else start + timedelta(microseconds=1)
    return page_from_store(site.store, name, now=site.now(), until=until, max_cells=MAX_PAGE_CELLS, timezone=zone)


def _links(page: Page, *, newest: bool) -> Linked:
    older = "" if page.older is None else page_path(page.title, page.older)
    return replace(_assets(), newest="" if newest else page_path(page.title), older=older)


@cache
def _assets() -> Linked:
    # Bundling the charts takes seconds, so the versions of the libraries stand for their content.
    charts = f"/static/charts.js?v={version('vl-convert-python')}-{version('altair')}"
    return Linked(style=_asset_url("report.css"), charts=charts, script=_asset_url("report.js"))


def _asset_url(name: str) -> str:
    digest = hashlib.sha256(asset(name).encode()).hexdigest()[:16]
    return f"/static/{name}?v={digest}"


class _Page(HTMLResponse):
    def render(self, content: str) -> bytes:
        # A name may hold a lone surrogate, which UTF-8 cannot encode: it is escaped.
        return content.encode("utf-8", "backslashreplace")


def _summary(monitors: list[MonitorOverview]) -> str:
    verdicts = [Verdict(one.last["verdict"]) for one in monitors if one.last]
    drifted, inconclusive = verdicts.count(Verdict.DRIFT), sum(not verdict.is_conclusive for verdict in verdicts)
    unchecked = len(monitors) - len(verdicts)
    summary = f"{drifted} of {len(monitors)} monitors drifted in the newest window"
    summary += f"; {inconclusive} could not be evaluated" if inconclusive else ""
    return summary + (f"; {unchecked} not checked yet" if unchecked else "")


@cache
def _template() -> Template:
    environment = strict(Path(__file__).parent / "templates")
    environment.filters["page"] = page_path
    return environment.get_template("monitors.html")
