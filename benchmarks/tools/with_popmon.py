"""popmon: stability metrics against an external reference, one time slice, without rendering a report.

Its `df_stability_metrics` cannot take a frame as reference (1.4.12 passes on the frame instead of the frame's
histograms), so its two steps are called here.
"""

import logging

import pandas as pd
from popmon import Settings, make_histograms
from popmon.pipeline.metrics import stability_metrics

MEASURE = "JS divergence among its other comparisons; histograms and stability_metrics"
TIME = "popmon_time"


def prepare(frame):
    """Add the required time axis: one instant for every row."""
    logging.disable(logging.INFO)
    return frame.assign(**{TIME: pd.Timestamp("2024-01-01")})


def score(reference, live):
    """Make live histograms on the reference's bins, and compute the metrics."""
    reference_histograms, features, bins, axis, types = make_histograms(
        reference, time_axis=TIME, time_width="1w", ret_specs=True
    )
    live_histograms = make_histograms(live, features=features, bin_specs=bins, time_axis=axis, var_dtype=types)
    settings = Settings(time_axis=TIME, reference_type="external", features=features, bin_specs=bins)
    metrics = stability_metrics(live_histograms, settings=settings, reference=reference_histograms)
    return {name.removeprefix(f"{TIME}:"): table["ref_jsd"].iloc[0] for name, table in metrics["comparisons"].items()}
