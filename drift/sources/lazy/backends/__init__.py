"""Operations that Narwhals does not provide for Polars, DuckDB and Spark: a module for each, and their errors."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Final

import narwhals as nw

from drift.errors import SourceError
from drift.sources.lazy.backends import duckdb, polars, spark
from drift.sources.lazy.backends.backend import Backend

BACKENDS: Final[Mapping[nw.Implementation, Backend]] = {
    nw.Implementation.POLARS: polars.BACKEND,
    nw.Implementation.DUCKDB: duckdb.BACKEND,
    **dict.fromkeys(spark.SPARK_IMPLEMENTATIONS, spark.BACKEND),
}


@contextlib.contextmanager
def backend_errors(implementation: nw.Implementation) -> Iterator[None]:
    """Convert errors of a backend to SourceError, with the first line of their message."""
    try:
        yield
    except _error_types(implementation) as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        message = f"cannot read the data in {implementation.value}: {reason.strip()}"
        raise SourceError(message, code="source-unreadable") from error


def _error_types(implementation: nw.Implementation) -> tuple[type[BaseException], ...]:
    common: tuple[type[BaseException], ...] = (nw.exceptions.NarwhalsError, OSError)
    if implementation is nw.Implementation.POLARS:
        import polars as pl  # noqa: PLC0415 - optional, and slow to load

        return (*common, pl.exceptions.PolarsError)
    if implementation is nw.Implementation.DUCKDB:
        import duckdb  # noqa: PLC0415 - optional

        return (*common, duckdb.Error)
    from pyspark.errors import PySparkException  # noqa: PLC0415 - optional, and slow to load

    if implementation is nw.Implementation.PYSPARK_CONNECT:
        import grpc  # noqa: PLC0415 - comes with pyspark[connect]

        return (*common, PySparkException, grpc.RpcError)
    from py4j.protocol import Py4JError  # noqa: PLC0415 - comes with pyspark

    return (*common, PySparkException, Py4JError)
