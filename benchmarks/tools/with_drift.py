"""drift: axes from the reference, both sides counted, JS distance with noise, p-value and interval, verdicts."""

import drift

MEASURE = "JS distance, with its noise, p-value and interval"


def score(reference, live):
    """As `drift.compare` does it by default."""
    compared = drift.compare(reference, live)
    return {name: compared[name].score for name in compared}
