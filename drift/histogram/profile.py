"""Profiles: the histograms of all columns of one window and segment."""

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from drift.errors import AxisError, InputError
from drift.histogram.axis import Axis
from drift.histogram.counts import Histogram

_VERSION: Final = 1


class Fault(StrEnum):
    """Why a column could not be counted."""

    SCHEMA_ERROR = "schema_error"  # missing, or of another type than in the reference
    NOT_COMPARABLE = "not_comparable"  # of a kind that cannot be binned
    ERROR = "error"  # reading it failed
    ABSENT = "absent"  # not in the data from which axes are chosen


@dataclass(frozen=True, slots=True)
class Uncounted:
    """Reason why a column has no histogram."""

    fault: Fault
    message: str


@dataclass(frozen=True, slots=True)
class Profile(Mapping[str, Histogram]):
    """Histograms by column name, the number of rows, and the columns that could not be counted.

    Every histogram sums to `rows`. Profiles on equal axes can be added. The mapping holds the counted columns;
    `uncounted` holds the others.

    Parameters
    ----------
    histograms : mapping of str to Histogram
        The counted columns.
    rows : int
        Number of rows.
    uncounted : mapping of str to Uncounted
        Why the other columns could not be counted.

    Raises
    ------
    InputError
        If a histogram does not sum to `rows` (an engine lost rows), rows are negative, or a column is both counted
        and uncounted.
    """

    histograms: Mapping[str, Histogram]
    rows: int
    uncounted: Mapping[str, Uncounted] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "histograms", MappingProxyType(dict(self.histograms)))
        object.__setattr__(self, "uncounted", MappingProxyType(dict(self.uncounted)))
        if self.rows < 0:
            raise InputError(f"rows must not be negative; got {self.rows}", code="invalid-input")
        if both := sorted(self.histograms.keys() & self.uncounted.keys()):
            raise InputError(f"columns {both} are both counted and uncounted", code="invalid-input")
        for name, histogram in self.histograms.items():
            if histogram.rows != self.rows:
                message = f"column {name!r} has {histogram.rows} rows, but the profile {self.rows}"
                raise InputError(message, code="invalid-input")

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
        if unmatched := sorted(n for n in names if n not in self.histograms or n not in other.histograms):
            message = f"profiles with different columns cannot be added; only one of them has {unmatched}"
            raise AxisError(message, code="axis-mismatch")
        added = {n: self.histograms[n] + other.histograms[n] for n in names}
        return Profile(added, self.rows + other.rows, uncounted)

    def __repr__(self) -> str:
        uncounted = f", {len(self.uncounted)} not counted" if self.uncounted else ""
        return f"Profile({self.rows} rows, {len(self.histograms)} columns{uncounted})"

    def to_dict(self) -> dict[str, Any]:
        """Return a versioned document for JSON."""
        return {
            "version": _VERSION,
            "rows": self.rows,
            "columns": {name: h.to_dict() for name, h in self.histograms.items()},
            "uncounted": {n: {"fault": u.fault.value, "message": u.message} for n, u in self.uncounted.items()},
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Profile":
        """Return the profile of a document of `to_dict`, of this version or an older one.

        Raises
        ------
        InputError
            If the version of the document is unknown, or the document is malformed.
        """
        if document.get("version") != _VERSION:
            message = f"unknown version {document.get('version')!r} of a profile document; this drift reads {_VERSION}"
            raise InputError(message, code="invalid-input")
        try:
            columns, rows = document["columns"].items(), operator.index(document["rows"])
            uncounted = {n: Uncounted(Fault(u["fault"]), u["message"]) for n, u in document["uncounted"].items()}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"malformed profile document: {error!r}", code="invalid-input") from error
        return cls({name: Histogram.from_dict(h) for name, h in columns}, rows, uncounted)
