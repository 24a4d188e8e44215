"""DuckDB: operations that Narwhals does not provide."""

from collections.abc import Callable
from typing import Any, Final

import narwhals as nw

from drift.sources.lazy.backends.backend import Backend, BackendRules, SelectedColumns, count_conditions, make_plain


def _select(native: Any, columns: SelectedColumns) -> Any:
    from duckdb import CaseExpression, ColumnExpression, ConstantExpression, FunctionExpression  # noqa: PLC0415 - optional

    epoch = ConstantExpression("1970-01-01").cast("DATE")

    def ticks(function: str) -> Callable[[Any], Any]:
        return lambda column: _with_infinities(column, FunctionExpression(function, column))

    rules: BackendRules = {
        "nulls": lambda column: column.cast("BOOLEAN"),
        "float": lambda column: CaseExpression(FunctionExpression("isnan", column), ConstantExpression(None)).otherwise(
            column.cast("DOUBLE")
        ),
        "text": lambda column: column.cast("VARCHAR"),
        "date": lambda column: FunctionExpression("date_diff", ConstantExpression("day"), epoch, column),
        "instant": ticks("epoch_us"),
        "local time": ticks("epoch_us"),
        "time": lambda column: FunctionExpression("epoch_us", column),
        "duration": lambda column: FunctionExpression("epoch_us", column),
    }
    nanosecond_rules = {**rules, "instant": ticks("epoch_ns"), "local time": ticks("epoch_ns")}
    # Names are quoted here only: before 2.0, DuckDB splits some at their dots and quotes.
    quoted = ((name.replace('"', '""'), alias) for name, alias, _ in columns)
    selected = ", ".join(f'"{name}" AS {alias}' for name, alias in quoted)
    return native.query("drift_names", f"SELECT {selected} FROM drift_names").select(  # noqa: S608
        *[
            make_plain(nanosecond_rules if _unit(dtype) == "ns" else rules, ColumnExpression(alias), dtype).alias(alias)
            for _, alias, dtype in columns
        ]
    )


def _with_infinities(column: Any, ticks: Any) -> Any:
    """Return ticks since 1970; DuckDB converts infinite instants to null, here they are beyond all others."""
    from duckdb import CaseExpression, ConstantExpression  # noqa: PLC0415 - optional

    def equals(name: str) -> Any:
        return column.cast("TIMESTAMP") == ConstantExpression(name).cast("TIMESTAMP")

    first, last = (ConstantExpression(tick).cast("BIGINT") for tick in (-(2**63), 2**63 - 1))
    return CaseExpression(equals("infinity"), last).when(equals("-infinity"), first).otherwise(ticks)


def _unit(dtype: Any) -> str:
    return "ns" if isinstance(dtype, nw.Datetime) and dtype.time_unit == "ns" else "us"


def _unknown(native: Any, name: str) -> Any:
    type_ = str(dict(zip(native.columns, native.types, strict=True))[name])
    return None if type_ == '"NULL"' else type_


def _sample(native: Any, fraction: float, seed: int) -> Any:
    clause = f"USING SAMPLE {100 * fraction:.9f} PERCENT (bernoulli, {int(seed)})"
    return native.query("drift_rows", f"SELECT * FROM drift_rows {clause}")  # noqa: S608 - two numbers of our own


BACKEND: Final = Backend(_select, _unit, _unknown, _sample, count_conditions)
