"""The kinds of columns drift tells apart, and what cuts or names their bins."""

from decimal import Decimal
from enum import StrEnum

Edge = int | float | Decimal
"""A bin edge: a number, or nanoseconds (since 1970-01-01T00:00Z for instants)."""

Category = str | int | bool
"""A category's key; 1, True and "1" are three categories."""


class Kind(StrEnum):
    """What a column holds, whatever the engine that holds it."""

    NUMBER = "number"  # integers, floats, decimals: one order, one axis
    DATETIME = "datetime"  # instants: nanoseconds since 1970-01-01T00:00Z
    DURATION = "duration"  # nanoseconds; a time of day is the duration since midnight
    BOOLEAN = "boolean"
    STRING = "string"
    EMPTY = "empty"  # nothing but missing values: fits every other kind

    @property
    def ordered(self) -> bool:
        """Whether values are cut by edges (True) or listed as categories (False)."""
        return self in {Kind.NUMBER, Kind.DATETIME, Kind.DURATION, Kind.EMPTY}

    def accepts(self, other: "Kind") -> bool:
        """Whether a column of kind `other` may be counted on an axis made for this kind."""
        return self is other or Kind.EMPTY in {self, other}
