"""The service behind `drift serve`: an alarm clock that goes through the monitors and the outbox, again and again."""

from drift.server.health import MAX_SILENCE_SECONDS, HealthSnapshot
from drift.server.scheduler import BATCH_WINDOWS, SILENCE, STOP_GRACE_SECONDS, TICK, Scheduler
from drift.server.watchdog import Watchdog

__all__ = [
    "BATCH_WINDOWS",
    "MAX_SILENCE_SECONDS",
    "SILENCE",
    "STOP_GRACE_SECONDS",
    "TICK",
    "HealthSnapshot",
    "Scheduler",
    "Watchdog",
]
