"""drift on strings as Python objects, as in pandas 2 and for all peers."""

import numpy as np
import pandas as pd
from with_drift import score

MEASURE = "the same; strings as Python objects (pandas 2)"
__all__ = ["MEASURE", "prepare", "score"]


def prepare(frame):
    """Return string columns as Python objects, one object per category, as pandas 2 reads Parquet."""
    words = frame.select_dtypes(exclude="number").astype("category")
    objects = {name: np.asarray(words[name].cat.categories, dtype=object)[words[name].cat.codes] for name in words}
    # A series of explicit dtype: pandas 3 converts plain arrays to its strings, and these to one object per cell.
    return frame.assign(**{name: pd.Series(values, frame.index, object) for name, values in objects.items()})
