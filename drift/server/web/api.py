"""`/api/v1`: what the commands print, over HTTP."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

from drift.monitors.alert_state import State
from drift.monitors.spec import Monitor
from drift.server.web import schemas
from drift.server.web.monitor_status import MonitorOverview
from drift.store import ResultLimitExceeded, Store

MAX_ROWS: Final = 100_000
"""Rows in one answer: about 40 MB; a year of a wide monitor would take the memory of the service."""


class StrictJSON(JSONResponse):
    """No NaN; pure ASCII, as a name may hold half a character that UTF-8 refuses."""

    def render(self, content: Any) -> bytes:
        """Make the body."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def _moment(text: object) -> datetime:
    """ISO 8601, and nothing else: pydantic would take 2011 for a second of 1970."""
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        told = "expected ISO 8601, such as 2011-04-01 or 2011-04-01T06:00Z (write %2B for a plus sign)"
        raise ValueError(f"{told}; got {text!r}") from None


QueryInstant = Annotated[datetime, PlainValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]


class _Filter(BaseModel):
    # A misspelt filter is refused: to ignore it would answer another question.
    model_config = ConfigDict(extra="forbid")

    monitor: str | None = None


class PageFilter(BaseModel):
    """Of which window: the newest; or the newest that starts then or before."""

    model_config = ConfigDict(extra="forbid")

    window: QueryInstant | None = None


class AlertFilter(_Filter):
    """Which alerts."""

    state: State | None = None


class WindowFilter(_Filter):
    """Windows that start in [from, to); without a time zone these are on the monitor's clocks, else in UTC."""

    since: QueryInstant | None = Field(None, alias="from")
    until: QueryInstant | None = Field(None, alias="to")
    revisions: Literal["newest", "all"] = "newest"

    def arguments(self, monitors: Mapping[str, Monitor]) -> dict[str, Any]:
        """What the store's methods take."""
        known = monitors.get(self.monitor or "")
        zone = UTC if known is None else known.timezone
        since, until = (aware(moment, zone) for moment in (self.since, self.until))
        return {"monitor": self.monitor, "since": since, "until": until, "revisions": self.revisions}


class ScoreFilter(WindowFilter):
    """Which scores."""

    column: str | None = None
    segment: str | None = None

    def arguments(self, monitors: Mapping[str, Monitor]) -> dict[str, Any]:
        """What the store's methods take."""
        return {**super().arguments(monitors), "column": self.column, "segment": self.segment}


def aware(moment: datetime | None, zone: tzinfo) -> datetime | None:
    """A moment in UTC, on the clocks of a zone where it names none itself.

    Raises
    ------
    HTTPException
        422 for one so near to the end of all dates that it, or the microsecond after it, has none in UTC.
    """
    if moment is None:
        return None
    try:
        found = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        return found + timedelta(microseconds=1) - timedelta(microseconds=1)
    except OverflowError:
        told = f"expected a time within the years 1 to 9999 in UTC; got {moment.isoformat()}"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, told) from None


def _bounded(read: Callable[..., list[dict[str, Any]]], arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All of them or a refusal: rows left out in silence would be taken for all there are."""
    try:
        return read(**arguments, most=MAX_ROWS)
    except ResultLimitExceeded as error:
        told = f"{error}; ask for less at a time: one monitor, one column, from and to"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, told) from error


def api(store: Store, monitors: Mapping[str, Monitor], standings: Callable[[], list[MonitorOverview]]) -> APIRouter:
    """The routes.

    Parameters
    ----------
    store : Store
        What is told.
    monitors : mapping of str to Monitor
        For their time zones.
    standings : callable
        How every monitor stands.
    """
    router = APIRouter(prefix="/api/v1", tags=["stored"], responses={503: {"model": schemas.ErrorDocument}})

    @router.get("/monitors", response_model=schemas.Monitors)
    def read_monitors() -> StrictJSON:
        """How every monitor stands."""
        return StrictJSON({"version": 1, "monitors": [one.to_dict() for one in standings()]})

    @router.get("/scores", response_model=schemas.Scores)
    def read_scores(wanted: Annotated[ScoreFilter, Query()]) -> StrictJSON:
        """A score for each column of each window."""
        return StrictJSON({"version": 1, "scores": _bounded(store.scores, wanted.arguments(monitors))})

    @router.get("/windows", response_model=schemas.Windows)
    def read_windows(wanted: Annotated[WindowFilter, Query()]) -> StrictJSON:
        """The windows planned and checked, with what became of them."""
        return StrictJSON({"version": 1, "windows": _bounded(store.windows, wanted.arguments(monitors))})

    @router.get("/alerts", response_model=schemas.Alerts)
    def read_alerts(wanted: Annotated[AlertFilter, Query()]) -> StrictJSON:
        """The alerts and where they stand."""
        state = None if wanted.state is None else wanted.state.value
        return StrictJSON({"version": 1, "alerts": store.alerts(wanted.monitor, state)})

    return router
