"""The service behind `drift serve`: an alarm clock that goes through the monitors and the outbox, again and again."""

from drift.server.health import PATIENCE, Pulse
from drift.server.scheduler import GRACE, ROUND, SILENCE, TICK, Service
from drift.server.watchdog import Watchdog

__all__ = ["GRACE", "PATIENCE", "ROUND", "SILENCE", "TICK", "Pulse", "Service", "Watchdog"]
