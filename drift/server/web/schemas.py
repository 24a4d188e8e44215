"""JSON documents of the API, for OpenAPI. Their rows come from the store, as the commands print them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from drift.monitors.alert_state import State
from drift.monitors.verdict import Verdict


class ResponseModel(BaseModel):
    """Strict: every key is described here; tests check that."""

    model_config = ConfigDict(extra="forbid")


class MonitorRow(ResponseModel):
    """Current state of one monitor; the window is the newest checked one."""

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
    """One column of one window, as printed by `drift scores --json`.

    If `threshold` is a number, the score was compared with it. If it is null and `level` is not, reference windows
    decided: a p-value below `level` is drift, `reference_windows` is their number, `noise_floor` their mean score. If
    `reference_windows` is null, noise and p-value follow from the two samples alone. `detectable` is the smallest score
    that would exceed the noise.
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
    """One window, checked or not, as printed by `drift windows --json`."""

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
    """One alert, as printed by `drift alerts list --json`."""

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
    """All monitors."""

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
    """Alerts, firing ones first."""

    version: Literal[1]
    alerts: list[AlertRow]


class ErrorDocument(ResponseModel):
    """Why a request could not be answered: a message, and its code."""

    error: str
    code: str
