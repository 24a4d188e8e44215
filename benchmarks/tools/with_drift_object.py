"""drift on strings as pandas 2 holds them: Python objects, as all peers get them."""

import numpy as np
import pandas as pd
from with_drift import score

MEASURE = "the same; strings as Python objects (pandas 2)"
__all__ = ["MEASURE", "prepare", "score"]


def prepare(frame):
    """String columns as arrays of Python objects, one object a category: what reading Parquet gives in pandas 2."""
    words = frame.select_dtypes(exclude="number").astype("category")
    objects = {name: np.asarray(words[name].cat.categories, dtype=object)[words[name].cat.codes] for name in words}
    # As a series of a dtype of its own: pandas 3 makes its own strings of plain arrays, and of those an object a cell.
    return frame.assign(**{name: pd.Series(held, frame.index, object) for name, held in objects.items()})
