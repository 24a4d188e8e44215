"""A lazy frame becomes one of plain columns: c0, c1, ... hold integers, doubles without NaN, decimals, truth values or
text, and null where a value is missing. Times are integers, counted in their unit. Names are left behind, so that no
backend has to quote them. How each backend makes them so is said in `backends`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import narwhals as nw
import pyarrow as pa

from drift.errors import SourceError
from drift.histogram import Fault, Kind, Uncounted
from drift.sources.lazy.backends import BACKENDS, reading
from drift.sources.lazy.backends.backend import Backend, Question
from drift.sources.lazy.backends.spark import wide_rows

_NANOSECONDS: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_DAY: Final = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class ColumnForm:
    """How a plain column holds its values.

    Parameters
    ----------
    alias : str
        Its name in the plain frame.
    kind : Kind
        What it holds.
    step : Fraction or None
        As `drift.histogram.column_values.OrderedValues`; None for doubles, truth values and text.
    type : narwhals data type
        Of the plain column, and of what it is compared with.
    reach : tuple of int, or None
        The smallest and largest value of the type, in steps.
    held : pyarrow.DataType or None
        What Arrow holds such values as, where that is not the plain column's own type.
    """

    alias: str
    kind: Kind
    step: Fraction | None
    type: Any
    reach: tuple[int, int] | None = None
    held: pa.DataType | None = None


@dataclass(frozen=True, slots=True)
class PlainFrame:
    """A lazy frame of plain columns, and what became of each of the columns asked for."""

    frame: Any
    forms: Mapping[str, ColumnForm | Uncounted]
    implementation: nw.Implementation

    def fetch(self, query: Any) -> Any:
        """The (few) rows of a query on `frame`, as an Arrow table.

        Raises
        ------
        SourceError
            Where the backend fails.
        """
        with reading(self.implementation), wide_rows(self.implementation, query):
            return query.collect("pyarrow").to_native()

    def count(self, frame: Any, keys: Sequence[str], asked: Mapping[str, Question]) -> Any:
        """Of `frame` or one made of it: see `Backend.count`; the (few) groups as an Arrow table.

        Raises
        ------
        SourceError
            Where the backend fails.
        """
        with reading(self.implementation):
            query = BACKENDS[self.implementation].count(frame, keys, asked)
        return self.fetch(query)

    def sample(self, fraction: float, seed: int) -> Any:
        """About that share of the rows, drawn by the backend; the seed draws the same from the same layout of rows.

        Polars hashes the number of the row, DuckDB and Spark draw each row by a seeded generator in each block or
        partition: another version of them, or rows laid out otherwise, draw others.
        """
        native = self.frame.to_native()
        return nw.from_native(BACKENDS[self.implementation].sample(native, fraction, seed))


def is_lazy(frame: Any) -> bool:
    """Whether it is a lazy frame that is counted where it is."""
    known = nw.dependencies
    return bool(
        known.is_polars_lazyframe(frame)
        or known.is_duckdb_relation(frame)
        or known.is_pyspark_dataframe(frame)
        or known.is_pyspark_connect_dataframe(frame)
    )


def schema_of(frame: Any) -> dict[str, Any]:
    """Names and Narwhals types of a lazy frame's columns.

    Raises
    ------
    SourceError
        Where it is no lazy frame, or cannot be reached.
    """
    wrapped = _lazy(frame)
    with reading(wrapped.implementation):
        return dict(wrapped.collect_schema())


def _lazy(frame: Any) -> Any:
    if not is_lazy(frame):
        raise SourceError(f"expected a lazy frame of Polars, DuckDB or Spark; got {type(frame).__name__}")
    try:
        return nw.from_native(frame)
    except nw.exceptions.DuplicateError as error:
        told = " ".join(str(error).split())
        raise SourceError(f"column names stand twice: {told}; rename or drop one of each") from error


def plain(frame: Any, names: Sequence[str]) -> PlainFrame:
    """A lazy frame's columns, those of `names` that are there, as plain ones.

    Raises
    ------
    SourceError
        As `schema_of`.
    """
    wrapped = _lazy(frame)
    schema = schema_of(frame)
    native, backend = wrapped.to_native(), BACKENDS[wrapped.implementation]
    forms: dict[str, ColumnForm | Uncounted] = {}
    wanted: list[tuple[str, str, Any]] = []
    for name in dict.fromkeys(n for n in names if n in schema):
        alias = f"c{len(wanted)}"
        dtype = backend.unknown(native, name) if isinstance(schema[name], nw.Unknown) else schema[name]
        forms[name] = form = _form(alias, dtype, backend)
        if isinstance(form, ColumnForm):
            wanted.append((name, alias, dtype))
    with reading(wrapped.implementation):
        selected = backend.select(native, wanted) if wanted else native
    return PlainFrame(nw.from_native(selected), forms, wrapped.implementation)


def _is(dtype: Any, *types: Any) -> bool:
    return isinstance(dtype, types)


def _form(alias: str, dtype: Any, backend: Backend) -> ColumnForm | Uncounted:
    whole = nw.Int64()
    if dtype is None:
        return ColumnForm(alias, Kind.EMPTY, None, nw.Boolean())
    if isinstance(dtype, nw.Date):
        return ColumnForm(alias, Kind.DATETIME, Fraction(_DAY), whole, _reach(whole), pa.date32())
    if isinstance(dtype, nw.Datetime | nw.Duration | nw.Time):
        unit = backend.unit(dtype)
        instants = isinstance(dtype, nw.Datetime)
        kind, held = (Kind.DATETIME, pa.timestamp(unit)) if instants else (Kind.DURATION, pa.duration(unit))
        return ColumnForm(alias, kind, Fraction(_NANOSECONDS[unit]), whole, _reach(whole), held)
    for fits, form in _FORMS:
        if fits(dtype):
            return form(alias, dtype)
    return Uncounted(
        Fault.NOT_COMPARABLE,
        f"{dtype} values cannot be cut into bins; watch something derived from them "
        "(a length, a count), or exclude the column",
    )


def _decimals(alias: str, dtype: Any) -> ColumnForm:
    most = 10**dtype.precision - 1
    return ColumnForm(alias, Kind.NUMBER, Fraction(1, 10**dtype.scale), dtype, (-most, most))


def _reach(dtype: Any) -> tuple[int, int]:
    """The smallest and the largest integer of a type."""
    name = str(dtype)
    bits = int(name.lstrip("UInt"))
    return (0, 2**bits - 1) if name.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


_FORMS: Final[tuple[tuple[Callable[[Any], bool], Callable[[str, Any], ColumnForm]], ...]] = (
    (lambda t: _is(t, nw.Boolean), lambda alias, t: ColumnForm(alias, Kind.BOOLEAN, None, t)),
    (
        lambda t: _is(t, nw.String, nw.Categorical, nw.Enum),
        lambda alias, _: ColumnForm(alias, Kind.STRING, None, nw.String()),
    ),
    (lambda t: _is(t, nw.Decimal), _decimals),
    (
        lambda t: not isinstance(t, str) and t.is_integer(),
        lambda alias, t: ColumnForm(alias, Kind.NUMBER, Fraction(1), t, _reach(t)),
    ),
    (
        lambda t: not isinstance(t, str) and t.is_float(),
        lambda alias, _: ColumnForm(alias, Kind.NUMBER, None, nw.Float64()),
    ),
)
