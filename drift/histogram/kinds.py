"""Kinds of columns, and the types of edges and categories."""

from decimal import Decimal
from enum import StrEnum

Edge = int | float | Decimal
"""Bin edge: a number, or nanoseconds (since 1970-01-01T00:00Z for instants)."""

Category = str | int | bool
"""Key of a category; 1, True and "1" are three categories."""


class Kind(StrEnum):
    """Kind of the values of a column, the same for every engine."""

    NUMBER = "number"  # integers, floats, decimals: one order, one axis
    DATETIME = "datetime"  # instants: nanoseconds since 1970-01-01T00:00Z
    DURATION = "duration"  # nanoseconds; a time of day is the duration since midnight
    BOOLEAN = "boolean"
    STRING = "string"
    EMPTY = "empty"  # missing values only: fits every other kind

    @property
    def ordered(self) -> bool:
        """Whether values are cut by edges (True) or listed as categories (False)."""
        return self in {Kind.NUMBER, Kind.DATETIME, Kind.DURATION, Kind.EMPTY}

    def accepts(self, other: "Kind") -> bool:
        """Return whether a column of kind `other` can be counted on an axis of this kind."""
        return self is other or Kind.EMPTY in {self, other}
