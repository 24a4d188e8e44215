"""A profile: the histograms of all columns of one window (and one segment)."""

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from drift.errors import AxisError, InputError
from drift.histogram.axis import Axis
from drift.histogram.counts import Histogram

VERSION: Final = 1


class Fault(StrEnum):
    """Why a column could not be counted."""

    SCHEMA_ERROR = "schema_error"  # gone, or of another type than the reference
    NOT_COMPARABLE = "not_comparable"  # of a kind that cannot be binned
    ERROR = "error"  # reading it failed
    ABSENT = "absent"  # not in the data that axes were to be chosen from


@dataclass(frozen=True, slots=True)
class Uncounted:
    """A column without a histogram, and why."""

    fault: Fault
    message: str


@dataclass(frozen=True, slots=True)
class Profile(Mapping[str, Histogram]):
    """Histograms by column name, the rows they were counted from, and the columns that could not be.

    Every histogram adds up to `rows`. Profiles on equal axes add. As a mapping it holds the counted
    columns; `uncounted` says what became of the others.

    Parameters
    ----------
    histograms : mapping of str to Histogram
        The counted columns.
    rows : int
        Rows of the window.
    uncounted : mapping of str to Uncounted
        Columns that could not be counted.

    Raises
    ------
    InputError
        Where a histogram does not add up to `rows` (something was lost on the way), rows are negative, or a
        column is counted and uncounted at once.
    """

    histograms: Mapping[str, Histogram]
    rows: int
    uncounted: Mapping[str, Uncounted] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "histograms", MappingProxyType(dict(self.histograms)))
        object.__setattr__(self, "uncounted", MappingProxyType(dict(self.uncounted)))
        if self.rows < 0:
            raise InputError(f"a profile has 0 rows or more; got {self.rows}")
        if both := sorted(self.histograms.keys() & self.uncounted.keys()):
            raise InputError(f"a column is counted or it is not; {both} are both")
        for name, histogram in self.histograms.items():
            if histogram.rows != self.rows:
                raise InputError(f"column {name!r} counts {histogram.rows} rows, the profile {self.rows}")

    def __getitem__(self, column: str) -> Histogram:
        return self.histograms[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self.histograms)

    def __len__(self) -> int:
        return len(self.histograms)

    @property
    def axes(self) -> Mapping[str, Axis]:
        """The axis of each counted column."""
        return {name: h.axis for name, h in self.histograms.items()}

    def __add__(self, other: "Profile") -> "Profile":
        if not isinstance(other, Profile):
            return NotImplemented
        uncounted = {**self.uncounted, **other.uncounted}
        names = [n for n in {**self.histograms, **other.histograms} if n not in uncounted]
        lone = [n for n in names if n not in self.histograms or n not in other.histograms]
        if lone:
            raise AxisError(f"profiles add where both hold the same columns; only one holds {sorted(lone)}")
        added = {n: self.histograms[n] + other.histograms[n] for n in names}
        return Profile(added, self.rows + other.rows, uncounted)

    def __repr__(self) -> str:
        lost = f", {len(self.uncounted)} not counted" if self.uncounted else ""
        return f"Profile({self.rows} rows, {len(self.histograms)} columns{lost})"

    def to_dict(self) -> dict[str, Any]:
        """Versioned form that JSON can hold."""
        return {
            "version": VERSION,
            "rows": self.rows,
            "columns": {name: h.to_dict() for name, h in self.histograms.items()},
            "uncounted": {n: {"fault": u.fault.value, "message": u.message} for n, u in self.uncounted.items()},
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Profile":
        """Rebuild from the dict form, of this version or an older one.

        Raises
        ------
        InputError
            Where the document is of an unknown version, or malformed.
        """
        if document.get("version") != VERSION:
            found = document.get("version")
            raise InputError(f"profile document of version {found!r}; this drift reads {VERSION}")
        try:
            columns, rows = document["columns"].items(), operator.index(document["rows"])
            uncounted = {n: Uncounted(Fault(u["fault"]), u["message"]) for n, u in document["uncounted"].items()}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"malformed profile document: {error!r}") from error
        return cls({name: Histogram.from_dict(h) for name, h in columns}, rows, uncounted)
