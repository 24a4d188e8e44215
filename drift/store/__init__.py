"""The store: what was planned, counted, scored, decided and sent, in SQLite or PostgreSQL."""

from drift.store.attempts import Attempt
from drift.store.claims import Claim, LeaseLost
from drift.store.identity import Baseline, Definition, Draft
from drift.store.outbox import Delivery, Taken
from drift.store.outcomes import Outcome
from drift.store.past import Past
from drift.store.queue import Held, PlannedWindow
from drift.store.reading import TooMany
from drift.store.schema import OtherSchema
from drift.store.second_looks import Ended
from drift.store.standing import Line, Stand
from drift.store.store import Store
from drift.store.writing import AlertsMoved

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
