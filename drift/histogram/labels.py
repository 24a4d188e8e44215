"""Names of bins: readable, short, and unique on an axis."""

import json
import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from drift.histogram.kinds import Category, Edge, Kind

BELOW, ABOVE, MISSING = "below", "above", "missing"
RARE, UNSEEN, OTHER = "rare", "unseen", "other"
SPECIAL = frozenset({BELOW, ABOVE, MISSING, RARE, UNSEEN, OTHER})


def edge_names(edges: Iterable[Edge], kind: Kind) -> list[str]:
    """Return a name for each edge, as short as unique names can be."""
    if kind is Kind.DATETIME:
        return [_instant_name(int(e)) for e in edges]
    if kind is Kind.DURATION:
        return [_duration_name(int(e)) for e in edges]
    edges = list(edges)
    # Four digits are enough for common magnitudes; larger or smaller numbers would become powers of ten.
    common = all(edge == 0 or (-1e4 < edge < 1e4 and not -1e-3 < edge < 1e-3) for edge in edges)
    for digits in (4, 6, 9, 12, 17) if common else (6, 9, 12, 17):
        names = [_number_name(e, digits) for e in edges]
        if len(set(names)) == len(set(edges)):
            return names
    return [str(e) for e in edges]


def _number_name(edge: Edge, digits: int) -> str:
    return str(edge) if isinstance(edge, int | Decimal) else f"{edge:.{digits}g}"


def _instant_name(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{nanoseconds} ns"  # outside the years 1 to 9999
    text = moment.strftime("%Y-%m-%dT%H:%M:%S") if moment.time() != moment.min.time() or rest else ""
    text = text or moment.strftime("%Y-%m-%d")
    return text + (f".{rest:09d}".rstrip("0") if rest else "") + ("Z" if "T" in text else "")


def _duration_name(nanoseconds: int) -> str:
    micros, rest = divmod(nanoseconds, 1000)
    try:
        return str(timedelta(microseconds=micros)) + (f"+{rest}ns" if rest else "")
    except OverflowError:
        return f"{nanoseconds} ns"


def rounder_predecessor(edge: Edge, kind: Kind) -> Edge | None:
    """Return the value before the last edge if it is shorter, such as 30 for 30.000000000000004, else None."""
    if isinstance(edge, float):
        largest = math.nextafter(edge, -math.inf)
        return largest if len(repr(largest)) < len(repr(edge)) else None
    if kind is Kind.NUMBER or not isinstance(edge, int):
        return None
    # Times: one unit of the column (ns, us, ms) above a whole next larger unit.
    for unit in (1, 1_000, 1_000_000):
        if (edge - unit) % (1_000 * unit) == 0:
            return edge - unit
    return None


def category_name(key: Category) -> str:
    """Return the name of a category, quoted if it is ambiguous."""
    if isinstance(key, str) and (key in SPECIAL or _is_ambiguous(key)):
        return json.dumps(key, ensure_ascii=False)
    return str(key)


def _is_ambiguous(text: str) -> bool:
    """Whether a name reads like another type, another text, or a quoted name."""
    typed = text in {"True", "False"} or text.lstrip("-").isdigit()
    return typed or not text or text.strip() != text or not text.isprintable() or text.startswith('"')
