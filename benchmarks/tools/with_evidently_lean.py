"""Evidently without the preset: only one Jensen-Shannon value per column."""

from evidently.metrics import ValueDrift
from with_evidently import values

MEASURE = "JS distance (30 bins); one ValueDrift(method='jensenshannon') a column"


def score(reference, live):
    """Compute the values of the preset, without its count of drifted columns."""
    return values([ValueDrift(column=name, method="jensenshannon") for name in reference.columns], reference, live)
