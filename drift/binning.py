"""Choosing bins: in this one place, and only from the reference."""

from dataclasses import dataclass
from typing import Final

from drift.errors import InputError
from drift.histogram import MAX_KNOWN, Edge, NumericAxis

METHODS: Final = ("quantile", "uniform", "fd", "doane", "distinct", "edges")
MAX_BINS: Final = 1000


@dataclass(frozen=True, slots=True)
class Bins:
    """How axes are chosen.

    Parameters
    ----------
    method : str
        `quantile`, `uniform`, `fd`, `doane`, `distinct` or `edges`, for ordered columns.
    count : int
        Bins of `quantile` and `uniform`.
    edges : tuple or None
        The edges themselves, for method `edges`.
    top : int
        Categories listed, for columns of categories.

    Raises
    ------
    InputError
        For an unknown method, or numbers out of range.
    """

    method: str = "quantile"
    count: int = 10
    edges: tuple[Edge, ...] | None = None
    top: int = 50

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"unknown way to choose bins {self.method!r}; known are {', '.join(METHODS)}")
        if (self.edges is None) == (self.method == "edges"):
            raise InputError("edges are given exactly where bins are chosen by method 'edges'")
        if self.edges is not None:
            NumericAxis(self.edges)
        if not 1 <= self.count <= MAX_BINS:
            raise InputError(f"bins are 1 to {MAX_BINS} in number; got {self.count}")
        if not 1 <= self.top <= MAX_KNOWN:
            raise InputError(f"listed categories are 1 to {MAX_KNOWN} in number; got {self.top}")
