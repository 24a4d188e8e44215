"""Columns of dates and times as instants: what places rows in windows."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from drift.errors import SourceError
from drift.sources.frames.arrow import TEXT


def as_instants(column: pa.ChunkedArray, name: str, timezone: ZoneInfo) -> pa.ChunkedArray:
    """A column of dates or times as UTC instants.

    Without a time zone they are wall-clock times of `timezone`; where clocks are set back the earlier of
    two instants is meant, where they are set forward the moment of the jump.

    Raises
    ------
    SourceError
        Where the column holds neither dates nor times, nor text that is.
    """
    if pa.types.is_null(column.type):
        return column.cast(pa.timestamp("us", "UTC"))
    if any(is_text(column.type) for is_text in TEXT):
        column = _parsed(column, name)
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s" if pa.types.is_date32(column.type) else "ms"))
    if not pa.types.is_timestamp(column.type):
        raise SourceError(
            f"timestamp column {name!r} holds {column.type} values; expected dates, times, or text in ISO 8601"
        )
    unit = "ns" if column.type.unit == "ns" else "us"
    try:
        if column.type.tz is None:
            column = pc.assume_timezone(column, str(timezone), ambiguous="earliest", nonexistent="latest")
        return column.cast(pa.timestamp(unit, "UTC"))
    except pa.ArrowInvalid as error:  # more than 290,000 years from now
        raise SourceError(f"timestamp column {name!r} holds instants out of reach: {error}") from error


def _parsed(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    for type_ in (pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
        try:
            return column.cast(type_)
        except pa.ArrowInvalid as error:
            last = error
    example = next((text for text in column.slice(0, 1000).to_pylist() if text is not None), None)
    raise SourceError(
        f"timestamp column {name!r} holds text that is not ISO 8601 of one form (2024-02-09T10:00, all with an offset "
        f"or all without), such as {example!r}"
    ) from last


def ticks_of(moment: datetime, unit: str) -> int:
    """An instant counted in microseconds or nanoseconds, as far as 64 bits reach."""
    microseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    ticks = microseconds * (1000 if unit == "ns" else 1)
    return min(max(ticks, -(2**63)), 2**63 - 1)
