"""A real Spark for the tests: one cluster of two worker processes for each test process.

Tests use it by classic sessions and by Spark Connect; Python workers are never started.
"""

import functools
import os
import shutil
import socket
import warnings
from typing import Any

import pyarrow as pa
import pytest

from tests.support.optional import require

QUIET = "ignore:PySpark does not yet fully support:FutureWarning"


def _require_java() -> None:
    if shutil.which("java") or os.environ.get("JAVA_HOME"):
        return
    reason = "Spark needs Java 17 or later, and `java` is not installed: apt install openjdk-17-jre-headless"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@functools.cache
def _port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@functools.cache
def classic() -> Any:
    """Return the classic session of this process; the cluster ends with the process."""
    require("pyspark")
    _require_java()
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
        "spark.sql.session.timeZone": "America/New_York",  # must have no effect
        "spark.sql.timestampType": "TIMESTAMP_NTZ",  # of Arrow's times without a zone
    }
    builder = SparkSession.builder.master("local-cluster[2,1,1024]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def address() -> str:
    """Return the Spark Connect address of the cluster of this process."""
    classic()
    return f"sc://127.0.0.1:{_port()}"


@functools.cache
def connect() -> Any:
    """Return a Spark Connect session of the same cluster."""
    classic()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="PySpark does not yet fully support")
        from pyspark.sql.connect.session import SparkSession

        session = SparkSession.builder.remote(address()).create()
    for name in ("spark.sql.session.timeZone", "spark.sql.timestampType"):
        session.conf.set(name, classic().conf.get(name))
    return session


def frame(session: Any, table: pa.Table) -> Any:
    """Return an Arrow table as a Spark frame of two partitions."""
    if not table.num_rows:  # Spark takes the types from the first row
        row = pa.table({name: pa.nulls(1, table.schema.field(name).type) for name in table.column_names})
        return session.createDataFrame(row).limit(0)
    return session.createDataFrame(table).repartition(2)
