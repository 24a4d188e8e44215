"""Which reference windows look unlike the others: incidents that the reference holds widen the limits learned from it.

The strangest window is held against the tail of all others, then the next strangest against what is left, up to
three times; as many are named as the last one that stands out (the generalised extreme studentised deviate procedure,
Rosner 1983, with the tail of `calibration.tail` in place of the normal law: several incidents do not hide each
other). The tail is wide on purpose, so a window stands out at a p-value below `OUTLIER_LEVEL` over the number of
windows: where nothing happened, one column in a hundred names a window (measured on 8 to 200 windows,
tests/calibration).
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from drift.stats.calibration.group import Group
from drift.stats.calibration.tail import fit_tail

MAX_OUTLIERS: Final = 3
OUTLIER_LEVEL: Final = 0.2

Array = npt.NDArray[np.float64]


def outliers(group: Group) -> tuple[npt.NDArray[np.intp], Array, npt.NDArray[np.intp]]:
    """The strangest windows of each column, their p-values, and how many of them stand out.

    Returns
    -------
    which : array of int, shape (C, MOST)
        Numbers of windows, the strangest first; of the windows that hold rows.
    p_value : array, shape (C, MOST)
        How often an ordinary window is as strange, as the windows less strange than it say.
    number : array of int, shape (C,)
        The first so many stand out.
    """
    windows = group.windows
    bins = np.count_nonzero(group.counts.sum(axis=1), axis=1)
    which = np.argsort(-group.strange.in_time, axis=1, kind="stable")[:, :MAX_OUTLIERS]
    ordinary = group.strange.ordinary
    p_value = np.ones((len(ordinary), MAX_OUTLIERS))
    for i in range(MAX_OUTLIERS):
        left = windows - 1 - i
        p_value[:, i] = fit_tail(ordinary[:, :left], bins).fitted(ordinary[:, left])
    told = p_value < OUTLIER_LEVEL / windows
    return which, p_value, np.where(told.any(axis=1), MAX_OUTLIERS - told[:, ::-1].argmax(axis=1), 0)
