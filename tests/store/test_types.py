"""Column types: what goes in comes out, what would not is refused. On real columns of both databases."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, select

from drift.store.engine import make_engine, parse_url
from drift.store.types import Document, Finite, Instant, SafeText, ValueRefused, Whole
from tests.support.errors import has_code

things = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("instant", Instant),
    Column("finite", Finite),
    Column("whole", Whole),
    Column("words", SafeText),
    Column("document", Document),
)


@pytest.fixture
def connection(store_url: str) -> Iterator[Connection]:
    engine = make_engine(parse_url(store_url))
    with engine.connect() as opened:
        things.create(opened)
        yield opened  # and rolled back, the table too
    engine.dispose()


def through(connection: Connection, column: str, value: object) -> Any:
    """What comes out."""
    connection.execute(things.insert(), {column: value})
    return connection.execute(select(things.c[column]).order_by(things.c.id.desc()).limit(1)).scalar_one()


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2011, 3, 1, 12, 30, 15, 123456, UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
        datetime(2011, 3, 1, 2, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    ],
)
def test_an_instant_comes_back_in_utc(connection: Connection, moment: datetime) -> None:
    found = through(connection, "instant", moment)
    assert found == moment
    assert found.tzinfo is UTC


@pytest.mark.parametrize("value", [datetime(2011, 3, 1), "2011-03-01", 0])  # noqa: DTZ001 - that is the point
def test_what_is_no_instant_is_refused(connection: Connection, value: object) -> None:
    with pytest.raises(ValueRefused, check=has_code("value-not-storable")):
        through(connection, "instant", value)


@pytest.mark.parametrize("value", [0.1, -0.1, 5e-324, 1.7976931348623157e308, 3, np.float64(0.1)])
def test_a_float_comes_back_to_the_last_bit(connection: Connection, value: float) -> None:
    found = through(connection, "finite", value)
    assert found == value
    assert type(found) is float


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32(1), np.int64(1), True, Decimal(1), "1"])
def test_what_is_no_finite_float_is_refused(connection: Connection, value: object) -> None:
    with pytest.raises(ValueRefused, check=has_code("value-not-storable")):
        through(connection, "finite", value)


@pytest.mark.parametrize("value", [0, -(2**63), 2**63 - 1, np.int64(7), np.uint8(7)])
def test_an_integer_comes_back(connection: Connection, value: int) -> None:
    found = through(connection, "whole", value)
    assert found == value
    assert type(found) is int


@pytest.mark.parametrize("value", [1.0, np.float64(1), "1", Decimal(1)])
def test_what_is_no_integer_is_refused(connection: Connection, value: object) -> None:
    with pytest.raises(ValueRefused, check=has_code("value-not-storable")):
        through(connection, "whole", value)


@pytest.mark.parametrize(
    "value", ["", "☔ 'x' \"y\" %s :z", "a\0b", "\udc80", "\x1b[1m", '\x1b"x"', "\\x00", "a\x1b\n"]
)
def test_text_comes_back_whatever_it_holds(connection: Connection, value: str) -> None:
    assert through(connection, "words", value) == value
    assert connection.execute(select(things.c.words).where(things.c.words == value)).scalar_one() == value


def test_what_is_no_text_is_refused(connection: Connection) -> None:
    with pytest.raises(ValueRefused, match=" 7 ", check=has_code("value-not-storable")):
        through(connection, "words", 7)


@pytest.mark.parametrize("value", [{}, [], {"b": 1, "a": [None, True, 2**70, "\0\ud800☔"]}, "text", 0.1])
def test_a_document_comes_back(connection: Connection, value: object) -> None:
    found = through(connection, "document", value)
    assert found == value
    assert not isinstance(value, dict) or list(found) == list(value)


@pytest.mark.parametrize("value", [{"a": math.nan}, [math.inf], {"a": np.int64(1)}, {"a": {1}}, {"a": b"1"}])
def test_what_json_cannot_hold_is_refused(connection: Connection, value: object) -> None:
    with pytest.raises(ValueRefused, check=has_code("value-not-storable")):
        through(connection, "document", value)


@pytest.mark.parametrize("column", ["instant", "finite", "whole", "words", "document"])
def test_nothing_comes_back_as_nothing(connection: Connection, column: str) -> None:
    assert through(connection, column, None) is None
