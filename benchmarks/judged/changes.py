"""Known changes of a window: of every row, or of rows drawn at random."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

OF_NUMBERS: Final = ("shift 1/4 sd", "shift 1/2 sd", "scale 1.25", "unit x 1.609", "10 % constant")
OF_NAMES: Final = ("3 % unseen", "30 % moved")
OF_ALL: Final = ("5 % nulls",)
KINDS: Final = (*OF_NUMBERS, *OF_NAMES, *OF_ALL)
NEW: Final = "a new name"

Drawn = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ChangeScale:
    """Scale of the changes, from the whole reference.

    Parameters
    ----------
    spread : mapping of str to float
        Standard deviation of each column of numbers, in its unit.
    common : mapping of str to (str, str)
        The two most frequent names of each column of names that has two.
    """

    spread: Mapping[str, float]
    common: Mapping[str, tuple[str, str]]


def learn(reference: pd.DataFrame) -> ChangeScale:
    """Return the reference's standard deviations and most frequent names."""
    numbers = [name for name in reference if is_number(reference[name])]
    words = [name for name in reference if name not in numbers]
    tops = {name: reference[name].value_counts().index[:2].tolist() for name in words}
    return ChangeScale(
        {str(name): float(reference[name].astype(float).std()) for name in numbers},
        {str(name): (top[0], top[1]) for name, top in tops.items() if len(top) == 2},
    )


def changed(window: pd.DataFrame, kind: str, known: ChangeScale, rng: np.random.Generator) -> pd.DataFrame:
    """Return the changed columns of those that a kind of change applies to.

    Shifts are fractions of the reference's standard deviation; the scale grows around the window's mean; the constant
    is the window's median; rows of the most frequent name move to the second.
    """
    return pd.DataFrame(
        {
            str(name): _changed(window[name], kind, known, rng)
            for name in window
            if applies_to(window[name], kind, known)
        }
    )


def applies_to(column: pd.Series, kind: str, known: ChangeScale) -> bool:
    """Return whether a kind of change applies to a column."""
    if kind in OF_ALL:
        return True
    if kind in OF_NUMBERS:
        return column.name in known.spread
    return column.name not in known.spread and (kind != "30 % moved" or column.name in known.common)


def is_number(column: pd.Series) -> bool:
    """Return whether a column holds numbers; all others hold names."""
    return bool(pd.api.types.is_numeric_dtype(column))


def _changed(column: pd.Series, kind: str, known: ChangeScale, rng: np.random.Generator) -> pd.Series:
    name = str(column.name)
    drawn = rng.random(len(column))
    if name not in known.spread:
        return _renamed(column.astype(object), kind, known.common.get(name), drawn)
    numbers, middle = column.astype(float), column.astype(float).mean()
    return {
        "shift 1/4 sd": numbers + known.spread[name] / 4,
        "shift 1/2 sd": numbers + known.spread[name] / 2,
        "scale 1.25": (numbers - middle) * 1.25 + middle,
        "unit x 1.609": numbers * 1.609,
        "10 % constant": numbers.mask(drawn < 0.1, numbers.median()),
        "5 % nulls": numbers.mask(drawn < 0.05),
    }[kind]


def _renamed(names: pd.Series, kind: str, common: tuple[str, str] | None, drawn: Drawn) -> pd.Series:
    if kind == "5 % nulls":
        return names.mask(drawn < 0.05, None)
    if kind == "3 % unseen" or common is None:
        return names.mask(drawn < 0.03, NEW)
    return names.mask((names == common[0]) & (drawn < 0.3), common[1])
