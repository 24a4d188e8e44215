"""The service behind `drift serve`: at each tick it checks due windows and sends pending notifications."""

from drift.server.health import MAX_MISSED_TICKS, HealthSnapshot
from drift.server.scheduler import BATCH_WINDOWS, SILENCE_SECONDS, STOP_GRACE_SECONDS, TICK_SECONDS, Scheduler
from drift.server.watchdog import Watchdog

__all__ = [
    "BATCH_WINDOWS",
    "MAX_MISSED_TICKS",
    "SILENCE_SECONDS",
    "STOP_GRACE_SECONDS",
    "TICK_SECONDS",
    "HealthSnapshot",
    "Scheduler",
    "Watchdog",
]
