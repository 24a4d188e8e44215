"""What Narwhals does not say alike on Polars, DuckDB and Spark: a room for each, and what they raise."""

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
    **dict.fromkeys(spark.SPARK, spark.BACKEND),
}


@contextlib.contextmanager
def reading(implementation: nw.Implementation) -> Iterator[None]:
    """What a backend raises becomes a SourceError in its words.

    Raises
    ------
    SourceError
        Where the backend fails.
    """
    try:
        yield
    except _failures(implementation) as error:
        told = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise SourceError(f"cannot read the data in {implementation.value}: {told.strip()}") from error


def _failures(implementation: nw.Implementation) -> tuple[type[BaseException], ...]:
    general: tuple[type[BaseException], ...] = (nw.exceptions.NarwhalsError, OSError)
    if implementation is nw.Implementation.POLARS:
        import polars as pl  # noqa: PLC0415 - optional, and slow to load

        return (*general, pl.exceptions.PolarsError)
    if implementation is nw.Implementation.DUCKDB:
        import duckdb  # noqa: PLC0415 - optional

        return (*general, duckdb.Error)
    from pyspark.errors import PySparkException  # noqa: PLC0415 - optional, and slow to load

    if implementation is nw.Implementation.PYSPARK_CONNECT:
        import grpc  # noqa: PLC0415 - comes with pyspark[connect]

        return (*general, PySparkException, grpc.RpcError)
    from py4j.protocol import Py4JError  # noqa: PLC0415 - comes with pyspark

    return (*general, PySparkException, Py4JError)
