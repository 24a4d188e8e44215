"""Fixtures shared by all tests: stores on both databases, a browser, processes, namespaces, no collector of cycles."""

from tests.support.browser import browser
from tests.support.collector import no_collector
from tests.support.forked import nursery
from tests.support.namespaces import in_namespace
from tests.support.order import pytest_collection_modifyitems
from tests.support.postgres import (
    empty_postgres_url,
    empty_url,
    own_postgres_url,
    own_store_url,
    postgres_server,
    postgres_template,
    postgres_url,
    shared_postgres_url,
    sqlite_template,
    sqlite_url,
    store,
    store_url,
    warehouse_url,
)

__all__ = [
    "browser",
    "empty_postgres_url",
    "empty_url",
    "in_namespace",
    "no_collector",
    "nursery",
    "own_postgres_url",
    "own_store_url",
    "postgres_server",
    "postgres_template",
    "postgres_url",
    "pytest_collection_modifyitems",
    "shared_postgres_url",
    "sqlite_template",
    "sqlite_url",
    "store",
    "store_url",
    "warehouse_url",
]
