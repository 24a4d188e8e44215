"""Deepchecks: the feature drift check with its defaults, on a sample of 100,000 rows per side."""

from deepchecks.tabular import Dataset
from deepchecks.tabular.checks import FeatureDrift

MEASURE = "KS (numbers), Cramer's V (strings) of a sample of 100,000 rows a side, its default"


def score(reference, live, rows=100_000):
    """Run the check without plots."""
    words = [name for name in reference.columns if reference[name].dtype.kind != "f"]
    sides = (Dataset(frame, cat_features=words) for frame in (reference, live))
    result = FeatureDrift(n_samples=rows).run(*sides, with_display=False)
    return {name: column["Drift score"] for name, column in result.value.items()}
