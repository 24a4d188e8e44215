"""Deepchecks on all rows."""

import with_deepchecks

MEASURE = "KS (numbers), Cramer's V (strings) of all rows (n_samples raised)"


def score(reference, live):
    """Run the same check with a sample as large as the data."""
    return with_deepchecks.score(reference, live, max(len(reference), len(live)))
