"""Column types that let nothing into the store which would not come out as it went in."""

# ruff: noqa: ARG002 - the signatures are SQLAlchemy's

import json
import math
import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import BigInteger, DateTime, Double, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.types import TypeDecorator

from drift.errors import StoreError
from drift.monitors.window import format_instant

_ESCAPED: Final = "\x1b"  # marks text that is kept as JSON
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]|^\x1b")


class ValueRefused(StoreError, DontWrapMixin):  # noqa: N818 - reads as what happened
    """A value that the store does not take: a naive datetime, NaN, something JSON cannot hold, a number too large."""


class Instant(TypeDecorator[datetime]):
    """An instant: aware datetimes in, aware UTC datetimes out, on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> datetime | None:
        """To UTC; SQLite keeps it as text, which must not name a zone if it is to sort."""
        if value is None:
            return None
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise ValueRefused(f"the store keeps instants with a time zone; got {value!r}; attach one (UTC, say)")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        """Always UTC, whatever zone the database session is in. One call a value, as of `SafeText`."""
        return _from_text if dialect.name == "sqlite" else _to_utc


class IsoInstant(Instant):
    """The same instants, read in the words of the JSON contract (`drift.monitors.window.format_instant`)."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """Of what the driver gives to text, at once: a column's year has 17,520 of them, most seen before."""
        return _spelled


@lru_cache(maxsize=100_000)
def _spelled(value: Any) -> str | None:
    moment = _from_text(value) if isinstance(value, str) else _to_utc(value)
    return None if moment is None else format_instant(moment)


def _from_text(value: Any) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)


def _to_utc(value: Any) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


class Finite(TypeDecorator[float]):
    """A float that is a number; NumPy's become plain ones."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> float | None:
        """Refuses NaN and infinities, which SQLite would turn into NULL."""
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise ValueRefused(f"the store keeps finite numbers; got {value!r} ({type(value).__name__})")
        return float(value)


class Whole(TypeDecorator[int]):
    """A 64-bit integer; NumPy's become plain ones (SQLite would keep them as bytes)."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        """Refuses what is not an integer."""
        if value is None:
            return None
        try:
            return int(operator.index(value))
        except TypeError:
            raise ValueRefused(f"the store expected an integer; got {value!r} ({type(value).__name__})") from None


class SafeText(TypeDecorator[str]):
    """Text, whatever it holds: NUL and lone surrogates, which databases refuse, travel within a JSON string."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Plain `str`, of enumerations too."""
        if value is None:
            return None
        if not isinstance(value, str):
            raise ValueRefused(f"the store expected text; got {value!r} ({type(value).__name__})")
        return _ESCAPED + json.dumps(value) if _UNSTORABLE.search(value) else str(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], str | None]:
        """The text that came in. One call a value, not the two of `process_result_value`: a year has 50,000."""
        return _words


def _words(value: Any) -> str | None:
    if value is None or not value.startswith(_ESCAPED):
        return value  # type: ignore[no-any-return]
    text: str = json.loads(value[1:])
    return text


class Document(TypeDecorator[Any]):
    """A JSON document as text. ASCII, so that whatever a name holds survives; strict, so that any reader reads it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Strict JSON."""
        return None if value is None else dump(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Parsed."""
        return None if value is None else json.loads(value)


def dump(document: Any, *, sort_keys: bool = False) -> str:
    """Compact strict JSON.

    Raises
    ------
    ValueRefused
        For NaN, infinities, NumPy scalars and whatever else JSON cannot hold.
    """
    try:
        return json.dumps(document, allow_nan=False, separators=(",", ":"), sort_keys=sort_keys)
    except (TypeError, ValueError) as error:
        raise ValueRefused(f"the store keeps strict JSON: {error}") from error
