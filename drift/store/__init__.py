"""The store: plans, counts, scores, decisions and deliveries, in SQLite or PostgreSQL."""

from drift.store.alerts import AlertConflict
from drift.store.history import WindowHistories
from drift.store.leases import LeaseLost
from drift.store.monitors import Definition, MonitorStatus
from drift.store.outbox import ChannelQueue, Delivery, DeliveryConflict
from drift.store.outcomes import Outcome
from drift.store.queries import ResultLimitExceeded
from drift.store.references import Attempt, NewReference, StoredReference
from drift.store.schema import SchemaMismatch
from drift.store.store import Store
from drift.store.work_items import CheckedWindow, Claim, LeasedWindow, PlannedWindow

__all__ = [
    "AlertConflict",
    "Attempt",
    "ChannelQueue",
    "CheckedWindow",
    "Claim",
    "Definition",
    "Delivery",
    "DeliveryConflict",
    "LeaseLost",
    "LeasedWindow",
    "MonitorStatus",
    "NewReference",
    "Outcome",
    "PlannedWindow",
    "ResultLimitExceeded",
    "SchemaMismatch",
    "Store",
    "StoredReference",
    "WindowHistories",
]
