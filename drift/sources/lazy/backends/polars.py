"""Polars: operations that Narwhals does not provide."""

from typing import Any, Final

import narwhals as nw

from drift.sources.lazy.backends.backend import Backend, BackendRules, SelectedColumns, count_conditions, make_plain


def _select(native: Any, columns: SelectedColumns) -> Any:
    import polars as pl  # noqa: PLC0415 - optional, and slow to load

    rules: BackendRules = {
        "nulls": lambda column: column.cast(pl.Boolean),
        "float": lambda column: column.cast(pl.Float64).fill_nan(None),
        "text": lambda column: column.cast(pl.String),
        **dict.fromkeys(
            ("date", "time", "duration", "instant", "local time"), lambda column: column.to_physical().cast(pl.Int64)
        ),
    }
    return native.select(make_plain(rules, pl.col(name), dtype).alias(alias) for name, alias, dtype in columns)


def _unknown(native: Any, name: str) -> Any:
    type_ = str(native.collect_schema()[name])
    return None if type_ == "Null" else type_


def _sample(native: Any, fraction: float, seed: int) -> Any:
    import polars as pl  # noqa: PLC0415 - optional, and slow to load

    return native.filter(pl.int_range(pl.len(), dtype=pl.UInt32).hash(seed) < int(fraction * 2**64))


def _unit(dtype: Any) -> str:
    return "ns" if isinstance(dtype, nw.Time) else str(dtype.time_unit)


BACKEND: Final = Backend(_select, _unit, _unknown, _sample, count_conditions)
