"""`/api/v1`: the output of the commands, over HTTP."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

from drift.monitors.alert_state import State
from drift.monitors.spec import Monitor
from drift.server.web import schemas
from drift.server.web.monitor_status import MonitorOverview
from drift.server.web.responses import RequestRefused, StrictJSON
from drift.store import ResultLimitExceeded, Store

MAX_ROWS: Final = 100_000
"""Rows in one response, about 40 MB: a year of a wide monitor would exhaust the memory of the service."""


def _parse_instant(text: object) -> datetime:
    """Parse ISO 8601 and nothing else: pydantic would read 2011 as a second of 1970."""
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        expected = "expected ISO 8601, such as 2011-04-01 or 2011-04-01T06:00Z (write %2B for a plus sign)"
        raise ValueError(f"{expected}; got {text!r}") from None


QueryInstant = Annotated[
    datetime, PlainValidator(_parse_instant), WithJsonSchema({"type": "string", "format": "date-time"})
]


class _Filter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    monitor: str | None = None


class PageFilter(BaseModel):
    """Window of a page: the newest one that started at or before this instant; by default the newest."""

    model_config = ConfigDict(extra="forbid")

    window: QueryInstant | None = None


class AlertFilter(_Filter):
    state: State | None = None


class WindowFilter(_Filter):
    """Windows that start in [from, to). Instants without a time zone are in that of the monitor, else in UTC."""

    since: QueryInstant | None = Field(None, alias="from")
    until: QueryInstant | None = Field(None, alias="to")
    revisions: Literal["newest", "all"] = "newest"

    def arguments(self, monitors: Mapping[str, Monitor]) -> dict[str, Any]:
        """Return the arguments of the store's query."""
        monitor = monitors.get(self.monitor or "")
        zone = UTC if monitor is None else monitor.timezone
        since, until = (to_utc(moment, zone) for moment in (self.since, self.until))
        return {"monitor": self.monitor, "since": since, "until": until, "revisions": self.revisions}


class ScoreFilter(WindowFilter):
    column: str | None = None
    segment: str | None = None

    def arguments(self, monitors: Mapping[str, Monitor]) -> dict[str, Any]:
        return {**super().arguments(monitors), "column": self.column, "segment": self.segment}


def to_utc(moment: datetime | None, zone: tzinfo) -> datetime | None:
    """Convert an instant to UTC; without a time zone it is in `zone`.

    Raises
    ------
    RequestRefused
        422 if the instant, or the microsecond after it, is outside the years 1 to 9999 in UTC.
    """
    if moment is None:
        return None
    try:
        instant = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        return instant + timedelta(microseconds=1) - timedelta(microseconds=1)
    except OverflowError:
        message = f"expected a time within the years 1 to 9999 in UTC; got {moment.isoformat()}"
        raise RequestRefused(HTTPStatus.UNPROCESSABLE_ENTITY, message, code="invalid-value") from None


def _all_rows(read: Callable[..., list[dict[str, Any]]], arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all rows, or refuse: a silently truncated response would be taken for a complete one."""
    try:
        return read(**arguments, limit=MAX_ROWS)
    except ResultLimitExceeded as error:
        message = f"{error}; request less at a time: one monitor, one column, `from` and `to`"
        raise RequestRefused(HTTPStatus.UNPROCESSABLE_ENTITY, message, code="result-limit") from error


def api_router(
    store: Store, monitors: Mapping[str, Monitor], overviews: Callable[[], list[MonitorOverview]]
) -> APIRouter:
    """Return the routes; `monitors` are the configured ones, for their time zones."""
    errors: dict[int | str, dict[str, Any]] = {status: {"model": schemas.ErrorDocument} for status in (422, 503)}
    router = APIRouter(prefix="/api/v1", tags=["stored"], responses=errors)

    @router.get("/monitors", response_model=schemas.Monitors)
    def read_monitors() -> StrictJSON:
        """Current state of every monitor."""
        return StrictJSON({"version": 1, "monitors": [overview.to_dict() for overview in overviews()]})

    @router.get("/scores", response_model=schemas.Scores)
    def read_scores(query: Annotated[ScoreFilter, Query()]) -> StrictJSON:
        """One score for each column of each window."""
        return StrictJSON({"version": 1, "scores": _all_rows(store.queries.scores, query.arguments(monitors))})

    @router.get("/windows", response_model=schemas.Windows)
    def read_windows(query: Annotated[WindowFilter, Query()]) -> StrictJSON:
        """Planned and checked windows, with their results."""
        return StrictJSON({"version": 1, "windows": _all_rows(store.queries.windows, query.arguments(monitors))})

    @router.get("/alerts", response_model=schemas.Alerts)
    def read_alerts(query: Annotated[AlertFilter, Query()]) -> StrictJSON:
        """Alerts and their states."""
        state = None if query.state is None else query.state.value
        return StrictJSON({"version": 1, "alerts": store.queries.alerts(query.monitor, state)})

    return router
