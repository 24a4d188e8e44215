"""Conversion of a lazy frame to one of plain columns.

Plain columns c0, c1, ... contain integers, doubles without NaN, decimals, booleans or text, and null for a missing
value. Times are integers in their unit. The original names are dropped, so that no backend has to quote them. How each
backend converts its columns is in `backends`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import narwhals as nw
import pyarrow as pa

from drift.errors import SourceError
from drift.histogram import Fault, Kind, Uncounted
from drift.sources.lazy.backends import BACKENDS, backend_errors
from drift.sources.lazy.backends.backend import Backend, Condition
from drift.sources.lazy.backends.spark import compiled_wide_rows

_NANOSECONDS: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_DAY: Final = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class PlainColumn:
    """How a plain column represents its values."""

    alias: str  # its name in the plain frame
    kind: Kind
    step: Fraction | None  # as in `OrderedValues`; None for doubles, booleans and text
    type: Any  # Narwhals type of the plain column, and of what it is compared with
    limits: tuple[int, int] | None = None  # the smallest and largest value of the type, in steps
    arrow_type: pa.DataType | None = None  # of the original values, if it is not that of the plain column


@dataclass(frozen=True, slots=True)
class PlainFrame:
    """A Narwhals lazy frame of plain columns."""

    frame: Any
    columns: Mapping[str, PlainColumn | Uncounted]  # by original name: the plain column, or why there is none
    implementation: nw.Implementation  # the backend

    def fetch(self, query: Any) -> Any:
        """Return the (few) rows of a query on `frame` as an Arrow table; raises SourceError if the backend fails."""
        with backend_errors(self.implementation), compiled_wide_rows(self.implementation, query):
            return query.collect("pyarrow").to_native()

    def count(self, frame: Any, keys: Sequence[str], conditions: Mapping[str, Condition]) -> Any:
        """Count rows of `frame`, or of one derived from it, by `Backend.count`; return the (few) groups by `fetch`."""
        with backend_errors(self.implementation):
            query = BACKENDS[self.implementation].count(frame, keys, conditions)
        return self.fetch(query)

    def sample(self, fraction: float, seed: int) -> Any:
        """Draw about a share of the rows in the backend; the same seed draws the same rows from the same layout.

        Polars hashes row numbers; DuckDB and Spark draw each row by a seeded generator in each block or partition.
        Other versions of them, or another layout of the rows, give other samples.
        """
        native = self.frame.to_native()
        return nw.from_native(BACKENDS[self.implementation].sample(native, fraction, seed))


def is_lazy(frame: Any) -> bool:
    """Return whether an object is a lazy frame that its own engine counts."""
    known = nw.dependencies
    is_spark = known.is_pyspark_dataframe(frame) or known.is_pyspark_connect_dataframe(frame)
    return bool(is_spark or known.is_polars_lazyframe(frame) or known.is_duckdb_relation(frame))


def schema_of(frame: Any) -> dict[str, Any]:
    """Return names and Narwhals types of a lazy frame's columns.

    Raises
    ------
    SourceError
        If `frame` is no lazy frame, two columns have the same name, or the backend fails.
    """
    wrapped = _wrapped(frame)
    with backend_errors(wrapped.implementation):
        return dict(wrapped.collect_schema())


def _wrapped(frame: Any) -> Any:
    if not is_lazy(frame):
        message = f"expected a lazy frame of Polars, DuckDB or Spark; got {type(frame).__name__}"
        raise SourceError(message, code="invalid-input")
    try:
        return nw.from_native(frame)
    except nw.exceptions.DuplicateError as error:
        message = f"two columns have the same name: {' '.join(str(error).split())}; rename or drop one of them"
        raise SourceError(message, code="duplicate-column") from error


def plain_frame(frame: Any, names: Sequence[str]) -> PlainFrame:
    """Convert those columns of a lazy frame that are in `names` to plain ones; raises as `schema_of`."""
    wrapped = _wrapped(frame)
    schema = schema_of(frame)
    native, backend = wrapped.to_native(), BACKENDS[wrapped.implementation]
    columns: dict[str, PlainColumn | Uncounted] = {}
    selected: list[tuple[str, str, Any]] = []
    for name in dict.fromkeys(n for n in names if n in schema):
        alias = f"c{len(selected)}"
        dtype = backend.unknown(native, name) if isinstance(schema[name], nw.Unknown) else schema[name]
        columns[name] = column = _plain_column(alias, dtype, backend)
        if isinstance(column, PlainColumn):
            selected.append((name, alias, dtype))
    with backend_errors(wrapped.implementation):
        plain = backend.select(native, selected) if selected else native
    return PlainFrame(nw.from_native(plain), columns, wrapped.implementation)


def _plain_column(alias: str, dtype: Any, backend: Backend) -> PlainColumn | Uncounted:
    whole = nw.Int64()
    if dtype is None:
        return PlainColumn(alias, Kind.EMPTY, None, nw.Boolean())
    if isinstance(dtype, nw.Date):
        return PlainColumn(alias, Kind.DATETIME, Fraction(_DAY), whole, _integer_limits(whole), pa.date32())
    if isinstance(dtype, nw.Datetime | nw.Duration | nw.Time):
        unit = backend.unit(dtype)
        instants = isinstance(dtype, nw.Datetime)
        kind, arrow_type = (Kind.DATETIME, pa.timestamp(unit)) if instants else (Kind.DURATION, pa.duration(unit))
        return PlainColumn(alias, kind, Fraction(_NANOSECONDS[unit]), whole, _integer_limits(whole), arrow_type)
    for matches, make in _RULES:
        if matches(dtype):
            return make(alias, dtype)
    remedy = "watch a column derived from them (a length, a count), or exclude the column"
    return Uncounted(Fault.NOT_COMPARABLE, f"{dtype} values cannot be cut into bins; {remedy}")


def _decimals(alias: str, dtype: Any) -> PlainColumn:
    largest = 10**dtype.precision - 1
    return PlainColumn(alias, Kind.NUMBER, Fraction(1, 10**dtype.scale), dtype, (-largest, largest))


def _integer_limits(dtype: Any) -> tuple[int, int]:
    name = str(dtype)
    bits = int(name.lstrip("UInt"))
    return (0, 2**bits - 1) if name.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


_RULES: Final[tuple[tuple[Callable[[Any], bool], Callable[[str, Any], PlainColumn]], ...]] = (
    (lambda dtype: isinstance(dtype, nw.Boolean), lambda alias, dtype: PlainColumn(alias, Kind.BOOLEAN, None, dtype)),
    (
        lambda dtype: isinstance(dtype, nw.String | nw.Categorical | nw.Enum),
        lambda alias, _: PlainColumn(alias, Kind.STRING, None, nw.String()),
    ),
    (lambda dtype: isinstance(dtype, nw.Decimal), _decimals),
    (
        lambda dtype: not isinstance(dtype, str) and dtype.is_integer(),
        lambda alias, dtype: PlainColumn(alias, Kind.NUMBER, Fraction(1), dtype, _integer_limits(dtype)),
    ),
    (
        lambda dtype: not isinstance(dtype, str) and dtype.is_float(),
        lambda alias, _: PlainColumn(alias, Kind.NUMBER, None, nw.Float64()),
    ),
)
