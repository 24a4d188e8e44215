"""The store: what was planned, counted, scored, decided and sent, in SQLite or PostgreSQL."""

from drift.store.claims import Claim, LeaseLost
from drift.store.commit_outcome import AlertsMoved
from drift.store.definitions import Baseline, Definition, Draft
from drift.store.due_windows import Held, PlannedWindow
from drift.store.history_queries import Past
from drift.store.monitor_status import Line, Stand
from drift.store.outbox import Delivery, Taken
from drift.store.outcomes import Outcome
from drift.store.recheck import Ended
from drift.store.reference_attempts import Attempt
from drift.store.row_queries import TooMany
from drift.store.schema import OtherSchema
from drift.store.store import Store

__all__ = [
    "AlertsMoved",
    "Attempt",
    "Baseline",
    "Claim",
    "Definition",
    "Delivery",
    "Draft",
    "Ended",
    "Held",
    "LeaseLost",
    "Line",
    "OtherSchema",
    "Outcome",
    "Past",
    "PlannedWindow",
    "Stand",
    "Store",
    "Taken",
    "TooMany",
]
