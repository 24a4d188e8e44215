"""whylogs: sketches of both sides, and its drift scores from the sketches (it has no JS)."""

import whylogs as why
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

MEASURE = "KS (numbers), chi-square (strings), both from approximate sketches"


def score(reference, live):
    """Log both sides, and compare the profiles."""
    scores = calculate_drift_scores(target_view=why.log(live).view(), reference_view=why.log(reference).view())
    return {name: result["statistic"] for name, result in scores.items() if result is not None}
