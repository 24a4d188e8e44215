"""Timestamp columns as UTC instants."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from drift.errors import SourceError
from drift.sources.frames.arrow import is_text


def as_instants(column: pa.ChunkedArray, name: str, timezone: ZoneInfo) -> pa.ChunkedArray:
    """Return a column of dates, times or ISO 8601 text as UTC instants.

    Times without a time zone are wall-clock times of `timezone`. An ambiguous one (clocks are set back) is the earlier
    instant; one that does not exist (clocks are set forward) is the moment of the jump.

    Raises
    ------
    SourceError
        If the column holds anything else.
    """
    if pa.types.is_null(column.type):
        return column.cast(pa.timestamp("us", "UTC"))
    if is_text(column.type):
        column = _parse_text(column, name)
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s" if pa.types.is_date32(column.type) else "ms"))
    if not pa.types.is_timestamp(column.type):
        problem = f"holds {column.type} values; expected dates, times, or text in ISO 8601"
        raise SourceError(f"timestamp column {name!r} {problem}", code="timestamp-invalid")
    unit = "ns" if column.type.unit == "ns" else "us"
    try:
        if column.type.tz is None:
            column = pc.assume_timezone(column, str(timezone), ambiguous="earliest", nonexistent="latest")
        return column.cast(pa.timestamp(unit, "UTC"))
    except pa.ArrowInvalid as error:  # more than 290,000 years from now
        message = f"timestamp column {name!r} holds instants outside the supported range: {error}"
        raise SourceError(message, code="timestamp-invalid") from error


def _parse_text(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    for type_ in (pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
        try:
            return column.cast(type_)
        except pa.ArrowInvalid as error:
            last_error = error
    example = next((text for text in column.slice(0, 1000).to_pylist() if text is not None), None)
    expected = "ISO 8601 of one form (2024-02-09T10:00, all with an offset or all without)"
    message = f"timestamp column {name!r} holds text that is not {expected}, such as {example!r}"
    raise SourceError(message, code="timestamp-invalid") from last_error


def ticks_of(moment: datetime, unit: str) -> int:
    """Return an instant in microseconds ("us") or nanoseconds ("ns") since 1970, limited to 64 bits."""
    microseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    ticks = microseconds * (1000 if unit == "ns" else 1)
    return min(max(ticks, -(2**63)), 2**63 - 1)
