"""The store: what was planned, counted, scored, decided and sent, in SQLite or PostgreSQL."""

from drift.store.claims import Claim, LeaseLost
from drift.store.commit_outcome import AlertConflict
from drift.store.definitions import Definition, NewReference, StoredReference
from drift.store.due_windows import LeasedWindow, PlannedWindow
from drift.store.history_queries import WindowHistories
from drift.store.monitor_status import ChannelQueue, MonitorStatus
from drift.store.outbox import Delivery, DeliveryConflict
from drift.store.outcomes import Outcome
from drift.store.recheck import CheckedWindow
from drift.store.reference_attempts import Attempt
from drift.store.row_queries import ResultLimitExceeded
from drift.store.schema import SchemaMismatch
from drift.store.store import Store

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
