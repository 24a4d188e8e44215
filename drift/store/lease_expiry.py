"""Leases: until when somebody has something for himself, by a clock that may have been set since."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, or_

MAX_LEASE: Final = timedelta(hours=1)
"""No worker takes anything for longer. A lease that ends later than that from now was given by a clock that ran ahead
and was set back since: it is over. Else what a dead worker held would wait until that time comes, days perhaps. A live
one loses its work by that, and nothing else: the token keeps it from writing."""


def over(until: ColumnElement[datetime], now: datetime) -> ColumnElement[bool]:
    """Whether a lease has run out."""
    return or_(until <= now, until > _longest(now))


def running(until: ColumnElement[datetime], now: datetime) -> ColumnElement[bool]:
    """Whether a lease holds."""
    return and_(until > now, until <= _longest(now))


def _longest(now: Any) -> Any:
    return now + MAX_LEASE if isinstance(now, datetime) else now  # what is no instant is refused by the column
