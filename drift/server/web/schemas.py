"""The JSON of the API, described for OpenAPI. The rows themselves come from the store as the commands print them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from drift.monitors.alert_state import State
from drift.monitors.verdict import Verdict


class ResponseModel(BaseModel):
    """Strict: a key that is not described here is a defect, and a test says so."""

    model_config = ConfigDict(extra="forbid")


class MonitorRow(ResponseModel):
    """How one monitor stands; the window is the newest one checked."""

    monitor: str
    configured: bool
    window: str | None
    timezone: str | None
    window_start: str | None
    window_end: str | None
    revision: int | None
    verdict: Verdict | None
    rows: int | None
    columns: int | None
    drifted: int | None
    message: str | None
    firing: int
    waiting: int
    skipped: int
    last_success: str | None
    problem: str


class ScoreRow(ResponseModel):
    """One column of one window, as `drift scores --json` tells it.

    `threshold` judged where it is a number. Where it is null and `level` is not, reference windows judged: a p-value
    below `level` is drift, `reference_windows` is how many they are, `noise_floor` what they score on average. Where
    `reference_windows` is null, noise and p-value follow from the two samples alone. `detectable` is the smallest score
    that would stand out from the noise.
    """

    monitor: str
    segment: str
    column: str
    window_start: str
    window_end: str
    revision: int
    metric: str | None
    score: float | None
    noise_floor: float | None
    p_value: float | None
    detectable: float | None
    threshold: float | None
    level: float | None
    reference_windows: int | None
    verdict: Verdict
    message: str
    code: str | None


class WindowRow(ResponseModel):
    """One window, checked or not, as `drift windows --json` tells it."""

    monitor: str
    window_start: str
    window_end: str
    revision: int | None
    status: Literal["due", "claimed", "done", "failed", "skipped"]
    verdict: Verdict | None
    rows: int | None
    attempts: int
    due_at: str
    next_attempt_at: str | None
    message: str
    columns: int | None
    drifted: int | None
    code: str | None


class AlertRow(ResponseModel):
    """One alert, as `drift alerts list --json` tells it."""

    monitor: str
    column: str
    segment: str
    rule: str
    state: State
    since: str | None
    last_window: str | None
    reason: str
    fingerprint: str


class Monitors(ResponseModel):
    """Every monitor."""

    version: Literal[1]
    monitors: list[MonitorRow]


class Scores(ResponseModel):
    """Scores, oldest window first."""

    version: Literal[1]
    scores: list[ScoreRow]


class Windows(ResponseModel):
    """Windows, oldest first."""

    version: Literal[1]
    windows: list[WindowRow]


class Alerts(ResponseModel):
    """Alerts, those that fire first."""

    version: Literal[1]
    alerts: list[AlertRow]


class ErrorDocument(ResponseModel):
    """Why a request got no answer."""

    error: str
