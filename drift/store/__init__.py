"""The store: what was planned, counted, scored, decided and sent, in SQLite or PostgreSQL."""

from drift.store.reading import TooMany
from drift.store.records import (
    AlertsMoved,
    Baseline,
    Claim,
    Definition,
    Delivery,
    Draft,
    Ended,
    Held,
    LeaseLost,
    Outcome,
    Past,
    PlannedWindow,
    Taken,
)
from drift.store.schema import OtherSchema
from drift.store.standing import Line, Stand
from drift.store.store import Store

__all__ = [
    "AlertsMoved",
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
