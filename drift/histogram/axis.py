"""Axes: how the values of one column are cut into bins. Immutable; chosen once, from the reference."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from drift.errors import AxisError
from drift.histogram.kinds import Category, Edge, Kind
from drift.histogram.labels import (
    ABOVE,
    BELOW,
    MISSING,
    OTHER,
    RARE,
    UNSEEN,
    category_name,
    edge_names,
    rounder_predecessor,
)

_VERSION: Final = 1
MAX_KNOWN: Final = 10_000


@dataclass(frozen=True, slots=True)
class NumericAxis:
    """Right-open bins between strictly increasing finite edges, and the special bins around them.

    ``below (x < e0) | [e0, e1) ... [e(k-1), ek) | above (x >= ek) | missing``. Without edges (a reference with
    missing values only) there is one bin for any value, and `missing`.

    Parameters
    ----------
    edges : iterable of int, float or Decimal
        Strictly increasing, finite. Instants and durations in nanoseconds.
    kind : Kind
        NUMBER, DATETIME, DURATION or EMPTY.

    Raises
    ------
    AxisError
        If the edges are not finite and strictly increasing, or the kind is not ordered.

    Examples
    --------
    >>> NumericAxis((0, 10, 20)).labels
    ('below', '[0, 10)', '[10, 20)', 'above', 'missing')
    """

    edges: tuple[Edge, ...]
    kind: Kind = Kind.NUMBER

    def __post_init__(self) -> None:
        if not self.kind.ordered:
            raise AxisError(f"a numeric axis needs ordered values; {self.kind.value!r} is not", code="invalid-axis")
        object.__setattr__(self, "edges", tuple(_checked_edge(edge, self.kind) for edge in self.edges))
        for low, high in itertools.pairwise(self.edges):
            if not low < high:
                raise AxisError(f"edges must increase strictly; {high!r} follows {low!r}", code="invalid-axis")

    @property
    def n_bins(self) -> int:
        """Number of bins, special ones included."""
        return len(self.edges) + 2

    @property
    def labels(self) -> tuple[str, ...]:
        """One readable name for each bin, in order."""
        if not self.edges:
            return ("any value", MISSING)
        largest = rounder_predecessor(self.edges[-1], self.kind) if len(self.edges) > 1 else None
        shown = self.edges if largest is None else (*self.edges[:-1], largest)
        inner = [f"[{a}, {b})" for a, b in itertools.pairwise(edge_names(shown, self.kind))]
        if largest is not None:
            inner[-1] = f"{inner[-1][:-1]}]"
        return (BELOW, *inner, ABOVE, MISSING)

    def to_dict(self) -> dict[str, Any]:
        """Return a versioned document for JSON; decimals as ``{"decimal": "1.10"}``."""
        edges = [{"decimal": str(e)} if isinstance(e, Decimal) else e for e in self.edges]
        return {"version": _VERSION, "type": "numeric", "kind": self.kind.value, "edges": edges}

    def __repr__(self) -> str:
        return f"NumericAxis({self.kind.value}, {' '.join(self.labels)})"


@dataclass(frozen=True, slots=True)
class CategoricalAxis:
    """Listed categories, then ``rare | unseen | missing`` (or ``other | missing``).

    `rare` holds the categories of the reference that are not listed; `unseen` those that never occurred in it.
    If the reference has more than 10,000 categories, an axis does not remember them: rare and unseen are both `other`.

    Parameters
    ----------
    categories : iterable of str, int or bool
        The listed categories, each with a bin of its own.
    rare : iterable or None
        The other categories of the reference, of one type (1 and True are equal in a set); None merges rare and
        unseen into `other`.
    kind : Kind
        STRING or BOOLEAN.

    Raises
    ------
    AxisError
        If a category occurs twice or is not a str, int or bool, the kind is ordered, or there are more than 10,000
        categories.

    Examples
    --------
    >>> CategoricalAxis(("a", "b"), rare=("z",)).labels
    ('a', 'b', 'rare', 'unseen', 'missing')
    """

    categories: tuple[Category, ...]
    rare: frozenset[Category] | None = frozenset()
    kind: Kind = Kind.STRING
    _index: Mapping[tuple[type, Category], int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.kind.ordered:
            message = f"a categorical axis needs strings or booleans; {self.kind.value!r} values are cut by edges"
            raise AxisError(message, code="invalid-axis")
        categories = tuple(_plain_key(c) for c in self.categories)
        rare = None if self.rare is None else frozenset(_plain_key(c) for c in self.rare)
        object.__setattr__(self, "categories", categories)
        object.__setattr__(self, "rare", rare)
        index = {(type(c), c): i for i, c in enumerate(categories)}
        if len(index) != len(categories):
            twice = next(c for i, c in enumerate(categories) if index[type(c), c] != i)
            raise AxisError(f"a categorical axis lists category {twice!r} twice", code="invalid-axis")
        for name in rare or ():
            if (type(name), name) in index:
                raise AxisError(f"category {name!r} is both listed and rare", code="invalid-axis")
            index[type(name), name] = len(categories)
        if len(index) > MAX_KNOWN:
            remedy = "pass rare=None to merge rare and unseen into `other`"
            message = f"an axis remembers at most {MAX_KNOWN} categories, got {len(index)}; {remedy}"
            raise AxisError(message, code="invalid-axis")
        object.__setattr__(self, "_index", index)

    def __eq__(self, other: object) -> bool:
        # The types count: (1,) and (True,) are equal tuples, but their axes differ.
        if not isinstance(other, CategoricalAxis):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[object, ...]:
        listed = tuple((type(c), c) for c in self.categories)
        known = None if self.rare is None else frozenset((type(c), c) for c in self.rare)
        return self.kind, listed, known

    @property
    def n_bins(self) -> int:
        """Number of bins, special ones included."""
        return len(self.categories) + (2 if self.rare is None else 3)

    @property
    def labels(self) -> tuple[str, ...]:
        """One readable name for each bin, in order; ambiguous names are quoted."""
        special = (OTHER, MISSING) if self.rare is None else (RARE, UNSEEN, MISSING)
        return (*(category_name(c) for c in self.categories), *special)

    def bin_of(self, key: Category) -> int:
        """Return the index of the bin of a key, which is not missing."""
        index = self._index.get((type(key), key))
        if index is None and type(key) not in {str, int, bool}:
            key = _plain_key(key)
            index = self._index.get((type(key), key))
        return self.n_bins - 2 if index is None else index

    def to_dict(self) -> dict[str, Any]:
        """Return a versioned document for JSON."""
        rare = None if self.rare is None else sorted(self.rare, key=category_order)
        document = {"version": _VERSION, "type": "categorical", "kind": self.kind.value}
        return {**document, "categories": list(self.categories), "rare": rare}

    def __repr__(self) -> str:
        known = "" if not self.rare else f" ({len(self.rare)} rare categories)"
        return f"CategoricalAxis({self.kind.value}, {' | '.join(self.labels)}{known})"


Axis = NumericAxis | CategoricalAxis


def axis_from_dict(document: Mapping[str, Any]) -> Axis:
    """Return the axis of a document of `to_dict`, of this version or an older one.

    Raises
    ------
    AxisError
        If the version or type of the document is unknown, or the document is malformed.
    """
    if document.get("version") != _VERSION:
        message = f"unknown version {document.get('version')!r} of an axis document; this drift reads {_VERSION}"
        raise AxisError(message, code="invalid-input")
    try:
        kind = Kind(document["kind"])
        if document["type"] == "numeric":
            return NumericAxis(tuple(_edge_from(e) for e in document["edges"]), kind)
        if document["type"] == "categorical":
            rare = document["rare"]
            return CategoricalAxis(tuple(document["categories"]), None if rare is None else frozenset(rare), kind)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise AxisError(f"malformed axis document: {error!r}", code="invalid-input") from error
    message = f"unknown type {document['type']!r} of an axis document; this drift reads numeric and categorical"
    raise AxisError(message, code="invalid-input")


def category_order(key: Category) -> tuple[str, Category]:
    """Return a sort key: categories of one type are ordered by value; two types are never compared."""
    return type(key).__name__, key


def _edge_from(value: Any) -> Edge:
    return Decimal(value["decimal"]) if isinstance(value, Mapping) else value


def _checked_edge(edge: object, kind: Kind) -> Edge:
    if isinstance(edge, bool) or not isinstance(edge, int | float | Decimal):
        raise AxisError(f"edges must be int, float or Decimal; {edge!r} is {type(edge).__name__}", code="invalid-axis")
    if kind is not Kind.NUMBER and not isinstance(edge, int):
        raise AxisError(f"edges of {kind.value} values must be whole nanoseconds; got {edge!r}", code="invalid-axis")
    # A large int or Decimal is finite even if no float can represent it.
    if not (edge.is_finite() if isinstance(edge, Decimal) else isinstance(edge, int) or math.isfinite(edge)):
        message = f"edges must be finite; got {edge!r} (every axis has bins below and above)"
        raise AxisError(message, code="invalid-axis")
    return float(edge) if isinstance(edge, float) else edge  # NumPy's float64 is a float, but differs in repr and JSON


def _plain_key(key: object) -> Category:
    """Return the key as a plain str, int or bool: subclasses (NumPy's str_, enumerations) are the same category."""
    if isinstance(key, bool):
        return key
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, int):
        return int(key)
    raise AxisError(f"categories must be str, int or bool; {key!r} is {type(key).__name__}", code="invalid-axis")
