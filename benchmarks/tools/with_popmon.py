"""popmon: stability metrics against an external reference, one time slice; no report is rendered.

Its own `df_stability_metrics` cannot take a frame as reference (in 1.4.12 it hands the frame on where the frame's
histograms are meant), so the two steps it consists of are taken here.
"""

import logging

import pandas as pd
from popmon import Settings, make_histograms
from popmon.pipeline.metrics import stability_metrics

MEASURE = "JS divergence among its other comparisons; histograms and stability_metrics"
TIME = "popmon_time"


def prepare(frame):
    """It needs a time axis: one instant for every row."""
    logging.disable(logging.INFO)
    return frame.assign(**{TIME: pd.Timestamp("2024-01-01")})


def score(reference, live):
    """The live histograms on the reference's bins, then the metrics, without the report."""
    then, features, bins, axis, types = make_histograms(reference, time_axis=TIME, time_width="1w", ret_specs=True)
    now = make_histograms(live, features=features, bin_specs=bins, time_axis=axis, var_dtype=types)
    settings = Settings(time_axis=TIME, reference_type="external", features=features, bin_specs=bins)
    found = stability_metrics(now, settings=settings, reference=then)
    return {name.removeprefix(f"{TIME}:"): table["ref_jsd"].iloc[0] for name, table in found["comparisons"].items()}
