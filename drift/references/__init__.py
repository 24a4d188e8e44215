"""References: frozen once or accepted later, resolved for each window, and what is learned from their windows."""

from drift.references.accept import Acceptance, accept_windows
from drift.references.freeze import current_reference, freeze_reference, reference_digest
from drift.references.load_history import load_history
from drift.references.resolver import ReferenceResolver, ResolvedReference

__all__ = [
    "Acceptance",
    "ReferenceResolver",
    "ResolvedReference",
    "accept_windows",
    "current_reference",
    "freeze_reference",
    "load_history",
    "reference_digest",
]
