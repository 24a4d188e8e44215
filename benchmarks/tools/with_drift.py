"""drift: axes from the reference, both sides counted, JS distance with noise, p-value and interval, verdicts."""

import drift

MEASURE = "JS distance, with its noise, p-value and interval"


def score(reference, live):
    """Run `drift.compare` with its defaults."""
    report = drift.compare(reference, live)
    return {name: report[name].score for name in report}
