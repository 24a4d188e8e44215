"""Reference windows that differ from the others: an incident in the reference widens the limits fitted to it.

The window with the largest deviation is compared with the tail of all others, then the next one with the tail of the
rest, up to three times. The result includes all windows up to the last one that is an outlier (the generalised extreme
studentised deviate procedure, Rosner 1983, with the tail of `calibration.tail` in place of the normal distribution:
several incidents do not mask each other). The tail is wide on purpose, so the limit of the p-value is `OUTLIER_LEVEL`
over the number of windows: without any incident, one column in a hundred has an outlier (measured on 8 to 200 windows,
tests/stats/calibration).
"""

from typing import Final

import numpy as np

from drift.stats.arrays import Floats, Indices
from drift.stats.calibration.group import Group
from drift.stats.calibration.tail import fit_tail

MAX_OUTLIERS: Final = 3
OUTLIER_LEVEL: Final = 0.2


def find_outliers(group: Group) -> tuple[Indices, Floats, Indices]:
    """Return the most deviating windows of each column, their p-values, and how many of them are outliers.

    Returns
    -------
    windows : array of int, shape (C, MAX_OUTLIERS)
        Indices among the windows that hold rows; largest deviation first.
    p_value : array, shape (C, MAX_OUTLIERS)
        By the tail of the windows that deviate less.
    number : array of int, shape (C,)
        Number of outliers: the first entries of `windows`.
    """
    bins = np.count_nonzero(group.counts.sum(axis=1), axis=1)
    windows = np.argsort(-group.model.deviations, axis=1, kind="stable")[:, :MAX_OUTLIERS]
    deviations = group.model.sorted_deviations
    p_value = np.ones((len(deviations), MAX_OUTLIERS))
    for i in range(MAX_OUTLIERS):
        rest = group.windows - 1 - i
        p_value[:, i] = fit_tail(deviations[:, :rest], bins).fitted_p_value(deviations[:, rest])
    outlying = p_value < OUTLIER_LEVEL / group.windows
    number = np.where(outlying.any(axis=1), MAX_OUTLIERS - outlying[:, ::-1].argmax(axis=1), 0)
    return windows, p_value, number
