"""The frozen reference of a monitor: axes chosen once, the counts on them, and what is accepted in its place."""

from drift.references.accept import Acceptance, accept_stretch
from drift.references.freeze import current_baseline, freeze_reference, reference_digest

__all__ = ["Acceptance", "accept_stretch", "current_baseline", "freeze_reference", "reference_digest"]
