"""Evidently, asked for nothing but the scores: one Jensen-Shannon value a column, without the preset."""

from evidently.metrics import ValueDrift
from with_evidently import values

MEASURE = "JS distance (30 bins); one ValueDrift(method='jensenshannon') a column"


def score(reference, live):
    """The same values as the preset's, without its count of drifted columns."""
    return values([ValueDrift(column=name, method="jensenshannon") for name in reference.columns], reference, live)
