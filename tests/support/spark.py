"""A real Spark for the tests that need one: a cluster of two worker processes, one for each test process.

It is reached both ways, classic and by Spark Connect; Python workers are never started.
"""

import functools
import os
import shutil
import socket
import warnings
from typing import Any

import pyarrow as pa
import pytest

QUIET = "ignore:PySpark does not yet fully support:FutureWarning"


def needs(module: str) -> Any:
    """An optional module; without it the test is skipped, in CI it fails."""
    if os.environ.get("CI"):
        return __import__(module)
    return pytest.importorskip(module, reason=f"pip install '.[test-all]' for the tests of {module}")


def _java() -> None:
    if shutil.which("java") or os.environ.get("JAVA_HOME"):
        return
    reason = "Spark needs Java 17 or later (apt install openjdk-17-jre-headless), and there is no `java`"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@functools.cache
def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@functools.cache
def classic() -> Any:
    """The session of this process, over two workers; it ends with the process."""
    needs("pyspark")
    _java()
    from pyspark.sql import SparkSession

    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
        "spark.connect.grpc.binding.port": str(_port()),
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "America/New_York",  # which must not matter
        "spark.sql.timestampType": "TIMESTAMP_NTZ",  # Arrow's times without a zone are those without one
    }
    builder = SparkSession.builder.master("local-cluster[2,1,1024]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def address() -> str:
    """Where the cluster of this process answers Spark Connect."""
    classic()
    return f"sc://127.0.0.1:{_port()}"


@functools.cache
def connect() -> Any:
    """A session of the same cluster by Spark Connect."""
    classic()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="PySpark does not yet fully support")
        from pyspark.sql.connect.session import SparkSession

        session = SparkSession.builder.remote(address()).create()
    for name in ("spark.sql.session.timeZone", "spark.sql.timestampType"):
        session.conf.set(name, classic().conf.get(name))
    return session


def frame(session: Any, table: pa.Table) -> Any:
    """An Arrow table's rows in Spark, in two partitions."""
    if not table.num_rows:  # Spark takes the types from the first row
        row = pa.table({name: pa.nulls(1, table.schema.field(name).type) for name in table.column_names})
        return session.createDataFrame(row).limit(0)
    return session.createDataFrame(table).repartition(2)
