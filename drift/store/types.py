"""Column types that refuse every value that would not come out as it went in."""

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

_ESCAPED: Final = "\x1b"  # marks text that is stored as JSON
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]|^\x1b")


class ValueRefused(StoreError, DontWrapMixin):  # noqa: N818 - names the event
    """The store refuses a value: a naive datetime, NaN, a value JSON cannot represent, a number too large."""

    default_code = "value-not-storable"


class Instant(TypeDecorator[datetime]):
    """An instant: aware datetimes in, aware UTC datetimes out, on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> datetime | None:
        """Convert to UTC; SQLite stores text, which must not name a zone so that it sorts."""
        if value is None:
            return None
        if not isinstance(value, datetime) or value.tzinfo is None:
            message = f"the store keeps instants with a time zone; got {value!r}; attach one (UTC, for example)"
            raise ValueRefused(message, code="value-not-storable")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        """Convert to UTC, whatever the zone of the database session. One call a value, as in `SafeText`."""
        return _from_text if dialect.name == "sqlite" else _to_utc


class IsoInstant(Instant):
    """The same instants, read as text of the JSON contract (`drift.monitors.window.format_instant`)."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """Convert the driver's value to text at once: a column's year has 17,520 of them, most of them repeated."""
        return _iso


@lru_cache(maxsize=100_000)
def _iso(value: Any) -> str | None:
    moment = _from_text(value) if isinstance(value, str) else _to_utc(value)
    return None if moment is None else format_instant(moment)


def _from_text(value: Any) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)


def _to_utc(value: Any) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


class Finite(TypeDecorator[float]):
    """A finite float; NumPy's become plain ones."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> float | None:
        """Refuse NaN and infinities, which SQLite would turn into NULL."""
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            message = f"the store keeps finite numbers; got {value!r} ({type(value).__name__})"
            raise ValueRefused(message, code="value-not-storable")
        return float(value)


class Whole(TypeDecorator[int]):
    """A 64-bit integer; NumPy's become plain ones (SQLite would store them as bytes)."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        if value is None:
            return None
        try:
            return int(operator.index(value))
        except TypeError:
            message = f"the store expected an integer; got {value!r} ({type(value).__name__})"
            raise ValueRefused(message, code="value-not-storable") from None


class SafeText(TypeDecorator[str]):
    """Any text: NUL and lone surrogates, which databases refuse, are stored within a JSON string."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Convert to plain `str`, enumerations too."""
        if value is None:
            return None
        if not isinstance(value, str):
            message = f"the store expected text; got {value!r} ({type(value).__name__})"
            raise ValueRefused(message, code="value-not-storable")
        return _ESCAPED + json.dumps(value) if _UNSTORABLE.search(value) else str(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], str | None]:
        """Return the text as it was written. One call a value, not two as `process_result_value`: a year has 50,000."""
        return _unescape


def _unescape(value: Any) -> str | None:
    if value is None or not value.startswith(_ESCAPED):
        return value  # type: ignore[no-any-return]
    text: str = json.loads(value[1:])
    return text


class Document(TypeDecorator[Any]):
    """A JSON document as text: ASCII, so that any name survives, and strict, so that any reader can parse it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else dump(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


def dump(document: Any, *, sort_keys: bool = False) -> str:
    """Return compact strict JSON.

    Raises
    ------
    ValueRefused
        For NaN, infinities, NumPy scalars and other values that JSON cannot represent.
    """
    try:
        return json.dumps(document, allow_nan=False, separators=(",", ":"), sort_keys=sort_keys)
    except (TypeError, ValueError) as error:
        raise ValueRefused(f"the store keeps strict JSON: {error}", code="value-not-storable") from error
