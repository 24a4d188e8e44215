"""Columns on which engines are likely to differ: eight rows of each type, and an axis that cuts them finely."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from drift.histogram import Axis, CategoricalAxis, Kind, NumericAxis
from tests.support.counting_oracle import exact

INF, NAN, MAX, TINY = float("inf"), float("nan"), sys.float_info.max, 5e-324
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SPRING = datetime(2011, 3, 13, 7, 0, 0, 1, tzinfo=UTC)


def naive(*instants: datetime | None) -> list[datetime | None]:
    return [instant and instant.replace(tzinfo=None) for instant in instants]


def instants(*edges: datetime) -> NumericAxis:
    return NumericAxis(tuple(int(exact(edge)) for edge in edges), Kind.DATETIME)


@dataclass(frozen=True)
class HostileColumn:
    """Eight rows of a type, and the axis that they are counted on."""

    type: pa.DataType
    rows: list[Any]
    axis: Axis


HOSTILE_COLUMNS = {
    "floats": HostileColumn(
        pa.float64(), [NAN, None, INF, -INF, -0.0, TINY, 1.5, MAX], NumericAxis((-0.0, TINY, 1.5, MAX))
    ),
    "edges": HostileColumn(
        pa.float64(), [0.1, 0.2, 0.3, 0.1 + 0.2, 0.7, 1.0, 1.1, None], NumericAxis((0.1, 0.3, 0.7, 1.1))
    ),
    "decimal edges": HostileColumn(
        pa.float64(), [0.1, 0.2, 0.3, 0.1 + 0.2, 0.7, 1.0, 1.1, None], NumericAxis((Decimal("0.1"), Decimal("0.3")))
    ),
    "float32": HostileColumn(pa.float32(), [0.1, 0.25, 0.5, NAN, None, INF, -INF, -0.0], NumericAxis((0, 0.1, 0.5))),
    "int64": HostileColumn(
        pa.int64(),
        [-(2**63), -1, 0, 1, 2**53, 2**53 + 1, 2**62, 2**63 - 1],
        NumericAxis((-(2**63), 0, 2**53 + 1, 2.0**62, 2**63)),
    ),
    "integers": HostileColumn(pa.int64(), [0, 1, 2, None, 4, 5, None, 7], NumericAxis((0, 2, 4.5, 7))),
    "int8": HostileColumn(pa.int8(), [-128, -1, 0, 1, 100, 127, 126, 5], NumericAxis((-1000, -128, 0, 126.5, 1000))),
    "uint64": HostileColumn(
        pa.uint64(), [0, 1, 2**63, 2**63 + 1, 2**64 - 1, 5, 6, 7], NumericAxis((1, 2**63 + 1, 2**64 - 1))
    ),
    "decimals": HostileColumn(
        pa.decimal128(38, 2),
        [Decimal(text) for text in ("0.10", "0.09", "-0.01", "1e35", "0.00", "7.77", "0.11")] + [None],
        NumericAxis((Decimal("0.00"), Decimal("0.10"), 0.11, 10**35)),
    ),
    "booleans": HostileColumn(
        pa.bool_(), [True, False, None, True, True, None, False, True], CategoricalAxis((True,), kind=Kind.BOOLEAN)
    ),
    "rare booleans": HostileColumn(
        pa.bool_(), [True, False] * 4, CategoricalAxis((True,), frozenset({False}), Kind.BOOLEAN)
    ),
    "text": HostileColumn(
        pa.string(),
        ["", "nan", None, "NA", "caf\u00e9", "cafe\u0301", 'line\nbreak, "quote"', "\U0001f6b2"],
        CategoricalAxis(("", "nan", "NA", "caf\u00e9", 'line\nbreak, "quote"'), frozenset({"\U0001f6b2"})),
    ),
    "dictionary": HostileColumn(
        pa.dictionary(pa.int8(), pa.string()), ["a", "b", None, "a", "c", "d", "a", "b"], CategoricalAxis(("b", "a"))
    ),
    "instants": HostileColumn(
        pa.timestamp("us", "UTC"),
        [
            SPRING,
            EPOCH,
            EPOCH - timedelta(microseconds=1),
            None,
            *[SPRING + timedelta(microseconds=i) for i in range(4)],
        ],
        instants(EPOCH, SPRING, SPRING + timedelta(microseconds=2)),
    ),
    "other zone": HostileColumn(
        pa.timestamp("ms", "Asia/Kolkata"),
        [EPOCH, None, *[EPOCH + timedelta(hours=i) for i in range(6)]],
        instants(EPOCH, EPOCH + timedelta(hours=2)),
    ),
    "wall clock": HostileColumn(
        pa.timestamp("us"), naive(SPRING, None, EPOCH, SPRING, EPOCH, SPRING, None, EPOCH), instants(EPOCH, SPRING)
    ),
    "ancient": HostileColumn(
        pa.timestamp("us"),
        naive(datetime(1, 1, 1, tzinfo=UTC), None, datetime(9999, 12, 31, tzinfo=UTC), *[EPOCH] * 5),
        instants(datetime(2, 1, 1, tzinfo=UTC), EPOCH),
    ),
    "dates": HostileColumn(
        pa.date32(),
        [date(1969, 12, 31), date(1970, 1, 1), date(1, 1, 1), date(9999, 12, 31), None, *[date(2011, 3, 13)] * 3],
        instants(EPOCH, datetime(2011, 3, 13, tzinfo=UTC)),
    ),
    "times": HostileColumn(
        pa.time64("us"),
        [time(0), time(23, 59, 59, 999999), time(12), None, time(12, 0, 0, 1), time(6), time(7), time(8)],
        NumericAxis((0, int(exact(time(12))), int(exact(time(12, 0, 0, 1)))), Kind.DURATION),
    ),
    "durations": HostileColumn(
        pa.duration("us"),
        [
            timedelta(0),
            timedelta(microseconds=-1),
            timedelta(days=400),
            None,
            *[timedelta(seconds=i) for i in range(4)],
        ],
        NumericAxis((0, 2 * 10**9), Kind.DURATION),
    ),
    "nulls": HostileColumn(pa.null(), [None] * 8, NumericAxis((0, 1))),
    'odd "name". with, \n\U0001f6b2': HostileColumn(pa.int64(), list(range(8)), NumericAxis((3,))),
}
HOSTILE_AXES = {name: column.axis for name, column in HOSTILE_COLUMNS.items()}


def hostile_table(columns: Mapping[str, HostileColumn] = HOSTILE_COLUMNS) -> pa.Table:
    """Return the columns as one table."""
    return pa.table({name: pa.array(column.rows, column.type) for name, column in columns.items()})
